//! How the latency of orders grows with accounts, with orders that are open already, and with symbols.

use crate::platform::Platform;
use crate::report;
use crate::resting::{self, Resting};
use crate::session::{self, Session};
use crate::{Outcome, Scaling};
use bench::orders::{Kind, Tally};
use mesh::time::Clock;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CONNECTIONS: u32 = 64;
const WARM_UP: Duration = Duration::from_secs(3);
const ACCOUNTS: u32 = 100;
const SYMBOLS: u32 = 120;

/// Ready is who has compared every account with the venue, however many there are.
const READY_BOUND: &str = "trading.ready_bound_ms=3600000";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The size of a world.
#[derive(Clone, Copy)]
struct World {
    accounts: u32,
    open_orders: u32,
    symbols: u32,
}

const USUAL: World = World {
    accounts: ACCOUNTS,
    open_orders: 0,
    symbols: SYMBOLS,
};

/// Measures and prints.
///
/// # Errors
/// When a platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Scaling) -> Outcome {
    let tables: [(&str, Vec<World>); 3] = [
        (
            "accounts",
            options
                .accounts
                .iter()
                .map(|&accounts| World { accounts, ..USUAL })
                .collect(),
        ),
        (
            "open orders",
            options
                .open_orders
                .iter()
                .map(|&open_orders| World { open_orders, ..USUAL })
                .collect(),
        ),
        (
            "symbols",
            options
                .symbols
                .iter()
                .map(|&symbols| World { symbols, ..USUAL })
                .collect(),
        ),
    ];
    for (what, worlds) in tables {
        let mut rows = Vec::new();
        for world in worlds {
            rows.push(measure(binary, options, world)?);
        }
        report::print(
            &format!(
                "scaling: {} requests a second for {} s over REST, by {what}",
                options.rate, options.seconds
            ),
            [
                "accounts",
                "open orders",
                "symbols",
                "ready s",
                "submit p50 ms",
                "p99 ms",
                "refused",
                "resident MiB",
            ],
            rows,
        );
    }
    Ok(())
}

fn measure(binary: &Path, options: &Scaling, world: World) -> Result<[String; 8], Failure> {
    let symbols = format!("exchange.symbols={}", world.symbols);
    let settings = session::settings(world.accounts, &[symbols, READY_BOUND.to_owned()]);
    let folder = Arc::new(tempfile::tempdir()?);
    if world.open_orders > 0 {
        fill(binary, &folder, &settings, world)?;
    }
    let platform = Platform::up_in(binary, folder, &settings)?;
    let (tally, open) = session::client_runtime()?.block_on(async {
        let session = Session::open(&platform, false, world.accounts, CONNECTIONS).await?;
        let open = session.open_orders().await?;
        let warming = session.load(options.rate, CONNECTIONS, 0, "warm-");
        warming.send_all(WARM_UP).await?;
        let load = session.load(options.rate, CONNECTIONS, 1, "scale-");
        load.clone()
            .send_all(Duration::from_secs(options.seconds.into()))
            .await?;
        Ok::<(Tally, usize), Failure>((load.take_tally(), open))
    })?;
    let submits = tally.of(Kind::Submit);
    Ok([
        report::count(world.accounts.into()),
        report::count(open as u64),
        report::count(world.symbols.into()),
        format!("{:.2}", platform.ready_after.as_secs_f64()),
        format!("{:.2}", submits.latency_ms(0.5)),
        format!("{:.2}", submits.latency_ms(0.99)),
        submits.refused().to_string(),
        format!("{:.0}", crate::process::resident_mib(platform.id())),
    ])
}

/// Lets the world's orders rest in this folder: a platform opens the accounts there, and what it is then told is written.
fn fill(binary: &Path, folder: &Arc<TempDir>, settings: &[String], world: World) -> Result<(), Failure> {
    let platform = Platform::up_in(binary, Arc::clone(folder), settings)?;
    let listed = session::client_runtime()?.block_on(async {
        let rest = session::log_in(&platform, 1).await?;
        Ok::<_, Failure>(rest.get("/v1/instruments?pageSize=1000").await)
    })?;
    platform.interrupt()?;
    let begun = Instant::now();
    resting::write(&Resting {
        data: &folder.path().join("data"),
        accounts: world.accounts,
        symbols: world.symbols,
        count: world.open_orders,
        instruments: &listed.body,
        now: Clock::system().now_micros(),
    })?;
    println!(
        "wrote {} open orders in {:.1} s",
        report::count(world.open_orders.into()),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
