//! One run: the mesh is started, loaded and killed on a seed; then everything is at rest, and the oracle judges.

use super::oracle::{self, Account};
use super::report::{ALL, Kill, Report};
use super::telling;
use super::venue::Venue;
use super::witness::{Recorder, Seen};
use super::{cancels, faults};
use super::{log, log::Log};
use bench::orders::{Load, Market, Plan, Rest};
use bench::supervisor::{MORTAL, REST, Settings, Supervisor, WHOLE};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A request without an answer after this long is sent again.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How often quotes are read again.
const REFRESH: Duration = Duration::from_secs(1);
/// The portfolio may take so long to catch up with the venue once everything is at rest.
const CATCH_UP: Duration = Duration::from_secs(60);

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One service of its own process, or all at once, on the seed; the exchange never.
    Services,
    /// `trademesh up` as a whole, exchange included.
    Whole,
}

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is killed.
    pub target: Target,
    /// Requests a second.
    pub rate: u32,
    /// Seconds under load.
    pub seconds: u32,
    /// Seconds between two kills.
    pub every: f64,
    /// Seed of the orders, of the kills and of the exchange's faults.
    pub seed: u64,
    /// Paper accounts.
    pub accounts: u32,
    /// Symbols of the market.
    pub symbols: u32,
    /// Whether the exchange injects faults.
    pub faults: bool,
    /// How long the venue takes a request after it was signed, in milliseconds.
    pub recv_window_ms: u32,
    /// How long the venue may take to carry a request out, in milliseconds: what it does not know after both is absent.
    pub processing_bound_ms: u32,
}

impl Options {
    /// Options from a text such as `rate=1000 seconds=60 every=5`; what it does not name stays.
    ///
    /// # Errors
    /// When a word is no option, or its value none.
    pub fn with(mut self, text: &str) -> Outcome<Self> {
        for word in text.split_whitespace() {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("'{word}' is not NAME=VALUE"))?;
            match name {
                "rate" => self.rate = value.parse()?,
                "seconds" => self.seconds = value.parse()?,
                "every" => self.every = value.parse()?,
                "seed" => self.seed = value.parse()?,
                "accounts" => self.accounts = value.parse()?,
                "symbols" => self.symbols = value.parse()?,
                "faults" => self.faults = value.parse()?,
                "recv_window_ms" => self.recv_window_ms = value.parse()?,
                "processing_bound_ms" => self.processing_bound_ms = value.parse()?,
                _ => return Err(format!("there is no option '{name}'").into()),
            }
        }
        Ok(self)
    }
}

/// Runs.
///
/// # Errors
/// When the platform does not answer at all, or never comes to rest.
pub async fn run(binary: &Path, folder: &Path, options: Options) -> Outcome<Report> {
    let settings = Settings {
        accounts: options.accounts,
        symbols: options.symbols,
        more: vec![
            format!("exchange.seed={}", options.seed),
            format!("trading.recv_window_ms={}", options.recv_window_ms),
            format!("trading.processing_bound_ms={}", options.processing_bound_ms),
        ],
    };
    let supervisor = match options.target {
        Target::Services => Supervisor::serve(binary, folder, &settings)?,
        Target::Whole => Supervisor::up(binary, folder, &settings)?,
    };
    let supervisor = Arc::new(supervisor);
    let rest = Rest::new(&supervisor.gateway(), 64, TIMEOUT)?;
    rest.login("admin", &supervisor.admin_password()).await?;
    let venue = Venue::open(&supervisor.exchange()).await?;
    let mut accounts = BTreeMap::new();
    for number in 1..=options.accounts {
        let account = Account {
            opening: venue.balances(number).await?,
            ..Account::default()
        };
        accounts.insert(number, account);
    }
    let names: Vec<String> = (1..=options.accounts).map(|number| format!("paper-{number}")).collect();

    let market = Arc::new(Market::live(&rest).await?);
    let path = folder.join("generator.log");
    let log = Log::create(&path)?;
    let recorder = Arc::new(Recorder::new(log.lines()));
    let plan = Plan {
        rate: options.rate,
        accounts: names.clone(),
        connections: 256,
        seed: options.seed,
        prefix: format!("fire-{}-", options.seed),
    };
    let load = Arc::new(Load::watched(rest.clone(), market.clone(), plan, recorder.clone()));
    if options.faults {
        faults::begin(&rest, options.seed).await?;
    }
    recorder.begin();
    let refreshing = tokio::spawn(refresh(rest.clone(), market));
    let span = Duration::from_secs(options.seconds.into());
    let sending = tokio::spawn(load.clone().send_all(span));
    let mut kills = kill(supervisor.clone(), options.clone()).await?;
    sending.await??;
    refreshing.abort();
    let seen = recorder.seen();
    let tally = load.take_tally();
    drop((load, recorder));
    log.close()?;
    let waiting = supervisor.clone();
    tokio::task::spawn_blocking(move || waiting.wait_ready()).await??;
    measure(&supervisor, &mut kills, &seen);

    telling::answers(&rest, &names[0]).await?;
    let injected = if options.faults {
        faults::end(&rest).await?
    } else {
        Vec::new()
    };
    let entries = log::read(&path)?;
    let at_rest = Instant::now();
    for (number, account) in &mut accounts {
        account.left_open = cancels::left_open(&venue, *number, &entries, at_rest).await?;
    }
    telling::cancel_all(&rest, &names).await?;
    let until = Instant::now() + CATCH_UP;
    for (number, account) in &mut accounts {
        account.book = venue.book(*number).await?;
        account.told = telling::told(&rest, &format!("paper-{number}"), account.book.trades.len(), until).await?;
    }
    let last = telling::last_sequences(&rest, &names).await?;
    let resolution = telling::resolution(&supervisor.gateway(), &rest.token(), &names, &last).await?;
    let accounts = accounts
        .into_iter()
        .map(|(number, account)| (format!("paper-{number}"), account))
        .collect();
    let verdict = oracle::judge(&entries, &accounts, &venue.symbols);
    Ok(Report {
        options,
        verdict,
        kills,
        seen,
        tally,
        resolution,
        faults: injected,
        deaths: supervisor.deaths(),
        complaints: supervisor.complaints(),
    })
}

/// Kills on the seed until the load is over.
async fn kill(supervisor: Arc<Supervisor>, options: Options) -> Outcome<Vec<Kill>> {
    let mut chance = ChaCha8Rng::seed_from_u64(options.seed);
    let mut deck: Vec<&'static str> = Vec::new();
    let mut kills = Vec::new();
    let count = (f64::from(options.seconds) / options.every).ceil() as usize - 1;
    let begun = Instant::now();
    for number in 1..=count {
        let due = begun + Duration::from_secs_f64(options.every * number as f64);
        tokio::time::sleep_until(due.into()).await;
        if deck.is_empty() {
            deck = match options.target {
                Target::Whole => vec![WHOLE],
                Target::Services => MORTAL.into_iter().chain([ALL]).collect(),
            };
        }
        // Every kind comes once before any comes again.
        let what = deck.swap_remove(chance.random_range(0..deck.len()));
        let killing = supervisor.clone();
        // What was killed before must be up again: a kill is of a running process.
        let at = tokio::task::spawn_blocking(move || {
            killing.wait_ready()?;
            let at = Instant::now();
            killing.kill(&targets(what));
            Ok::<_, String>(at)
        });
        kills.push(Kill {
            at: at.await??,
            what,
            ready: Duration::ZERO,
            stall: Duration::ZERO,
        });
    }
    Ok(kills)
}

fn targets(what: &'static str) -> Vec<&'static str> {
    match what {
        ALL => MORTAL.into_iter().chain([REST]).collect(),
        one => vec![one],
    }
}

fn measure(supervisor: &Supervisor, kills: &mut [Kill], seen: &Seen) {
    let times: Vec<Instant> = kills.iter().map(|kill| kill.at).collect();
    for (number, kill) in kills.iter_mut().enumerate() {
        let end = times.get(number + 1).copied().unwrap_or_else(Instant::now);
        kill.stall = seen.longest_stall(kill.at, end);
        let readies = targets(kill.what).into_iter().map(|name| {
            let lives = supervisor.lives(name);
            let reborn = lives.iter().find(|life| life.started >= kill.at);
            reborn
                .and_then(|life| life.ready)
                .map_or(Duration::MAX, |ready| ready - kill.at)
        });
        kill.ready = readies.max().unwrap_or_default();
    }
}

async fn refresh(rest: Rest, market: Arc<Market>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        // The last quotes stay until there are others; the load goes on.
        let _ = market.refresh(&rest).await;
    }
}
