//! How the latency of orders grows with accounts, with orders that are open already, and with symbols.

use crate::report;
use crate::session::{self, Session};
use crate::{Outcome, Scaling};
use bench::orders::{Kind, Tally};
use std::path::Path;
use std::time::Duration;

const CONNECTIONS: u32 = 64;
const WARM_UP: Duration = Duration::from_secs(3);
const ACCOUNTS: u32 = 100;
const SYMBOLS: u32 = 120;

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
    let platform = session::platform(binary, world.accounts, &[format!("exchange.symbols={}", world.symbols)])?;
    let (tally, open) = session::client_runtime()?.block_on(async {
        let session = Session::open(&platform, false, world.accounts, CONNECTIONS).await?;
        let resting = session.load(options.rate, CONNECTIONS, 2, "open-");
        let open = resting.let_rest(world.open_orders).await?;
        let warming = session.load(options.rate, CONNECTIONS, 0, "warm-");
        warming.send_all(WARM_UP).await?;
        let load = session.load(options.rate, CONNECTIONS, 1, "scale-");
        load.clone()
            .send_all(Duration::from_secs(options.seconds.into()))
            .await?;
        Ok::<(Tally, u32), Failure>((load.take_tally(), open))
    })?;
    let submits = tally.of(Kind::Submit);
    Ok([
        report::count(world.accounts.into()),
        report::count(open.into()),
        report::count(world.symbols.into()),
        format!("{:.2}", platform.ready_after.as_secs_f64()),
        format!("{:.2}", submits.latency_ms(0.5)),
        format!("{:.2}", submits.latency_ms(0.99)),
        submits.refused().to_string(),
        format!("{:.0}", crate::process::resident_mib(platform.id())),
    ])
}
