//! The pre-trade risk gate: a table of checks, each with a stable reason, asked in this order.

use super::account::{Account, is_within};
use super::command::{Lasts, Now, Submit};
use super::entry::Entry;
use super::event::Digest;
use super::halts::Covered;
use super::market::Market;
use super::refusal::Refusal;
use super::state::State;
use domain::{
    Instrument, InstrumentRefusal, Money, NumberError, Price, Quantity, Rate, Reservation, Side, Trigger, Venue,
};

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
    mark: Option<Price>,
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

    /// The mark that it was checked at.
    pub fn mark(&self) -> Option<Price> {
        self.mark
    }

    /// The instrument it was checked against.
    pub fn instrument(&self) -> &Instrument {
        &self.instrument
    }
}

/// An order in front of the gate with what stands beside it.
pub(super) struct Applicant<'a> {
    /// The order.
    pub(super) submit: &'a Submit,
    /// The digest of the request that it comes in.
    pub(super) digest: Digest,
    /// How many orders of the same request are accepted before it.
    pub(super) ahead: usize,
    /// The order whose place it takes: it is judged as if that one were gone, which still holds what it holds, so that
    /// the worse of both is what counts.
    pub(super) replaces: Option<&'a Entry>,
    /// Whether its entry's fills pay for it, so that what the account has now says nothing.
    pub(super) is_child: bool,
}

impl<'a> Applicant<'a> {
    /// An order that stands alone.
    pub(super) fn alone(submit: &'a Submit) -> Applicant<'a> {
        Applicant {
            submit,
            digest: submit.digest(),
            ahead: 0,
            replaces: None,
            is_child: false,
        }
    }
}

/// What the gate looks at beside the order.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) state: &'a State,
    pub(super) account: &'a Account,
    pub(super) venue: &'a Venue,
    pub(super) limits: &'a Limits,
    pub(super) market: &'a Market,
    pub(super) now: Now,
}

/// An order in front of the gate, with everything that the checks look at.
struct Candidate<'a> {
    applicant: &'a Applicant<'a>,
    submit: &'a Submit,
    state: &'a State,
    account: &'a Account,
    venue: &'a Venue,
    limits: &'a Limits,
    now: Now,
    instrument: &'a Instrument,
    mark: Option<Price>,
    /// How many parts an order of the symbol may have of which the venue shows one; none when it shows all.
    most_parts: Option<u64>,
    /// The price around which it will trade: the one that it waits for, or else the mark.
    reference: Option<Price>,
}

type Check = fn(&Candidate<'_>) -> Result<(), Refusal>;

/// The checks. Each names itself; the first that refuses decides.
const CHECKS: &[(&str, Check)] = &[
    ("TRADING_HALTED", halted),
    ("instrument rules", instrument_rules),
    ("ICEBERG_UNSUPPORTED, ICEBERG_PARTS", iceberg),
    ("EXPIRE_TIME_PAST", expiry),
    ("MAX_ORDER_QUANTITY", order_quantity),
    ("MARKET_STALE", market_stale),
    ("WOULD_TRIGGER_AT_ONCE", trigger),
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
pub(super) fn judge(applicant: &Applicant<'_>, scene: Scene<'_>) -> Result<Approved, Refusal> {
    let submit = applicant.submit;
    let Scene {
        state,
        account,
        venue,
        limits,
        market,
        now,
    } = scene;
    let Some(instrument) = market.instruments.get(&submit.symbol) else {
        let message = format!("no instrument is called {}", submit.symbol);
        return Err(Refusal::refused("UNKNOWN_SYMBOL", message).with("symbol", &submit.symbol));
    };
    let mark = market.fresh_mark(&submit.symbol, now.here, limits.mark_max_age_micros);
    let stated = submit.wishes.trigger.and_then(|trigger| trigger.stated_price());
    let candidate = Candidate {
        applicant,
        submit,
        state,
        account,
        venue,
        limits,
        now,
        instrument,
        mark,
        most_parts: market.icebergs.get(&submit.symbol).copied(),
        reference: stated.or(mark),
    };
    for (_, check) in CHECKS {
        check(&candidate)?;
    }
    Ok(Approved {
        reservation: reservation(&candidate)?,
        collar: collar(&candidate)?,
        instrument: instrument.clone(),
        mark,
    })
}

fn halted(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let submit = candidate.submit;
    let covered = Covered {
        venue: candidate.venue,
        account: &submit.account,
        symbol: &submit.symbol,
        strategy: submit.strategy.as_ref(),
    };
    let Some(halt) = covered.halts(candidate.state).next() else {
        return Ok(());
    };
    let message = format!("trading is halted: {}", halt.reason);
    Err(Refusal::refused("TRADING_HALTED", message)
        .with("target", &halt.target)
        .with("since", halt.time))
}

fn instrument_rules(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let (submit, instrument) = (candidate.submit, candidate.instrument);
    let checked = instrument.check_order(submit.order_type, submit.price, submit.quantity, candidate.reference);
    checked.map_err(of_instrument)?;
    let wishes = &submit.wishes;
    let trigger = wishes.trigger.map(|trigger| trigger.check(instrument));
    trigger.transpose().map_err(of_instrument)?;
    let shown = wishes.display_quantity.map(|shown| instrument.check_quantity(shown));
    shown.transpose().map(|_| ()).map_err(of_instrument)
}

/// The instrument's refusal as the gate's.
pub(super) fn of_instrument(refusal: InstrumentRefusal) -> Refusal {
    let mut refused = Refusal::refused(refusal.reason(), refusal.to_string());
    for (key, value) in refusal.context() {
        refused = refused.with(key, value);
    }
    refused
}

fn iceberg(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let submit = candidate.submit;
    let Some(shown) = submit.wishes.display_quantity else {
        return Ok(());
    };
    let symbol = &submit.symbol;
    let Some(most) = candidate.most_parts else {
        let message = format!("the venue shows all of an order of {symbol}");
        return Err(Refusal::refused("ICEBERG_UNSUPPORTED", message).with("symbol", symbol));
    };
    // More than any quantity is enough for this one.
    if Quantity::from_lots(most, shown).is_ok_and(|whole| whole < submit.quantity) {
        let message = format!("{} in parts of {shown} are more than {most} parts", submit.quantity);
        return Err(Refusal::refused("ICEBERG_PARTS", message).with("limit", most));
    }
    Ok(())
}

fn expiry(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    match candidate.submit.wishes.lasts {
        Lasts::Until(time) if time <= candidate.now.venue => {
            let message = "the order would be over before it began";
            Err(Refusal::refused("EXPIRE_TIME_PAST", message).with("since", time))
        }
        Lasts::Until(_) | Lasts::Day | Lasts::Unbounded => Ok(()),
    }
}

/// A stop on the wrong side of the market is a mistake. A child waits for its entry, and is not judged before.
fn trigger(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let Some(trigger) = candidate.submit.wishes.trigger else {
        return Ok(());
    };
    let (mark, side) = (fresh_mark(candidate)?, candidate.submit.side);
    let level = trigger.level(side, Some(mark)).ok_or_else(|| {
        let message = format!("the trail leads to no price below the mark {mark}");
        Refusal::refused("TRAIL_TOO_LONG", message).with("mark", mark)
    })?;
    if candidate.applicant.is_child || matches!(trigger, Trigger::Trailing(_)) {
        return Ok(());
    }
    if !trigger.is_met(side, None, mark) {
        return Ok(());
    }
    let message = format!("the price {level} is met already: the mark is {mark}");
    Err(Refusal::refused("WOULD_TRIGGER_AT_ONCE", message)
        .with("price", level)
        .with("mark", mark))
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
        None => reference(candidate)?,
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
    let mark = reference(candidate)?;
    let bound = worst_price(candidate, mark)?;
    // Only the side that gives money away is dangerous: a buy far above, a sell far below.
    let is_within = match candidate.submit.side {
        Side::Buy => price <= bound,
        Side::Sell => price >= bound,
    };
    if is_within {
        return Ok(());
    }
    let message = format!("price {price} is beyond {bound}, the collar around {mark}");
    Err(Refusal::refused("PRICE_COLLAR", message)
        .with("price", price)
        .with("bound", bound)
        .with("mark", mark))
}

fn duplicate(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let digest = candidate.applicant.digest;
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
    if candidate.account.recent_orders(candidate.now.here) + candidate.applicant.ahead < limit {
        return Ok(());
    }
    let message = format!("more than {limit} orders within a second");
    Err(Refusal::refused("ORDER_RATE", message).with("limit", limit))
}

fn open_orders(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let limit = candidate.limits.max_open_orders;
    let leaves = usize::from(candidate.applicant.replaces.is_some());
    if candidate.account.live.len() + candidate.applicant.ahead < limit + leaves {
        return Ok(());
    }
    let message = format!("the account has {limit} open orders already");
    Err(Refusal::refused("OPEN_ORDER_LIMIT", message).with("limit", limit))
}

/// Judges the most that the account can come to hold. Selling what one has always lessens it.
fn position(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    if candidate.submit.side == Side::Sell || candidate.applicant.is_child {
        return Ok(());
    }
    let base = &candidate.instrument.base;
    let incoming = candidate.account.incoming.get(base).copied().unwrap_or_default();
    let leaves = candidate
        .applicant
        .replaces
        .map_or(Quantity::ZERO, |old| old.order.remaining());
    let incoming = incoming.checked_sub(leaves).unwrap_or(Quantity::ZERO);
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
    if candidate.applicant.is_child {
        return Ok(());
    }
    let leaves = candidate.applicant.replaces.map_or(Money::ZERO, |old| old.reserved);
    let free = candidate
        .account
        .free(&needed.asset)
        .and_then(|free| free.checked_add(leaves));
    let free = free.map_err(number)?;
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

/// The price around which the order will trade. Without a fresh mark none is trusted.
fn reference(candidate: &Candidate<'_>) -> Result<Price, Refusal> {
    let mark = fresh_mark(candidate)?;
    Ok(candidate.reference.unwrap_or(mark))
}

fn worst_price(candidate: &Candidate<'_>, mark: Price) -> Result<Price, Refusal> {
    worst_price_around(mark, candidate.submit.side, candidate.limits, candidate.instrument).map_err(number)
}

/// The worst price within the collar around a price, on the order's side.
pub(super) fn worst_price_around(
    price: Price,
    side: Side,
    limits: &Limits,
    instrument: &Instrument,
) -> Result<Price, NumberError> {
    let (points, tick) = (limits.collar_basis_points, instrument.tick_size);
    match side {
        Side::Buy => price.collar_above(points, tick),
        Side::Sell => price.collar_below(points, tick),
    }
}

fn collar(candidate: &Candidate<'_>) -> Result<Option<Price>, Refusal> {
    if candidate.submit.price.is_some() {
        return Ok(None);
    }
    worst_price(candidate, reference(candidate)?).map(Some)
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
