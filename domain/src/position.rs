//! A position as the fold of its fills, with profit and loss by average cost and by FIFO side by side.
//!
//! - A fee in the base asset changes what is held: buying 1 with a fee of 0.001 leaves 0.999 at the cost of 1, so
//!   that the fee is part of the cost. A fee in the quote asset, or in a third one, is kept beside: [`Position::fees`].
//!   Realised profit is before those; [`Position::realised_net_average`] takes the quote fees off.
//! - Costs are signed like the quantity: what was paid for a long position, minus what was received for a short one.
//!   Spot accounts do not go short, but a fill is a fact: the fold goes through zero and shows the negative quantity.
//! - The only rounding is the cost (and proceeds) of a partial close, [`Money::share`]: up, so that no profit shows
//!   too early. `realised − cost` equals the cash that flowed, to the last unit, under both methods at all times.

use crate::{Asset, Fill, Instrument, Money, NumberError, Price, Quantity, Side};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What one fill opened and later ones have not closed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// How much, signed like the position.
    pub quantity: Money,
    /// What it cost, signed like the quantity.
    pub cost: Money,
}

/// Why a fill cannot be folded; the position is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// A fee in base that takes all that was bought, or a rebate that gives back all that was sold.
    #[error("a base fee of {fee} on a fill of {quantity}")]
    FeeExceedsFill {
        /// The fee.
        fee: Money,
        /// The quantity of the fill.
        quantity: Quantity,
    },
    /// A figure cannot be held exactly.
    #[error("position: {0}")]
    Number(#[from] NumberError),
}

impl PositionError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            PositionError::FeeExceedsFill { .. } => "POSITION_FEE_EXCEEDS_FILL",
            PositionError::Number(number) => number.reason(),
        }
    }
}

/// What an account holds of one instrument, and what it made of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    quantity: Money,
    cost: Money,
    realised_average: Money,
    realised_fifo: Money,
    lots: VecDeque<Lot>,
    fees: BTreeMap<Asset, Money>,
    fills: u64,
}

impl Position {
    /// Nothing held, nothing made.
    pub fn new() -> Self {
        Position::default()
    }

    /// Folds one fill, or refuses it and changes nothing. Whether it was seen before is for the caller to know.
    pub fn apply(&mut self, fill: &Fill, instrument: &Instrument) -> Result<(), PositionError> {
        let mut next = self.clone_without_lots();
        let (quantity, value) = signed_flow(fill, &instrument.base)?;
        next.fold_average(quantity, value)?;
        let lots_before = next.fifo_plan(&self.lots, quantity, value)?;
        let fee = next.fees.entry(fill.fee_asset.clone()).or_default();
        *fee = fee.checked_add(fill.fee)?;
        next.fills = self.fills.saturating_add(1);

        // Nothing can fail from here on.
        let mut lots = std::mem::take(&mut self.lots);
        lots.drain(..lots_before.closed);
        if let (Some(rest), Some(front)) = (lots_before.front, lots.front_mut()) {
            *front = rest;
        }
        lots.extend(lots_before.opened);
        next.lots = lots;
        *self = next;
        Ok(())
    }

    /// What is held of the base asset, after fees in base; negative for a short position.
    pub fn quantity(&self) -> Money {
        self.quantity
    }

    /// What the held quantity cost by average cost, signed like the quantity.
    pub fn cost(&self) -> Money {
        self.cost
    }

    /// What the held quantity cost by FIFO, signed like the quantity.
    pub fn cost_fifo(&self) -> Result<Money, NumberError> {
        self.lots
            .iter()
            .try_fold(Money::ZERO, |sum, lot| sum.checked_add(lot.cost))
    }

    /// Average cost of one unit, rounded down to twelve decimals, for reading only; absent when flat.
    pub fn average_cost(&self) -> Option<Price> {
        self.cost.abs().average_over(self.quantity.abs().quantity().ok()?)
    }

    /// Profit of what was closed, by average cost, before fees in quote or third assets.
    pub fn realised_average(&self) -> Money {
        self.realised_average
    }

    /// Profit of what was closed, first in first out, before fees in quote or third assets.
    pub fn realised_fifo(&self) -> Money {
        self.realised_fifo
    }

    /// [`Position::realised_average`] less the fees charged in `quote`.
    pub fn realised_net_average(&self, quote: &Asset) -> Result<Money, NumberError> {
        self.realised_average.checked_sub(self.fee(quote))
    }

    /// [`Position::realised_fifo`] less the fees charged in `quote`.
    pub fn realised_net_fifo(&self, quote: &Asset) -> Result<Money, NumberError> {
        self.realised_fifo.checked_sub(self.fee(quote))
    }

    /// Profit of what is held if it were closed at `mark`, by average cost.
    pub fn unrealised_average(&self, mark: Price) -> Result<Money, NumberError> {
        self.quantity.valued_at(mark)?.checked_sub(self.cost)
    }

    /// Profit of what is held if it were closed at `mark`, first in first out.
    pub fn unrealised_fifo(&self, mark: Price) -> Result<Money, NumberError> {
        self.quantity.valued_at(mark)?.checked_sub(self.cost_fifo()?)
    }

    /// What is open, oldest first.
    pub fn lots(&self) -> impl ExactSizeIterator<Item = &Lot> {
        self.lots.iter()
    }

    /// Fees paid by asset, rebates taken off; those in base are in the cost already.
    pub fn fees(&self) -> &BTreeMap<Asset, Money> {
        &self.fees
    }

    /// Fees paid in one asset.
    pub fn fee(&self, asset: &Asset) -> Money {
        self.fees.get(asset).copied().unwrap_or_default()
    }

    /// How many fills were folded.
    pub fn fills(&self) -> u64 {
        self.fills
    }

    fn clone_without_lots(&self) -> Position {
        Position {
            quantity: self.quantity,
            cost: self.cost,
            realised_average: self.realised_average,
            realised_fifo: self.realised_fifo,
            lots: VecDeque::new(),
            fees: self.fees.clone(),
            fills: self.fills,
        }
    }

    fn fold_average(&mut self, quantity: Money, value: Money) -> Result<(), NumberError> {
        if self.quantity.is_zero() || self.quantity.is_negative() == quantity.is_negative() {
            self.quantity = self.quantity.checked_add(quantity)?;
            self.cost = self.cost.checked_add(value)?;
            return Ok(());
        }
        let closed = close(
            Lot {
                quantity: self.quantity,
                cost: self.cost,
            },
            Lot { quantity, cost: value },
        )?;
        self.realised_average = self.realised_average.checked_add(closed.realised)?;
        // At most one of the two is left over.
        self.quantity = closed.held.quantity.checked_add(closed.incoming.quantity)?;
        self.cost = closed.held.cost.checked_add(closed.incoming.cost)?;
        Ok(())
    }

    /// Works out what the flow does to the lots without touching them, and books its profit.
    fn fifo_plan(&mut self, lots: &VecDeque<Lot>, quantity: Money, value: Money) -> Result<LotChange, NumberError> {
        let mut incoming = Lot { quantity, cost: value };
        let mut change = LotChange {
            closed: 0,
            front: None,
            opened: None,
        };
        for lot in lots {
            if incoming.quantity.is_zero() || lot.quantity.is_negative() == incoming.quantity.is_negative() {
                break;
            }
            let closed = close(*lot, incoming)?;
            self.realised_fifo = self.realised_fifo.checked_add(closed.realised)?;
            incoming = closed.incoming;
            if closed.held.quantity.is_zero() {
                change.closed += 1;
            } else {
                change.front = Some(closed.held);
            }
        }
        change.opened = (!incoming.quantity.is_zero()).then_some(incoming);
        Ok(change)
    }
}

/// What a flow does to the lots.
struct LotChange {
    /// So many of the oldest are gone.
    closed: usize,
    /// What is left of the oldest after these.
    front: Option<Lot>,
    /// What is new.
    opened: Option<Lot>,
}

struct Closed {
    realised: Money,
    held: Lot,
    incoming: Lot,
}

/// Sets two opposite lots off against each other, as far as the smaller reaches.
fn close(held: Lot, incoming: Lot) -> Result<Closed, NumberError> {
    let held_size = held.quantity.abs().quantity()?;
    let incoming_size = incoming.quantity.abs().quantity()?;
    let size = held_size.min(incoming_size);
    let cost_out = held.cost.share(size, held_size)?;
    let value_in = incoming.cost.share(size, incoming_size)?;
    let signed_size = if held.quantity.is_negative() {
        size.amount().negated()
    } else {
        size.amount()
    };
    Ok(Closed {
        realised: value_in.checked_add(cost_out)?.negated(),
        held: Lot {
            quantity: held.quantity.checked_sub(signed_size)?,
            cost: held.cost.checked_sub(cost_out)?,
        },
        incoming: Lot {
            quantity: incoming.quantity.checked_add(signed_size)?,
            cost: incoming.cost.checked_sub(value_in)?,
        },
    })
}

/// The change of the held base and what it cost: both positive for a buy, both negative for a sell.
fn signed_flow(fill: &Fill, base: &Asset) -> Result<(Money, Money), PositionError> {
    let notional = fill.notional()?;
    let base_fee = if fill.fee_asset == *base { fill.fee } else { Money::ZERO };
    let (quantity, value) = match fill.side {
        Side::Buy => (fill.quantity.amount().checked_sub(base_fee)?, notional),
        Side::Sell => (fill.quantity.amount().checked_add(base_fee)?, notional.negated()),
    };
    if quantity <= Money::ZERO {
        return Err(PositionError::FeeExceedsFill {
            fee: base_fee,
            quantity: fill.quantity,
        });
    }
    let signed = if fill.side == Side::Sell {
        quantity.negated()
    } else {
        quantity
    };
    Ok((signed, value))
}

#[cfg(test)]
mod tests;
