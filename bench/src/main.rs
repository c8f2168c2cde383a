//! `bench`: measurements, each printed under the machine it ran on and beside a limit or a peer.

mod book;
mod boot;
mod machine;
mod matching;
mod order_rate;
mod platform;
mod process;
mod report;
mod restart;
mod slow_consumer;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// What a measurement returns: its tables are printed as they come.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Measures trademesh, beside limits and peers", version)]
struct Arguments {
    /// The binary to measure
    #[arg(
        long,
        global = true,
        default_value = "target/release/trademesh",
        env = "TRADEMESH_BINARY"
    )]
    binary: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Time until the platform is ready, then its memory and CPU with 120 live symbols
    Boot(Boot),
    /// Orders over REST at a fixed rate: latency from when each was due
    Orders(Orders),
    /// Order latency with and without a consumer that stands still, in turns, and the memory that it costs
    SlowConsumer(SlowConsumer),
    /// Time until the platform is ready again, by the length of its order journal
    Restart(Restart),
    /// Book updates a second on one core
    Book,
    /// The matching book beside `orderbook-rs`
    Matching,
    /// All of them
    All {
        #[command(flatten)]
        boot: Boot,
        #[command(flatten)]
        orders: Orders,
        #[command(flatten)]
        restart: Restart,
    },
}

/// Options of `restart`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Restart {
    /// Lengths of the journal, in records
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    pub(crate) records: Vec<u64>,
}

/// Options of `boot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Boot {
    /// Minutes over which memory and CPU are watched
    #[arg(long, default_value_t = 5.0)]
    pub(crate) minutes: f64,
}

/// Options of `orders`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Orders {
    /// Requests a second, submits and cancels together
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    pub(crate) seconds: u32,
    /// Seconds at the same rate before, which are not measured
    #[arg(long, default_value_t = 5)]
    pub(crate) warm_up: u32,
    /// Paper accounts, used in turn
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) accounts: u32,
    /// Connections at most
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) connections: u32,
    /// Seed of the orders
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Options of `slow-consumer`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SlowConsumer {
    /// Requests a second, submits and cancels together
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    pub(crate) seconds: u32,
    /// Pairs of runs: one with `portfolio` stopped, one without
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) pairs: u32,
    /// Paper accounts, used in turn
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) accounts: u32,
    /// Seed of the orders
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let binary = arguments.binary.as_path();
    println!("{}\n", machine::describe());
    match &arguments.what {
        What::Boot(options) => boot::run(binary, options),
        What::Orders(options) => order_rate::run(binary, options),
        What::SlowConsumer(options) => slow_consumer::run(binary, options),
        What::Restart(options) => restart::run(binary, options),
        What::Book => book::run(),
        What::Matching => matching::run(),
        What::All { boot, orders, restart } => {
            book::run()?;
            matching::run()?;
            boot::run(binary, boot)?;
            order_rate::run(binary, orders)?;
            restart::run(binary, restart)
        }
    }
}
