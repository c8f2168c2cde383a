//! Balances and what is set aside.

use super::Parts;
use super::groups::rival;
use crate::process;
use domain::{Money, Side};
use exchange::core::units::show;
use std::collections::BTreeMap;
use trading::core::{Entry, State};

/// Balances agree everywhere, and as much is reserved as the live orders need.
pub(super) fn money(parts: &Parts<'_>, state: &State) -> Vec<String> {
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
            *sum = sum.checked_add(needs(state, entry)).unwrap();
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

/// What a live order sets aside: what it may still cost, less what one that it shares its money with sets aside already.
fn needs(state: &State, entry: &Entry) -> Money {
    let (terms, remaining) = (entry.order.terms(), entry.order.remaining());
    let alone = match terms.side {
        Side::Sell => remaining.amount(),
        Side::Buy => {
            let notional = entry.price_bound().unwrap().notional(remaining).unwrap();
            let fee = Money::fee(notional, process::config().risk_limits().unwrap().taker_fee).unwrap();
            notional.checked_add(fee).unwrap()
        }
    };
    let shared = shares_with(state, entry).map_or(Money::ZERO, |other| needs(state, other));
    alone.checked_sub(shared).unwrap().max(Money::ZERO)
}

/// The live order that a held one shares its money with: the one whose place it takes, or the other leg of its pair, of
/// which the one at the venue sets aside all that it needs, or the earlier one.
fn shares_with<'a>(state: &'a State, entry: &Entry) -> Option<&'a Entry> {
    if !entry.order.status().is_held() {
        return None;
    }
    let replaced = entry.replaces().and_then(|old| state.order(old));
    let rival = rival(state, entry);
    let rival = rival.filter(|rival| rival.order.status().is_at_venue() || rival.accepted < entry.accepted);
    let other = replaced.or(rival)?;
    other.order.status().is_live().then_some(other)
}
