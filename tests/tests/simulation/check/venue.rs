//! The venue is the oracle of orders and fills: what the journal says of them is what it has.

use super::Parts;
use crate::exchange::{Exchange, trade_of};
use domain::OrderStatus;
use exchange::core::order::Status;
use exchange::core::units::{parse, show};
use std::collections::{BTreeMap, BTreeSet};
use trading::codec::Record;
use trading::core::{Entry, Event, State};

/// Every order stands as the venue says, and the venue has none besides.
pub(super) fn orders(exchange: &Exchange, state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let sent = state.orders().filter(|entry| !entry.venue_id.is_empty());
    let ours: BTreeMap<&str, &Entry> = sent.map(|entry| (entry.venue_id.as_str(), entry)).collect();
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
                // Its end by time is a cancel at the venue.
                Status::Canceled if entry.reason == "EXPIRE_TIME" => status == OrderStatus::Expired,
                Status::Canceled => status == OrderStatus::Cancelled,
                Status::Expired | Status::ExpiredInMatch => status == OrderStatus::Expired,
                Status::Rejected => status == OrderStatus::Rejected,
            };
            let shown = entry.order.terms().conditions.display_quantity;
            let shown = shown.filter(|shown| *shown < entry.order.quantity());
            if shown.map_or(0, |shown| parse(&shown.to_string()).unwrap()) != order.iceberg {
                wrong.push(format!(
                    "{} is to show {shown:?}, and shows {}",
                    order.client_id, order.iceberg
                ));
            }
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
    for entry in state.orders().filter(|entry| !seen.contains(&entry.venue_id)) {
        let status = entry.order.status();
        let may_end_here = entry.held_at_first.is_some()
            && matches!(
                status,
                OrderStatus::PendingTrigger | OrderStatus::Cancelled | OrderStatus::Expired
            );
        if status != OrderStatus::Rejected && !may_end_here {
            wrong.push(format!(
                "{} is {status}, and the venue has never had it",
                entry.order.terms().order_id
            ));
        }
    }
    wrong
}

/// The fills of the journal are those of the venue's ledger, each once, and the consumer has applied as many.
pub(super) fn fills(parts: &Parts<'_>, records: &[Record]) -> Vec<String> {
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
