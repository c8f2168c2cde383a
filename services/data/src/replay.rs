//! A recorded tape through the reader and the state machine of one book, as fast as one core goes: what the live feed does
//! with each frame, without the socket.

use crate::binance::frame::{self, Frame};
use crate::core::sync::{BookSync, Counters, Input, Snapshot, SyncLimits};
use std::time::Duration;

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Frames read.
    pub frames: u64,
    /// Level changes in the diffs that were applied or dropped.
    pub levels: u64,
    /// Frames that could not be read.
    pub malformed: u64,
    /// What happened to the book.
    pub counters: Counters,
    /// The update id it ended at; zero when it was discarded.
    pub update_id: i64,
}

/// Reads `frames` of one symbol on top of `snapshot`.
pub fn replay<'a>(snapshot: Snapshot, frames: impl IntoIterator<Item = &'a str>) -> Replayed {
    let mut sync = BookSync::new(SyncLimits::default(), Duration::ZERO);
    sync.apply(Input::Snapshot(snapshot), Duration::ZERO);
    let mut replayed = Replayed::default();
    for text in frames {
        replayed.frames += 1;
        match frame::parse(text) {
            Ok(Frame::Depth { diff, .. }) => {
                replayed.levels += (diff.bids.len() + diff.asks.len()) as u64;
                sync.apply(Input::Diff(diff), Duration::ZERO);
            }
            Ok(_) => {}
            Err(_) => {
                replayed.malformed += 1;
                sync.apply(Input::Damaged, Duration::ZERO);
            }
        }
    }
    replayed.counters = sync.counters();
    replayed.update_id = sync.update_id();
    replayed
}
