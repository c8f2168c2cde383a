//! What an order sets aside as it stands, and what a reduce-only order can still reduce.

use super::account::Account;
use super::entry::Entry;
use super::state::State;
use domain::{Asset, Instrument, Money, NumberError, Price, Quantity, Rate, Side};

/// What so much of an order sets aside: base of a sell, quote and fee of a buy at its worst price. None where it cannot
/// be computed.
pub(super) fn needed(side: Side, quantity: Quantity, bound: Option<Price>, fee: Rate) -> Option<Money> {
    if side == Side::Sell {
        return Some(quantity.amount());
    }
    let notional = bound?.notional(quantity).ok()?;
    let fee = Money::fee(notional, fee).ok()?.max(Money::ZERO);
    notional.checked_add(fee).ok()
}

/// What a held order sets aside with so much of it wanted: no more than what the order does not set aside already that
/// it shares its money with. Of a pair that cancels each other the one that is held shares, of two the later one; and one
/// that takes another's place.
pub(super) fn needed_while_held(state: &State, held: &Entry, quantity: Quantity, fee: Rate) -> Money {
    let Some(needed) = needed(held.order.terms().side, quantity, held.price_bound(), fee) else {
        return held.reserved;
    };
    let shared = shared_with(state, held).map_or(Money::ZERO, |other| other.reserved);
    needed.checked_sub(shared).unwrap_or(needed).max(Money::ZERO)
}

fn shared_with<'a>(state: &'a State, held: &Entry) -> Option<&'a Entry> {
    let replaced = held.replaces().and_then(|old| state.order(old));
    // What is at the venue sets aside all that it needs.
    let sets_aside_all = |rival: &&Entry| rival.order.status().is_at_venue() || rival.accepted < held.accepted;
    let other = replaced.or_else(|| state.rival(held).filter(sets_aside_all));
    other.filter(|other| other.order.status().is_live())
}

/// How much of the base asset a sell may take: what the account holds and other orders have not set aside, in whole lots.
/// `own` is what the order itself has set aside already.
pub(super) fn reducible(account: &Account, instrument: &Instrument, own: Money) -> Result<Quantity, NumberError> {
    let free = account.free(&instrument.base)?.checked_add(own)?;
    in_lots(free, instrument)
}

fn in_lots(amount: Money, instrument: &Instrument) -> Result<Quantity, NumberError> {
    let lot = instrument.lot_size;
    let lots = amount
        .decimal()
        .checked_div(lot.decimal())
        .ok_or(NumberError::DivisionByZero)?;
    match u64::try_from(lots.floor()) {
        Ok(lots) => Quantity::from_lots(lots, lot),
        // Less than nothing is free.
        Err(_) => Ok(Quantity::ZERO),
    }
}

/// What an account holds of an asset beside what other orders have set aside.
pub(super) fn free_beside(account: &Account, asset: &Asset, own: Money) -> Result<Money, NumberError> {
    account.free(asset)?.checked_add(own)
}
