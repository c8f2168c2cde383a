//! The latency of orders at a fixed rate, with the platform seen from outside, beside its peer.

mod peer;
mod run;
mod table;
mod watch;

use crate::platform::Platform;
use crate::report;
use crate::session::{self, Session};
use crate::{Orders, Outcome};
use run::Run;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use table::{P99_LIMIT_MS, PEER};
use watch::Watch;

const SYNCS: usize = 200;

/// Measures and prints: the peer, the platform, and the peer again.
///
/// # Errors
/// When one of them does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Orders) -> Outcome {
    let runtime = session::client_runtime()?;
    let mut peers = Vec::new();
    if !options.no_peer {
        peers.push(("before", runtime.block_on(peer::measure(options))?));
    }
    let platform = session::platform(binary, options.accounts, &[])?;
    let synced = sync_times(platform.folder())?;
    let ours = runtime.block_on(measure(&platform, options))?;
    drop(platform);
    if !options.no_peer {
        peers.push(("after", runtime.block_on(peer::measure(options))?));
    }
    show(options, &ours, &peers, synced);
    Ok(())
}

async fn measure(platform: &Platform, options: &Orders) -> Result<Run, Box<dyn std::error::Error + Send + Sync>> {
    let session = Session::open(platform, options.grpc, options.accounts, options.connections).await?;
    let load = session.load(options.rate, options.connections, options.seed, "bench-");
    run::warm_up(&load, options).await?;
    let mut watch = Watch::new(platform);
    let span = Duration::from_secs(options.seconds.into());
    let run = Run::of(&load, span, async |at, window| {
        watch.look(at, window, load.in_flight()).await;
    })
    .await?;
    report::print(
        "orders: each 10 s, what is decided and not yet answered by the venue, and the process",
        watch::HEADER,
        watch.rows(),
    );
    println!("{}\n\n{}\n", watch.insides().await, platform.complaints());
    Ok(run)
}

fn show(options: &Orders, ours: &Run, peers: &[(&str, Run)], synced: (f64, f64)) {
    let mut title = format!(
        "orders: {} requests a second due for {} s over {}, {} accounts, at most {} connections, client on the same machine.\n\
         Milliseconds from when each was due until its durable answer; limit p99 < {P99_LIMIT_MS} ms. Stolen by the hypervisor \
         meanwhile, of all processors.\n\
         This disk alone, before: write and fdatasync of 4 KiB p50 {:.2} ms, p99 {:.2} ms.",
        options.rate,
        options.seconds,
        if options.grpc { "gRPC" } else { "REST" },
        options.accounts,
        options.connections,
        synced.0,
        synced.1
    );
    if !peers.is_empty() {
        title += &format!(
            "\n{PEER}: the same load over REST for {} s before and after, without the platform. It appends each request to one \
             file, a\nsync for all that wait, and answers: no login, no risk gate, no venue. The ratios are to each of its runs.",
            peer::span(options).as_secs()
        );
    }
    report::print(&title, table::HEADER, table::rows(ours, peers));
    let errors: Vec<String> = ours
        .tally
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
