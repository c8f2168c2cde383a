//! An order as the fold of its reports.

use super::{IllegalTransition, OrderEventKind, OrderStatus, OrderTerms};
use crate::{Money, NumberError, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

/// What was learned about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderReport {
    /// What it waited for has come, and this much of it goes to the venue.
    Released {
        /// This much.
        quantity: Quantity,
    },
    /// It certainly never arrived at the venue, and is held again.
    Returned,
    /// This much of it is wanted now, while it is held.
    Resized {
        /// This much.
        quantity: Quantity,
    },
    /// The venue has the order.
    Accepted,
    /// The venue refused it, or it is certain that it never arrived.
    Rejected {
        /// The stable code of the refusal.
        reason: String,
    },
    /// No answer within its bound.
    OutcomeUnknown,
    /// Some of it traded.
    Filled {
        /// At this price.
        price: Price,
        /// This much.
        quantity: Quantity,
    },
    /// A cancel was decided.
    CancelRequested,
    /// The venue did not cancel.
    CancelRejected,
    /// The venue cancelled.
    Cancelled,
    /// The venue ended what was left.
    Expired,
}

/// A report and when it became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// When.
    pub time: Timestamp,
    /// What.
    pub report: OrderReport,
}

impl OrderEvent {
    /// A report at a time.
    pub fn new(time: Timestamp, report: OrderReport) -> Self {
        OrderEvent { time, report }
    }
}

/// Why an event was refused; the order is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The event is no edge of the order's life.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// More traded than was asked for.
    #[error("a fill of {fill} on top of {filled} exceeds the order's {quantity}")]
    Overfill {
        /// The order's quantity.
        quantity: Quantity,
        /// What had traded before.
        filled: Quantity,
        /// What the fill adds.
        fill: Quantity,
    },
    /// A fill of nothing.
    #[error("a fill of nothing")]
    EmptyFill,
    /// A held order cannot be made larger than it was asked for.
    #[error("{quantity} is more than the {asked} that were asked for")]
    Oversized {
        /// What was asked for.
        asked: Quantity,
        /// What it would become.
        quantity: Quantity,
    },
    /// A rejection of an order that has traded.
    #[error("rejected after {filled} of it had traded")]
    RejectedAfterFill {
        /// What had traded.
        filled: Quantity,
    },
    /// The order's cost cannot be held exactly.
    #[error("cost: {0}")]
    Number(#[from] NumberError),
}

impl OrderError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            OrderError::Illegal(illegal) => illegal.reason(),
            OrderError::Overfill { .. } => "ORDER_OVERFILL",
            OrderError::EmptyFill => "ORDER_FILL_EMPTY",
            OrderError::Oversized { .. } => "ORDER_OVERSIZED",
            OrderError::RejectedAfterFill { .. } => "ORDER_REJECTED_AFTER_FILL",
            OrderError::Number(number) => number.reason(),
        }
    }
}

/// An order: terms, and what is known of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    terms: OrderTerms,
    quantity: Quantity,
    status: OrderStatus,
    filled: Quantity,
    cost: Money,
    reject_reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Order {
    /// A new order, decided at `time`, that the venue has not answered yet.
    pub fn new(terms: OrderTerms, time: Timestamp) -> Self {
        Order {
            quantity: terms.quantity,
            terms,
            status: OrderStatus::PendingNew,
            filled: Quantity::ZERO,
            cost: Money::ZERO,
            reject_reason: None,
            created_at: time,
            updated_at: time,
        }
    }

    /// A new order, decided at `time`, that is held, with so much of it wanted for now.
    pub fn held(terms: OrderTerms, quantity: Quantity, time: Timestamp) -> Self {
        Order {
            quantity,
            status: OrderStatus::PendingTrigger,
            ..Order::new(terms, time)
        }
    }

    /// Applies one event, or refuses it and changes nothing.
    pub fn apply(&mut self, event: &OrderEvent) -> Result<(), OrderError> {
        let (filled, cost) = self.after_fill(&event.report)?;
        let kind = self.kind_of(&event.report, filled);
        let status = self.status.transition(kind)?;
        if matches!(kind, OrderEventKind::Rejected | OrderEventKind::Returned) && !self.filled.is_zero() {
            return Err(OrderError::RejectedAfterFill { filled: self.filled });
        }
        let quantity = self.after_resize(&event.report)?;

        self.status = status;
        self.quantity = quantity;
        self.filled = filled;
        self.cost = cost;
        self.reject_reason = match &event.report {
            OrderReport::Rejected { reason } => Some(reason.clone()),
            _ if status == OrderStatus::Rejected => self.reject_reason.take(),
            _ => None,
        };
        self.updated_at = self.updated_at.max(event.time);
        Ok(())
    }

    /// Which edge a report means for this order as it stands now.
    pub fn event_kind(&self, report: &OrderReport) -> Result<OrderEventKind, OrderError> {
        let (filled, _) = self.after_fill(report)?;
        Ok(self.kind_of(report, filled))
    }

    fn after_fill(&self, report: &OrderReport) -> Result<(Quantity, Money), OrderError> {
        let OrderReport::Filled { price, quantity } = report else {
            return Ok((self.filled, self.cost));
        };
        if quantity.is_zero() {
            return Err(OrderError::EmptyFill);
        }
        let filled = self.filled.checked_add(*quantity)?;
        if filled > self.quantity {
            return Err(OrderError::Overfill {
                quantity: self.quantity,
                filled: self.filled,
                fill: *quantity,
            });
        }
        let cost = self.cost.checked_add(price.notional(*quantity)?)?;
        Ok((filled, cost))
    }

    fn after_resize(&self, report: &OrderReport) -> Result<Quantity, OrderError> {
        let (OrderReport::Released { quantity } | OrderReport::Resized { quantity }) = report else {
            return Ok(self.quantity);
        };
        if *quantity > self.terms.quantity {
            return Err(OrderError::Oversized {
                asked: self.terms.quantity,
                quantity: *quantity,
            });
        }
        Ok(*quantity)
    }

    fn kind_of(&self, report: &OrderReport, filled: Quantity) -> OrderEventKind {
        match report {
            OrderReport::Released { .. } => OrderEventKind::Released,
            OrderReport::Returned => OrderEventKind::Returned,
            OrderReport::Resized { .. } => OrderEventKind::Resized,
            OrderReport::Accepted if self.filled.is_zero() => OrderEventKind::Accepted,
            OrderReport::Accepted => OrderEventKind::AcceptedPartlyFilled,
            OrderReport::Rejected { .. } => OrderEventKind::Rejected,
            OrderReport::OutcomeUnknown => OrderEventKind::OutcomeUnknown,
            OrderReport::Filled { .. } if filled == self.quantity => OrderEventKind::CompleteFill,
            OrderReport::Filled { .. } => OrderEventKind::PartialFill,
            OrderReport::CancelRequested => OrderEventKind::CancelRequested,
            OrderReport::CancelRejected => OrderEventKind::CancelRejected,
            OrderReport::Cancelled => OrderEventKind::Cancelled,
            OrderReport::Expired => OrderEventKind::Expired,
        }
    }

    /// Identity and terms.
    pub fn terms(&self) -> &OrderTerms {
        &self.terms
    }

    /// Where it stands.
    pub fn status(&self) -> OrderStatus {
        self.status
    }

    /// How much of it is wanted: what the terms ask for, or less where it was held and made smaller.
    pub fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// How much of it has traded.
    pub fn filled(&self) -> Quantity {
        self.filled
    }

    /// How much of it has not traded, whether or not it still can.
    pub fn remaining(&self) -> Quantity {
        self.quantity.checked_sub(self.filled).unwrap_or(Quantity::ZERO)
    }

    /// The exact sum of price × quantity over its fills, in quote.
    pub fn cost(&self) -> Money {
        self.cost
    }

    /// The average price of its fills, rounded down to twelve decimals, for reading only; absent before a fill.
    pub fn average_price(&self) -> Option<Price> {
        self.cost.average_over(self.filled)
    }

    /// Why the venue refused it, while it is rejected.
    pub fn reject_reason(&self) -> Option<&str> {
        self.reject_reason.as_deref()
    }

    /// When it was decided.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it last changed.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}
