//! How a held order gets to the venue, or ends.
//!
//! What is to be done with a held order follows from the state alone, so it is asked again whenever an order that it
//! hangs on has changed, and on every tick: nothing is remembered between the two, and a restart loses nothing.

use super::command::Now;
use super::decide::Decider;
use super::entry::Entry;
use super::event::{Changed, Event, Intent, Released, Resized};
use super::exposure;
use super::gate;
use super::group;
use super::market::Market;
use super::replace;
use super::state::State;
use super::trigger::cancel_for;
use domain::{Instrument, Money, OrderStatus, Price, Quantity, Side};

/// What is to become of a held order, as the orders that it hangs on stand.
pub(super) enum Outlook<'a> {
    /// It is over.
    Over(OrderStatus, &'static str),
    /// It stays, with so much of it wanted. Once it is due, the orders in its way are cancelled, and it goes when they
    /// are over.
    Stays {
        /// How much of it.
        quantity: Quantity,
        /// Why it is more or less than before.
        reason: &'static str,
        /// Whether nothing is waited for any more but the orders in its way.
        is_due: bool,
        /// The orders in its way, and the reason for which they are cancelled.
        in_the_way: Vec<(&'a Entry, &'static str)>,
    },
}

impl Decider {
    /// Decides what a held order needs now; nothing, when it can only wait.
    pub(super) fn review(&self, held: &Entry, now: Now, market: &Market) -> Vec<Event> {
        match outlook(&self.state, held) {
            Outlook::Over(status, reason) => vec![over(held, status, reason)],
            Outlook::Stays {
                quantity,
                reason,
                is_due,
                in_the_way,
            } => {
                if !is_due {
                    return self.resize(held, quantity, reason).into_iter().collect();
                }
                if in_the_way.is_empty() {
                    let released = self.release(held, quantity, now, market);
                    if !released.is_empty() {
                        return released;
                    }
                    // It waits for leave to go, and whoever set aside a part of what it needs may be over.
                    return self.resize(held, quantity, reason).into_iter().collect();
                }
                let cancels = in_the_way.iter().flat_map(|(entry, why)| cancel_for(entry, why, now));
                cancels.chain(self.resize(held, quantity, reason)).collect()
            }
        }
    }

    fn resize(&self, held: &Entry, quantity: Quantity, reason: &str) -> Option<Event> {
        let reserved = exposure::needed_while_held(&self.state, held, quantity, self.limits.taker_fee);
        if quantity == held.order.quantity() && reserved == held.reserved {
            return None;
        }
        Some(Event::Resized(Resized {
            order: held.accepted,
            quantity,
            reserved,
            reason: reason.to_owned(),
        }))
    }

    /// Sends a held order, or refuses it by a stable reason. Nothing, while it may not be decided.
    fn release(&self, held: &Entry, quantity: Quantity, now: Now, market: &Market) -> Vec<Event> {
        let terms = held.order.terms();
        let Some(instrument) = market.instruments.get(&terms.symbol) else {
            return Vec::new();
        };
        if !self.may_send(held) {
            return Vec::new();
        }
        let collar = match terms.price {
            Some(_) => None,
            None => {
                let Some(mark) = self.trusted_mark(held, now, market) else {
                    return Vec::new();
                };
                gate::worst_price_around(mark, terms.side, &self.limits, instrument).ok()
            }
        };
        match self.sendable(held, quantity, terms.price.or(collar), instrument) {
            Err(reason) => vec![over(held, OrderStatus::Rejected, reason)],
            Ok((quantity, reserved)) => {
                let released = Released {
                    order: held.accepted,
                    quantity,
                    collar,
                    reserved,
                };
                // What goes again goes under the id that it had, whoever made that: should the venue break its word and carry
                // out the first request after all, it takes the second for the same order.
                let venue_id = match held.venue_id.as_str() {
                    "" => self.ids.make(held.accepted),
                    sent => sent.to_owned(),
                };
                let intent = Intent {
                    order: held.accepted,
                    venue_id,
                    signed: now.venue,
                    cancel: false,
                };
                vec![Event::Released(released), Event::Intent(intent)]
            }
        }
    }

    /// How much of a held order can go, and what it then sets aside.
    fn sendable(
        &self,
        held: &Entry,
        wanted: Quantity,
        bound: Option<Price>,
        instrument: &Instrument,
    ) -> Result<(Quantity, Money), &'static str> {
        let terms = held.order.terms();
        let account = self.state.account(&terms.account).ok_or("ACCOUNT_NOT_READY")?;
        let mut quantity = wanted;
        let is_kept_within = terms.conditions.reduce_only || held.parent().is_some();
        if is_kept_within && terms.side == Side::Sell {
            let most = exposure::reducible(account, instrument, held.reserved).map_err(|error| error.reason())?;
            quantity = quantity.min(most);
            if quantity < instrument.min_quantity {
                return Err("REDUCE_ONLY_NOTHING_TO_REDUCE");
            }
        }
        let rules = instrument.check_order(terms.order_type, terms.price, quantity, bound);
        rules.map_err(|refusal| refusal.reason())?;
        let needed = exposure::needed(terms.side, quantity, bound, self.limits.taker_fee);
        let needed = needed.ok_or("PRICE_BOUND_MISSING")?;
        let free = exposure::free_beside(account, held.reserved_asset(), held.reserved);
        if needed > free.map_err(|error| error.reason())? {
            return Err("BUYING_POWER");
        }
        Ok((quantity, needed))
    }
}

fn outlook<'a>(state: &'a State, held: &Entry) -> Outlook<'a> {
    if let Some(old) = held.replaces().and_then(|old| state.order(old)) {
        return replace::outlook(held, old);
    }
    if held.order.terms().conditions.membership.is_some() {
        return group::outlook(state, held);
    }
    Outlook::Stays {
        quantity: held.order.quantity(),
        reason: "",
        is_due: held.triggered.is_some(),
        in_the_way: Vec::new(),
    }
}

fn over(held: &Entry, status: OrderStatus, reason: &str) -> Event {
    Event::Changed(Changed {
        order: held.accepted,
        status,
        reason: reason.to_owned(),
        reserved: Money::ZERO,
    })
}
