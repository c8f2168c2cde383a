//! One run: the mesh is started, loaded and killed on a seed; then everything is at rest, and the oracle judges.

use super::faults;
use super::oracle::{self, Account, Verdict};
use super::telling::{self, Resolution};
use super::venue::Venue;
use super::witness::{Recorder, Seen};
use super::{log, log::Log};
use bench::orders::{Kind, Load, Market, Plan, Rest, Tally};
use bench::supervisor::{MORTAL, REST, Settings, Supervisor, WHOLE};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
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
/// Findings shown of each kind.
const SHOWN: usize = 20;

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

/// One kill.
#[derive(Debug, Clone)]
pub struct Kill {
    /// When.
    pub at: Instant,
    /// What: a service, `all`, or `up`.
    pub what: &'static str,
    /// How long the slowest of the killed processes took to be ready again.
    pub ready: Duration,
    /// The longest span without any acknowledgement after it and before the next.
    pub stall: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The options.
    pub options: Options,
    /// The oracle's word.
    pub verdict: Verdict,
    /// The kills.
    pub kills: Vec<Kill>,
    /// What the generator saw.
    pub seen: Seen,
    /// Latencies, of submits and cancels.
    pub tally: Tally,
    /// How long outcomes were unknown.
    pub resolution: Resolution,
    /// What the exchange injected, and how often.
    pub faults: Vec<(String, u64)>,
    /// Processes that ended by themselves.
    pub deaths: Vec<String>,
    /// The ends of the logs.
    pub complaints: String,
}

impl Report {
    /// The longest stall after a kill of this, or of anything but this.
    pub fn longest_stall(&self, is_counted: impl Fn(&str) -> bool) -> Duration {
        let counted = self.kills.iter().filter(|kill| is_counted(kill.what));
        counted.map(|kill| kill.stall).max().unwrap_or_default()
    }

    /// The figures, for people.
    pub fn text(&self) -> String {
        let (options, verdict, seen) = (&self.options, &self.verdict, &self.seen);
        let mut text = format!(
            "under fire: {} requests a second for {} s, {} accounts, {} symbols, a kill each {} s, seed {}\n",
            options.rate, options.seconds, options.accounts, options.symbols, options.every, options.seed
        );
        let mut line = |line: String| writeln!(text, "  {line}").expect("a string takes text");
        line(format!(
            "acknowledged: {} orders and {} cancels; lost {}, doubled {}, different {}",
            verdict.acknowledged,
            verdict.cancels,
            verdict.lost.len(),
            verdict.doubled.len(),
            verdict.different.len()
        ));
        line(format!(
            "at the venue: {} trades; {} acknowledged orders never reached it and were said to have ended so, {} it refused",
            verdict.trades, verdict.never_sent, verdict.rejected
        ));
        line(format!(
            "outcomes: {} were unknown, known again after at most {:.2} s; from acknowledgement to outcome p50 {:.3} s, p99 {:.3} s, longest {:.2} s",
            self.resolution.unknown,
            self.resolution.longest_unknown.as_secs_f64(),
            self.resolution.wait(0.5).as_secs_f64(),
            self.resolution.wait(0.99).as_secs_f64(),
            self.resolution.wait(1.0).as_secs_f64()
        ));
        let submits = self.tally.of(Kind::Submit);
        line(format!(
            "submits, from when due to their final answer: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            submits.latency_ms(0.5),
            submits.latency_ms(0.99),
            submits.latency_ms(1.0)
        ));
        for kill in &self.kills {
            line(format!(
                "{:5.1} s  killed {:10} ready again after {:.2} s, longest stall {:.2} s",
                (kill.at - seen.begun()).as_secs_f64(),
                kill.what,
                kill.ready.as_secs_f64(),
                kill.stall.as_secs_f64()
            ));
        }
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(fault, count)| format!("{count} {fault}"))
            .collect();
        line(format!(
            "faults injected: {}",
            if faults.is_empty() {
                "none".to_owned()
            } else {
                faults.join(", ")
            }
        ));
        for (name, counts) in [("asked again after", &seen.unanswered), ("refused", &seen.refused)] {
            for (error, count) in counts {
                line(format!("{name} {count} x {error}"));
            }
        }
        text
    }

    /// What must never be: lost, doubled, different, never answered, or a process that ended by itself. Nothing of it
    /// depends on how fast the machine is.
    pub fn faults_of_the_platform(&self) -> Vec<String> {
        let mut found = self.deaths.clone();
        if !self.verdict.is_clean() {
            found.push(self.verdict.findings(SHOWN));
        }
        if self.seen.given_up > 0 {
            found.push(format!("{} requests were never answered", self.seen.given_up));
        }
        if self.verdict.acknowledged < 100 {
            found.push(format!("only {} orders were acknowledged", self.verdict.acknowledged));
        }
        found
    }

    /// Times beyond these bounds.
    pub fn times_beyond(&self, bounds: &Bounds) -> Vec<String> {
        let slowest = self.kills.iter().map(|kill| kill.ready).max().unwrap_or_default();
        let one = self.longest_stall(|what| what != ALL && what != WHOLE);
        let table = [
            ("stall of one service", one, bounds.stall_of_one),
            (
                "stall of all services",
                self.longest_stall(|what| what == ALL),
                bounds.stall_of_all,
            ),
            ("unknown outcome", self.resolution.longest_unknown, bounds.outcome),
            ("ready again", slowest, bounds.ready),
        ];
        let beyond = table.into_iter().filter(|(_, span, bound)| span > bound);
        beyond
            .map(|(what, span, bound)| {
                format!(
                    "{what}: {:.2} s, and {} s is the bound",
                    span.as_secs_f64(),
                    bound.as_secs()
                )
            })
            .collect()
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Nothing is acknowledged after one service was killed.
    pub stall_of_one: Duration,
    /// Nothing is acknowledged after all were.
    pub stall_of_all: Duration,
    /// An outcome is unknown.
    pub outcome: Duration,
    /// What was killed is not ready again.
    pub ready: Duration,
}

impl Bounds {
    /// What is promised on a machine that does nothing else.
    pub const PROMISED: Bounds = Bounds {
        stall_of_one: Duration::from_secs(1),
        stall_of_all: Duration::from_secs(3),
        outcome: Duration::from_secs(5),
        ready: Duration::from_secs(3),
    };
    /// What even an overloaded machine keeps: beyond it, the platform hangs.
    pub const GENEROUS: Bounds = Bounds {
        stall_of_one: Duration::from_secs(30),
        stall_of_all: Duration::from_secs(30),
        outcome: Duration::from_secs(60),
        ready: Duration::from_secs(60),
    };
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
    let verdict = oracle::judge(&log::read(&path)?, &accounts, &venue.symbols);
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

/// All but the exchange.
const ALL: &str = "all";

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
