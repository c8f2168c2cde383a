//! What a run came to, for people, and what of it must not be.

use super::oracle::Verdict;
use super::run::Options;
use super::telling::Resolution;
use super::witness::Seen;
use bench::orders::{Kind, Tally};
use bench::supervisor::WHOLE;
use mesh::time::Clock;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Findings shown of each kind.
const SHOWN: usize = 20;

/// All but the exchange.
pub(super) const ALL: &str = "all";

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
            "outcomes: {} were unknown, known again after at most {:.2} s (that one from {:.1} s on); from acknowledgement to outcome p50 {:.3} s, p99 {:.3} s, longest {:.2} s",
            self.resolution.unknown,
            self.resolution.longest_unknown.as_secs_f64(),
            self.since_begun(self.resolution.longest_unknown_since),
            self.resolution.wait(0.5).as_secs_f64(),
            self.resolution.wait(0.99).as_secs_f64(),
            self.resolution.wait(1.0).as_secs_f64()
        ));
        line(format!(
            "cancels: from their decision to the order's end at most {:.2} s",
            self.resolution.longest_cancel.as_secs_f64()
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

    /// A wall clock time, in microseconds since the Unix epoch, as seconds since the load began; 0 before it.
    fn since_begun(&self, micros: i64) -> f64 {
        let ago = Clock::system().now_micros().saturating_sub(micros).max(0);
        let load = self.seen.begun().elapsed();
        load.saturating_sub(Duration::from_micros(ago.unsigned_abs()))
            .as_secs_f64()
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
        // A service of its own may wait for what others, or an injected silence, keep from it; its stall is what counts.
        let whole = self.kills.iter().filter(|kill| kill.what == WHOLE);
        let slowest = whole.map(|kill| kill.ready).max().unwrap_or_default();
        let one = self.longest_stall(|what| what != ALL && what != WHOLE);
        let table = [
            ("stall of one service", one, bounds.stall_of_one),
            (
                "stall of all services",
                self.longest_stall(|what| what == ALL),
                bounds.stall_of_all,
            ),
            ("unknown outcome", self.resolution.longest_unknown, bounds.outcome),
            (
                "from acknowledgement to outcome",
                self.resolution.wait(1.0),
                bounds.outcome + bounds.ready,
            ),
            (
                "from the decision of a cancel to the order's end",
                self.resolution.longest_cancel,
                bounds.outcome + bounds.ready,
            ),
            ("the whole ready again", slowest, bounds.ready),
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
    /// An outcome is unknown. From the answer to the client until the venue's is known, or from a cancel until the order
    /// has ended, it is as long, and as long as the killed process may take to be ready again.
    pub outcome: Duration,
    /// The whole platform was killed and is not ready again.
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
