//! What a consumer that stands still costs the others: `portfolio` is stopped (SIGSTOP) during every other run, and the
//! order latency and the memory of the producer are set beside those of the runs without.

use crate::report::{self, verdict};
use crate::{Outcome, SlowConsumer, process};
use bench::orders::{Kind, Load, Market, Plan, Rest};
use bench::supervisor::{Settings, Supervisor};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);
/// How often quotes are read again.
const REFRESH: Duration = Duration::from_secs(1);
/// Who stands still.
const CONSUMER: &str = "portfolio";
/// Who must not mind.
const PRODUCER: &str = "trading";
/// Seconds of load before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// What the difference may be at least, as a share.
const LIMIT: f64 = 0.10;
const MEMORY_LIMIT_MIB: f64 = 64.0;
const SYMBOLS: u32 = 120;

/// One run.
struct Run {
    is_paused: bool,
    p50_ms: f64,
    p99_ms: f64,
    failed: u64,
    /// What the producer grew by.
    grown_mib: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &SlowConsumer) -> Outcome {
    let folder = tempfile::tempdir()?;
    let settings = Settings {
        accounts: options.accounts,
        symbols: SYMBOLS,
        more: Vec::new(),
    };
    let supervisor = Supervisor::serve(binary, folder.path(), &settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runs = runtime.block_on(measure(&supervisor, options))?;
    show(options, &runs);
    println!("{}\n", supervisor.complaints());
    Ok(())
}

async fn measure(
    supervisor: &Supervisor,
    options: &SlowConsumer,
) -> Result<Vec<Run>, Box<dyn std::error::Error + Send + Sync>> {
    let rest = Rest::new(&supervisor.gateway(), 64, TIMEOUT)?;
    rest.login("admin", &supervisor.admin_password()).await?;
    let market = Arc::new(Market::live(&rest).await?);
    let refreshing = {
        let (rest, market) = (rest.clone(), market.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(REFRESH).await;
                // The last quotes stay until there are others.
                market.refresh(&rest).await;
            }
        })
    };
    let plan = Plan {
        rate: options.rate,
        accounts: (1..=options.accounts).map(|number| format!("paper-{number}")).collect(),
        connections: 64,
        seed: options.seed,
        prefix: "slow-".to_owned(),
    };
    let load = Arc::new(Load::new(rest, market, plan));
    load.clone().send_all(WARM_UP).await?;
    drop(load.take_tally());
    let span = Duration::from_secs(options.seconds.into());
    let mut runs = Vec::new();
    for pair in 0..options.pairs {
        // The order within a pair changes, so that what grows with time is not charged to one side.
        for is_paused in [pair % 2 == 1, pair % 2 == 0] {
            let before = process::resident_mib(supervisor.id(PRODUCER));
            if is_paused {
                supervisor.pause(CONSUMER, true);
            }
            let sent = load.clone().send_all(span).await;
            let grown_mib = process::resident_mib(supervisor.id(PRODUCER)) - before;
            if is_paused {
                supervisor.pause(CONSUMER, false);
            }
            sent?;
            let tally = load.take_tally();
            let submits = tally.of(Kind::Submit);
            runs.push(Run {
                is_paused,
                p50_ms: submits.latency_ms(0.5),
                p99_ms: submits.latency_ms(0.99),
                failed: submits.refused() + tally.of(Kind::Cancel).refused(),
                grown_mib,
            });
            let _ = load.clone().cancel_resting().await?;
            // What it missed is caught up with before the next run: that is no part of either side.
            settle(supervisor).await;
            drop(load.take_tally());
        }
    }
    refreshing.abort();
    Ok(runs)
}

/// Waits until the consumer uses little of the processor, for a minute at most.
async fn settle(supervisor: &Supervisor) {
    const LOOK: Duration = Duration::from_millis(500);
    let (id, begun) = (supervisor.id(CONSUMER), Instant::now());
    while begun.elapsed() < Duration::from_secs(60) {
        let before = process::processor_time(id);
        tokio::time::sleep(LOOK).await;
        if process::processor_time(id).saturating_sub(before) < LOOK / 10 {
            return;
        }
    }
}

fn show(options: &SlowConsumer, runs: &[Run]) {
    let rows = runs
        .iter()
        .map(|run| {
            [
                if run.is_paused { "stopped" } else { "running" }.to_owned(),
                format!("{:.2}", run.p50_ms),
                format!("{:.2}", run.p99_ms),
                run.failed.to_string(),
                format!("{:.1}", run.grown_mib),
            ]
        })
        .collect();
    report::print(
        &format!(
            "slow consumer: {} requests a second for {} s a run, {} pairs, {CONSUMER} stopped in every other run.\n\
             Milliseconds from when each submit was due until its durable answer; what {PRODUCER} grew by.",
            options.rate, options.seconds, options.pairs
        ),
        [CONSUMER, "p50", "p99", "refused or failed", "grown MiB"],
        rows,
    );
    let of = |is_paused: bool, figure: fn(&Run) -> f64| -> Vec<f64> {
        runs.iter()
            .filter(|run| run.is_paused == is_paused)
            .map(figure)
            .collect()
    };
    let (without, with) = (of(false, |run| run.p99_ms), of(true, |run| run.p99_ms));
    let spread = spread(&without);
    let ((calm, _), (stopped, _)) = (report::median_and_worst(without), report::median_and_worst(with));
    let (grown, _) = report::median_and_worst(of(true, |run| run.grown_mib));
    let (grown_calm, _) = report::median_and_worst(of(false, |run| run.grown_mib));
    let difference = (stopped - calm) / calm;
    let limit = LIMIT.max(spread);
    println!(
        "median p99 {calm:.2} ms running, {stopped:.2} ms stopped: {:+.1} %, limit {:.1} % (the spread of two runs without is {:.1} %): {}\n\
         median growth of {PRODUCER} {grown_calm:.1} MiB running, {grown:.1} MiB stopped: {:+.1} MiB, limit {MEMORY_LIMIT_MIB} MiB: {}\n",
        difference * 100.0,
        limit * 100.0,
        spread * 100.0,
        verdict(difference <= limit),
        grown - grown_calm,
        verdict(grown - grown_calm <= MEMORY_LIMIT_MIB)
    );
}

/// How far the first two figures are apart, as a share of their mean.
fn spread(figures: &[f64]) -> f64 {
    match figures {
        [first, second, ..] => (first - second).abs() / ((first + second) / 2.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn the_spread_is_that_of_two_runs() {
        assert!((spread(&[9.0, 11.0, 99.0]) - 0.2).abs() < 1e-9);
        assert!(spread(&[9.0]).abs() < 1e-9);
    }
}
