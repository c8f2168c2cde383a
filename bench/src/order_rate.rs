//! The latency of orders over REST at a fixed rate, with the platform seen from outside.

mod watch;

use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::{Orders, Outcome};
use bench::orders::{Kind, Load, Market, Plan, Rest, Tally};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watch::Watch;

const P99_LIMIT_MS: f64 = 5.0;
/// A request that has no answer after this failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the platform is looked at.
const WINDOW: Duration = Duration::from_secs(10);
/// How often quotes are read again.
const REFRESH: Duration = Duration::from_secs(1);
const SYNCS: usize = 200;

/// Measures and prints.
///
/// # Errors
/// When the platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Orders) -> Outcome {
    let platform = Platform::up(binary, &settings(options))?;
    let synced = sync_times(platform.folder())?;
    // One thread for the client leaves the rest of a small machine to the platform.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&platform, options, synced))
}

/// The limits of a person's account would stop the load; none of these changes the path of an order.
fn settings(options: &Orders) -> Vec<String> {
    let accounts = format!("paper.accounts={}", options.accounts);
    [
        accounts.as_str(),
        "exchange.limits=bench",
        "exchange.max_open_orders=100000",
        "trading.limits.duplicate_window_ms=0",
        "trading.limits.max_orders_per_second=100000",
        "trading.limits.max_open_orders=100000",
        "gateway.requests_per_second=1000000",
        "gateway.request_burst=1000000",
        "auth.access_token_s=3600",
    ]
    .map(str::to_owned)
    .to_vec()
}

async fn measure(platform: &Platform, options: &Orders, synced: (f64, f64)) -> Outcome {
    let rest = Rest::new(&platform.url("gateway-http"), options.connections, TIMEOUT)?;
    rest.login("admin", &platform.admin_password()?).await?;
    let market = Arc::new(Market::live(&rest).await?);
    let refreshing = tokio::spawn(refresh(rest.clone(), market.clone()));
    let plan = Plan {
        rate: options.rate,
        accounts: (1..=options.accounts).map(|number| format!("paper-{number}")).collect(),
        connections: options.connections,
        seed: options.seed,
        prefix: "bench-".to_owned(),
    };
    let load = Arc::new(Load::new(rest, market, plan));
    load.clone()
        .send_all(Duration::from_secs(options.warm_up.into()))
        .await?;
    drop(load.take_tally());

    let mut watch = Watch::new(platform);
    let mut total = Tally::new();
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
    let window = load.take_tally();
    total.add(&window)?;
    watch.look(took, &window, load.in_flight()).await;
    refreshing.abort();
    show(options, &total, took, synced);
    report::print(
        "orders: each 10 s, what is decided and not yet answered by the venue, and the process",
        watch::HEADER,
        watch.rows(),
    );
    println!("{}\n\n{}\n", watch.insides().await, platform.complaints());
    Ok(())
}

async fn refresh(rest: Rest, market: Arc<Market>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        // The last quotes stay until there are others; the load goes on.
        let _ = market.refresh(&rest).await;
    }
}

fn show(options: &Orders, total: &Tally, took: Duration, synced: (f64, f64)) {
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
            "orders: {} requests a second due for {} s over REST, {} accounts, at most {} connections, client on the same machine.\n\
             Milliseconds from when each was due until its durable answer; limit p99 < {P99_LIMIT_MS} ms.\n\
             This disk alone: write and fdatasync of 4 KiB p50 {:.2} ms, p99 {:.2} ms.",
            options.rate, options.seconds, options.accounts, options.connections, synced.0, synced.1
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
