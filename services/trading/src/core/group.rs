//! Orders that hang together: one cancels the other (OCO), one triggers the other (OTO), and both at once (bracket).
//!
//! The orders of a group are accepted as one piece, under consecutive sequences. What a member needs follows from how
//! the others stand: an entry's fills activate its children, and what one leg of a pair trades the other no longer may.

use super::account::{Account, Stored};
use super::command::{GroupSubmit, Now, Submit};
use super::decide::{Answer, Decider, Decision};
use super::entry::Entry;
use super::event::{Event, Intent};
use super::gate::{self, Applicant};
use super::ids;
use super::market::Market;
use super::refusal::Refusal;
use super::release::Outlook;
use super::state::State;
use super::submit::{Draft, refused};
use super::trigger::cancel_for;
use domain::{GroupKind, Membership, Money, OrderStatus, Quantity, Side};
use std::borrow::Cow;

impl Decider {
    /// Accepts all orders of a group, or none.
    pub(super) fn submit_group(&self, group: &GroupSubmit, now: Now, market: &Market) -> Decision {
        let Some(first) = group.orders.first() else {
            return Decision::answer(Answer::Orders(Vec::new()));
        };
        let digest = group.digest();
        let nobody = Account::default();
        let account = self.state.account(&first.account).unwrap_or(&nobody);
        if let Some(key) = account.keys.get(&first.client_order_id)
            && key.digest == digest
        {
            return Decision::answer(match &key.stored {
                Stored::Order(first) => Answer::Orders(self.state.group(*first).map(|entry| entry.accepted).collect()),
                Stored::Refusal(refusal) => Answer::Refused(Refusal::clone(refusal)),
            });
        }
        for submit in &group.orders {
            if account.keys.contains_key(&submit.client_order_id) {
                return Decision::refuse(super::submit::conflict(&submit.client_order_id));
            }
        }
        if let Err(refusal) = self.admit(&first.account, account, market) {
            return Decision::refuse(refusal);
        }
        match self.accept_group(group, account, now, market) {
            Ok(decision) => decision,
            Err(refusal) => refused(first, digest, refusal),
        }
    }

    fn accept_group(
        &self,
        group: &GroupSubmit,
        account: &Account,
        now: Now,
        market: &Market,
    ) -> Result<Decision, Refusal> {
        let first = self.state.sequence() + 1;
        let digest = group.digest();
        let mut accepted = Vec::new();
        let mut intents = Vec::new();
        let mut shared = Money::ZERO;
        for (sequence, submit) in (first..).zip(&group.orders) {
            let is_child = group.kind != GroupKind::Oco && sequence != first;
            // A child sells what its entry has brought in, which is cut when it goes; a buy reduces nothing at any time.
            let (submit, reason) = match is_child && submit.side == Side::Sell {
                true => (Cow::Borrowed(submit), ""),
                false => self.kept_within(submit, account, Money::ZERO, market)?,
            };
            let applicant = Applicant {
                digest,
                ahead: accepted.len(),
                is_child,
                ..Applicant::alone(&submit)
            };
            let approved = gate::judge(&applicant, self.scene(account, market, now))?;
            let needed = approved.reservation().amount;
            let reserved = match is_child {
                true => Money::ZERO,
                false => needed.checked_sub(shared).unwrap_or(needed).max(Money::ZERO),
            };
            // Both legs of a pair set aside what the larger one needs: only one of them trades.
            shared = needed;
            let held = match (is_child, submit.wishes.trigger) {
                (true, _) => Some(Quantity::ZERO),
                (false, Some(_)) => Some(submit.quantity),
                (false, None) => None,
            };
            let draft = Draft {
                sequence,
                digest,
                reserved,
                held,
                reason,
                membership: Some(Membership {
                    kind: group.kind,
                    group: ids::order_id(self.state.shard(), first),
                }),
                replaces: None,
            };
            accepted.push(self.accepted(&submit, &approved, draft, now));
            if held.is_none() {
                intents.push(self.placement_intent(sequence, now));
            }
        }
        let orders = (first..).take(accepted.len()).collect();
        let events = accepted.into_iter().chain(intents).collect();
        Ok(Decision {
            events,
            answer: Answer::Orders(orders),
        })
    }

    /// The intent to place an order at the venue.
    pub(super) fn placement_intent(&self, order: u64, now: Now) -> Event {
        Event::Intent(Intent {
            order,
            venue_id: self.ids.make(order),
            signed: now.venue,
            cancel: false,
        })
    }
}

/// What is to become of a held member of a group.
pub(super) fn outlook<'a>(state: &'a State, held: &Entry) -> Outlook<'a> {
    let mut in_the_way = Vec::new();
    let has_trigger = held.order.terms().conditions.trigger.is_some();
    let mut is_due = held.triggered.is_some();
    let mut quantity = held.order.terms().quantity;
    let entry = held.parent().and_then(|parent| state.order(parent));
    if let Some(entry) = entry {
        let status = entry.order.status();
        quantity = entry.order.filled();
        if status.is_terminal() && quantity.is_zero() {
            return Outlook::Over(OrderStatus::Cancelled, "ENTRY_ENDED");
        }
        if !has_trigger {
            // It rests at the venue, where it cannot grow: it goes once the entry is over, for all that it filled.
            is_due = status.is_terminal();
        }
        if status.is_at_venue() {
            // What the entry still might buy would be without its exit.
            in_the_way.push((entry, "CHILD_TRIGGERED"));
        }
    }
    let rival = state.rival(held);
    if let Some(rival) = rival {
        match beside(held, rival) {
            Beside::Ends(reason) => return Outlook::Over(OrderStatus::Cancelled, reason),
            Beside::InTheWay => in_the_way.push((rival, "OCO_TRIGGERED")),
            Beside::Alone => {}
        }
        let was_active = !quantity.is_zero();
        quantity = quantity.checked_sub(rival.order.filled()).unwrap_or(Quantity::ZERO);
        if was_active && quantity.is_zero() {
            return Outlook::Over(OrderStatus::Cancelled, "OCO_FILLED");
        }
    }
    let reason = match quantity < held.order.quantity() {
        true => "OCO_PART_FILLED",
        false => "",
    };
    Outlook::Stays {
        quantity,
        reason,
        is_due: is_due && !quantity.is_zero(),
        in_the_way,
    }
}

/// Ends a leg that rests at the venue when somebody cancelled the other one, or that one's time was over.
pub(super) fn ends_with_its_rival(state: &State, entry: &Entry, now: Now) -> Vec<Event> {
    let rests = entry.order.status().is_at_venue() && entry.order.terms().conditions.trigger.is_none();
    let Some(rival) = state.rival(entry).filter(|_| rests) else {
        return Vec::new();
    };
    let is_over = matches!(rival.order.status(), OrderStatus::Cancelled | OrderStatus::Expired);
    match is_over && rival.triggered.is_none() {
        true => cancel_for(entry, "OCO_ENDED", now),
        false => Vec::new(),
    }
}

/// How the other leg of a pair bears on a held one.
enum Beside {
    /// The held one is over.
    Ends(&'static str),
    /// The other has to be cancelled before the held one can go.
    InTheWay,
    /// The other does not matter any more, or not yet.
    Alone,
}

fn beside(held: &Entry, rival: &Entry) -> Beside {
    let status = rival.order.status();
    let has_trigger = rival.order.terms().conditions.trigger.is_some();
    let rival_fired = rival.triggered.is_some();
    match status {
        OrderStatus::Filled => Beside::Ends("OCO_FILLED"),
        // What the venue refused never was there: the other leg stands alone.
        OrderStatus::Rejected => Beside::Alone,
        OrderStatus::Cancelled | OrderStatus::Expired if held.triggered.is_some() => Beside::Alone,
        OrderStatus::Cancelled | OrderStatus::Expired => Beside::Ends("OCO_ENDED"),
        OrderStatus::PendingTrigger => {
            match rival_fired && (held.triggered.is_none() || rival.accepted < held.accepted) {
                true => Beside::Ends("OCO_TRIGGERED"),
                false => Beside::Alone,
            }
        }
        // It fired and is on its way: this one has lost.
        _ if has_trigger => Beside::Ends("OCO_TRIGGERED"),
        _ => Beside::InTheWay,
    }
}

impl State {
    /// The other leg of the pair that an order is of: of an OCO group, or a bracket's exits.
    pub(super) fn rival(&self, entry: &Entry) -> Option<&Entry> {
        let membership = entry.order.terms().conditions.membership.as_ref()?;
        let group = entry.group()?;
        let is_leg = |accepted: u64| match membership.kind {
            GroupKind::Oco => true,
            GroupKind::Oto => false,
            GroupKind::Bracket => accepted != group,
        };
        if !is_leg(entry.accepted) {
            return None;
        }
        let mut members = self.group(group);
        members.find(|other| other.accepted != entry.accepted && is_leg(other.accepted))
    }
}

impl GroupSubmit {
    /// The digest of the canonical body: the kind, and each order under its id.
    pub fn digest(&self) -> super::event::Digest {
        use sha2::Digest as _;
        let member = |submit: &Submit| format!("{}={}", submit.client_order_id, submit.terms_text());
        let members: Vec<String> = self.orders.iter().map(member).collect();
        sha2::Sha256::digest(format!("group|{}|{}", self.kind, members.join("&"))).into()
    }
}
