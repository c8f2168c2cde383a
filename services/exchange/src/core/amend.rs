//! An order that gives way to another one, or that becomes smaller in its place. Part of the venue.

use super::effects::{Effects, Execution};
use super::filters::{self, MAX_AMENDS};
use super::ledger::Record;
use super::order::{Amendment, Order, OrderKey, Refusal, Stage};
use super::request::{CancelRestriction, NewOrder, ReplaceMode};
use super::units::Atoms;
use super::venue::{Placed, Venue};

/// A cancel with the order that takes the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// What is cancelled.
    pub key: OrderKey,
    /// The id of the cancel request, or one is made.
    pub cancel_client_id: Option<String>,
    /// The state that it must be in.
    pub restriction: Option<CancelRestriction>,
    /// What a failed cancel means.
    pub mode: ReplaceMode,
    /// The new order, of the same account and symbol.
    pub new: NewOrder,
}

/// What became of a [`Replace`].
#[derive(Clone, Debug, PartialEq)]
pub struct Replaced {
    /// The cancelled order.
    pub cancelled: Result<Order, Refusal>,
    /// The new order; `None` when it was not tried.
    pub placed: Option<Result<Placed, Refusal>>,
}

impl Venue {
    /// Cancels an order and places another one in the same moment.
    ///
    /// # Errors
    /// A filter that the new order fails by itself: then nothing is tried.
    pub fn replace(&mut self, replace: &Replace, now: i64, effects: &mut Effects) -> Result<Replaced, Refusal> {
        self.advance(now, effects);
        let new = &replace.new;
        filters::check(&self.markets[new.symbol], new)?;
        let cancelled = self.cancel_if(
            &new.account,
            new.symbol,
            &replace.key,
            replace.cancel_client_id.as_deref(),
            replace.restriction,
            now,
            effects,
        );
        let tried = cancelled.is_ok() || replace.mode == ReplaceMode::AllowFailure;
        let placed = tried.then(|| self.place(new, now, effects));
        Ok(Replaced { cancelled, placed })
    }

    /// Reduces an open order, which keeps its place in the book.
    pub fn amend(
        &mut self,
        (account, symbol): (&str, usize),
        key: &OrderKey,
        client_id: Option<&str>,
        quantity: Atoms,
        now: i64,
        effects: &mut Effects,
    ) -> Result<(Order, Amendment), Refusal> {
        self.advance(now, effects);
        let listing = &self.markets[symbol].listing;
        let state = self.ledger.account(account).ok_or(Refusal::NoSuchAccount)?;
        let found = state.order(&listing.symbol, key).filter(|order| order.status.is_open());
        let order = found.cloned().ok_or(Refusal::UnknownOrder)?;
        if quantity < listing.lot() || quantity % listing.lot() != 0 {
            return Err(Refusal::Filter("LOT_SIZE"));
        }
        if quantity == order.quantity {
            return Err(Refusal::AmendNothing);
        }
        if quantity > order.quantity {
            return Err(Refusal::AmendIncrease);
        }
        if order.list.is_some() || quantity <= order.executed + order.prevented {
            return Err(Refusal::AmendRejected);
        }
        if order.amends >= MAX_AMENDS {
            return Err(Refusal::Filter("MAX_NUM_ORDER_AMENDS"));
        }
        let is_other = client_id.is_some_and(|id| id != order.client_id);
        if is_other && client_id.is_some_and(|id| state.has_open_client_id(&order.symbol, id)) {
            return Err(Refusal::DuplicateOrder);
        }
        let (time, less, lot) = (self.now, order.quantity - quantity, listing.lot());
        // what a waiting market order locks is not a price times a quantity, but a part of it is the same part
        let unlocked = if order.price > 0 {
            order.lock_of(less)
        } else {
            order.locked * less / order.left()
        };
        let id = self.next_id();
        let amendment = Amendment {
            id,
            order: order.id,
            old_client_id: order.client_id.clone(),
            client_id: client_id.map_or_else(|| format!("auto-{id}"), str::to_owned),
            old_quantity: order.quantity,
            quantity,
            time,
        };
        let record = Record::Amended {
            account: account.to_owned(),
            amendment: amendment.clone(),
            unlocked,
        };
        self.record(record, effects);
        if order.stage == Stage::Working {
            let reduced = self.markets[symbol].reduce(order.id, (less / lot) as i64);
            assert!(reduced, "what is left of an open order is in the book");
        }
        let execution = Execution::Replaced(amendment.clone());
        effects.execution(&self.ledger, account, order.id, execution, time);
        self.conclude(symbol, account, time, effects);
        Ok((self.now_of(&order), amendment))
    }
}
