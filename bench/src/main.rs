//! `bench`: measurements, each printed under the machine it ran on and beside a limit or a peer.

mod bare;
mod book;
mod boot;
mod history;
mod layers;
mod machine;
mod matching;
mod metrics;
mod order_rate;
mod platform;
mod process;
mod report;
mod restart;
mod resting;
mod scaling;
mod session;
mod slow_consumer;
mod sustained;

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
    /// Orders at a fixed rate: latency from when each was due, beside the least that a durable answer costs here
    Orders(Orders),
    /// The highest rate of orders that is sustained within a limit of p99, over REST and over gRPC
    Sustained(Sustained),
    /// How order latency grows with accounts, open orders and symbols
    Scaling(Scaling),
    /// Where the time of an order goes, layer by layer, from its traces
    Layers(Layers),
    /// Order latency with and without a consumer that stands still, in turns, and the memory that it costs
    SlowConsumer(SlowConsumer),
    /// Time until the platform is ready again, by the length of its past in trading's journal and in the exchange's
    Restart(Restart),
    /// Book updates a second on one core
    Book,
    /// The matching book beside `orderbook-rs`
    Matching,
    /// The peer of `orders`: a bare server that appends each request to a file in this folder
    #[command(hide = true)]
    Bare {
        /// The folder
        folder: PathBuf,
    },
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
    /// Lengths of trading's journal, in records; the exchange's grows with it
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
    /// Over gRPC in place of REST
    #[arg(long)]
    pub(crate) grpc: bool,
    /// Without the peer
    #[arg(long)]
    pub(crate) no_peer: bool,
}

/// Options of `sustained`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sustained {
    /// The first rate that is tried, in requests a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) from: u32,
    /// Seconds of a step
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=600))]
    pub(crate) step_seconds: u32,
    /// Milliseconds that the 99th percentile of submits must stay below
    #[arg(long, default_value_t = 5.0)]
    pub(crate) limit_ms: f64,
    /// Seconds at the rate that was found
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(3..=3_000))]
    pub(crate) seconds: u32,
    /// Paper accounts, used in turn
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) accounts: u32,
}

/// Options of `scaling`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scaling {
    /// Requests a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) rate: u32,
    /// Seconds of a step
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Numbers of accounts
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1_000, 10_000])]
    pub(crate) accounts: Vec<u32>,
    /// Numbers of orders that are open already
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000, 10_000, 100_000, 1_000_000])]
    pub(crate) open_orders: Vec<u32>,
    /// Numbers of symbols
    #[arg(long, value_delimiter = ',', default_values_t = [10, 120, 1_000])]
    pub(crate) symbols: Vec<u32>,
}

/// Options of `layers`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Layers {
    /// Requests a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) rate: u32,
    /// Seconds that are traced
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
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
    // It is the first of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let binary = arguments.binary.as_path();
    // The peer's first line says where it listens.
    if !matches!(arguments.what, What::Bare { .. }) {
        println!("{}\n", machine::describe());
    }
    match &arguments.what {
        What::Boot(options) => boot::run(binary, options),
        What::Orders(options) => order_rate::run(binary, options),
        What::Sustained(options) => sustained::run(binary, options),
        What::Scaling(options) => scaling::run(binary, options),
        What::Layers(options) => layers::run(binary, options),
        What::SlowConsumer(options) => slow_consumer::run(binary, options),
        What::Restart(options) => restart::run(binary, options),
        What::Book => book::run(),
        What::Bare { folder } => bare::run(folder),
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
