//! What must hold once a world has come to rest.

mod groups;
mod keys;
mod links;
mod money;
mod notes;
mod times;
mod venue;

use super::consumer::Store;
use super::exchange::Exchange;
use super::process::{self, FOLDER};
use super::wish::Log;
use super::world::World;
use domain::OrderStatus;
use mesh::journal::testing::SimulatedDisk;
use mesh::journal::{FileJournal, FileJournalOptions, Journal, JournalReader};
use mesh::time::Chance;
use std::path::Path;
use std::sync::Arc;
use trading::codec::Record;
use trading::core::{Entry, State};

/// After so many cancels without an end an order is left to people, with an alert.
const MOST_CANCELS: u32 = 5;

/// What is compared.
pub(crate) struct Parts<'a> {
    pub(crate) world: &'a World,
    pub(crate) exchange: &'a Exchange,
    pub(crate) log: &'a Log,
    pub(crate) store: &'a Store,
    /// The state of the last owner as it was in its memory.
    pub(crate) live: &'a State,
}

/// The records of a journal.
fn records(reader: &dyn JournalReader) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let next = records.len() as u64 + 1;
        let page = reader.read(next, 4_096).expect("a durable record can be read");
        if page.is_empty() {
            return records;
        }
        for (sequence, bytes) in page {
            assert_eq!(sequence, records.len() as u64 + 1, "the sequence is dense");
            records.push(trading::codec::decode(&bytes).expect("the shard encoded it"));
        }
    }
}

/// The state that a journal's records add up to.
pub(crate) fn replayed(reader: &dyn JournalReader) -> State {
    fold(&records(reader), |_, _| ())
}

fn fold(records: &[Record], mut before: impl FnMut(&State, &Record)) -> State {
    let mut state = process::empty();
    for record in records {
        before(&state, record);
        let applied = state.apply(record.sequence, record.time, &record.event);
        applied.expect("a record follows the ones before it");
    }
    state
}

/// What is still open: orders whose place is not known or not the venue's, and clients without an answer. Empty once all has
/// settled.
pub(crate) fn unsettled(exchange: &Exchange, state: &State, log: &Log) -> String {
    let is_open = |entry: &&Entry| match entry.order.status() {
        OrderStatus::Open | OrderStatus::PartiallyFilled => {
            (entry.cancel_wanted || times::is_ending(exchange, entry)) && entry.cancels < MOST_CANCELS
        }
        OrderStatus::PendingTrigger => {
            times::is_ending(exchange, entry) || !links::waits_rightly(exchange, state, entry)
        }
        _ => true,
    };
    let mut open: Vec<String> = state
        .live_orders()
        .filter(is_open)
        .map(|entry| format!("order {} is {}", entry.order.terms().order_id, entry.order.status()))
        .collect();
    let sessions = state.accounts().flat_map(|(_, account)| account.sessions.keys());
    open.extend(sessions.map(|session| format!("session {session} has no stream and is open")));
    if log.busy > 0 {
        open.push(format!("{} clients are busy", log.busy));
    }
    open.extend(venue::orders(exchange, state));
    open.join(", ")
}

/// Checks everything.
pub(crate) fn all(parts: &Parts<'_>, disk: &SimulatedDisk) {
    let options = FileJournalOptions {
        disk: Arc::new(disk.clone()),
        chance: Chance::seeded(0),
        ..FileJournalOptions::default()
    };
    let journal = match FileJournal::open(Path::new(FOLDER), options) {
        Ok((journal, _)) => journal,
        Err(error) => return parts.world.violation(format!("the journal does not open: {error:?}")),
    };
    let records = records(&*journal.reader());
    let mut watch = links::Watch::default();
    let state = fold(&records, |state, record| {
        notes::note(parts.world, state, record);
        watch.see(state, record);
    });
    notes::group_commits(parts.world, &records);
    let restored = trading::restore(&journal, process::empty()).expect("a journal that was read is restored");
    let mut wrong = Vec::new();
    if restored != state || *parts.live != state {
        wrong.push("the live state is another than its journal's".to_owned());
    }
    wrong.extend(keys::keys(parts, &records, &state));
    wrong.extend(keys::halts(parts, &records));
    wrong.extend(keys::sessions(parts, &records));
    wrong.extend(venue::orders(parts.exchange, &state));
    wrong.extend(venue::fills(parts, &records));
    wrong.extend(money::money(parts, &state));
    wrong.extend(times::times(parts, &state));
    wrong.extend(watch.ended(&state));
    for text in wrong {
        parts.world.violation(text);
    }
}
