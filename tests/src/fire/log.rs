//! The generator's own log of keys and answers: a line each, synced in groups. What the oracle believes is read from it.

use bench::orders::Kind;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Line {
    /// A request is about to be sent for the first time.
    Asked {
        /// Its key.
        id: String,
        /// The account.
        account: String,
        /// The order that it cancels; none for a new one.
        cancels: Option<String>,
    },
    /// A request was answered for good.
    Answered {
        /// Its key.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The stable reason of a refusal; empty for none.
        reason: String,
        /// The platform's id of the order; empty when refused.
        order_id: String,
        /// How many attempts it took.
        attempts: u32,
    },
}

/// Writes the log.
#[derive(Debug)]
pub struct Log {
    lines: mpsc::Sender<Line>,
    writer: JoinHandle<std::io::Result<()>>,
}

impl Log {
    /// Creates the file.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = File::create(path)?;
        let (lines, waiting) = mpsc::channel::<Line>();
        let writer = std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let mut group = Vec::new();
                for line in std::iter::once(first).chain(waiting.try_iter()) {
                    serde_json::to_writer(&mut group, &line)?;
                    group.push(b'\n');
                }
                file.write_all(&group)?;
                file.sync_data()?;
            }
            Ok(())
        });
        Ok(Self { lines, writer })
    }

    /// Where lines are handed in.
    pub fn lines(&self) -> mpsc::Sender<Line> {
        self.lines.clone()
    }

    /// Waits until everything is on the disk. Every sender must be gone before.
    ///
    /// # Errors
    /// When something could not be written.
    ///
    /// # Panics
    /// When the writer panicked.
    pub fn close(self) -> std::io::Result<()> {
        drop(self.lines);
        self.writer.join().expect("the writer does not panic")
    }
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: String,
    /// What it asked for.
    pub kind: Kind,
    /// The order that it cancels; empty for a new one.
    pub cancels: String,
    /// The answer; none when there was none.
    pub answer: Option<Answered>,
}

/// The answer to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The stable reason of a refusal.
    pub reason: String,
    /// The platform's id of the order.
    pub order_id: String,
    /// How many attempts it took.
    pub attempts: u32,
}

/// Reads a log: every key with its answer. Keys that were asked or answered twice are faults of the generator.
///
/// # Errors
/// When the file cannot be read, or says what cannot be.
pub fn read(
    path: &Path,
) -> Result<std::collections::BTreeMap<String, Entry>, Box<dyn std::error::Error + Send + Sync>> {
    let mut entries = std::collections::BTreeMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        match serde_json::from_str(&line?)? {
            Line::Asked { id, account, cancels } => {
                let kind = if cancels.is_some() { Kind::Cancel } else { Kind::Submit };
                let entry = Entry {
                    account,
                    kind,
                    cancels: cancels.unwrap_or_default(),
                    answer: None,
                };
                if entries.insert(id.clone(), entry).is_some() {
                    return Err(format!("{id} was asked twice").into());
                }
            }
            Line::Answered {
                id,
                status,
                reason,
                order_id,
                attempts,
            } => {
                let entry = entries.get_mut(&id).ok_or_else(|| format!("{id} was never asked"))?;
                let answered = Answered {
                    status,
                    reason,
                    order_id,
                    attempts,
                };
                if entry.answer.replace(answered).is_some() {
                    return Err(format!("{id} was answered twice").into());
                }
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::{Line, Log, read};

    fn asked(id: &str) -> Line {
        Line::Asked {
            id: id.into(),
            account: "paper-1".into(),
            cancels: None,
        }
    }

    fn answered(id: &str) -> Line {
        Line::Answered {
            id: id.into(),
            status: 200,
            reason: String::new(),
            order_id: "0-1".into(),
            attempts: 1,
        }
    }

    #[test]
    fn a_log_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let write = |lines: &[Line]| {
            let log = Log::create(&path).unwrap();
            for line in lines {
                log.lines().send(line.clone()).unwrap();
            }
            log.close().unwrap();
            read(&path)
        };
        let entries = write(&[asked("a"), asked("b"), answered("a")]).unwrap();
        assert_eq!(entries["a"].answer.as_ref().unwrap().order_id, "0-1");
        assert!(entries["b"].answer.is_none());
        assert!(write(&[asked("a"), asked("a")]).is_err());
        assert!(write(&[answered("a")]).is_err());
        assert!(write(&[asked("a"), answered("a"), answered("a")]).is_err());
    }
}
