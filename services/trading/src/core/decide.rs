//! Commands become decisions: refuse first; after the point of no return nothing can fail.

use super::command::{Balances, Cancel, CancelAll, Command, Now};
use super::entry::Entry;
use super::event::{BalancesAdopted, CancelRequested, Changed, Event, Halt, Intent};
use super::gate::Limits;
use super::ids::{self, VenueIds};
use super::market::Market;
use super::refusal::{Refusal, RefusalKind};
use super::report;
use super::state::State;
use domain::{AccountId, Money, OrderStatus, OrderTerms, Quantity, Venue};
use std::collections::{BTreeMap, BTreeSet};

/// The answer to a command; orders by the sequence of their acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The order as it was accepted.
    Accepted(u64),
    /// The order as it is.
    Order(u64),
    /// Orders as they are.
    Orders(Vec<u64>),
    /// The halt in force.
    Halt(Halt),
    /// No.
    Refused(Refusal),
    /// It is done, and there is nothing to say.
    Done,
    /// A report that leaves the order's true state open: the venue has to be asked.
    Ask(u64),
    /// A report that was not expected and could not be applied, or that revived an order: for people to look at.
    Alert(Alert),
    /// Several findings, perhaps none, for people to look at.
    Alerts(Vec<Alert>),
}

/// Something that people should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// A stable code.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

/// What a command leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is to be journalled and applied, in this order.
    pub events: Vec<Event>,
    /// The answer, true once the events are durable.
    pub answer: Answer,
}

impl Decision {
    pub(crate) fn answer(answer: Answer) -> Decision {
        Decision {
            events: Vec::new(),
            answer,
        }
    }

    pub(super) fn refuse(refusal: Refusal) -> Decision {
        Decision::answer(Answer::Refused(refusal))
    }
}

/// The decider of one shard: its state and what decisions look at beside it.
#[derive(Debug, Clone)]
pub struct Decider {
    /// The fold of the journal.
    pub state: State,
    pub(super) ids: VenueIds,
    pub(super) limits: Limits,
    pub(super) venue: Venue,
    pub(super) ready: BTreeSet<AccountId>,
    /// What people were told has traded at the venue of orders that are forgotten here; of the newest ones.
    pub(super) told: BTreeMap<u64, Quantity>,
}

impl Decider {
    /// A decider over replayed state.
    pub fn new(state: State, ids: VenueIds, limits: Limits, venue: Venue) -> Decider {
        Decider {
            state,
            ids,
            limits,
            venue,
            ready: BTreeSet::new(),
            told: BTreeMap::new(),
        }
    }

    /// The ids that this owner makes.
    pub fn ids(&self) -> &VenueIds {
        &self.ids
    }

    /// Decides one command. Changes nothing that is journalled: whoever asks applies the events.
    pub fn decide(&mut self, command: &Command, now: Now, market: &Market) -> Decision {
        match command {
            Command::Submit(submit) => self.submit(submit, now, market),
            Command::Group(group) => self.submit_group(group, now, market),
            Command::Replace(replace) => self.replace(replace, now, market),
            Command::Tick => self.tick(now, market),
            Command::Cancel(cancel) => self.cancel(cancel, now),
            Command::CancelAll(cancel) => self.cancel_all(cancel, now),
            Command::Halt(halt) => self.halt(halt, now),
            Command::AdoptHalt(halt) => self.adopt_halt(halt),
            Command::Resume(lift) => self.resume(lift),
            Command::Report(report) if self.state.order(report.order).is_none() => self.forgotten(report),
            Command::Report(report) => report::decide(&self.state, &self.limits, report, now),
            Command::Balances(balances) => self.balances(balances),
            Command::Adjust(adjust) => self.adjust(adjust),
            Command::External(external) => self.external(external, now, market),
            Command::StillOpen(order) => self.still_open(*order),
            Command::OpenSession(opened) => self.open_session(opened),
            Command::CloseSession(closed) => self.close_session(closed, now),
            Command::Ready(account, is_ready) => {
                match is_ready {
                    true => self.ready.insert(account.clone()),
                    false => self.ready.remove(account),
                };
                self.cancel_halted(account, *is_ready, now)
            }
            Command::DecisionsLost(venue_id) => self.decisions_lost(venue_id, now),
        }
    }

    fn cancel(&self, cancel: &Cancel, now: Now) -> Decision {
        let found = ids::parse_order_id(cancel.order_id.as_str())
            .filter(|(shard, _)| *shard == self.state.shard())
            .and_then(|(_, accepted)| self.state.order(accepted))
            .filter(|entry| entry.order.terms().account == cancel.account);
        let Some(entry) = found else {
            return Decision::refuse(order_not_found(cancel.order_id.as_str()));
        };
        match entry.order.status() {
            OrderStatus::PendingCancel | OrderStatus::Cancelled => Decision::answer(Answer::Order(entry.accepted)),
            OrderStatus::PendingTrigger
            | OrderStatus::PendingNew
            | OrderStatus::Unknown
            | OrderStatus::Open
            | OrderStatus::PartiallyFilled => Decision {
                events: cancel_events(entry, &cancel.request_id, now),
                answer: Answer::Order(entry.accepted),
            },
            status @ (OrderStatus::Filled | OrderStatus::Rejected | OrderStatus::Expired) => {
                let message = format!("order {} is {status} already", cancel.order_id);
                Decision::refuse(Refusal::refused("ORDER_CLOSED", message).with("status", status))
            }
        }
    }

    fn cancel_all(&self, cancel: &CancelAll, now: Now) -> Decision {
        let meant = |terms: &OrderTerms| cancel.which.matches(terms);
        let (events, orders) = self.cancels_of(&cancel.account, meant, &cancel.request_id, now);
        Decision {
            events,
            answer: Answer::Orders(orders),
        }
    }

    /// The cancels of an account's live orders that are meant, and all that are then on their way to an end.
    pub(super) fn cancels_of(
        &self,
        account: &AccountId,
        is_meant: impl Fn(&OrderTerms) -> bool,
        request_id: &str,
        now: Now,
    ) -> (Vec<Event>, Vec<u64>) {
        let mut events = Vec::new();
        let mut orders = Vec::new();
        let account = self.state.account(account);
        let live = account.into_iter().flat_map(|account| &account.live);
        for entry in live.filter_map(|accepted| self.state.order(*accepted)) {
            if !is_meant(entry.order.terms()) {
                continue;
            }
            if entry.order.status() != OrderStatus::PendingCancel {
                events.extend(cancel_events(entry, request_id, now));
            }
            orders.push(entry.accepted);
        }
        (events, orders)
    }

    fn balances(&self, balances: &Balances) -> Decision {
        if self
            .state
            .account(&balances.account)
            .is_some_and(|account| account.opened)
        {
            return Decision::answer(Answer::Done);
        }
        let adopted = BalancesAdopted {
            account: balances.account.clone(),
            balances: balances.balances.clone(),
            reason: "opening".to_owned(),
        };
        Decision {
            events: vec![Event::BalancesAdopted(adopted)],
            answer: Answer::Done,
        }
    }
}

/// The refusal of an order that is not there, or is somebody else's.
pub fn order_not_found(order_id: &str) -> Refusal {
    Refusal::new(
        RefusalKind::NotFound,
        "ORDER_NOT_FOUND",
        format!("there is no order {order_id}"),
    )
    .with("order_id", order_id)
}

/// What cancels a live order: a held one is over at once, of another the venue is asked.
pub(crate) fn cancel_events(entry: &Entry, request_id: &str, now: Now) -> Vec<Event> {
    if entry.order.status().is_held() {
        return vec![Event::Changed(Changed {
            order: entry.accepted,
            status: OrderStatus::Cancelled,
            reason: String::new(),
            reserved: Money::ZERO,
        })];
    }
    vec![
        Event::CancelRequested(CancelRequested {
            order: entry.accepted,
            request_id: request_id.to_owned(),
            reason: String::new(),
        }),
        cancel_intent(entry, now),
    ]
}

/// The intent to cancel at the venue.
pub(crate) fn cancel_intent(entry: &Entry, now: Now) -> Event {
    let venue_id = entry.venue_id.clone();
    Event::Intent(Intent {
        order: entry.accepted,
        venue_id,
        signed: now.venue,
        cancel: true,
    })
}
