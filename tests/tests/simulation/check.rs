//! What must hold once a world has come to rest.

use super::client::{Log, order_id};
use super::consumer::Store;
use super::exchange::{Exchange, trade_of};
use super::process::{self, FOLDER};
use super::states::State as Reached;
use super::world::World;
use domain::{Money, OrderStatus, Side};
use exchange::core::order::Status;
use exchange::core::units::show;
use mesh::journal::testing::SimulatedDisk;
use mesh::journal::{FileJournal, FileJournalOptions, Journal, JournalReader};
use mesh::time::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use trading::codec::Record;
use trading::core::{Entry, Event, HaltScope, State};

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
    let is_open = |entry: &&Entry| {
        let status = entry.order.status();
        let is_known = matches!(status, OrderStatus::Open | OrderStatus::PartiallyFilled);
        !is_known || (entry.cancel_wanted && entry.cancels < MOST_CANCELS)
    };
    let mut open: Vec<String> = state
        .live_orders()
        .filter(is_open)
        .map(|entry| format!("order {} is {}", entry.order.terms().order_id, entry.order.status()))
        .collect();
    if log.busy > 0 {
        open.push(format!("{} clients are busy", log.busy));
    }
    open.extend(orders(exchange, state));
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
    let state = fold(&records, |state, record| note(parts.world, state, record));
    group_commits(parts.world, &records);
    let restored = trading::restore(&journal, process::empty()).expect("a journal that was read is restored");
    let mut wrong = Vec::new();
    if restored != state || *parts.live != state {
        wrong.push("the live state is another than its journal's".to_owned());
    }
    wrong.extend(keys(parts, &records, &state));
    wrong.extend(halts(parts, &records));
    wrong.extend(orders(parts.exchange, &state));
    wrong.extend(fills(parts, &records));
    wrong.extend(money(parts, &state));
    for text in wrong {
        parts.world.violation(text);
    }
}

/// Every acknowledged key is one order, and every order a client's.
fn keys(parts: &Parts<'_>, records: &[Record], state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut accepted = BTreeMap::new();
    for record in records {
        if let Event::Accepted(event) = &record.event {
            let key = (event.terms.account.clone(), event.terms.client_order_id.clone());
            if accepted.insert(key.clone(), event.terms.order_id.clone()).is_some() {
                wrong.push(format!("{key:?} was accepted twice"));
            }
        }
    }
    for (key, asked) in &parts.log.asked {
        let acknowledged = asked.said.as_ref().and_then(order_id);
        if acknowledged.as_ref() != accepted.get(key) {
            let journalled = accepted.get(key);
            wrong.push(format!(
                "{key:?} was answered {:?}, the journal has {journalled:?}",
                asked.said
            ));
        }
        let entry = acknowledged.and_then(|id| state.orders().find(|entry| entry.order.terms().order_id == id));
        if let Some(entry) = entry {
            let terms = entry.order.terms();
            let is_same = (terms.symbol.clone(), terms.side, terms.quantity, terms.price)
                == (
                    asked.submit.symbol.clone(),
                    asked.submit.side,
                    asked.submit.quantity,
                    asked.submit.price,
                );
            if !is_same {
                wrong.push(format!("{key:?} became another order"));
            }
            if asked.is_cancelled && entry.order.status().is_live() && entry.cancels < MOST_CANCELS {
                wrong.push(format!("{key:?} was to be cancelled and lives"));
            }
        }
    }
    if let Some(key) = accepted.keys().find(|key| !parts.log.asked.contains_key(*key)) {
        wrong.push(format!("nobody asked for {key:?}"));
    }
    wrong
}

/// Acknowledged halts are journalled, and balances taken over at first sight alone.
fn halts(parts: &Parts<'_>, records: &[Record]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut set: BTreeSet<(HaltScope, String)> = BTreeSet::new();
    for record in records {
        match &record.event {
            Event::HaltSet(halt) => {
                set.insert((halt.scope, halt.target.clone()));
            }
            // Every fill is told or asked for: nothing is ever left to be adjusted.
            Event::BalancesAdopted(adopted) if adopted.reason != "opening" => {
                wrong.push(format!(
                    "the balances of {} were adopted: {}",
                    adopted.account, adopted.reason
                ));
            }
            _ => {}
        }
    }
    let missing = parts.log.halts.difference(&set);
    wrong.extend(missing.map(|halt| format!("the halt {halt:?} was acknowledged and is not in the journal")));
    wrong
}

/// Every order stands as the venue says, and the venue has none besides.
fn orders(exchange: &Exchange, state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let ours: BTreeMap<&str, &Entry> = state.orders().map(|entry| (entry.venue_id.as_str(), entry)).collect();
    let mut seen = BTreeSet::new();
    exchange.read(|venue| {
        for order in venue
            .ledger()
            .accounts()
            .flat_map(|(_, account)| account.orders.values())
        {
            let Some(entry) = ours.get(order.client_id.as_str()) else {
                wrong.push(format!("the venue has {} and the journal does not", order.client_id));
                continue;
            };
            if !seen.insert(order.client_id.clone()) {
                wrong.push(format!("the venue has {} twice", order.client_id));
            }
            let status = entry.order.status();
            let is_same = match order.status {
                Status::New | Status::PendingNew => status == OrderStatus::Open,
                Status::PartiallyFilled => status == OrderStatus::PartiallyFilled,
                Status::Filled => status == OrderStatus::Filled,
                Status::Canceled => status == OrderStatus::Cancelled,
                Status::Expired | Status::ExpiredInMatch => status == OrderStatus::Expired,
                Status::Rejected => status == OrderStatus::Rejected,
            };
            let is_filled = show(order.executed).parse() == Ok(entry.order.filled());
            if !is_same || !is_filled {
                let filled = entry.order.filled();
                wrong.push(format!(
                    "{} is {status} with {filled} filled, at the venue {:?} with {}",
                    order.client_id,
                    order.status,
                    show(order.executed)
                ));
            }
        }
    });
    for entry in ours.values().filter(|entry| !seen.contains(&entry.venue_id)) {
        if entry.order.status() != OrderStatus::Rejected {
            wrong.push(format!(
                "{} is {}, and the venue has never had it",
                entry.venue_id,
                entry.order.status()
            ));
        }
    }
    wrong
}

/// The fills of the journal are those of the venue's ledger, each once, and the consumer has applied as many.
fn fills(parts: &Parts<'_>, records: &[Record]) -> Vec<String> {
    let mut journalled = Vec::new();
    for record in records {
        if let Event::Filled(filled) = &record.event {
            let fill = &filled.fill;
            journalled.push(format!(
                "{} {} {} of {}: {} at {}, fee {} {}",
                fill.account,
                fill.symbol,
                fill.trade_id,
                filled.venue_order,
                fill.quantity,
                fill.price,
                fill.fee,
                fill.fee_asset
            ));
        }
    }
    let mut of_venue = Vec::new();
    parts.exchange.read(|venue| {
        for (name, account) in venue.ledger().accounts() {
            of_venue.extend(account.fills.iter().map(|fill| {
                let trade = trade_of(fill);
                format!(
                    "{name} {} {} of {}: {} at {}, fee {} {}",
                    fill.symbol, trade.trade_id, fill.order, trade.quantity, trade.price, trade.fee, trade.fee_asset
                )
            }));
        }
    });
    journalled.sort();
    of_venue.sort();
    let mut wrong = Vec::new();
    if journalled != of_venue {
        let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) = (journalled.iter().collect(), of_venue.iter().collect());
        wrong.push(format!(
            "{} fills in the journal and {} at the venue; only here {:?}, only there {:?}",
            journalled.len(),
            of_venue.len(),
            ours.difference(&theirs).collect::<Vec<_>>(),
            theirs.difference(&ours).collect::<Vec<_>>()
        ));
    }
    if parts.store.fills != journalled.len() as u64 {
        wrong.push(format!(
            "the consumer applied {} fills of {}",
            parts.store.fills,
            journalled.len()
        ));
    }
    wrong
}

/// Balances agree everywhere, and as much is reserved as the live orders need.
fn money(parts: &Parts<'_>, state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, account) in state.accounts() {
        let at_venue: BTreeMap<String, Money> = parts.exchange.read(|venue| {
            let held = &venue.ledger().account(name.as_str()).unwrap().balances;
            let total =
                |balance: &exchange::core::account::Balance| show(balance.free + balance.locked).parse().unwrap();
            held.iter()
                .map(|(asset, balance)| (asset.clone(), total(balance)))
                .collect()
        });
        let here = account
            .balances
            .iter()
            .map(|(asset, held)| (asset.to_string(), *held))
            .collect();
        if account.opened && at_venue != here {
            wrong.push(format!("{name} holds {here:?}, at the venue {at_venue:?}"));
        }
        if account.opened && parts.store.balances.get(name) != Some(&account.balances) {
            let consumer = parts.store.balances.get(name);
            wrong.push(format!("{name} holds {here:?}, with the consumer {consumer:?}"));
        }
        let mut needed: BTreeMap<_, Money> = BTreeMap::new();
        for entry in account.live.iter().filter_map(|order| state.order(*order)) {
            let sum = needed.entry(entry.reserved_asset().clone()).or_default();
            *sum = sum.checked_add(needs(entry)).unwrap();
        }
        needed.retain(|_, amount| !amount.is_zero());
        if needed != account.reserved {
            wrong.push(format!("{name} reserves {:?} and needs {needed:?}", account.reserved));
        }
    }
    let short = parts.exchange.read(|venue| venue.ledger().imbalance());
    if short.values().any(|amount| *amount != 0) {
        wrong.push(format!("the venue's ledger does not balance: {short:?}"));
    }
    wrong
}

/// What a live order may still cost.
fn needs(entry: &Entry) -> Money {
    let (terms, remaining) = (entry.order.terms(), entry.order.remaining());
    if terms.side == Side::Sell {
        return remaining.amount();
    }
    let notional = terms.price_bound().unwrap().notional(remaining).unwrap();
    let fee = Money::fee(notional, process::config().risk_limits().unwrap().taker_fee).unwrap();
    notional.checked_add(fee).unwrap()
}

/// Notes what the journal says has happened.
fn note(world: &World, state: &State, record: &Record) {
    use OrderStatus::{Open, PartiallyFilled, PendingCancel, PendingNew, Rejected, Unknown};
    match &record.event {
        Event::Filled(filled) => {
            let before = state.order(filled.order).map(|entry| entry.order.status());
            match before {
                Some(PendingNew) => world.note(Reached::FillBeforeAck),
                Some(PendingCancel) => world.note(Reached::CancelCrossedByFill),
                Some(Rejected) => world.note(Reached::Adopted),
                Some(Unknown) => world.note(Reached::AckAfterTimeout),
                _ => {}
            }
        }
        Event::Changed(changed) => {
            let before = state.order(changed.order).map(|entry| entry.order.status());
            match (before, changed.status, changed.reason.as_str()) {
                (_, Unknown, _) => world.note(Reached::OutcomeUnknown),
                (Some(Unknown), Open | PartiallyFilled, _) => world.note(Reached::AckAfterTimeout),
                (Some(Rejected), Open | PartiallyFilled, _) => world.note(Reached::Adopted),
                (_, Rejected, "NEVER_REACHED_VENUE") => world.note(Reached::AbsentConcluded),
                (_, Rejected, "SEND_WINDOW_PASSED") => world.note(Reached::WindowPassed),
                (_, Rejected, _) => world.note(Reached::VenueRejected),
                _ => {}
            }
        }
        Event::Intent(intent) if intent.cancel && state.order(intent.order).is_some_and(|entry| entry.cancels > 0) => {
            world.note(Reached::CancelRepeated);
        }
        _ => {}
    }
}

/// Two acceptances at the same time were one commit: the clock stands still within a decision round.
fn group_commits(world: &World, records: &[Record]) {
    let accepted: Vec<_> = records
        .iter()
        .filter(|record| matches!(record.event, Event::Accepted(_) | Event::Refused(_)))
        .collect();
    let together = accepted.windows(2).filter(|pair| pair[0].time == pair[1].time).count();
    (0..together).for_each(|_| world.note(Reached::GroupCommit));
}
