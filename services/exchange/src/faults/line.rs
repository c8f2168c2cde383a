//! One connection's frames on their way out, and what becomes of them.

use super::draw;
use super::plan::Fault;
use super::{Faults, Running};
use axum::extract::ws::Utf8Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// How long a frame that is to be overtaken waits for the next one.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(1);

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What is said to this connection alone: no fault meets it.
    Answer,
    /// The reply to a request of this connection.
    Reply(Framing),
    /// A user data event.
    User,
    /// A market frame.
    Market {
        /// Number of its stream.
        stream: u64,
        /// Whether it is a depth difference.
        depth: bool,
    },
}

/// How a reply is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// Twice.
    pub is_doubled: bool,
    /// After the next reply of its connection.
    pub is_overtaken: bool,
}

/// A frame on its way out.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it is.
    pub class: Class,
    /// Its text.
    pub text: Utf8Bytes,
}

/// The faults that meet one class of frames.
struct Kinds {
    drop: Fault,
    duplicate: Fault,
    reorder: Fault,
    delay: Fault,
}

const USER: Kinds = Kinds {
    drop: Fault::UserDrop,
    duplicate: Fault::UserDuplicate,
    reorder: Fault::UserReorder,
    delay: Fault::UserDelay,
};

const MARKET: Kinds = Kinds {
    drop: Fault::MarketDrop,
    duplicate: Fault::MarketDuplicate,
    reorder: Fault::MarketReorder,
    delay: Fault::MarketDelay,
};

/// Frames of one connection between the hub and the socket.
pub struct Line {
    faults: Arc<Faults>,
    connection: u64,
    frames: u64,
    ready: VecDeque<Utf8Bytes>,
    late: VecDeque<(Instant, Utf8Bytes)>,
    overtaken: Option<(Instant, Utf8Bytes)>,
    overtaken_reply: Option<(Instant, Utf8Bytes)>,
    silent: BTreeMap<u64, Instant>,
}

impl Line {
    /// An empty line of a connection, whose number decides what its frames meet.
    pub fn new(faults: Arc<Faults>, connection: u64) -> Self {
        Self {
            faults,
            connection,
            frames: 0,
            ready: VecDeque::new(),
            late: VecDeque::new(),
            overtaken: None,
            overtaken_reply: None,
            silent: BTreeMap::new(),
        }
    }

    /// How many frames are held back.
    pub fn held(&self) -> usize {
        self.late.len()
    }

    /// Takes a frame.
    pub fn push(&mut self, frame: Frame, now: Instant) {
        if frame.class == Class::Answer {
            self.ready.push_back(frame.text);
            return;
        }
        let running = self.faults.running();
        if !running.is_active() {
            self.release();
            self.ready.push_back(frame.text);
            return;
        }
        if let Class::Reply(framing) = frame.class {
            self.reply(&running, framing, frame.text, now);
            return;
        }
        self.frames += 1;
        let tally = &running.tally;
        let (asked, kinds) = match frame.class {
            Class::Market { .. } => (&tally.market_frames, MARKET),
            _ => (&tally.user_events, USER),
        };
        asked.fetch_add(1, Ordering::Relaxed);
        let mut text = frame.text;
        if let Class::Market { stream, depth } = frame.class {
            if self.falls_silent(&running, stream, now) {
                return;
            }
            if depth && running.hits(Fault::DepthDamage, self.connection, self.frames) {
                let by = 1 + draw::below(&running.plan, Fault::DepthDamage, self.connection, self.frames, 1_000);
                text = damaged(&text, by);
            }
        }
        self.send(&running, &kinds, text, now);
    }

    /// Sends a reply; one that is doubled and overtaken comes before the next reply and after it.
    fn reply(&mut self, running: &Running, framing: Framing, text: Utf8Bytes, now: Instant) {
        if framing.is_doubled {
            running.tally.count(Fault::ReplyDuplicate);
            self.ready.push_back(text.clone());
        }
        if framing.is_overtaken && self.overtaken_reply.is_none() {
            running.tally.count(Fault::ReplyReorder);
            self.overtaken_reply = Some((now + OVERTAKEN_WITHIN, text));
            return;
        }
        self.ready.push_back(text);
        self.ready.extend(self.overtaken_reply.take().map(|(_, text)| text));
    }

    /// Whether the frame's stream says nothing now.
    fn falls_silent(&mut self, running: &Running, stream: u64, now: Instant) -> bool {
        if self.silent.get(&stream).is_some_and(|until| *until > now) {
            return true;
        }
        self.silent.remove(&stream);
        let begins = running.hits(Fault::Stale, self.connection, self.frames);
        if begins {
            let time = running.time(Fault::Stale, self.connection, self.frames);
            self.silent.insert(stream, now + time);
        }
        begins
    }

    fn send(&mut self, running: &Running, kinds: &Kinds, text: Utf8Bytes, now: Instant) {
        let (connection, n) = (self.connection, self.frames);
        if running.hits(kinds.drop, connection, n) {
            return;
        }
        let twice = running.hits(kinds.duplicate, connection, n);
        let late = running.hits(kinds.delay, connection, n);
        let due = if late {
            now + running.time(kinds.delay, connection, n)
        } else {
            now
        };
        if self.overtaken.is_none() && running.hits(kinds.reorder, connection, n) {
            self.overtaken = Some((now + OVERTAKEN_WITHIN, text.clone()));
            if twice {
                self.place(text, due);
            }
            return;
        }
        for _ in 0..=usize::from(twice) {
            self.place(text.clone(), due);
        }
        if let Some((_, overtaken)) = self.overtaken.take() {
            self.place(overtaken, due);
        }
    }

    /// Puts a frame behind what is held back already.
    fn place(&mut self, text: Utf8Bytes, due: Instant) {
        let due = self.late.back().map_or(due, |(last, _)| due.max(*last));
        self.late.push_back((due, text));
    }

    /// Lets everything go that is held back.
    fn release(&mut self) {
        self.ready.extend(self.late.drain(..).map(|(_, text)| text));
        let overtaken = [self.overtaken.take(), self.overtaken_reply.take()];
        self.ready.extend(overtaken.into_iter().flatten().map(|(_, text)| text));
        self.silent.clear();
    }

    /// The next frame that may go out.
    pub fn pop(&mut self, now: Instant) -> Option<Utf8Bytes> {
        if let Some((_, text)) = self.overtaken.take_if(|(until, _)| *until <= now) {
            self.place(text, now);
        }
        let reply = self.overtaken_reply.take_if(|(until, _)| *until <= now);
        self.ready.extend(reply.map(|(_, text)| text));
        let ready = self.ready.pop_front();
        ready.or_else(|| self.late.pop_front_if(|(due, _)| *due <= now).map(|(_, text)| text))
    }

    /// Resolves when a frame that is held back may go out; never when there is none.
    pub async fn due(&self) {
        let late = self.late.front().map(|(due, _)| *due);
        let overtaken = [&self.overtaken, &self.overtaken_reply];
        let overtaken = overtaken.into_iter().flatten().map(|(until, _)| *until);
        match late.into_iter().chain(overtaken).min() {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

/// A depth difference whose update ids are `by` too high.
fn damaged(text: &str, by: u64) -> Utf8Bytes {
    let mut damaged = text.to_owned();
    for name in ["\"U\":", "\"u\":"] {
        let Some(start) = damaged.find(name).map(|at| at + name.len()) else {
            continue;
        };
        let digits = damaged[start..].bytes().take_while(u8::is_ascii_digit).count();
        if let Ok(id) = damaged[start..start + digits].parse::<u64>() {
            damaged.replace_range(start..start + digits, &id.saturating_add(by).to_string());
        }
    }
    damaged.into()
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::*;

    fn user(n: u32) -> Frame {
        Frame {
            class: Class::User,
            text: n.to_string().into(),
        }
    }

    fn market(stream: u64, text: &str) -> Frame {
        Frame {
            class: Class::Market { stream, depth: true },
            text: text.to_owned().into(),
        }
    }

    fn line(plan: Plan) -> Line {
        Line::new(Arc::new(Faults::new(plan)), 1)
    }

    fn out(line: &mut Line, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| line.pop(now))
            .map(|text| text.to_string())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_fault_of_frames_does_what_it_says() {
        let now = Instant::now();
        let mut plain = line(Plan::default());
        (1..=3).for_each(|n| plain.push(user(n), now));
        assert_eq!(out(&mut plain, now), ["1", "2", "3"]);

        let mut dropping = line(Plan {
            user_drop: 1.0,
            ..Plan::default()
        });
        dropping.push(user(1), now);
        dropping.push(
            Frame {
                class: Class::Answer,
                ..user(2)
            },
            now,
        );
        dropping.push(market(1, "3"), now);
        assert_eq!(
            out(&mut dropping, now),
            ["2", "3"],
            "an answer and a market frame are no user data"
        );

        let mut doubling = line(Plan {
            user_duplicate: 1.0,
            ..Plan::default()
        });
        (1..=2).for_each(|n| doubling.push(user(n), now));
        assert_eq!(out(&mut doubling, now), ["1", "1", "2", "2"]);

        let mut swapping = line(Plan {
            user_reorder: 1.0,
            user_duplicate: 1.0,
            ..Plan::default()
        });
        (1..=2).for_each(|n| swapping.push(user(n), now));
        assert_eq!(out(&mut swapping, now), ["1", "2", "2", "1"]);
        swapping.push(user(3), now);
        assert_eq!(out(&mut swapping, now), ["3"]);
        swapping.due().await;
        assert_eq!(out(&mut swapping, Instant::now()), ["3"], "nothing came to overtake it");

        let mut silent = line(Plan {
            stale: 1.0,
            stale_min_ms: 100,
            stale_max_ms: 100,
            ..Plan::default()
        });
        (1..=3).for_each(|_| silent.push(market(1, "x"), now));
        silent.push(user(1), now);
        assert_eq!(out(&mut silent, now), ["1"]);
        let running = silent.faults.running();
        assert_eq!(running.tally.injected(Fault::Stale), 1, "one silence, three frames");
        silent.push(market(2, "x"), now);
        assert_eq!(running.tally.injected(Fault::Stale), 2, "another stream has its own");
        silent.push(market(1, "x"), now + Duration::from_millis(101));
        assert_eq!(running.tally.injected(Fault::Stale), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn replies_are_doubled_and_overtaken_by_the_next() {
        let now = Instant::now();
        let mut replies = line(Plan {
            reply_reorder: 0.5,
            ..Plan::default()
        });
        let reply = |text: &str, is_doubled, is_overtaken| Frame {
            class: Class::Reply(Framing {
                is_doubled,
                is_overtaken,
            }),
            text: text.to_owned().into(),
        };
        // what each reply meets, and what goes out after it
        let table: [(bool, bool, &[&str]); 7] = [
            (false, false, &["0"]),
            (true, false, &["1", "1"]),
            (false, true, &[]),
            (false, false, &["3", "2"]),
            (true, true, &["4"]),
            (false, true, &["5", "4"]),
            (true, true, &["6"]),
        ];
        for (number, (is_doubled, is_overtaken, expected)) in table.into_iter().enumerate() {
            replies.push(reply(&number.to_string(), is_doubled, is_overtaken), now);
            assert_eq!(out(&mut replies, now), expected, "{number}");
        }
        replies.due().await;
        assert_eq!(out(&mut replies, Instant::now()), ["6"], "nothing came to overtake it");
        let running = replies.faults.running();
        let counts = [Fault::ReplyDuplicate, Fault::ReplyReorder].map(|fault| running.tally.injected(fault));
        assert_eq!(counts, [3, 3], "the sixth was to be overtaken, and overtook");
        replies.push(reply("7", false, true), now);
        replies.push(user(8), now);
        assert_eq!(out(&mut replies, now), ["8"], "an event overtakes it too");
        replies.faults.set(Plan::default());
        replies.push(reply("9", false, false), now);
        assert_eq!(
            out(&mut replies, now),
            ["7", "9"],
            "what was held back goes when faults end"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_keeps_its_order_and_goes_when_faults_end() {
        let now = Instant::now();
        let mut late = line(Plan {
            market_delay: 1.0,
            market_delay_min_ms: 100,
            market_delay_max_ms: 500,
            market_reorder: 0.0,
            ..Plan::default()
        });
        (1..=5).for_each(|n| late.push(market(1, &n.to_string()), now));
        assert_eq!((late.held(), out(&mut late, now).len()), (5, 0));
        late.due().await;
        assert!(Instant::now() >= now + Duration::from_millis(100));
        let first = out(&mut late, Instant::now());
        let rest = out(&mut late, now + Duration::from_millis(500));
        assert_eq!([first, rest].concat(), ["1", "2", "3", "4", "5"]);
        late.push(market(1, "6"), now);
        late.faults.set(Plan::default());
        late.push(market(1, "7"), now);
        assert_eq!(out(&mut late, now), ["6", "7"]);
        let idle = tokio::time::timeout(Duration::from_secs(60), late.due()).await;
        assert!(idle.is_err(), "nothing is held");
    }

    #[test]
    fn damaged_ids_show_a_gap() {
        let frame = r#"{"stream":"x","data":{"e":"depthUpdate","U":10,"u":12,"b":[["1","2"]]}}"#;
        let expected = r#"{"stream":"x","data":{"e":"depthUpdate","U":15,"u":17,"b":[["1","2"]]}}"#;
        assert_eq!(damaged(frame, 5).as_str(), expected);
        assert_eq!(damaged("{}", 5).as_str(), "{}");
        let mut line = line(Plan {
            depth_damage: 1.0,
            ..Plan::default()
        });
        line.push(market(1, frame), Instant::now());
        let sent = line.pop(Instant::now()).unwrap();
        assert!(!sent.contains("\"U\":10,"), "{sent}");
    }
}
