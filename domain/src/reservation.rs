//! What an open order sets aside, so that no second order can spend it.
//!
//! A sell reserves the base that is left to sell. A buy reserves quote: the worst price × what is left, plus the
//! fee on that at the taker rate, rounded up. It is held for as long as the order may live at the venue, which
//! includes the time when its outcome is unknown.

use crate::{Asset, Instrument, Money, NumberError, Order, OrderTerms, Price, Quantity, Rate, Side};
use serde::{Deserialize, Serialize};

/// An amount of one asset set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub amount: Money,
}

/// Why a reservation cannot be computed; such an order is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReservationError {
    /// A buy without limit and without collar has no worst price.
    #[error("a market buy needs a collar price")]
    PriceBoundMissing,
    /// The amount cannot be held exactly.
    #[error("reservation: {0}")]
    Number(#[from] NumberError),
}

impl ReservationError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            ReservationError::PriceBoundMissing => "PRICE_BOUND_MISSING",
            ReservationError::Number(number) => number.reason(),
        }
    }
}

impl Reservation {
    /// What `quantity` on `side` sets aside, with `price_bound` the worst price it can trade at.
    pub fn required(
        instrument: &Instrument,
        side: Side,
        quantity: Quantity,
        price_bound: Option<Price>,
        taker_rate: Rate,
    ) -> Result<Reservation, ReservationError> {
        match side {
            Side::Sell => Ok(Reservation {
                asset: instrument.base.clone(),
                amount: quantity.amount(),
            }),
            Side::Buy => {
                let price = price_bound.ok_or(ReservationError::PriceBoundMissing)?;
                let notional = price.notional(quantity)?;
                let fee = Money::fee(notional, taker_rate)?;
                // A rebate is not counted on before it is there.
                let amount = notional.checked_add(fee.max(Money::ZERO))?;
                Ok(Reservation {
                    asset: instrument.quote.clone(),
                    amount,
                })
            }
        }
    }

    /// What an order with these terms sets aside before anything of it has traded.
    pub fn of_terms(
        instrument: &Instrument,
        terms: &OrderTerms,
        taker_rate: Rate,
    ) -> Result<Reservation, ReservationError> {
        Self::required(instrument, terms.side, terms.quantity, terms.price_bound(), taker_rate)
    }

    /// What this order sets aside as it stands: nothing once it is over.
    pub fn of_order(
        instrument: &Instrument,
        order: &Order,
        taker_rate: Rate,
    ) -> Result<Option<Reservation>, ReservationError> {
        if order.status().is_terminal() {
            return Ok(None);
        }
        let terms = order.terms();
        Self::required(
            instrument,
            terms.side,
            order.remaining(),
            terms.price_bound(),
            taker_rate,
        )
        .map(Some)
    }
}

#[cfg(test)]
mod tests;
