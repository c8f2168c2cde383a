//! The filters of a symbol, as `exchangeInfo` states them: what an order must look like, whoever sends it.

use super::listing::Listing;
use super::market::Market;
use super::order::{OrderType, Refusal, TimeInForce};
use super::reach::{Appetite, worst_ticks};
use super::request::{NewOrder, Terms, Trigger};
use super::units::{Atoms, ONE};

/// The smallest value of an order, in quote atoms: five USDT.
pub const MIN_NOTIONAL: Atoms = 5 * ONE;

/// The largest value of an order, in quote atoms.
pub const MAX_NOTIONAL: Atoms = 9_000_000 * ONE;

/// How far a price may be from the five-minute mean: at most this many times, at least one over it.
pub const PERCENT_PRICE: Atoms = 5;

/// Parts that an iceberg may have.
pub const ICEBERG_PARTS: Atoms = 10;

/// Waiting orders of an account in a symbol.
pub const MAX_ALGO_ORDERS: usize = 5;

/// Icebergs of an account in a symbol.
pub const MAX_ICEBERG_ORDERS: usize = 5;

/// Order lists of an account in a symbol.
pub const MAX_ORDER_LISTS: usize = 20;

/// Times that an order's quantity may be reduced.
pub const MAX_AMENDS: u32 = 10;

/// Trailing deltas, in hundredths of a per cent.
pub const TRAILING_DELTA: std::ops::RangeInclusive<u32> = 10..=2_000;

/// Checks an order against the filters that look at it alone, and returns its lots.
pub(super) fn check(market: &Market, new: &NewOrder) -> Result<i64, Refusal> {
    let listing = &market.listing;
    if let Some(trigger) = new.terms.trigger() {
        waits(listing, trigger)?;
    }
    match new.terms {
        Terms::Limit { price, quantity, .. }
        | Terms::LimitMaker { price, quantity, .. }
        | Terms::StopLimit { price, quantity, .. } => {
            priced(market, price)?;
            let lots = lots(listing, quantity, listing.max_quantity(), "LOT_SIZE")?;
            if let Some(iceberg) = new.terms.iceberg() {
                parts(listing, quantity, iceberg)?;
            }
            notional(listing, price * quantity / ONE)?;
            Ok(lots)
        }
        Terms::Market { quantity } | Terms::Stop { quantity, .. } => {
            let lots = lots(listing, quantity, listing.max_quantity(), "LOT_SIZE")?;
            if quantity > listing.max_market_quantity() {
                return Err(Refusal::Filter("MARKET_LOT_SIZE"));
            }
            notional(listing, listing.value(market.average_ticks(), lots))?;
            Ok(lots)
        }
        Terms::MarketByValue { value } => by_value(market, new, value),
    }
}

fn on_tick(listing: &Listing, price: Atoms) -> Result<(), Refusal> {
    if price <= 0 || price % listing.tick() != 0 || price > listing.max_price() {
        return Err(Refusal::Filter("PRICE_FILTER"));
    }
    Ok(())
}

fn waits(listing: &Listing, trigger: Trigger) -> Result<(), Refusal> {
    match trigger {
        Trigger::Stop(price) => on_tick(listing, price),
        Trigger::Trailing { delta, from } => {
            from.map_or(Ok(()), |price| on_tick(listing, price))?;
            if TRAILING_DELTA.contains(&delta) {
                Ok(())
            } else {
                Err(Refusal::Filter("TRAILING_DELTA"))
            }
        }
    }
}

fn priced(market: &Market, price: Atoms) -> Result<(), Refusal> {
    let listing = &market.listing;
    on_tick(listing, price)?;
    let mean = Atoms::from(market.average_ticks()) * listing.tick();
    if price > mean * PERCENT_PRICE || price * PERCENT_PRICE < mean {
        return Err(Refusal::Filter(if listing.older_filters {
            "PERCENT_PRICE"
        } else {
            "PERCENT_PRICE_BY_SIDE"
        }));
    }
    Ok(())
}

fn lots(listing: &Listing, quantity: Atoms, most: Atoms, filter: &'static str) -> Result<i64, Refusal> {
    if quantity < listing.lot() || quantity % listing.lot() != 0 || quantity > most {
        return Err(Refusal::Filter(filter));
    }
    Ok((quantity / listing.lot()) as i64)
}

fn parts(listing: &Listing, quantity: Atoms, iceberg: Atoms) -> Result<(), Refusal> {
    lots(listing, iceberg, listing.max_quantity(), "LOT_SIZE")?;
    if iceberg > quantity {
        return Err(Refusal::IcebergExceeds);
    }
    if quantity > iceberg * ICEBERG_PARTS {
        return Err(Refusal::Filter("ICEBERG_PARTS"));
    }
    Ok(())
}

fn notional(listing: &Listing, value: Atoms) -> Result<(), Refusal> {
    if listing.older_filters {
        let enough = value >= MIN_NOTIONAL;
        return if enough {
            Ok(())
        } else {
            Err(Refusal::Filter("MIN_NOTIONAL"))
        };
    }
    if (MIN_NOTIONAL..=MAX_NOTIONAL).contains(&value) {
        Ok(())
    } else {
        Err(Refusal::Filter("NOTIONAL"))
    }
}

/// The lots that a value buys, or that must be sold to receive it.
fn by_value(market: &Market, new: &NewOrder, value: Atoms) -> Result<i64, Refusal> {
    let listing = &market.listing;
    notional(listing, value)?;
    let reach = market.reach(Appetite {
        owner: Some((&new.account, new.prevention)),
        side: new.side,
        limit: worst_ticks(new.side),
        lots: i64::MAX,
        value,
    });
    if reach.lots < 1 {
        return Err(Refusal::NoLiquidity);
    }
    if Atoms::from(reach.lots) * listing.lot() > listing.max_market_quantity() {
        return Err(Refusal::Filter("MARKET_LOT_SIZE"));
    }
    Ok(reach.lots)
}

/// Whether what does not fill at once waits in the book.
pub(super) fn rests(kind: OrderType, time_in_force: TimeInForce) -> bool {
    !kind.is_market() && time_in_force == TimeInForce::Gtc
}
