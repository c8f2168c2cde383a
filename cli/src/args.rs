//! The command line: what a person types, before anything is done.

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or failed on the server's side; a service failed, or its journal is damaged or cannot be written
  2  usage or configuration, or a port or folder that is not to be had: the message names the fix
  3  not logged in, or not permitted
  4  the mesh cannot be reached, or did not answer in time";

/// An algorithmic-trading platform, built as a mesh of small services.
#[derive(Debug, Parser)]
#[command(name = "trademesh", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What was typed; a mistake, `--help` and `--version` end the process here.
    pub fn read() -> Self {
        let matches = Self::with_exit_codes().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The command line, with the exit codes in the help of every subcommand.
    pub fn with_exit_codes() -> clap::Command {
        tell_exit_codes(Self::command())
    }
}

fn tell_exit_codes(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).mut_subcommands(tell_exit_codes)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything in one process: a simulated exchange, and the platform trading on it (paper).
    Up(Serve),
    /// Start some services; the others are reached at the addresses in the configuration.
    Serve {
        /// The services, for example `trading risk`.
        #[arg(required = true, value_name = "SERVICE")]
        services: Vec<String>,
        /// Where the configuration comes from.
        #[command(flatten)]
        options: Serve,
    },
    /// Show every key with the value that file, environment and flags give it, and where that came from.
    ///
    /// `serve` runs on these values. `up` changes some: unless they are set, auth.require_password_change is false and
    /// telemetry.log is warn; data.rest_url, data.ws_url and trading.rest_url always name its own exchange. For both, an
    /// empty accounts_dir is `accounts` in the data folder.
    Config(Settings),
    /// Show every service and its health.
    Status(Client),
    /// Log in, and keep the session for the other commands.
    Login(Login),
    /// Submit or cancel an order.
    Order {
        /// What to do.
        #[command(subcommand)]
        action: OrderAction,
    },
    /// List orders, newest first.
    Orders(Orders),
    /// Stop new orders, everywhere or for one venue, account, strategy or symbol. Cancels still pass.
    Halt(Halt),
    /// Lift a halt.
    Resume(HaltTarget),
    /// List the halts in force.
    Halts(Client),
    /// List what people should look at, newest first.
    Alerts(Client),
    /// Show an account's positions, cash, and profit and loss.
    Positions(AccountClient),
    /// Show the best prices of symbols.
    Quote {
        /// The symbols; none means all.
        symbols: Vec<String>,
        /// Where the mesh is.
        #[command(flatten)]
        client: Client,
    },
    /// Follow quotes, orders or a portfolio until Ctrl-C.
    Watch(Watch),
    /// Measure a running mesh.
    Bench {
        /// What is measured.
        #[command(subcommand)]
        what: Bench,
    },
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Where the configuration comes from: the file, then TRADEMESH_* variables, then these flags.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The configuration file (TOML).
    #[arg(long, short = 'c', value_name = "FILE", env = "TRADEMESH_CONFIG")]
    pub config: Option<PathBuf>,
    /// Set one key, for example `trading.limits.max_open_orders=50`. May be given again.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// How services are run.
// The subcommand `serve` already has a group of that name.
#[derive(Debug, Clone, Args)]
#[group(id = "process")]
pub struct Serve {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: Settings,
    /// Listen on free ports instead of the configured ones; with --json they are printed.
    #[arg(long)]
    pub any_port: bool,
}

/// Where the mesh is, and how to answer.
#[derive(Debug, Clone, Args)]
pub struct Client {
    /// The gateway's address.
    #[arg(
        long,
        value_name = "URL",
        env = "TRADEMESH_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub server: String,
    /// The file that keeps the session.
    #[arg(long, value_name = "FILE", env = "TRADEMESH_SESSION")]
    pub session: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// A client command about one account.
#[derive(Debug, Clone, Args)]
pub struct AccountClient {
    /// The account.
    #[arg(long, short = 'a', env = "TRADEMESH_ACCOUNT", default_value = "paper-1")]
    pub account: String,
    /// Where the mesh is.
    #[command(flatten)]
    pub client: Client,
}

/// Who logs in.
#[derive(Debug, Clone, Args)]
pub struct Login {
    /// The user's name.
    #[arg(long, short = 'u', default_value = "admin")]
    pub user: String,
    /// A file with the password; without it, the password is asked for.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Where the mesh is.
    #[command(flatten)]
    pub client: Client,
}

/// What to do with an order.
#[derive(Debug, Clone, Subcommand)]
pub enum OrderAction {
    /// Buy.
    Buy(NewOrder),
    /// Sell.
    Sell(NewOrder),
    /// Show one order.
    Show(OneOrder),
    /// Put an order with another price or quantity in an order's place.
    Replace(ReplaceOrder),
    /// Cancel one order.
    Cancel(OneOrder),
    /// Cancel all open orders, or those of one symbol or strategy.
    CancelAll {
        /// Only this symbol.
        #[arg(long)]
        symbol: Option<String>,
        /// Only orders of this strategy.
        #[arg(long)]
        strategy: Option<String>,
        /// Whose orders.
        #[command(flatten)]
        account: AccountClient,
    },
}

/// A halt.
#[derive(Debug, Clone, Args)]
pub struct Halt {
    /// Why.
    #[arg(long, short = 'r')]
    pub reason: String,
    /// Cancel the open orders that it covers, too.
    #[arg(long)]
    pub cancel_orders: bool,
    /// What it covers.
    #[command(flatten)]
    pub target: HaltTarget,
}

/// What a halt covers: everything, unless one of these says less.
#[derive(Debug, Clone, Args)]
pub struct HaltTarget {
    /// Only this venue.
    #[arg(long, group = "scope")]
    pub venue: Option<String>,
    /// Only this account.
    #[arg(long, group = "scope")]
    pub account: Option<String>,
    /// Only orders of this strategy.
    #[arg(long, group = "scope")]
    pub strategy: Option<String>,
    /// Only this symbol.
    #[arg(long, group = "scope")]
    pub symbol: Option<String>,
    /// Where the mesh is.
    #[command(flatten)]
    pub client: Client,
}

/// A new order.
#[derive(Debug, Clone, Args)]
pub struct NewOrder {
    /// The symbol, for example BTCUSDT.
    pub symbol: String,
    /// The quantity in the base asset.
    pub quantity: String,
    /// What kind of order; without it, what the other options say.
    #[arg(long = "type", value_enum)]
    pub kind: Option<OrderKind>,
    /// The limit price; without it, a market order.
    #[arg(long, short = 'l', value_name = "PRICE")]
    pub limit: Option<String>,
    /// The price to wait for: the order goes out when the market is there.
    #[arg(long, value_name = "PRICE")]
    pub stop: Option<String>,
    /// A stop that follows the market at this distance: an amount, or a share such as 1.5%.
    #[arg(long, value_name = "DISTANCE", conflicts_with_all = ["stop", "limit"])]
    pub trail: Option<String>,
    /// How long it stands.
    #[arg(long = "tif", visible_alias = "time-in-force", value_enum)]
    pub time_in_force: Option<TimeInForce>,
    /// When it is over, for example 2027-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub expire: Option<String>,
    /// Refuse the order if it would trade at once.
    #[arg(long, requires = "limit")]
    pub post_only: bool,
    /// Only lessen what is held: more than that is cut off.
    #[arg(long)]
    pub reduce_only: bool,
    /// Show only this much of the order on the book, where the venue can.
    #[arg(long, value_name = "QUANTITY", requires = "limit")]
    pub show: Option<String>,
    /// What it is traded for, to cancel and halt by.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Your id for the order: a repeat under the same id never trades twice.
    #[arg(long, value_name = "ID")]
    pub client_order_id: Option<String>,
    /// Whose order.
    #[command(flatten)]
    pub account: AccountClient,
}

/// What kind of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderKind {
    /// At the best prices there are, within the collar.
    Market,
    /// At the limit or better.
    Limit,
    /// A market order that waits for the stop price against you.
    Stop,
    /// A limit order that waits for the stop price.
    StopLimit,
    /// A market order that waits for the stop price in your favour.
    TakeProfit,
    /// A limit order that waits like a take-profit.
    TakeProfitLimit,
    /// A stop that follows the market.
    TrailingStop,
}

/// What to put in an order's place. What is not given stays.
#[derive(Debug, Clone, Args)]
pub struct ReplaceOrder {
    /// The platform's id of the order.
    pub order_id: String,
    /// The new quantity, what has been filled included.
    #[arg(long, short = 'q')]
    pub quantity: Option<String>,
    /// The new limit price.
    #[arg(long, short = 'l', value_name = "PRICE")]
    pub limit: Option<String>,
    /// The new price to wait for.
    #[arg(long, value_name = "PRICE")]
    pub stop: Option<String>,
    /// Your id for the new order: a repeat under the same id replaces once.
    #[arg(long, value_name = "ID")]
    pub client_order_id: Option<String>,
    /// Whose order.
    #[command(flatten)]
    pub account: AccountClient,
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TimeInForce {
    /// Good till cancelled.
    Gtc,
    /// Immediate or cancel.
    Ioc,
    /// Fill or kill.
    Fok,
    /// Good for the day, UTC.
    Day,
    /// Good till the time given with --expire.
    Gtd,
}

/// One order.
#[derive(Debug, Clone, Args)]
pub struct OneOrder {
    /// The platform's id of it.
    pub order_id: String,
    /// Whose order.
    #[command(flatten)]
    pub account: AccountClient,
}

/// Which orders to list.
#[derive(Debug, Clone, Args)]
pub struct Orders {
    /// Only orders that are not at their end.
    #[arg(long)]
    pub open: bool,
    /// Only this symbol.
    #[arg(long)]
    pub symbol: Option<String>,
    /// At most this many, up to 1000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub limit: i32,
    /// Whose orders.
    #[command(flatten)]
    pub account: AccountClient,
}

/// What to follow.
#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// What to follow.
    #[arg(value_enum)]
    pub topic: Topic,
    /// The symbols, for quotes; none means all.
    pub symbols: Vec<String>,
    /// Stop after this many messages.
    #[arg(long)]
    pub count: Option<u64>,
    /// Whose orders or portfolio.
    #[command(flatten)]
    pub account: AccountClient,
}

/// What can be followed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Topic {
    /// The best prices.
    Quotes,
    /// What happens to orders.
    Orders,
    /// Equity, and profit and loss.
    Portfolio,
}

/// What is measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Bench {
    /// Send orders at a fixed rate, and show how long their durable answers take. They are real orders of the accounts
    /// that the session may trade: 40 % rest, 40 % trade, 20 % cancel. What still rests at the end is cancelled.
    Orders(BenchOrders),
}

/// How orders are sent to a running mesh.
#[derive(Debug, Clone, Args)]
pub struct BenchOrders {
    /// Requests a second, submits and cancels together.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// How long, for example `60s` or `2m`; at most an hour.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// An account that is used; may be given again. None means all that the session may trade.
    #[arg(long = "account", short = 'a', value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
    /// Requests at the same time, at most.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub connections: u32,
    /// Seed of the orders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Send them over gRPC in place of REST.
    #[arg(long)]
    pub grpc: bool,
    /// Send orders even where they may be real money: without it only accounts of the mesh's own simulated exchange are
    /// traded.
    #[arg(long)]
    pub yes_live: bool,
    /// Where the mesh is.
    #[command(flatten)]
    pub client: Client,
}

/// The longest measurement.
const LONGEST: Duration = Duration::from_secs(3_600);

/// A whole number of seconds or minutes.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(seconds), _) => seconds.parse().ok(),
        (_, Some(minutes)) => minutes.parse::<u64>().ok().and_then(|minutes| minutes.checked_mul(60)),
        _ => None,
    };
    let duration = seconds.map(Duration::from_secs);
    let within = duration.filter(|duration| (Duration::from_secs(1)..=LONGEST).contains(duration));
    within.ok_or_else(|| "write it as 60s or 2m, from one second to an hour".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Cli, duration};
    use std::time::Duration;

    #[test]
    fn durations_are_whole_seconds_or_minutes_within_an_hour() {
        for (text, seconds) in [("1s", 1), ("60s", 60), ("2m", 120), ("60m", 3_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "60", "1h", "0s", "61m", "-1s", "1.5s", "18446744073709551615m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_help_names_the_exit_codes() {
        fn check(command: &mut clap::Command) {
            // The command that prints the help of others is clap's own.
            if command.get_name() == "help" {
                return;
            }
            let help = command.render_long_help().to_string();
            assert!(help.contains("Exit codes"), "{}: {help}", command.get_name());
            command.get_subcommands_mut().for_each(check);
        }
        check(&mut Cli::with_exit_codes());
    }
}
