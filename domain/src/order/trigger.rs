//! When an order that waits for a price is sent: stops, take-profits and trailing stops.
//!
//! A trigger is beside how the order meets the book: a stop-limit order is a limit order with a stop, a trailing stop
//! is a market order with a trail. Sources for the directions: Binance's "STOP_LOSS" and "TAKE_PROFIT" order types.

use super::Side;
use crate::{Instrument, InstrumentRefusal, Price};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An extreme is worth recording once it has moved by this part of the trail's distance.
const STEPS_A_TRAIL: u32 = 20;

/// How far a trailing stop stays behind the best price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Trail {
    /// So much, in the quote asset.
    Amount(Price),
    /// So many hundredths of a percent of the best price, 1 to 9999.
    BasisPoints(u32),
}

/// The price that an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Trigger {
    /// Against the order's owner: a sell fires at this price or below, a buy at it or above.
    Stop(Price),
    /// In favour of the order's owner: a sell fires at this price or above, a buy at it or below.
    TakeProfit(Price),
    /// A stop that follows the best price seen since the order was accepted.
    Trailing(Trail),
}

impl Trigger {
    /// The price at which it fires; a trail's follows from the best price so far. None where a trail has no best price
    /// yet, or leads to no price at all (it then never fires).
    pub fn level(&self, side: Side, extreme: Option<Price>) -> Option<Price> {
        let trail = match self {
            Trigger::Stop(price) | Trigger::TakeProfit(price) => return Some(*price),
            Trigger::Trailing(trail) => trail,
        };
        let extreme = extreme?;
        match (trail, side) {
            (Trail::Amount(amount), Side::Sell) => extreme.checked_sub(*amount).ok(),
            (Trail::Amount(amount), Side::Buy) => extreme.checked_add(*amount).ok(),
            (Trail::BasisPoints(points), Side::Sell) => scaled(extreme, 10_000 - i64::from(*points)),
            (Trail::BasisPoints(points), Side::Buy) => scaled(extreme, 10_000 + i64::from(*points)),
        }
    }

    /// Whether it fires at this price.
    pub fn is_met(&self, side: Side, extreme: Option<Price>, mark: Price) -> bool {
        let Some(level) = self.level(side, extreme) else {
            return false;
        };
        match (self, side) {
            (Trigger::Stop(_) | Trigger::Trailing(_), Side::Buy) | (Trigger::TakeProfit(_), Side::Sell) => {
                mark >= level
            }
            (Trigger::Stop(_) | Trigger::Trailing(_), Side::Sell) | (Trigger::TakeProfit(_), Side::Buy) => {
                mark <= level
            }
        }
    }

    /// The best price to record next for a trail, once this one is better than the recorded one by a twentieth of the
    /// distance: so a market that drifts makes few records, and a trail is never more than that twentieth too wide.
    pub fn follows(&self, side: Side, extreme: Option<Price>, mark: Price) -> Option<Price> {
        let Trigger::Trailing(_) = self else { return None };
        let Some(recorded) = extreme else { return Some(mark) };
        let gained = match side {
            Side::Sell => mark.decimal().checked_sub(recorded.decimal())?,
            Side::Buy => recorded.decimal().checked_sub(mark.decimal())?,
        };
        let level = self.level(side, extreme)?;
        let distance = level.decimal().checked_sub(recorded.decimal())?.abs();
        let is_worth = gained > Decimal::ZERO && gained.checked_mul(Decimal::from(STEPS_A_TRAIL))? >= distance;
        is_worth.then_some(mark)
    }

    /// Whether its price fits the instrument.
    ///
    /// # Errors
    /// As [`Instrument::check_price`]; a trail is no price of the book, and fits always.
    pub fn check(&self, instrument: &Instrument) -> Result<(), InstrumentRefusal> {
        match self {
            Trigger::Stop(price) | Trigger::TakeProfit(price) => instrument.check_price(*price),
            Trigger::Trailing(_) => Ok(()),
        }
    }

    /// The price that is fixed beforehand: none for a trail.
    pub fn stated_price(&self) -> Option<Price> {
        match self {
            Trigger::Stop(price) | Trigger::TakeProfit(price) => Some(*price),
            Trigger::Trailing(_) => None,
        }
    }
}

fn scaled(price: Price, ten_thousandths: i64) -> Option<Price> {
    let scaled = price.decimal().checked_mul(Decimal::new(ten_thousandths, 4))?;
    Price::new(scaled.normalize()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn each_trigger_fires_on_its_side_of_its_price() {
        let trail = |text: &str| match text.strip_suffix("bp") {
            Some(points) => Trigger::Trailing(Trail::BasisPoints(points.parse().unwrap())),
            None => Trigger::Trailing(Trail::Amount(price(text))),
        };
        // The trigger, the side, the best price so far, the price, and whether it fires.
        let table: Vec<(Trigger, Side, &str, &str, bool)> = vec![
            (Trigger::Stop(price("100")), Side::Sell, "", "100.01", false),
            (Trigger::Stop(price("100")), Side::Sell, "", "100", true),
            (Trigger::Stop(price("100")), Side::Buy, "", "99.99", false),
            (Trigger::Stop(price("100")), Side::Buy, "", "100", true),
            (Trigger::TakeProfit(price("100")), Side::Sell, "", "99.99", false),
            (Trigger::TakeProfit(price("100")), Side::Sell, "", "100", true),
            (Trigger::TakeProfit(price("100")), Side::Buy, "", "100.01", false),
            (Trigger::TakeProfit(price("100")), Side::Buy, "", "100", true),
            (trail("5"), Side::Sell, "110", "105.01", false),
            (trail("5"), Side::Sell, "110", "105", true),
            (trail("5"), Side::Buy, "90", "94.99", false),
            (trail("5"), Side::Buy, "90", "95", true),
            (trail("100bp"), Side::Sell, "110", "108.91", false),
            (trail("100bp"), Side::Sell, "110", "108.9", true),
            (trail("100bp"), Side::Buy, "90", "90.9", true),
            (trail("100bp"), Side::Buy, "90", "90.89", false),
            // No best price yet, or a trail longer than the price: it never fires.
            (trail("5"), Side::Sell, "", "1", false),
            (trail("5"), Side::Sell, "4", "0.01", false),
        ];
        for (trigger, side, extreme, mark, fires) in table {
            let extreme = (!extreme.is_empty()).then(|| price(extreme));
            assert_eq!(
                trigger.is_met(side, extreme, price(mark)),
                fires,
                "{trigger:?} {side} {mark}"
            );
        }
    }

    #[test]
    fn a_best_price_is_recorded_in_steps() {
        let trail = Trigger::Trailing(Trail::Amount(price("10")));
        for (side, extreme, mark, recorded) in [
            (Side::Sell, "", "100", Some("100")),
            (Side::Sell, "100", "100.49", None),
            (Side::Sell, "100", "100.5", Some("100.5")),
            (Side::Sell, "100", "99", None),
            (Side::Buy, "100", "99.51", None),
            (Side::Buy, "100", "99.5", Some("99.5")),
            (Side::Buy, "100", "101", None),
        ] {
            let extreme = (!extreme.is_empty()).then(|| price(extreme));
            assert_eq!(
                trail.follows(side, extreme, price(mark)),
                recorded.map(price),
                "{side} {mark}"
            );
        }
        let percent = Trigger::Trailing(Trail::BasisPoints(1_000));
        assert_eq!(
            percent.follows(Side::Sell, Some(price("100")), price("100.5")),
            Some(price("100.5"))
        );
        assert_eq!(percent.follows(Side::Sell, Some(price("100")), price("100.4")), None);
        assert_eq!(Trigger::Stop(price("1")).follows(Side::Sell, None, price("2")), None);
    }

    #[test]
    fn a_trigger_price_fits_its_instrument() {
        let instrument = crate::testing::btc_usdt();
        assert!(Trigger::Stop(price("100")).check(&instrument).is_ok());
        let refused = Trigger::TakeProfit(price("100.001")).check(&instrument).unwrap_err();
        assert_eq!(refused.reason(), "PRICE_OFF_TICK");
        let trail = Trigger::Trailing(Trail::Amount(price("0.001")));
        assert!(trail.check(&instrument).is_ok());
        assert_eq!(
            (trail.stated_price(), Trigger::Stop(price("2")).stated_price()),
            (None, Some(price("2")))
        );
    }
}
