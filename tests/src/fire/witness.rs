//! What the generator does with answers: it asks again under the same key until there is one, writes what it was told into
//! its log, and notes how long nobody was told anything.

use super::log::Line;
use bench::orders::{Answer, Asked, Kind, Witness};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How long to wait before an unanswered request is sent again; it doubles with each attempt, up to [`DOUBLINGS`] times:
/// a platform that is down must not be held down by those who ask for it.
const PAUSE: Duration = Duration::from_millis(25);
/// How often the wait doubles.
const DOUBLINGS: u32 = 5;
/// A request that has no answer after this long is given up: the platform has failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whether an answer says for good what became of a request. An error of the server's side and silence do not, and
/// "not now" does not either.
pub fn is_final(status: u16) -> bool {
    !matches!(status, 0 | 401 | 403 | 408 | 429 | 500..)
}

/// Writes the log, and asks again.
#[derive(Debug)]
pub struct Recorder {
    lines: Mutex<Sender<Line>>,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Debug, Clone)]
pub struct Seen {
    begun: Instant,
    last: Instant,
    /// Every span of a tenth of a second and more without an acknowledgement: when it ended, and how long it was.
    pub stalls: Vec<(Instant, Duration)>,
    /// Answers that were not final, by status and reason.
    pub unanswered: BTreeMap<String, u64>,
    /// Final answers other than 200, by status and reason.
    pub refused: BTreeMap<String, u64>,
    /// Requests that were given up.
    pub given_up: u64,
    /// Acknowledged requests.
    pub acknowledged: u64,
    /// The longest that one request waited for its acknowledgement, from when it was due.
    pub longest_wait: Duration,
}

/// Spans without an acknowledgement that are worth a note.
const NOTED: Duration = Duration::from_millis(100);

impl Recorder {
    /// A recorder that writes to `lines`.
    pub fn new(lines: Sender<Line>) -> Self {
        let begun = Instant::now();
        Self {
            lines: Mutex::new(lines),
            seen: Mutex::new(Seen {
                begun,
                last: begun,
                stalls: Vec::new(),
                unanswered: BTreeMap::new(),
                refused: BTreeMap::new(),
                given_up: 0,
                acknowledged: 0,
                longest_wait: Duration::ZERO,
            }),
        }
    }

    /// Stalls count from now on.
    ///
    /// # Panics
    /// Never: no holder panics.
    pub fn begin(&self) {
        let mut seen = self.seen.lock().expect("no holder panics");
        seen.begun = Instant::now();
        seen.last = seen.begun;
        seen.stalls.clear();
    }

    /// What was seen so far.
    ///
    /// # Panics
    /// Never: no holder panics.
    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("no holder panics").clone()
    }

    fn write(&self, line: Line) {
        let lines = self.lines.lock().expect("no holder panics");
        lines.send(line).expect("the log outlives its generator");
    }
}

impl Seen {
    /// The longest span without an acknowledgement that ends after `from` and begins before `to`, as far as it lasts before
    /// `to`: what comes after that has another cause.
    pub fn longest_stall(&self, from: Instant, to: Instant) -> Duration {
        let after = self.stalls.iter().filter(|(end, _)| *end >= from);
        let spans = after.map(|(end, length)| to.min(*end).saturating_duration_since(*end - *length));
        spans.max().unwrap_or_default()
    }

    /// When counting began.
    pub fn begun(&self) -> Instant {
        self.begun
    }
}

impl Witness for Recorder {
    fn asked(&self, asked: &Asked) {
        self.write(Line::Asked {
            id: asked.id.clone(),
            account: asked.account.clone(),
            cancels: (asked.kind == Kind::Cancel).then(|| asked.order.clone()),
        });
    }

    fn answered(&self, asked: &Asked, attempt: u32, answer: &Answer, since_due: Duration) -> Option<Duration> {
        let mut seen = self.seen.lock().expect("no holder panics");
        if !is_final(answer.status) {
            *seen.unanswered.entry(answer.error()).or_default() += 1;
            if since_due < PATIENCE {
                return Some(PAUSE * 2_u32.pow(attempt.min(DOUBLINGS)));
            }
            seen.given_up += 1;
            return None;
        }
        if answer.is_good() {
            let now = Instant::now();
            let length = now - seen.last;
            if length >= NOTED {
                seen.stalls.push((now, length));
            }
            seen.last = now;
            seen.acknowledged += 1;
            seen.longest_wait = seen.longest_wait.max(since_due);
        } else {
            *seen
                .refused
                .entry(format!("{}: {}", asked.kind.name(), answer.error()))
                .or_default() += 1;
        }
        drop(seen);
        let text = |name: &str| answer.body["order"][name].as_str().unwrap_or_default().to_owned();
        self.write(Line::Answered {
            id: asked.id.clone(),
            status: answer.status,
            reason: answer.reason().unwrap_or_default().to_owned(),
            order_id: text("orderId"),
            attempts: attempt + 1,
        });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorder, is_final};
    use std::time::Duration;

    #[test]
    fn a_stall_counts_for_the_kill_that_it_follows() {
        let (lines, _told) = std::sync::mpsc::channel();
        let mut seen = Recorder::new(lines).seen();
        let at = |millis| seen.begun + Duration::from_millis(millis);
        let span = |millis| Duration::from_millis(millis);
        let kills = [at(1_000), at(2_000), at(3_000)];
        // After the first kill; from just before the second one.
        let stalls = vec![(at(1_400), span(300)), (at(2_800), span(900))];
        let end = at(9_000);
        seen.stalls = stalls;
        assert_eq!(seen.longest_stall(kills[0], kills[1]), span(300));
        assert_eq!(seen.longest_stall(kills[1], kills[2]), span(900));
        assert_eq!(seen.longest_stall(kills[2], end), Duration::ZERO);
    }

    #[test]
    fn silence_and_errors_of_the_server_are_no_answers() {
        for status in [200, 400, 404, 409, 422] {
            assert!(is_final(status), "{status}");
        }
        for status in [0, 401, 403, 408, 429, 500, 502, 503, 504] {
            assert!(!is_final(status), "{status}");
        }
    }
}
