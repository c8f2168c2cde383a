//! What happened, as a hash: the same seed makes the same one. The lines behind it are kept when somebody looks.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

/// Lines kept for the report of a failure.
const KEPT: usize = 400;

/// The trace of one run; clones are the same one.
#[derive(Clone)]
pub(crate) struct Trace {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    hash: u64,
    is_shown: bool,
    lines: VecDeque<String>,
    line: String,
}

impl Trace {
    /// A trace; with `is_shown` its lines are printed as they come.
    pub(crate) fn new(is_shown: bool) -> Trace {
        let inner = Inner {
            // FNV-1a
            hash: 0xcbf2_9ce4_8422_2325,
            is_shown,
            lines: VecDeque::new(),
            line: String::new(),
        };
        Trace {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Adds a number that is no line of its own: which task was polled.
    pub(crate) fn step(&self, number: u64) {
        self.inner.lock().add(&number.to_le_bytes());
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: std::fmt::Arguments<'_>) {
        let mut inner = self.inner.lock();
        let mut line = std::mem::take(&mut inner.line);
        line.clear();
        let _ = write!(line, "{text}");
        inner.add(line.as_bytes());
        if inner.is_shown {
            println!("{line}");
        }
        if inner.lines.len() == KEPT {
            inner.line = inner.lines.pop_front().unwrap_or_default();
        }
        inner.lines.push_back(line);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.inner.lock().hash
    }

    /// The last lines.
    pub(crate) fn last_lines(&self) -> String {
        let inner = self.inner.lock();
        inner.lines.iter().map(|line| format!("  {line}\n")).collect()
    }
}

impl Inner {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
