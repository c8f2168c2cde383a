//! The highest rate that is sustained: p99 within its limit, nothing refused, and no backlog that grows.

use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::session::{self, Session};
use crate::{Outcome, Sustained};
use bench::orders::{Kind, Tally};
use std::path::Path;
use std::time::{Duration, Instant};

const CONNECTIONS: u32 = 128;
const WARM_UP: Duration = Duration::from_secs(3);
/// How often the backlog is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The rate that the search does not go beyond.
const HIGHEST: u32 = 40_000;
/// Halvings of the gap between the last rate that held and the first that did not.
const HALVINGS: u32 = 3;
/// A backlog may be this much of a second's requests longer at the end than at the beginning.
const FLAT: f64 = 0.01;

/// What one rate came to.
struct Step {
    rate: u32,
    limit_ms: f64,
    tally: Tally,
    took: Duration,
    /// Intents on their way to the venue: at the beginning, and at the end.
    backlog: (f64, f64),
    venue: (f64, f64),
    first_fill: (f64, f64),
}

impl Step {
    fn p99_ms(&self) -> f64 {
        self.tally.of(Kind::Submit).latency_ms(0.99)
    }

    fn refused(&self) -> u64 {
        self.tally.of(Kind::Submit).refused() + self.tally.of(Kind::Cancel).refused()
    }

    fn is_flat(&self) -> bool {
        self.backlog.1 <= self.backlog.0 + f64::from(self.rate) * FLAT
    }

    fn holds(&self) -> bool {
        self.p99_ms() < self.limit_ms && self.refused() == 0 && self.is_flat()
    }

    fn row(&self, door: &str) -> [String; 9] {
        let submits = self.tally.of(Kind::Submit);
        [
            door.to_owned(),
            self.rate.to_string(),
            format!("{:.0}", report::per_second(submits.answered(), self.took)),
            format!("{:.2}", submits.latency_ms(0.5)),
            format!("{:.2}", self.p99_ms()),
            self.refused().to_string(),
            format!("{:.0} to {:.0}", self.backlog.0, self.backlog.1),
            format!(
                "{:.1} and {:.1} ms",
                1e3 * self.venue.0 / self.venue.1.max(1.0),
                1e3 * self.first_fill.0 / self.first_fill.1.max(1.0)
            ),
            verdict(self.holds()),
        ]
    }
}

/// Measures and prints.
///
/// # Errors
/// When the platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Sustained) -> Outcome {
    let mut rows = Vec::new();
    for (door, is_grpc) in [("REST", false), ("gRPC", true)] {
        let platform = session::platform(binary, options.accounts, &[])?;
        let steps = session::client_runtime()?.block_on(search(&platform, options, is_grpc))?;
        rows.extend(steps.iter().map(|step| step.row(door)));
    }
    report::print(
        &format!(
            "sustained: steps of {} s, then {} s at the highest rate that held; {} accounts, client on the same machine.\n\
             A rate holds when p99 < {} ms, nothing is refused, and the backlog at the venue is flat.",
            options.step_seconds, options.seconds, options.accounts, options.limit_ms
        ),
        [
            "door",
            "requests a second",
            "submits a second",
            "p50 ms",
            "p99 ms",
            "refused",
            "backlog",
            "to the venue's answer, to the first fill",
            "verdict",
        ],
        rows,
    );
    Ok(())
}

async fn search(
    platform: &Platform,
    options: &Sustained,
    is_grpc: bool,
) -> Result<Vec<Step>, Box<dyn std::error::Error + Send + Sync>> {
    let session = Session::open(platform, is_grpc, options.accounts, CONNECTIONS).await?;
    let span = Duration::from_secs(options.step_seconds.into());
    let warming = session.load(options.from, CONNECTIONS, 0, "warm-");
    warming.send_all(WARM_UP).await?;
    let mut steps: Vec<Step> = Vec::new();
    let (mut held, mut failed, mut rate) = (0, HIGHEST, options.from);
    let mut halvings = 0;
    while rate > 0 && halvings <= HALVINGS {
        let step = measure(platform, &session, (rate, options.limit_ms), span, steps.len()).await?;
        let holds = step.holds();
        steps.push(step);
        if holds {
            held = rate;
        } else {
            failed = rate;
        }
        rate = match (held, failed) {
            (0, failed) => failed / 2,
            (held, HIGHEST) => (held * 2).min(HIGHEST - 1),
            (held, failed) => {
                halvings += 1;
                held.midpoint(failed)
            }
        };
    }
    if held > 0 {
        let long = Duration::from_secs(options.seconds.into());
        steps.push(measure(platform, &session, (held, options.limit_ms), long, steps.len()).await?);
    }
    Ok(steps)
}

async fn measure(
    platform: &Platform,
    session: &Session,
    (rate, limit_ms): (u32, f64),
    span: Duration,
    number: usize,
) -> Result<Step, Box<dyn std::error::Error + Send + Sync>> {
    let load = session.load(rate, CONNECTIONS, number as u64, &format!("step-{number}-"));
    let before = platform.metrics("trading").await;
    let begun = Instant::now();
    let mut sending = tokio::spawn(load.clone().send_all(span));
    let mut backlogs = Vec::new();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            sent = &mut sending => { sent??; break; }
            _ = looks.tick() => backlogs.push(platform.metrics("trading").await.sum("trading_intent_backlog")),
        }
    }
    let took = begun.elapsed();
    let after = platform.metrics("trading").await;
    let grown = |name: &str| {
        let of = |part: &str| after.sum(&format!("{name}_{part}")) - before.sum(&format!("{name}_{part}"));
        (of("sum"), of("count"))
    };
    let third = (backlogs.len() / 3).max(1);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let tally = load.take_tally();
    let _ = load.cancel_resting().await?;
    Ok(Step {
        rate,
        limit_ms,
        tally,
        took,
        backlog: (
            mean(&backlogs[..third.min(backlogs.len())]),
            mean(&backlogs[backlogs.len().saturating_sub(third)..]),
        ),
        venue: grown("trading_venue_answer_seconds"),
        first_fill: grown("trading_first_fill_seconds"),
    })
}
