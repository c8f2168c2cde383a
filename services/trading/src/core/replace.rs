//! An order takes the place of another: the old one is cancelled, and the new one waits here until that one is over.
//!
//! So both never live for more than the new quantity, whatever fills meanwhile: what the old order fills after the
//! decision is taken from the new one, and if nothing is left the new one ends.

use super::account::{Account, Stored};
use super::command::{Now, Replace, Submit, Wishes};
use super::decide::{Answer, Decider, Decision, order_not_found};
use super::entry::Entry;
use super::event::{CancelRequested, Changed, Digest, Event, TrailMoved};
use super::gate::{self, Applicant};
use super::ids;
use super::market::Market;
use super::refusal::Refusal;
use super::release::Outlook;
use super::report::MAX_CANCELS;
use super::submit::{Draft, conflict, refused};
use domain::{Money, OrderStatus, Price, Quantity, Trigger};
use sha2::Digest as _;

impl Replace {
    /// The digest of the canonical body.
    pub fn digest(&self) -> Digest {
        let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
        let quantity = self.quantity.map(|quantity| quantity.to_string()).unwrap_or_default();
        let (limit, stop) = (price(self.price), price(self.stop_price));
        sha2::Sha256::digest(format!("replace|{}|{quantity}|{limit}|{stop}", self.order_id)).into()
    }
}

impl Decider {
    /// Accepts the order that takes another's place, and has that one cancelled.
    pub(super) fn replace(&self, replace: &Replace, now: Now, market: &Market) -> Decision {
        let digest = replace.digest();
        let nobody = Account::default();
        let account = self.state.account(&replace.account).unwrap_or(&nobody);
        if let Some(key) = account.keys.get(&replace.client_order_id) {
            if key.digest != digest {
                return Decision::refuse(conflict(&replace.client_order_id));
            }
            return Decision::answer(match &key.stored {
                Stored::Order(accepted) => {
                    let old = self.state.order(*accepted).and_then(Entry::replaces);
                    Answer::Orders([*accepted].into_iter().chain(old).collect())
                }
                Stored::Refusal(refusal) => Answer::Refused(Refusal::clone(refusal)),
            });
        }
        let found = ids::parse_order_id(replace.order_id.as_str())
            .filter(|(shard, _)| *shard == self.state.shard())
            .and_then(|(_, accepted)| self.state.order(accepted))
            .filter(|entry| entry.order.terms().account == replace.account);
        let Some(old) = found else {
            return Decision::refuse(order_not_found(replace.order_id.as_str()));
        };
        let admitted = self.admit(&replace.account, account, market);
        let wanted = admitted.and_then(|()| wanted(old, replace));
        match wanted {
            Err(refusal) => Decision::refuse(refusal),
            Ok(submit) => match self.accept_replacement(old, &submit, digest, account, now, market) {
                Ok(decision) => decision,
                Err(refusal) => refused(&submit, digest, refusal),
            },
        }
    }

    fn accept_replacement(
        &self,
        old: &Entry,
        submit: &Submit,
        digest: Digest,
        account: &Account,
        now: Now,
        market: &Market,
    ) -> Result<Decision, Refusal> {
        let (submit, reason) = self.kept_within(submit, account, old.reserved, market)?;
        let applicant = Applicant {
            digest,
            replaces: Some(old),
            ..Applicant::alone(&submit)
        };
        let approved = gate::judge(&applicant, self.scene(account, market, now))?;
        let needed = approved.reservation().amount;
        let sequence = self.state.sequence() + 1;
        let draft = Draft {
            sequence,
            digest,
            // The old order still holds its part: together they set aside what the larger of the two needs.
            reserved: needed.checked_sub(old.reserved).unwrap_or(needed).max(Money::ZERO),
            held: Some(submit.quantity),
            reason,
            membership: None,
            replaces: Some(old.order.terms().order_id.clone()),
        };
        let mut events = vec![self.accepted(&submit, &approved, draft, now)];
        if let Some(extreme) = old.extreme.filter(|_| submit.wishes.trigger.is_some()) {
            events.push(Event::TrailMoved(TrailMoved {
                order: sequence,
                extreme,
            }));
        }
        if old.order.status().is_held() {
            events.push(Event::Changed(Changed {
                order: old.accepted,
                status: OrderStatus::Cancelled,
                reason: "REPLACED".to_owned(),
                reserved: Money::ZERO,
            }));
        } else {
            events.push(Event::CancelRequested(CancelRequested {
                order: old.accepted,
                request_id: String::new(),
                reason: "REPLACED".to_owned(),
            }));
            events.push(super::decide::cancel_intent(old, now));
        }
        Ok(Decision {
            events,
            answer: Answer::Orders(vec![sequence, old.accepted]),
        })
    }
}

/// The order that is wanted in place of an old one: its terms, with what is to be another.
fn wanted(old: &Entry, replace: &Replace) -> Result<Submit, Refusal> {
    let (terms, status) = (old.order.terms(), old.order.status());
    let refuse = |reason: &'static str, why: &str| {
        Err(Refusal::refused(reason, format!("order {}: {why}", replace.order_id)).with("status", status))
    };
    if status.is_terminal() {
        return refuse("ORDER_CLOSED", "it is over already");
    }
    if status == OrderStatus::PendingCancel {
        return refuse("ORDER_BEING_CANCELLED", "its cancel is on the way");
    }
    if terms.conditions.membership.is_some() {
        return refuse("ORDER_IN_GROUP", "an order of a group is not replaced on its own");
    }
    // What was held and has gone to the venue waits for nothing any more.
    let trigger = terms
        .conditions
        .trigger
        .filter(|_| status.is_held() && old.triggered.is_none());
    let never_rests = terms.price.is_none() || terms.time_in_force != domain::TimeInForce::Gtc;
    if trigger.is_none() && never_rests {
        return refuse("ORDER_NOT_REPLACEABLE", "it never rests");
    }
    if terms.conditions.replaces.is_some() && status.is_held() && trigger.is_none() {
        return refuse("ORDER_NOT_REPLACEABLE", "it still waits to take another's place");
    }
    let trigger = match (trigger, replace.stop_price) {
        (trigger, None) => trigger,
        (Some(Trigger::Stop(_)), Some(stop)) => Some(Trigger::Stop(stop)),
        (Some(Trigger::TakeProfit(_)), Some(stop)) => Some(Trigger::TakeProfit(stop)),
        (Some(Trigger::Trailing(_)) | None, Some(_)) => {
            return refuse("REPLACE_STOP_UNEXPECTED", "it waits for no stated price");
        }
    };
    if terms.price.is_none() && replace.price.is_some() {
        return refuse("REPLACE_PRICE_UNEXPECTED", "it has no limit price");
    }
    let total = replace.quantity.unwrap_or(old.order.quantity());
    let left = total.checked_sub(old.order.filled()).unwrap_or(Quantity::ZERO);
    if left.is_zero() {
        return refuse("REPLACE_BELOW_FILLED", "as much as is wanted has been filled already");
    }
    Ok(Submit {
        account: terms.account.clone(),
        client_order_id: replace.client_order_id.clone(),
        symbol: terms.symbol.clone(),
        side: terms.side,
        order_type: terms.order_type,
        time_in_force: terms.time_in_force,
        quantity: left,
        price: replace.price.or(terms.price),
        strategy: terms.strategy.clone(),
        wishes: Wishes {
            trigger,
            lasts: terms.conditions.expiry.into(),
            reduce_only: terms.conditions.reduce_only,
            display_quantity: terms.conditions.display_quantity.filter(|shown| *shown < left),
        },
    })
}

/// What is to become of an order that waits for another's place.
pub(super) fn outlook<'a>(held: &Entry, old: &'a Entry) -> Outlook<'a> {
    let status = old.order.status();
    let since = old.order.filled().checked_sub(held.carried).unwrap_or(Quantity::ZERO);
    let asked = held.order.terms().quantity;
    let left = asked.checked_sub(since).unwrap_or(Quantity::ZERO);
    if status == OrderStatus::Filled || left.is_zero() {
        return Outlook::Over(OrderStatus::Rejected, "REPLACED_ORDER_FILLED");
    }
    if status == OrderStatus::Expired {
        return Outlook::Over(OrderStatus::Rejected, "REPLACED_ORDER_EXPIRED");
    }
    let is_open = matches!(status, OrderStatus::Open | OrderStatus::PartiallyFilled);
    if is_open && old.cancels >= MAX_CANCELS {
        return Outlook::Over(OrderStatus::Rejected, "REPLACE_CANCEL_REJECTED");
    }
    let in_the_way = match status.is_at_venue() {
        true => vec![(old, "REPLACED")],
        false => Vec::new(),
    };
    Outlook::Stays {
        quantity: left,
        reason: "",
        is_due: held.order.terms().conditions.trigger.is_none() || held.triggered.is_some(),
        in_the_way,
    }
}
