//! The pre-trade risk gate: a table of checks, each with a stable reason, asked in this order.

use super::account::{Account, is_within};
use super::command::{Now, Submit};
use super::event::HaltScope;
use super::market::Market;
use super::refusal::Refusal;
use super::state::State;
use domain::{Instrument, Money, NumberError, Price, Quantity, Rate, Reservation, Side};

/// What an account may do. The revision says which limits an order was checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The revision of these limits.
    pub revision: i64,
    /// The largest quantity of an order, in its base asset.
    pub max_order_quantity: Quantity,
    /// The largest price × quantity of an order, in its quote asset.
    pub max_order_notional: Money,
    /// How far from the mark a price may be, in basis points; also the worst price of a market order.
    pub collar_basis_points: u32,
    /// How long the quotes may be silent.
    pub mark_max_age_micros: i64,
    /// The largest holding of a base asset, open buys included, valued at the mark in the quote asset.
    pub max_position_notional: Money,
    /// Live orders an account.
    pub max_open_orders: usize,
    /// New orders an account and second.
    pub max_orders_per_second: usize,
    /// Within this time the same terms under another id are taken for a mistake; 0 allows them.
    pub duplicate_window_micros: i64,
    /// The fee that a buy reserves beside its notional.
    pub taker_fee: Rate,
}

/// What the gate found out on its way, proof that the order passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// What the order sets aside.
    reservation: Reservation,
    /// The worst price of a market order.
    collar: Option<Price>,
    instrument: Instrument,
}

impl Approved {
    /// What the order sets aside.
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// The worst price of a market order; none for a limit.
    pub fn collar(&self) -> Option<Price> {
        self.collar
    }

    /// The instrument it was checked against.
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }
}

/// An order in front of the gate, with everything that the checks look at.
struct Candidate<'a> {
    submit: &'a Submit,
    state: &'a State,
    account: &'a Account,
    limits: &'a Limits,
    now: Now,
    instrument: &'a Instrument,
    mark: Option<Price>,
}

type Check = fn(&Candidate<'_>) -> Result<(), Refusal>;

/// The checks. Each names itself; the first that refuses decides.
const CHECKS: &[(&str, Check)] = &[
    ("TRADING_HALTED", halted),
    ("instrument rules", instrument_rules),
    ("MAX_ORDER_QUANTITY", order_quantity),
    ("MARKET_STALE", market_stale),
    ("MAX_ORDER_NOTIONAL", order_notional),
    ("PRICE_COLLAR", price_collar),
    ("DUPLICATE_ORDER", duplicate),
    ("ORDER_RATE", order_rate),
    ("OPEN_ORDER_LIMIT", open_orders),
    ("POSITION_LIMIT", position),
    ("BUYING_POWER", buying_power),
];

/// Asks every check.
///
/// # Errors
/// The first refusal.
pub(super) fn judge(
    submit: &Submit,
    state: &State,
    account: &Account,
    limits: &Limits,
    market: &Market,
    now: Now,
) -> Result<Approved, Refusal> {
    let Some(instrument) = market.instruments.get(&submit.symbol) else {
        let message = format!("no instrument is called {}", submit.symbol);
        return Err(Refusal::refused("UNKNOWN_SYMBOL", message).with("symbol", &submit.symbol));
    };
    let mark = market.fresh_mark(&submit.symbol, now.here, limits.mark_max_age_micros);
    let candidate = Candidate {
        submit,
        state,
        account,
        limits,
        now,
        instrument,
        mark,
    };
    for (_, check) in CHECKS {
        check(&candidate)?;
    }
    Ok(Approved {
        reservation: reservation(&candidate)?,
        collar: collar(&candidate)?,
        instrument: instrument.clone(),
    })
}

fn halted(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let submit = candidate.submit;
    let targets = [
        (HaltScope::Global, ""),
        (HaltScope::Account, submit.account.as_str()),
        (HaltScope::Symbol, submit.symbol.as_str()),
    ];
    for (scope, target) in targets {
        if let Some(halt) = candidate.state.halt(scope, target) {
            let message = format!("trading is halted: {}", halt.reason);
            return Err(Refusal::refused("TRADING_HALTED", message)
                .with("target", target)
                .with("since", halt.time));
        }
    }
    Ok(())
}

fn instrument_rules(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let submit = candidate.submit;
    let checked = candidate
        .instrument
        .check_order(submit.order_type, submit.price, submit.quantity, candidate.mark);
    checked.map_err(|refusal| {
        let mut refused = Refusal::refused(refusal.reason(), refusal.to_string());
        for (key, value) in refusal.context() {
            refused = refused.with(key, value);
        }
        refused
    })
}

fn order_quantity(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let (quantity, limit) = (candidate.submit.quantity, candidate.limits.max_order_quantity);
    if quantity <= limit {
        return Ok(());
    }
    let message = format!("quantity {quantity} is above the limit {limit}");
    Err(Refusal::refused("MAX_ORDER_QUANTITY", message)
        .with("quantity", quantity)
        .with("limit", limit))
}

fn market_stale(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    fresh_mark(candidate).map(|_| ())
}

fn order_notional(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let price = match candidate.submit.price {
        Some(price) => price,
        None => fresh_mark(candidate)?,
    };
    let notional = price.notional(candidate.submit.quantity).map_err(number)?;
    let limit = candidate.limits.max_order_notional;
    if notional <= limit {
        return Ok(());
    }
    let message = format!("notional {notional} is above the limit {limit}");
    Err(Refusal::refused("MAX_ORDER_NOTIONAL", message)
        .with("notional", notional)
        .with("limit", limit))
}

fn price_collar(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let Some(price) = candidate.submit.price else {
        return Ok(());
    };
    let mark = fresh_mark(candidate)?;
    let bound = worst_price(candidate, mark)?;
    // Only the side that gives money away is dangerous: a buy far above, a sell far below.
    let is_within = match candidate.submit.side {
        Side::Buy => price <= bound,
        Side::Sell => price >= bound,
    };
    if is_within {
        return Ok(());
    }
    let message = format!("price {price} is beyond {bound}, the collar around the mark {mark}");
    Err(Refusal::refused("PRICE_COLLAR", message)
        .with("price", price)
        .with("bound", bound)
        .with("mark", mark))
}

fn duplicate(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let digest = candidate.submit.digest();
    let window = candidate.limits.duplicate_window_micros;
    for accepted in candidate.account.orders.iter().rev() {
        let Some(entry) = candidate.state.order(*accepted) else {
            continue;
        };
        if !is_within(candidate.now.here, entry.order.created_at(), window) {
            break;
        }
        if *entry.digest() == digest {
            let message = format!("the same terms were accepted as {}", entry.order.terms().order_id);
            return Err(Refusal::refused("DUPLICATE_ORDER", message)
                .with("order_id", &entry.order.terms().order_id)
                .with("client_order_id", &entry.order.terms().client_order_id));
        }
    }
    Ok(())
}

fn order_rate(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let limit = candidate.limits.max_orders_per_second;
    if candidate.account.recent_orders(candidate.now.here) < limit {
        return Ok(());
    }
    let message = format!("more than {limit} orders within a second");
    Err(Refusal::refused("ORDER_RATE", message).with("limit", limit))
}

fn open_orders(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let limit = candidate.limits.max_open_orders;
    if candidate.account.live.len() < limit {
        return Ok(());
    }
    let message = format!("the account has {limit} open orders already");
    Err(Refusal::refused("OPEN_ORDER_LIMIT", message).with("limit", limit))
}

/// Judges the most that the account can come to hold. Selling what one has always lessens it.
fn position(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    if candidate.submit.side == Side::Sell {
        return Ok(());
    }
    let base = &candidate.instrument.base;
    let incoming = candidate.account.incoming.get(base).copied().unwrap_or_default();
    let held = candidate.account.balance(base);
    let most = held
        .checked_add(incoming.amount())
        .and_then(|sum| sum.checked_add(candidate.submit.quantity.amount()))
        .map_err(number)?;
    let value = most.valued_at(fresh_mark(candidate)?).map_err(number)?;
    let limit = candidate.limits.max_position_notional;
    if value <= limit {
        return Ok(());
    }
    let message = format!("a position worth {value} would be above the limit {limit}");
    Err(Refusal::refused("POSITION_LIMIT", message)
        .with("position", most)
        .with("limit", limit))
}

fn buying_power(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let needed = reservation(candidate)?;
    let free = candidate.account.free(&needed.asset).map_err(number)?;
    if needed.amount <= free {
        return Ok(());
    }
    let message = format!("the order needs {} {}, and {free} is free", needed.amount, needed.asset);
    Err(Refusal::refused("BUYING_POWER", message)
        .with("asset", &needed.asset)
        .with("needed", needed.amount)
        .with("free", free))
}

fn fresh_mark(candidate: &Candidate<'_>) -> Result<Price, Refusal> {
    candidate.mark.ok_or_else(|| {
        let symbol = &candidate.submit.symbol;
        Refusal::refused("MARKET_STALE", format!("there is no fresh price of {symbol}")).with("symbol", symbol)
    })
}

/// The worst price within the collar on the order's side.
fn worst_price(candidate: &Candidate<'_>, mark: Price) -> Result<Price, Refusal> {
    let (points, tick) = (candidate.limits.collar_basis_points, candidate.instrument.tick_size);
    match candidate.submit.side {
        Side::Buy => mark.collar_above(points, tick).map_err(number),
        Side::Sell => mark.collar_below(points, tick).map_err(number),
    }
}

fn collar(candidate: &Candidate<'_>) -> Result<Option<Price>, Refusal> {
    if candidate.submit.price.is_some() {
        return Ok(None);
    }
    worst_price(candidate, fresh_mark(candidate)?).map(Some)
}

fn reservation(candidate: &Candidate<'_>) -> Result<Reservation, Refusal> {
    let bound = match candidate.submit.price {
        Some(price) => Some(price),
        None => collar(candidate)?,
    };
    let submit = candidate.submit;
    Reservation::required(
        candidate.instrument,
        submit.side,
        submit.quantity,
        bound,
        candidate.limits.taker_fee,
    )
    .map_err(|error| Refusal::refused(error.reason(), error.to_string()))
}

fn number(error: NumberError) -> Refusal {
    Refusal::refused(error.reason(), error.to_string())
}
