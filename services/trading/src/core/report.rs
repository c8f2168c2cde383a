//! What the venue says of an order becomes fills, each once, and changes of status.

use super::command::{News, Now, Report, Trade, VenueState, VenueStatus};
use super::decide::{Alert, Answer, Decision, cancel_intent};
use super::entry::Entry;
use super::event::{Changed, Event, Filled};
use super::exposure;
use super::gate::Limits;
use super::state::State;
use super::trigger::EXPIRE_TIME;
use domain::{Money, Order, OrderEvent, OrderReport, OrderStatus};

/// An order that ended here so long ago, in microseconds, and is open at the venue is no answer that was under way.
const SETTLED_MICROS: i64 = 5_000_000;

/// After so many cancels without an end, the order counts as live again and people are told.
pub(super) const MAX_CANCELS: u32 = 5;

/// Decides what a report changes. A report that says nothing new changes nothing.
pub(crate) fn decide(state: &State, limits: &Limits, report: &Report, now: Now) -> Decision {
    // What was never sent is not at the venue, whatever is said of its id.
    let sent = state.order(report.order).filter(|entry| !entry.venue_id.is_empty());
    let Some(entry) = sent else {
        return Decision::answer(Answer::Done);
    };
    let mut draft = Draft {
        entry,
        order: entry.order.clone(),
        limits,
        now,
        events: Vec::new(),
    };
    let answer = match &report.news {
        News::State(venue) => match draft.venue_state(state, venue) {
            Answer::Done if draft.hides_wish() => Answer::Ask(entry.accepted),
            answer => answer,
        },
        News::Found(venue) => draft.found(state, venue),
        News::Rejected(reason) => draft.rejected(reason),
        News::Absent(reason) => draft.absent(reason),
        News::Unknown => {
            draft.change(OrderReport::OutcomeUnknown, "OUTCOME_UNKNOWN");
            Answer::Ask(entry.accepted)
        }
        News::CancelUnsure => Answer::Ask(entry.accepted),
    };
    Decision {
        events: draft.events,
        answer,
    }
}

/// An order on its way through a report.
struct Draft<'a> {
    entry: &'a Entry,
    order: Order,
    limits: &'a Limits,
    now: Now,
    events: Vec<Event>,
}

impl Draft<'_> {
    fn venue_state(&mut self, state: &State, venue: &VenueState) -> Answer {
        let was_rejected = matches!(self.order.status(), OrderStatus::Rejected | OrderStatus::PendingTrigger);
        for trade in &venue.trades {
            if let Err(alert) = self.fill(state, trade, &venue.venue_order) {
                return Answer::Alert(alert);
            }
        }
        if venue.executed > self.order.filled() {
            // A gap: the end of the order waits until its trades are known, so that nothing is released too early.
            self.acknowledge();
            return Answer::Ask(self.entry.accepted);
        }
        match venue.status {
            VenueStatus::Live => self.acknowledge(),
            VenueStatus::Filled => {}
            VenueStatus::Cancelled if self.entry.cancel_reason == EXPIRE_TIME => {
                self.change(OrderReport::Expired, EXPIRE_TIME);
            }
            VenueStatus::Cancelled => {
                let reason = if venue.reason.is_empty() {
                    &self.entry.cancel_reason
                } else {
                    &venue.reason
                };
                self.change(OrderReport::Cancelled, reason);
            }
            VenueStatus::Expired => {
                self.change(OrderReport::Expired, &venue.reason);
            }
            VenueStatus::Rejected => return self.rejected(&venue.reason),
        }
        self.adopted(was_rejected)
    }

    /// The venue was asked. A cancel that is wanted and was lost is intended again, a few times.
    fn found(&mut self, state: &State, venue: &VenueState) -> Answer {
        let answer = self.venue_state(state, venue);
        if venue.status != VenueStatus::Live {
            return answer;
        }
        if self.order.status().is_terminal() {
            return self.still_open(answer);
        }
        self.recall_wish();
        let is_intended = self.events.iter().any(|event| matches!(event, Event::Intent(_)));
        if is_intended || self.order.status() != OrderStatus::PendingCancel {
            return answer;
        }
        if self.entry.cancels < MAX_CANCELS {
            self.events.push(cancel_intent(self.entry, self.now));
            return answer;
        }
        self.change(OrderReport::CancelRejected, "CANCEL_REJECTED");
        self.change(OrderReport::Accepted, "CANCEL_REJECTED");
        let message = format!("order {} could not be cancelled", self.order.terms().order_id);
        Answer::Alert(Alert {
            reason: "CANCEL_REJECTED",
            message,
        })
    }

    /// The order is over here, and lives at the venue, where nobody expects it: it is cancelled there.
    fn still_open(&mut self, answer: Answer) -> Answer {
        let ended = self.entry.order.updated_at();
        if !self.events.is_empty() || self.now.here.micros_since(ended) < SETTLED_MICROS {
            return answer;
        }
        self.events.push(cancel_intent(self.entry, self.now));
        let (order_id, status) = (&self.order.terms().order_id, self.order.status());
        Answer::Alert(Alert {
            reason: "ORDER_STILL_OPEN",
            message: format!("order {order_id} is {status} here and open at the venue; it is cancelled there"),
        })
    }

    /// Whether somebody wants it cancelled, and its status does not say so.
    fn hides_wish(&self) -> bool {
        let is_wanted = self.entry.cancel_wanted && self.entry.cancels < MAX_CANCELS;
        is_wanted && matches!(self.order.status(), OrderStatus::Open | OrderStatus::PartiallyFilled)
    }

    /// An outcome that was unknown, or an absence that was none, has hidden the wish to cancel: it is intended again.
    fn recall_wish(&mut self) {
        if self.hides_wish() && self.change(OrderReport::CancelRequested, "CANCEL_WANTED") {
            self.events.push(cancel_intent(self.entry, self.now));
        }
    }

    /// It is certain that the order never arrived, which only one that was never acknowledged can be.
    fn absent(&mut self, reason: &str) -> Answer {
        let is_live = self.order.status().is_live();
        // One that trading sent by itself is still wanted: it is held again, and goes again.
        if self.entry.held_at_first.is_some() && !self.entry.cancel_wanted && self.change(OrderReport::Returned, reason)
        {
            return Answer::Done;
        }
        if !self.change(
            OrderReport::Rejected {
                reason: reason.to_owned(),
            },
            reason,
        ) && is_live
        {
            let message = format!("the venue does not know order {} any more", self.order.terms().order_id);
            return Answer::Alert(Alert {
                reason: "ORDER_MISSING",
                message,
            });
        }
        Answer::Done
    }

    fn acknowledge(&mut self) {
        if matches!(
            self.order.status(),
            OrderStatus::PendingNew | OrderStatus::Unknown | OrderStatus::Rejected | OrderStatus::PendingTrigger
        ) {
            self.change(OrderReport::Accepted, "");
        }
    }

    fn adopted(&mut self, was_rejected: bool) -> Answer {
        if was_rejected && !matches!(self.order.status(), OrderStatus::Rejected | OrderStatus::PendingTrigger) {
            self.recall_wish();
            let message = format!("order {} was taken for absent and lives", self.order.terms().order_id);
            return Answer::Alert(Alert {
                reason: "ORDER_ADOPTED",
                message,
            });
        }
        Answer::Done
    }

    fn rejected(&mut self, reason: &str) -> Answer {
        let reason = if reason.is_empty() { "VENUE_REJECTED" } else { reason };
        self.change(
            OrderReport::Rejected {
                reason: reason.to_owned(),
            },
            reason,
        );
        Answer::Done
    }

    /// Applies a trade once.
    fn fill(&mut self, state: &State, trade: &Trade, venue_order: &str) -> Result<(), Alert> {
        let is_known = self.entry.trades.contains(&trade.trade_id)
            || self.events.iter().any(|event| match event {
                Event::Filled(filled) => filled.fill.trade_id == trade.trade_id,
                _ => false,
            });
        if is_known {
            return Ok(());
        }
        let fill = trade.fill(self.order.terms());
        let report = OrderReport::Filled {
            price: trade.price,
            quantity: trade.quantity,
        };
        let mut order = self.order.clone();
        let fits = order.apply(&OrderEvent::new(self.now.here, report));
        let balances = state
            .account(&fill.account)
            .map(|account| account.after_fill(&self.entry.base, &self.entry.quote, &fill))
            .transpose();
        if let Some(message) = fits
            .err()
            .map(|error| error.to_string())
            .or(balances.err().map(|e| e.to_string()))
        {
            let message = format!("trade {} of order {}: {message}", trade.trade_id, fill.order_id);
            return Err(Alert {
                reason: "FILL_IMPOSSIBLE",
                message,
            });
        }
        self.order = order;
        self.events.push(Event::Filled(Box::new(Filled {
            order: self.entry.accepted,
            fill,
            venue_order: venue_order.to_owned(),
            status: self.order.status(),
            reserved: self.reserved(),
        })));
        Ok(())
    }

    /// Records a change of status; `false` when the report says nothing new.
    fn change(&mut self, report: OrderReport, reason: &str) -> bool {
        let before = self.order.status();
        let mut order = self.order.clone();
        if order.apply(&OrderEvent::new(self.now.here, report)).is_err() || order.status() == before {
            return false;
        }
        self.order = order;
        self.events.push(Event::Changed(Changed {
            order: self.entry.accepted,
            status: self.order.status(),
            reason: reason.to_owned(),
            reserved: self.reserved(),
        }));
        true
    }

    /// What the order sets aside as it stands now. Where that cannot be computed, what it did before.
    fn reserved(&self) -> Money {
        if self.order.status().is_terminal() {
            return Money::ZERO;
        }
        let (side, remaining) = (self.order.terms().side, self.order.remaining());
        exposure::needed(side, remaining, self.entry.price_bound(), self.limits.taker_fee)
            .unwrap_or(self.entry.reserved)
    }
}
