//! What can be traded, and which orders its venue takes: the filters of Binance's `exchangeInfo`
//! (PRICE_FILTER, LOT_SIZE, MIN_NOTIONAL) as one check with one refusal type.

use crate::{Asset, Money, NumberError, OrderType, Price, Quantity, Symbol};
use serde::{Deserialize, Serialize};

/// Whether the venue takes orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstrumentStatus {
    /// Orders are taken.
    Trading,
    /// No orders are taken; cancels are.
    Halted,
}

/// A market with its trading rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The venue's name of the market.
    pub symbol: Symbol,
    /// What is bought and sold.
    pub base: Asset,
    /// What is paid with.
    pub quote: Asset,
    /// Prices are whole multiples of this.
    pub tick_size: Price,
    /// The highest price the venue takes.
    pub max_price: Price,
    /// Quantities are whole multiples of this; never zero, see [`Instrument::validate`].
    pub lot_size: Quantity,
    /// The smallest quantity of an order.
    pub min_quantity: Quantity,
    /// The largest quantity of an order.
    pub max_quantity: Quantity,
    /// The smallest price × quantity of an order, in quote.
    pub min_notional: Money,
    /// Whether the venue takes orders.
    pub status: InstrumentStatus,
}

/// Why an instrument's own rules make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentFault {
    /// A lot of nothing.
    #[error("lot size is zero")]
    LotSizeZero,
    /// No quantity satisfies both ends.
    #[error("minimum quantity is above maximum quantity")]
    QuantityRangeEmpty,
    /// A notional cannot be below zero.
    #[error("minimum notional is negative")]
    MinNotionalNegative,
    /// Not even one tick is allowed.
    #[error("maximum price is below one tick")]
    MaxPriceBelowTick,
    /// Base and quote are the same asset.
    #[error("base and quote are the same asset")]
    SameAsset,
}

/// Why an order does not fit its instrument. Each variant carries what a caller needs to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentRefusal {
    /// The instrument does not take orders now.
    #[error("{symbol} is halted")]
    Halted {
        /// The instrument.
        symbol: Symbol,
    },
    /// A limit order has a price.
    #[error("a limit order needs a price")]
    PriceMissing,
    /// A market order has none.
    #[error("a market order takes no price")]
    PriceUnexpected,
    /// The price lies between two ticks.
    #[error("price {price} is not a multiple of the tick size {tick_size}")]
    PriceOffTick {
        /// The price given.
        price: Price,
        /// The instrument's tick size.
        tick_size: Price,
    },
    /// The price is above the highest allowed.
    #[error("price {price} is above the maximum {max_price}")]
    PriceTooHigh {
        /// The price given.
        price: Price,
        /// The highest price allowed.
        max_price: Price,
    },
    /// The quantity is no whole number of lots.
    #[error("quantity {quantity} is not a multiple of the lot size {lot_size}")]
    QuantityOffLot {
        /// The quantity given.
        quantity: Quantity,
        /// The instrument's lot size.
        lot_size: Quantity,
    },
    /// The quantity is zero or below the smallest allowed.
    #[error("quantity {quantity} is below the minimum {min_quantity}")]
    QuantityTooSmall {
        /// The quantity given.
        quantity: Quantity,
        /// The smallest quantity allowed.
        min_quantity: Quantity,
    },
    /// The quantity is above the largest allowed.
    #[error("quantity {quantity} is above the maximum {max_quantity}")]
    QuantityTooLarge {
        /// The quantity given.
        quantity: Quantity,
        /// The largest quantity allowed.
        max_quantity: Quantity,
    },
    /// Price × quantity is below the smallest allowed.
    #[error("notional {notional} is below the minimum {min_notional}")]
    NotionalTooSmall {
        /// Price × quantity.
        notional: Money,
        /// The smallest notional allowed.
        min_notional: Money,
    },
    /// Price × quantity cannot be held exactly.
    #[error("notional of {price} × {quantity}: {cause}")]
    NotionalUnrepresentable {
        /// The price used.
        price: Price,
        /// The quantity given.
        quantity: Quantity,
        /// What the arithmetic said.
        cause: NumberError,
    },
}

impl InstrumentRefusal {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            InstrumentRefusal::Halted { .. } => "INSTRUMENT_HALTED",
            InstrumentRefusal::PriceMissing => "PRICE_MISSING",
            InstrumentRefusal::PriceUnexpected => "PRICE_UNEXPECTED",
            InstrumentRefusal::PriceOffTick { .. } => "PRICE_OFF_TICK",
            InstrumentRefusal::PriceTooHigh { .. } => "PRICE_TOO_HIGH",
            InstrumentRefusal::QuantityOffLot { .. } => "QUANTITY_OFF_LOT",
            InstrumentRefusal::QuantityTooSmall { .. } => "QUANTITY_TOO_SMALL",
            InstrumentRefusal::QuantityTooLarge { .. } => "QUANTITY_TOO_LARGE",
            InstrumentRefusal::NotionalTooSmall { .. } => "NOTIONAL_TOO_SMALL",
            InstrumentRefusal::NotionalUnrepresentable { .. } => "NOTIONAL_UNREPRESENTABLE",
        }
    }

    /// The figures behind the refusal, as key and text, for error details and logs.
    pub fn context(&self) -> Vec<(&'static str, String)> {
        match self {
            InstrumentRefusal::Halted { symbol } => vec![("symbol", symbol.to_string())],
            InstrumentRefusal::PriceMissing | InstrumentRefusal::PriceUnexpected => Vec::new(),
            InstrumentRefusal::PriceOffTick { price, tick_size } => {
                vec![("price", price.to_string()), ("tick_size", tick_size.to_string())]
            }
            InstrumentRefusal::PriceTooHigh { price, max_price } => {
                vec![("price", price.to_string()), ("max_price", max_price.to_string())]
            }
            InstrumentRefusal::QuantityOffLot { quantity, lot_size } => {
                vec![("quantity", quantity.to_string()), ("lot_size", lot_size.to_string())]
            }
            InstrumentRefusal::QuantityTooSmall { quantity, min_quantity } => {
                vec![
                    ("quantity", quantity.to_string()),
                    ("min_quantity", min_quantity.to_string()),
                ]
            }
            InstrumentRefusal::QuantityTooLarge { quantity, max_quantity } => {
                vec![
                    ("quantity", quantity.to_string()),
                    ("max_quantity", max_quantity.to_string()),
                ]
            }
            InstrumentRefusal::NotionalTooSmall { notional, min_notional } => {
                vec![
                    ("notional", notional.to_string()),
                    ("min_notional", min_notional.to_string()),
                ]
            }
            InstrumentRefusal::NotionalUnrepresentable { price, quantity, cause } => {
                vec![
                    ("price", price.to_string()),
                    ("quantity", quantity.to_string()),
                    ("cause", cause.to_string()),
                ]
            }
        }
    }
}

impl Instrument {
    /// Checks that the rules themselves make sense; call it once where an instrument enters the platform.
    pub fn validate(&self) -> Result<(), InstrumentFault> {
        if self.lot_size.is_zero() {
            return Err(InstrumentFault::LotSizeZero);
        }
        if self.min_quantity > self.max_quantity {
            return Err(InstrumentFault::QuantityRangeEmpty);
        }
        if self.min_notional.is_negative() {
            return Err(InstrumentFault::MinNotionalNegative);
        }
        if self.max_price < self.tick_size {
            return Err(InstrumentFault::MaxPriceBelowTick);
        }
        if self.base == self.quote {
            return Err(InstrumentFault::SameAsset);
        }
        Ok(())
    }

    /// Whether the venue would take this order, judged by its published rules.
    ///
    /// `price` is the limit, and absent for a market order. `reference` is what a market order's notional is
    /// judged at (its collar, or the touch); without one the notional of a market order is not judged.
    pub fn check_order(
        &self,
        order_type: OrderType,
        price: Option<Price>,
        quantity: Quantity,
        reference: Option<Price>,
    ) -> Result<(), InstrumentRefusal> {
        if self.status == InstrumentStatus::Halted {
            return Err(InstrumentRefusal::Halted {
                symbol: self.symbol.clone(),
            });
        }
        let judged_at = match (order_type, price) {
            (OrderType::Limit | OrderType::LimitMaker, Some(price)) => {
                self.check_price(price)?;
                Some(price)
            }
            (OrderType::Limit | OrderType::LimitMaker, None) => return Err(InstrumentRefusal::PriceMissing),
            (OrderType::Market, Some(_)) => return Err(InstrumentRefusal::PriceUnexpected),
            (OrderType::Market, None) => reference,
        };
        self.check_quantity(quantity)?;
        match judged_at {
            Some(price) => self.check_notional(price, quantity),
            None => Ok(()),
        }
    }

    /// The price rules alone: on a tick, and not above the maximum.
    pub fn check_price(&self, price: Price) -> Result<(), InstrumentRefusal> {
        if price > self.max_price {
            return Err(InstrumentRefusal::PriceTooHigh {
                price,
                max_price: self.max_price,
            });
        }
        if price.ticks(self.tick_size).is_none() {
            return Err(InstrumentRefusal::PriceOffTick {
                price,
                tick_size: self.tick_size,
            });
        }
        Ok(())
    }

    /// The quantity rules alone: above zero, within the bounds, and whole lots.
    pub fn check_quantity(&self, quantity: Quantity) -> Result<(), InstrumentRefusal> {
        if quantity.is_zero() || quantity < self.min_quantity {
            return Err(InstrumentRefusal::QuantityTooSmall {
                quantity,
                min_quantity: self.min_quantity,
            });
        }
        if quantity > self.max_quantity {
            return Err(InstrumentRefusal::QuantityTooLarge {
                quantity,
                max_quantity: self.max_quantity,
            });
        }
        if quantity.lots(self.lot_size).is_none() {
            return Err(InstrumentRefusal::QuantityOffLot {
                quantity,
                lot_size: self.lot_size,
            });
        }
        Ok(())
    }

    fn check_notional(&self, price: Price, quantity: Quantity) -> Result<(), InstrumentRefusal> {
        let notional = price
            .notional(quantity)
            .map_err(|cause| InstrumentRefusal::NotionalUnrepresentable { price, quantity, cause })?;
        if notional < self.min_notional {
            return Err(InstrumentRefusal::NotionalTooSmall {
                notional,
                min_notional: self.min_notional,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
