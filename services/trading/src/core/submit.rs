//! A new order: its key, the gate, and its acceptance.

use super::account::{Account, Stored};
use super::command::{Lasts, Now, Submit};
use super::decide::{Answer, Decider, Decision};
use super::event::{Accepted, Digest, Event, Refused, TrailMoved};
use super::exposure;
use super::gate::{self, Applicant, Approved, Scene};
use super::ids;
use super::market::Market;
use super::refusal::{Refusal, RefusalKind};
use domain::{
    AccountId, ClientOrderId, Conditions, Expiry, Membership, Money, OrderId, OrderTerms, Quantity, Side, Trigger,
};
use std::borrow::Cow;

/// What is decided of an order that is accepted, beside its terms.
pub(super) struct Draft {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
    pub(super) reserved: Money,
    pub(super) held: Option<Quantity>,
    pub(super) reason: &'static str,
    pub(super) membership: Option<Membership>,
    pub(super) replaces: Option<OrderId>,
}

impl Decider {
    pub(super) fn submit(&self, submit: &Submit, now: Now, market: &Market) -> Decision {
        let digest = submit.digest();
        let nobody = Account::default();
        let account = self.state.account(&submit.account).unwrap_or(&nobody);
        if let Some(key) = account.keys.get(&submit.client_order_id) {
            if key.digest != digest {
                return Decision::refuse(conflict(&submit.client_order_id));
            }
            return Decision::answer(match &key.stored {
                Stored::Order(accepted) => Answer::Accepted(*accepted),
                Stored::Refusal(refusal) => Answer::Refused(Refusal::clone(refusal)),
            });
        }
        if let Err(refusal) = self.admit(&submit.account, account, market) {
            return Decision::refuse(refusal);
        }
        match self.accept(submit, digest, account, now, market) {
            Ok(decision) => decision,
            Err(refusal) => refused(submit, digest, refusal),
        }
    }

    /// Whether an answer can be given at all now. These refusals pass by themselves and are not journalled.
    pub(super) fn admit(&self, name: &AccountId, account: &Account, market: &Market) -> Result<(), Refusal> {
        if !account.opened || !self.ready.contains(name) {
            let message = format!("account {name} is not yet in step with its venue");
            return Err(Refusal::new(RefusalKind::Unavailable, "ACCOUNT_NOT_READY", message));
        }
        if market.instruments.is_empty() {
            let message = "the instruments are not known yet";
            return Err(Refusal::new(RefusalKind::Unavailable, "INSTRUMENTS_NOT_READY", message));
        }
        Ok(())
    }

    /// Judges, and past that point nothing can fail.
    fn accept(
        &self,
        submit: &Submit,
        digest: Digest,
        account: &Account,
        now: Now,
        market: &Market,
    ) -> Result<Decision, Refusal> {
        let (submit, reason) = self.kept_within(submit, account, Money::ZERO, market)?;
        let applicant = Applicant {
            digest,
            ..Applicant::alone(&submit)
        };
        let approved = gate::judge(&applicant, self.scene(account, market, now))?;
        let sequence = self.state.sequence() + 1;
        let draft = Draft {
            sequence,
            digest,
            reserved: approved.reservation().amount,
            held: submit.wishes.trigger.map(|_| submit.quantity),
            reason,
            membership: None,
            replaces: None,
        };
        let mut events = vec![self.accepted(&submit, &approved, draft, now)];
        match (submit.wishes.trigger, approved.mark()) {
            (None, _) => events.push(self.placement_intent(sequence, now)),
            // A trail begins at the mark that the order was accepted at.
            (Some(Trigger::Trailing(_)), Some(extreme)) => events.push(Event::TrailMoved(TrailMoved {
                order: sequence,
                extreme,
            })),
            (Some(_), _) => {}
        }
        Ok(Decision {
            events,
            answer: Answer::Accepted(sequence),
        })
    }

    pub(super) fn scene<'a>(&'a self, account: &'a Account, market: &'a Market, now: Now) -> Scene<'a> {
        Scene {
            state: &self.state,
            account,
            venue: &self.venue,
            limits: &self.limits,
            market,
            now,
        }
    }

    /// A reduce-only order cut to what there is to reduce; `own` is what the order whose place it takes holds. Spot venues
    /// have no such order, so that it is kept within the holding here, and again when it goes.
    pub(super) fn kept_within<'a>(
        &self,
        submit: &'a Submit,
        account: &Account,
        own: Money,
        market: &Market,
    ) -> Result<(Cow<'a, Submit>, &'static str), Refusal> {
        let instrument = market.instruments.get(&submit.symbol);
        let (true, Some(instrument)) = (submit.wishes.reduce_only, instrument) else {
            return Ok((Cow::Borrowed(submit), ""));
        };
        let most = match submit.side {
            // A spot account holds nothing short: there is nothing that a buy could reduce.
            Side::Buy => Quantity::ZERO,
            Side::Sell => exposure::reducible(account, instrument, own)
                .map_err(|error| Refusal::refused(error.reason(), error.to_string()))?,
        };
        if submit.quantity <= most {
            return Ok((Cow::Borrowed(submit), ""));
        }
        if most < instrument.min_quantity {
            let message = format!("there is no {} that the order could reduce", instrument.base);
            return Err(Refusal::refused("REDUCE_ONLY_NOTHING_TO_REDUCE", message)
                .with("asset", &instrument.base)
                .with("free", most));
        }
        let cut = Submit {
            quantity: most,
            ..submit.clone()
        };
        Ok((Cow::Owned(cut), "REDUCE_ONLY_SHRUNK"))
    }

    /// The acceptance of an order.
    pub(super) fn accepted(&self, submit: &Submit, approved: &Approved, draft: Draft, now: Now) -> Event {
        let wishes = &submit.wishes;
        let expiry = match wishes.lasts {
            Lasts::Unbounded => None,
            Lasts::Day => Some(Expiry::end_of_day(now.venue)),
            Lasts::Until(time) => Some(Expiry::At(time)),
        };
        let terms = OrderTerms {
            order_id: ids::order_id(self.state.shard(), draft.sequence),
            client_order_id: submit.client_order_id.clone(),
            account: submit.account.clone(),
            venue: self.venue.clone(),
            symbol: submit.symbol.clone(),
            side: submit.side,
            order_type: submit.order_type,
            time_in_force: submit.time_in_force,
            price: submit.price,
            collar: approved.collar(),
            quantity: submit.quantity,
            strategy: submit.strategy.clone(),
            conditions: Conditions {
                trigger: wishes.trigger,
                expiry,
                reduce_only: wishes.reduce_only,
                display_quantity: wishes.display_quantity,
                membership: draft.membership,
                replaces: draft.replaces,
            },
        };
        Event::Accepted(Box::new(Accepted {
            terms,
            base: approved.instrument().base.clone(),
            quote: approved.instrument().quote.clone(),
            limit_revision: self.limits.revision,
            digest: draft.digest,
            reserved: draft.reserved,
            held: draft.held,
            reason: draft.reason.to_owned(),
        }))
    }
}

impl From<Option<Expiry>> for Lasts {
    /// An order that takes another's place is over when that one would have been.
    fn from(expiry: Option<Expiry>) -> Lasts {
        match expiry {
            None => Lasts::Unbounded,
            Some(Expiry::Day(_)) => Lasts::Day,
            Some(Expiry::At(time)) => Lasts::Until(time),
        }
    }
}

/// A refusal that is kept under its key.
pub(super) fn refused(submit: &Submit, digest: Digest, refusal: Refusal) -> Decision {
    let refused = Refused {
        account: submit.account.clone(),
        client_order_id: submit.client_order_id.clone(),
        refusal: refusal.clone(),
        digest,
    };
    Decision {
        events: vec![Event::Refused(Box::new(refused))],
        answer: Answer::Refused(refusal),
    }
}

/// The refusal of a key that was used for something else.
pub(super) fn conflict(id: &ClientOrderId) -> Refusal {
    let message = format!("client order id {id} was used for another order");
    Refusal::new(RefusalKind::Conflict, "IDEMPOTENCY_CONFLICT", message).with("client_order_id", id)
}
