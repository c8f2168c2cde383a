//! All reasons to refuse an order, in the order in which the venue looks at them.

use super::account::Account;
use super::filters::{self, MAX_ALGO_ORDERS, MAX_ICEBERG_ORDERS, MAX_ORDER_LISTS};
use super::listing::{Listing, QUOTE};
use super::market::Market;
use super::order::{Order, OrderKey, OrderType, Refusal, Side, Stage, Status};
use super::reach::{Appetite, worst_ticks};
use super::request::{Legs, NewList, NewOrder, Trigger};
use super::units::{Atoms, ONE};
use super::venue::Venue;
use std::collections::BTreeSet;

/// An order that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Ordered lots.
    pub lots: i64,
    /// What it sets aside when it acts alone.
    pub needed: Atoms,
    /// What it does first.
    pub stage: Stage,
    /// The best price of a trailing order that trails at once, else zero.
    pub trail: Atoms,
}

impl Checked {
    /// The order of a request that passed.
    pub(super) fn order(&self, new: &NewOrder, listing: &Listing, id: u64, time: i64) -> Order {
        let quantity = Atoms::from(self.lots) * listing.lot();
        let quote_quantity = match new.terms {
            super::request::Terms::MarketByValue { value } => value,
            _ => 0,
        };
        let trigger = new.terms.trigger();
        Order {
            id,
            account: new.account.clone(),
            symbol: listing.symbol.clone(),
            client_id: new.client_id.clone().unwrap_or_else(|| format!("auto-{id}")),
            side: new.side,
            kind: new.terms.kind(),
            time_in_force: new.terms.time_in_force(),
            price: new.terms.price(),
            quantity,
            quote_quantity,
            executed: 0,
            executed_value: 0,
            locked: self.needed,
            status: if self.stage == Stage::Pending {
                Status::PendingNew
            } else {
                Status::New
            },
            created: time,
            updated: time,
            stage: self.stage,
            working_since: 0,
            stop_price: trigger.map_or(0, Trigger::stop_price),
            trailing_delta: trigger.map_or(0, Trigger::delta),
            trail: self.trail,
            trailing_since: if self.trail > 0 { time } else { 0 },
            iceberg: new.terms.iceberg().filter(|part| *part < quantity).unwrap_or(0),
            list: None,
            prevention: new.prevention,
            prevented: 0,
            amends: 0,
        }
    }
}

/// Checks an order against the symbol's filters, the book and the account.
pub(super) fn check(venue: &Venue, new: &NewOrder) -> Result<Checked, Refusal> {
    let market = &venue.markets()[new.symbol];
    let account = venue.ledger().account(&new.account).ok_or(Refusal::NoSuchAccount)?;
    let checked = alone(market, new)?;
    room(venue, account, &[(new, checked.lots)])?;
    unused(account, market, &[new])?;
    if checked.stage == Stage::Waiting && triggers_now(market, new) {
        return Err(Refusal::WouldTrigger);
    }
    affords(account, market, new.side, checked.needed)?;
    if takes_as_maker(market, new) {
        return Err(Refusal::WouldTake);
    }
    Ok(checked)
}

/// Checks the legs of a list; returned in the order of [`Legs::all`].
pub(super) fn check_list(venue: &Venue, new: &NewList) -> Result<Vec<Checked>, Refusal> {
    let legs = new.legs.all();
    let first = legs[0];
    let market = &venue.markets()[first.symbol];
    let account = venue.ledger().account(&first.account).ok_or(Refusal::NoSuchAccount)?;
    let mut checked: Vec<Checked> = legs.iter().map(|leg| alone(market, leg)).collect::<Result<_, _>>()?;
    let counted: Vec<(&NewOrder, i64)> = legs.iter().zip(&checked).map(|(leg, each)| (*leg, each.lots)).collect();
    room(venue, account, &counted)?;
    let symbol = &market.listing.symbol;
    if account.open_lists().filter(|list| list.symbol == *symbol).count() >= MAX_ORDER_LISTS {
        return Err(Refusal::Filter("MAX_NUM_ORDER_LISTS"));
    }
    unused(account, market, &legs)?;
    let named = new.client_id.as_ref().map(|id| OrderKey::Client(id.clone()));
    if named.is_some_and(|key| account.list(&key).is_some_and(|list| list.open)) {
        return Err(Refusal::DuplicateOrder);
    }
    match &new.legs {
        Legs::Oco { above, below } => {
            if !encloses(market, above, below) {
                return Err(Refusal::PriceRelation);
            }
            let needed = checked[0].needed.max(checked[1].needed);
            affords(account, market, first.side, needed)?;
            // one lock serves both legs: the larger one carries it
            let other = usize::from(checked[0].needed >= checked[1].needed);
            checked[other].needed = 0;
        }
        Legs::Oto { working, .. } | Legs::Otoco { working, .. } => {
            affords(account, market, working.side, checked[0].needed)?;
            if takes_as_maker(market, working) {
                return Err(Refusal::WouldTake);
            }
            if let Legs::Otoco { above, below, .. } = &new.legs
                && level(market, above) <= level(market, below)
            {
                return Err(Refusal::PriceRelation);
            }
            for pending in &mut checked[1..] {
                *pending = Checked {
                    needed: 0,
                    stage: Stage::Pending,
                    trail: 0,
                    ..*pending
                };
            }
        }
    }
    Ok(checked)
}

/// What an order is by itself.
fn alone(market: &Market, new: &NewOrder) -> Result<Checked, Refusal> {
    let lots = filters::check(market, new)?;
    let trails_at_once = matches!(new.terms.trigger(), Some(Trigger::Trailing { from: None, .. }));
    let last = Atoms::from(market.last_ticks()) * market.listing.tick();
    Ok(Checked {
        lots,
        needed: needed(market, new, lots),
        stage: if new.terms.trigger().is_some() {
            Stage::Waiting
        } else {
            Stage::Working
        },
        trail: if trails_at_once { last } else { 0 },
    })
}

/// What an order sets aside: a sell its base, a buy its value at its limit, at the price that triggers it, or in the book.
fn needed(market: &Market, new: &NewOrder, lots: i64) -> Atoms {
    let listing = &market.listing;
    let quantity = Atoms::from(lots) * listing.lot();
    if new.side == Side::Sell {
        return quantity;
    }
    match (new.terms.kind(), new.terms.trigger().map_or(0, Trigger::stop_price)) {
        (OrderType::Market, _) => market.reach(all_of(&new.account, new, lots)).value,
        (OrderType::StopLoss | OrderType::TakeProfit, 0) => listing.value(market.last_ticks(), lots),
        (OrderType::StopLoss | OrderType::TakeProfit, stop) => stop * quantity / ONE,
        _ => new.terms.price() * quantity / ONE,
    }
}

fn all_of<'a>(account: &'a str, new: &NewOrder, lots: i64) -> Appetite<'a> {
    Appetite {
        owner: Some((account, new.prevention)),
        side: new.side,
        limit: worst_ticks(new.side),
        lots,
        value: Atoms::MAX,
    }
}

/// The filters that count what the account has already.
fn room(venue: &Venue, account: &Account, new: &[(&NewOrder, i64)]) -> Result<(), Refusal> {
    let Some((first, _)) = new.first() else { return Ok(()) };
    let market = &venue.markets()[first.symbol];
    let symbol = market.listing.symbol.as_str();
    let waits = |order: &NewOrder| order.terms.trigger().is_some();
    let stays = |order: &NewOrder| waits(order) || filters::rests(order.terms.kind(), order.terms.time_in_force());
    let count = |which: &dyn Fn(&NewOrder) -> bool| new.iter().filter(|(order, _)| which(order)).count();
    let of_list = new.len() > 1;
    let staying = if of_list { new.len() } else { count(&stays) };
    let open = account.load(symbol);
    if staying > 0 && open.orders + staying > venue.options().max_open_orders {
        return Err(Refusal::Filter("MAX_NUM_ORDERS"));
    }
    let waiting = count(&waits);
    if waiting > 0 && open.waiting + waiting > MAX_ALGO_ORDERS {
        return Err(Refusal::Filter("MAX_NUM_ALGO_ORDERS"));
    }
    let icebergs = count(&|order| order.terms.iceberg().is_some());
    if icebergs > 0 && open.icebergs + icebergs > MAX_ICEBERG_ORDERS {
        return Err(Refusal::Filter("MAX_NUM_ICEBERG_ORDERS"));
    }
    let bought = new
        .iter()
        .filter(|(order, _)| order.side == Side::Buy)
        .map(|(_, lots)| *lots);
    let Some(bought) = bought.max() else { return Ok(()) };
    let held = account.balance(&market.listing.base);
    if held.free + held.locked + open.bid + Atoms::from(bought) * market.listing.lot() > market.listing.max_position() {
        return Err(Refusal::Filter("MAX_POSITION"));
    }
    Ok(())
}

/// Client ids must not be in use, by an open order or by another leg.
fn unused(account: &Account, market: &Market, new: &[&NewOrder]) -> Result<(), Refusal> {
    let mut ids = BTreeSet::new();
    for id in new.iter().filter_map(|order| order.client_id.as_deref()) {
        if !ids.insert(id) || account.has_open_client_id(&market.listing.symbol, id) {
            return Err(Refusal::DuplicateOrder);
        }
    }
    Ok(())
}

fn affords(account: &Account, market: &Market, side: Side, needed: Atoms) -> Result<(), Refusal> {
    let asset = if side == Side::Buy {
        QUOTE
    } else {
        market.listing.base.as_str()
    };
    if account.balance(asset).free < needed {
        return Err(Refusal::InsufficientBalance);
    }
    Ok(())
}

fn takes_as_maker(market: &Market, new: &NewOrder) -> bool {
    let ticks = (new.terms.price() / market.listing.tick()) as i64;
    new.terms.kind() == OrderType::LimitMaker && market.book().would_take(new.side, ticks)
}

fn last_price(market: &Market) -> Atoms {
    Atoms::from(market.last_ticks()) * market.listing.tick()
}

/// Whether the last price meets the stop price already.
fn triggers_now(market: &Market, new: &NewOrder) -> bool {
    let stop = new.terms.trigger().map_or(0, Trigger::stop_price);
    let rises = (new.side == Side::Buy) == new.terms.kind().is_stop_loss();
    let last = last_price(market);
    stop > 0 && if rises { last >= stop } else { last <= stop }
}

/// The price at which a leg of a pair acts; the last price for one that trails at once.
fn level(market: &Market, leg: &NewOrder) -> Atoms {
    match leg.terms.trigger() {
        None => leg.terms.price(),
        Some(trigger) if trigger.stop_price() > 0 => trigger.stop_price(),
        Some(_) => last_price(market),
    }
}

/// Whether the legs of a pair lie above and below the last price. A leg that trails at once lies anywhere.
fn encloses(market: &Market, above: &NewOrder, below: &NewOrder) -> bool {
    let last = last_price(market);
    let trails = |leg: &NewOrder| matches!(leg.terms.trigger(), Some(Trigger::Trailing { from: None, .. }));
    (trails(above) || level(market, above) > last)
        && (trails(below) || level(market, below) < last)
        && !takes_as_maker(market, above)
        && !takes_as_maker(market, below)
}
