//! Commands become decisions: refuse first; after the point of no return nothing can fail.

use super::account::{Account, Stored};
use super::command::{Balances, Cancel, CancelAll, Command, LiftHalt, Now, SetHalt, Submit};
use super::entry::Entry;
use super::event::{Accepted, BalancesAdopted, CancelRequested, Event, Halt, HaltLifted, HaltScope, Intent, Refused};
use super::gate::{self, Approved, Limits};
use super::ids::{self, VenueIds};
use super::market::Market;
use super::refusal::{Refusal, RefusalKind};
use super::report;
use super::state::State;
use domain::{AccountId, OrderStatus, OrderTerms, Venue};
use std::collections::BTreeSet;

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

    fn refuse(refusal: Refusal) -> Decision {
        Decision::answer(Answer::Refused(refusal))
    }
}

/// The decider of one shard: its state and what decisions look at beside it.
#[derive(Debug, Clone)]
pub struct Decider {
    /// The fold of the journal.
    pub state: State,
    ids: VenueIds,
    limits: Limits,
    venue: Venue,
    ready: BTreeSet<AccountId>,
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
            Command::Cancel(cancel) => self.cancel(cancel, now),
            Command::CancelAll(cancel) => self.cancel_all(cancel, now),
            Command::Halt(halt) => self.halt(halt, now),
            Command::Resume(lift) => self.resume(lift),
            Command::Report(report) => report::decide(&self.state, &self.limits, report, now),
            Command::Balances(balances) => self.balances(balances),
            Command::Ready(account, is_ready) => {
                match is_ready {
                    true => self.ready.insert(account.clone()),
                    false => self.ready.remove(account),
                };
                Decision::answer(Answer::Done)
            }
            Command::DecisionsLost(venue_id) => self.decisions_lost(venue_id, now),
        }
    }

    fn submit(&self, submit: &Submit, now: Now, market: &Market) -> Decision {
        let digest = submit.digest();
        let nobody = Account::default();
        let account = self.state.account(&submit.account).unwrap_or(&nobody);
        if let Some(key) = account.keys.get(&submit.client_order_id) {
            if key.digest != digest {
                let message = format!("client order id {} was used for another order", submit.client_order_id);
                let refusal = Refusal::new(RefusalKind::Conflict, "IDEMPOTENCY_CONFLICT", message);
                return Decision::refuse(refusal.with("client_order_id", &submit.client_order_id));
            }
            return Decision::answer(match &key.stored {
                Stored::Order(accepted) => Answer::Accepted(*accepted),
                Stored::Refusal(refusal) => Answer::Refused(Refusal::clone(refusal)),
            });
        }
        if let Err(refusal) = self.admit(submit, account, market) {
            return Decision::refuse(refusal);
        }
        match gate::judge(submit, &self.state, account, &self.limits, market, now) {
            Ok(approved) => self.accept(submit, approved, now),
            Err(refusal) => {
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
        }
    }

    /// Whether an answer can be given at all now. These refusals pass by themselves and are not journalled.
    fn admit(&self, submit: &Submit, account: &Account, market: &Market) -> Result<(), Refusal> {
        if !account.opened || !self.ready.contains(&submit.account) {
            let message = format!("account {} is not yet in step with its venue", submit.account);
            return Err(Refusal::new(RefusalKind::Unavailable, "ACCOUNT_NOT_READY", message));
        }
        if market.instruments.is_empty() {
            let message = "the instruments are not known yet";
            return Err(Refusal::new(RefusalKind::Unavailable, "INSTRUMENTS_NOT_READY", message));
        }
        Ok(())
    }

    /// Past the point of no return: nothing below can fail.
    fn accept(&self, submit: &Submit, approved: Approved, now: Now) -> Decision {
        let sequence = self.state.sequence() + 1;
        let terms = OrderTerms {
            order_id: ids::order_id(self.state.shard(), sequence),
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
        };
        let accepted = Accepted {
            terms,
            base: approved.instrument().base.clone(),
            quote: approved.instrument().quote.clone(),
            limit_revision: self.limits.revision,
            digest: submit.digest(),
            reserved: approved.reservation().amount,
        };
        let intent = Intent {
            order: sequence,
            venue_id: self.ids.make(sequence),
            signed: now.venue,
            cancel: false,
        };
        Decision {
            events: vec![Event::Accepted(Box::new(accepted)), Event::Intent(intent)],
            answer: Answer::Accepted(sequence),
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
            status @ (OrderStatus::Filled | OrderStatus::Rejected | OrderStatus::Expired) => {
                let message = format!("order {} is {status} already", cancel.order_id);
                Decision::refuse(Refusal::refused("ORDER_CLOSED", message).with("status", status))
            }
            OrderStatus::PendingNew | OrderStatus::Unknown | OrderStatus::Open | OrderStatus::PartiallyFilled => {
                Decision {
                    events: cancel_events(entry, &cancel.request_id, now).into(),
                    answer: Answer::Order(entry.accepted),
                }
            }
        }
    }

    fn cancel_all(&self, cancel: &CancelAll, now: Now) -> Decision {
        let mut events = Vec::new();
        let mut orders = Vec::new();
        let live = self
            .state
            .account(&cancel.account)
            .into_iter()
            .flat_map(|account| &account.live);
        for entry in live.filter_map(|accepted| self.state.order(*accepted)) {
            if cancel
                .symbol
                .as_ref()
                .is_some_and(|symbol| *symbol != entry.order.terms().symbol)
            {
                continue;
            }
            if entry.order.status() != OrderStatus::PendingCancel {
                events.extend(cancel_events(entry, &cancel.request_id, now));
            }
            orders.push(entry.accepted);
        }
        Decision {
            events,
            answer: Answer::Orders(orders),
        }
    }

    fn halt(&self, halt: &SetHalt, now: Now) -> Decision {
        if let Some(present) = self.state.halt(halt.scope, &halt.target) {
            return Decision::answer(Answer::Halt(present.clone()));
        }
        let halt = Halt {
            scope: halt.scope,
            target: halt.target.clone(),
            reason: halt.reason.clone(),
            subject: halt.subject.clone(),
            time: now.here,
        };
        Decision {
            events: vec![Event::HaltSet(halt.clone())],
            answer: Answer::Halt(halt),
        }
    }

    fn resume(&self, lift: &LiftHalt) -> Decision {
        if self.state.halt(lift.scope, &lift.target).is_none() {
            return Decision::answer(Answer::Done);
        }
        let lifted = HaltLifted {
            scope: lift.scope,
            target: lift.target.clone(),
            subject: lift.subject.clone(),
        };
        Decision {
            events: vec![Event::HaltLifted(lifted)],
            answer: Answer::Done,
        }
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

    /// Decisions after the journal's end are lost: cancels only, until an operator resumes.
    fn decisions_lost(&self, venue_id: &str, now: Now) -> Decision {
        let halt = SetHalt {
            scope: HaltScope::Global,
            target: String::new(),
            reason: format!("DECISIONS_LOST: the venue knows order {venue_id}, and the journal does not"),
            subject: "trading".to_owned(),
        };
        let message = halt.reason.clone();
        let mut decision = self.halt(&halt, now);
        decision.answer = Answer::Alert(Alert {
            reason: "DECISIONS_LOST",
            message,
        });
        decision
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

fn cancel_events(entry: &Entry, request_id: &str, now: Now) -> [Event; 2] {
    [
        Event::CancelRequested(CancelRequested {
            order: entry.accepted,
            request_id: request_id.to_owned(),
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
