//! The latency of orders at a fixed rate, with the platform seen from outside.

mod watch;

use crate::machine::Ticks;
use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::session::{self, Session};
use crate::{Orders, Outcome};
use bench::orders::{Kind, Tally};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use watch::Watch;

const P99_LIMIT_MS: f64 = 5.0;
/// How often the platform is looked at.
const WINDOW: Duration = Duration::from_secs(10);
const SYNCS: usize = 200;

/// Measures and prints.
///
/// # Errors
/// When the platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Orders) -> Outcome {
    let platform = session::platform(binary, options.accounts, &[])?;
    let synced = sync_times(platform.folder())?;
    session::client_runtime()?.block_on(measure(&platform, options, synced))
}

async fn measure(platform: &Platform, options: &Orders, synced: (f64, f64)) -> Outcome {
    let session = Session::open(platform, options.grpc, options.accounts, options.connections).await?;
    let load = session.load(options.rate, options.connections, options.seed, "bench-");
    load.clone()
        .send_all(Duration::from_secs(options.warm_up.into()))
        .await?;
    drop(load.take_tally());

    let mut watch = Watch::new(platform);
    let mut total = Tally::new();
    let ticks = Ticks::now();
    let begun = Instant::now();
    let mut sending = tokio::spawn(load.clone().send_all(Duration::from_secs(options.seconds.into())));
    loop {
        tokio::select! {
            sent = &mut sending => { sent??; break; }
            () = tokio::time::sleep(WINDOW) => {
                let window = load.take_tally();
                watch.look(begun.elapsed(), &window, load.in_flight()).await;
                total.add(&window)?;
            }
        }
    }
    let took = begun.elapsed();
    let stolen = Ticks::now().stolen_since(ticks);
    let window = load.take_tally();
    total.add(&window)?;
    watch.look(took, &window, load.in_flight()).await;
    show(options, &total, took, (synced, stolen));
    report::print(
        "orders: each 10 s, what is decided and not yet answered by the venue, and the process",
        watch::HEADER,
        watch.rows(),
    );
    println!("{}\n\n{}\n", watch.insides().await, platform.complaints());
    Ok(())
}

fn show(options: &Orders, total: &Tally, took: Duration, (synced, stolen): ((f64, f64), f64)) {
    let rows = [Kind::Submit, Kind::Cancel]
        .map(|kind| {
            let measured = total.of(kind);
            let at = |share: f64| measured.latency_ms(share);
            [
                kind.name().to_owned(),
                format!("{:.1}", report::per_second(measured.answered(), took)),
                format!("{:.2}", at(0.5)),
                format!("{:.2}", at(0.99)),
                format!("{:.2}", at(0.999)),
                format!("{:.2}", at(1.0)),
                measured.refused().to_string(),
                verdict(at(0.99) < P99_LIMIT_MS),
            ]
        })
        .to_vec();
    report::print(
        &format!(
            "orders: {} requests a second due for {} s over {}, {} accounts, at most {} connections, client on the same machine.\n\
             Milliseconds from when each was due until its durable answer; limit p99 < {P99_LIMIT_MS} ms.\n\
             This disk alone, before: write and fdatasync of 4 KiB p50 {:.2} ms, p99 {:.2} ms. Stolen by the hypervisor meanwhile: \
             {stolen:.1} % of the processors.",
            options.rate,
            options.seconds,
            if options.grpc { "gRPC" } else { "REST" },
            options.accounts,
            options.connections,
            synced.0,
            synced.1
        ),
        [
            "request",
            "answers a second",
            "p50",
            "p99",
            "p99.9",
            "max",
            "refused or failed",
            "p99 limit",
        ],
        rows,
    );
    let errors: Vec<String> = total
        .errors()
        .map(|(error, count)| format!("  {count} x {error}"))
        .collect();
    println!("errors by status and reason: {}\n{}\n", errors.len(), errors.join("\n"));
}

/// What a durable answer costs at least: p50 and p99 in milliseconds of small synchronised writes to the same disk.
fn sync_times(folder: &Path) -> std::io::Result<(f64, f64)> {
    let mut file = std::fs::File::create(folder.join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[SYNCS / 2], times[SYNCS * 99 / 100]))
}
