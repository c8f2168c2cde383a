//! All reasons to refuse an order, in the order in which the venue looks at them.

use super::listing::{Listing, QUOTE};
use super::market::Market;
use super::order::{NewOrder, OrderType, Refusal, Side, Terms, TimeInForce};
use super::units::{Atoms, ONE};
use super::venue::Venue;

/// The smallest value of an order, in quote atoms: five USDT.
pub const MIN_NOTIONAL: Atoms = 5 * ONE;

/// The largest value of an order, in quote atoms.
pub const MAX_NOTIONAL: Atoms = 9_000_000 * ONE;

/// How far a price may be from the five-minute mean: at most this many times, at least one over it.
pub const PERCENT_PRICE: Atoms = 5;

/// An order that passed, in ticks and lots.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// How it is priced.
    pub kind: OrderType,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Limit price, zero for a market order.
    pub price: Atoms,
    /// Worst acceptable price in ticks.
    pub limit: i64,
    /// Ordered lots.
    pub lots: i64,
    /// Lots to take now: all, or none of a fill-or-kill order that cannot fill.
    pub take: i64,
    /// Value of a market order by value, else zero.
    pub quote_quantity: Atoms,
    /// What is set aside.
    pub locked: Atoms,
    /// Whether what does not fill waits in the book.
    pub rests: bool,
    /// Whether it may never take.
    pub must_not_take: bool,
}

/// Checks an order against the symbol's filters, the book and the account.
pub fn check(venue: &Venue, new: &NewOrder) -> Result<Checked, Refusal> {
    let market = &venue.markets()[new.symbol];
    let account = venue.ledger().account(&new.account).ok_or(Refusal::NoSuchAccount)?;
    let mut checked = match new.terms {
        Terms::Limit {
            price,
            quantity,
            time_in_force,
        } => limit(market, new.side, price, quantity, time_in_force)?,
        Terms::LimitMaker { price, quantity } => {
            let terms = limit(market, new.side, price, quantity, TimeInForce::Gtc)?;
            Checked {
                kind: OrderType::LimitMaker,
                must_not_take: true,
                ..terms
            }
        }
        Terms::Market { quantity } => by_quantity(market, new.side, quantity)?,
        Terms::MarketByValue { value } => by_value(market, new.side, value)?,
    };
    let symbol = &market.listing.symbol;
    if checked.rests && account.open_count(symbol) >= venue.options().max_open_orders {
        return Err(Refusal::Filter("MAX_NUM_ORDERS"));
    }
    if new
        .client_id
        .as_deref()
        .is_some_and(|id| account.has_open_client_id(symbol, id))
    {
        return Err(Refusal::DuplicateOrder);
    }
    let lots = Atoms::from(checked.lots);
    let (asset, needed) = match new.side {
        Side::Sell => (market.listing.base.as_str(), lots * market.listing.lot()),
        Side::Buy if checked.kind == OrderType::Market => (QUOTE, cost(market, checked.lots)),
        Side::Buy => (QUOTE, lots * Atoms::from(checked.limit) * market.listing.unit_value()),
    };
    if account.balance(asset).free < needed {
        return Err(Refusal::InsufficientBalance);
    }
    if checked.kind != OrderType::Market {
        checked.locked = needed;
    }
    if checked.must_not_take && market.book().would_take(new.side, checked.limit) {
        return Err(Refusal::WouldTake);
    }
    Ok(checked)
}

fn limit(
    market: &Market,
    side: Side,
    price: Atoms,
    quantity: Atoms,
    time_in_force: TimeInForce,
) -> Result<Checked, Refusal> {
    let listing = &market.listing;
    if price <= 0 || price % listing.tick() != 0 || price > listing.max_price() {
        return Err(Refusal::Filter("PRICE_FILTER"));
    }
    let mean = Atoms::from(market.average_ticks()) * listing.tick();
    if price > mean * PERCENT_PRICE || price * PERCENT_PRICE < mean {
        return Err(Refusal::Filter("PERCENT_PRICE_BY_SIDE"));
    }
    let lots = lots(listing, quantity, listing.max_quantity(), "LOT_SIZE")?;
    // both fit: the price is below max_price, which is far fewer ticks than an i64 holds
    let limit = (price / listing.tick()) as i64;
    notional(listing.value(limit, lots))?;
    let fills_whole = time_in_force != TimeInForce::Fok || market.book().available(side, limit, lots) >= lots;
    Ok(Checked {
        kind: OrderType::Limit,
        time_in_force,
        price,
        limit,
        lots,
        take: if fills_whole { lots } else { 0 },
        quote_quantity: 0,
        locked: 0,
        rests: time_in_force == TimeInForce::Gtc,
        must_not_take: false,
    })
}

fn by_quantity(market: &Market, side: Side, quantity: Atoms) -> Result<Checked, Refusal> {
    let listing = &market.listing;
    let lots = lots(listing, quantity, listing.max_quantity(), "LOT_SIZE")?;
    if quantity > listing.max_market_quantity() {
        return Err(Refusal::Filter("MARKET_LOT_SIZE"));
    }
    notional(listing.value(market.average_ticks(), lots))?;
    Ok(at_market(side, lots, 0))
}

fn by_value(market: &Market, side: Side, value: Atoms) -> Result<Checked, Refusal> {
    notional(value)?;
    let listing = &market.listing;
    let (mut left, mut lots) = (value, 0);
    for (ticks, resting) in market.book().levels(side.opposite()) {
        let one = listing.value(ticks, 1);
        let taken = (left / one).min(Atoms::from(resting));
        lots += taken as i64;
        left -= taken * one;
        if taken < Atoms::from(resting) {
            break;
        }
    }
    if lots < 1 {
        return Err(Refusal::NoLiquidity);
    }
    if Atoms::from(lots) * listing.lot() > listing.max_market_quantity() {
        return Err(Refusal::Filter("MARKET_LOT_SIZE"));
    }
    Ok(at_market(side, lots, value))
}

fn at_market(side: Side, lots: i64, quote_quantity: Atoms) -> Checked {
    Checked {
        kind: OrderType::Market,
        time_in_force: TimeInForce::Gtc,
        price: 0,
        limit: if side == Side::Buy { i64::MAX } else { 1 },
        lots,
        take: lots,
        quote_quantity,
        locked: 0,
        rests: false,
        must_not_take: false,
    }
}

fn lots(listing: &Listing, quantity: Atoms, most: Atoms, filter: &'static str) -> Result<i64, Refusal> {
    if quantity < listing.lot() || quantity % listing.lot() != 0 || quantity > most {
        return Err(Refusal::Filter(filter));
    }
    Ok((quantity / listing.lot()) as i64)
}

fn notional(value: Atoms) -> Result<(), Refusal> {
    if (MIN_NOTIONAL..=MAX_NOTIONAL).contains(&value) {
        Ok(())
    } else {
        Err(Refusal::Filter("NOTIONAL"))
    }
}

/// What buying `lots` from the book costs, as far as the book reaches.
fn cost(market: &Market, lots: i64) -> Atoms {
    let mut left = lots;
    let mut total = 0;
    for (ticks, resting) in market.book().levels(Side::Sell) {
        let taken = left.min(resting);
        total += market.listing.value(ticks, taken);
        left -= taken;
        if left == 0 {
            break;
        }
    }
    total
}
