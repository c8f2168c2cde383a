//! New orders: a combination of fields that makes no sense is refused by a field's name before a shard hears of it.

use super::fields::{invalid, mismatch, optional, parse};
use crate::codec::{group_type_of, side_of, time_in_force_of};
use crate::core::{GroupSubmit, Lasts, Replace, Submit, Wishes};
use domain::{GroupKind, OrderType, Price, Side, TimeInForce, Timestamp, Trail, Trigger};
use mesh::pb::trading as pb;
use mesh::{Error, Result};

/// A new order.
pub(super) fn submit(request: &pb::SubmitOrderRequest) -> Result<Submit> {
    let kind = Kind::of(request)?;
    let (time_in_force, lasts) = lasting(request, kind)?;
    if request.quantity.is_empty() {
        return Err(mismatch("quantity", "only the child of a group takes none"));
    }
    let submit = Submit {
        account: parse("account_id", &request.account_id)?,
        client_order_id: parse("client_order_id", &request.client_order_id)?,
        symbol: parse("symbol", &request.symbol)?,
        side: side_of(request.side).ok_or_else(|| invalid("side", "not a known side"))?,
        order_type: kind.meets,
        time_in_force,
        quantity: parse("quantity", &request.quantity)?,
        price: price(request, kind)?,
        strategy: optional("strategy", &request.strategy)?,
        wishes: Wishes {
            trigger: trigger(request, kind)?,
            lasts,
            reduce_only: request.reduce_only,
            display_quantity: optional("display_quantity", &request.display_quantity)?,
        },
    };
    shown(&submit)?;
    Ok(submit)
}

/// What an order waits for, as its type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    No,
    Stop,
    TakeProfit,
    Trail,
}

/// A type of the wire, taken apart.
#[derive(Debug, Clone, Copy)]
struct Kind {
    waits: Waits,
    meets: OrderType,
}

impl Kind {
    fn of(request: &pb::SubmitOrderRequest) -> Result<Kind> {
        let limit = match request.post_only {
            true => OrderType::LimitMaker,
            false => OrderType::Limit,
        };
        let (waits, meets) = match pb::OrderType::try_from(request.r#type) {
            Ok(pb::OrderType::Limit) => (Waits::No, limit),
            Ok(pb::OrderType::Market) => (Waits::No, OrderType::Market),
            Ok(pb::OrderType::LimitMaker) => (Waits::No, OrderType::LimitMaker),
            Ok(pb::OrderType::Stop) => (Waits::Stop, OrderType::Market),
            Ok(pb::OrderType::StopLimit) => (Waits::Stop, limit),
            Ok(pb::OrderType::TakeProfit) => (Waits::TakeProfit, OrderType::Market),
            Ok(pb::OrderType::TakeProfitLimit) => (Waits::TakeProfit, limit),
            Ok(pb::OrderType::TrailingStop) => (Waits::Trail, OrderType::Market),
            Ok(pb::OrderType::Unspecified) | Err(_) => return Err(invalid("type", "not a known order type")),
        };
        if request.post_only && meets == OrderType::Market {
            return Err(mismatch("post_only", "only limit orders rest"));
        }
        Ok(Kind { waits, meets })
    }
}

fn price(request: &pb::SubmitOrderRequest, kind: Kind) -> Result<Option<Price>> {
    let price = optional("price", &request.price)?;
    match (kind.meets, price) {
        (OrderType::Market, Some(_)) => Err(mismatch("price", "a market order takes none")),
        (OrderType::Limit | OrderType::LimitMaker, None) => Err(mismatch("price", "a limit order needs one")),
        (OrderType::Market, None) | (OrderType::Limit | OrderType::LimitMaker, Some(_)) => Ok(price),
    }
}

fn trigger(request: &pb::SubmitOrderRequest, kind: Kind) -> Result<Option<Trigger>> {
    let stop: Option<Price> = optional("stop_price", &request.stop_price)?;
    let trail = trail(request)?;
    if trail.is_some() && kind.waits != Waits::Trail {
        return Err(mismatch("trail", "only trailing stops take one"));
    }
    if stop.is_some() && !matches!(kind.waits, Waits::Stop | Waits::TakeProfit) {
        return Err(mismatch("stop_price", "only stops and take-profits take one"));
    }
    let stated = || stop.ok_or_else(|| mismatch("stop_price", "this type waits for one"));
    Ok(match kind.waits {
        Waits::No => None,
        Waits::Stop => Some(Trigger::Stop(stated()?)),
        Waits::TakeProfit => Some(Trigger::TakeProfit(stated()?)),
        Waits::Trail => {
            let trail = trail.ok_or_else(|| mismatch("trail", "a trailing stop needs one"))?;
            Some(Trigger::Trailing(trail))
        }
    })
}

fn trail(request: &pb::SubmitOrderRequest) -> Result<Option<Trail>> {
    let amount = optional("trail", &request.trail)?.map(Trail::Amount);
    match (amount, request.trail_basis_points) {
        (amount, 0) => Ok(amount),
        (Some(_), _) => Err(mismatch("trail_basis_points", "the trail is given already")),
        (None, points @ 1..=9_999) => Ok(Some(Trail::BasisPoints(points.unsigned_abs()))),
        (None, _) => Err(invalid("trail_basis_points", "must be within 1 to 9999")),
    }
}

/// How long it rests at the venue, and how long at most by our clock.
fn lasting(request: &pb::SubmitOrderRequest, kind: Kind) -> Result<(TimeInForce, Lasts)> {
    use pb::TimeInForce::{Day, Gtc, Gtd, Unspecified};
    let stated = pb::TimeInForce::try_from(request.time_in_force)
        .map_err(|_| invalid("time_in_force", "not a known time in force"))?;
    let expire_time = match &request.expire_time {
        None => None,
        Some(time) => {
            let micros = time.as_micros().ok_or_else(|| invalid("expire_time", "out of range"))?;
            Some(Timestamp::from_micros(micros))
        }
    };
    let lasts = match (stated, expire_time) {
        (Gtd, Some(time)) => Lasts::Until(time),
        (Gtd, None) => return Err(mismatch("expire_time", "a GTD order needs one")),
        (_, Some(_)) => return Err(mismatch("expire_time", "only GTD orders take one")),
        (Day, None) => Lasts::Day,
        (_, None) => Lasts::Unbounded,
    };
    let rests = kind.meets != OrderType::Market || kind.waits != Waits::No;
    let at_venue = match (kind.meets, stated) {
        (_, Day | Gtd) if !rests => return Err(mismatch("time_in_force", "a market order never rests")),
        // What does not trade within the collar expires.
        (OrderType::Market, Unspecified | Day | Gtd) => TimeInForce::Ioc,
        (OrderType::Market, Gtc) if rests => TimeInForce::Ioc,
        (OrderType::LimitMaker, Gtc) if kind.waits != Waits::No || request.post_only => TimeInForce::Gtc,
        (OrderType::Market | OrderType::LimitMaker, stated) if !matches!(stated, Unspecified | Day | Gtd) => {
            return Err(mismatch("time_in_force", "this type has its own"));
        }
        (_, Unspecified | Day | Gtd) => TimeInForce::Gtc,
        (_, stated) => {
            time_in_force_of(stated as i32).ok_or_else(|| invalid("time_in_force", "not a known time in force"))?
        }
    };
    Ok((at_venue, lasts))
}

fn shown(submit: &Submit) -> Result<()> {
    let Some(shown) = submit.wishes.display_quantity else {
        return Ok(());
    };
    if submit.price.is_none() || submit.time_in_force != TimeInForce::Gtc {
        return Err(mismatch(
            "display_quantity",
            "only an order that rests shows a part of itself",
        ));
    }
    if shown >= submit.quantity {
        return Err(mismatch("display_quantity", "must be less than the quantity"));
    }
    Ok(())
}

/// Orders that hang together.
pub(super) fn group(request: &pb::SubmitGroupRequest) -> Result<GroupSubmit> {
    let kind = group_type_of(request.r#type).ok_or_else(|| invalid("type", "not a known group type"))?;
    let expected = match kind {
        GroupKind::Oco | GroupKind::Oto => 2,
        GroupKind::Bracket => 3,
    };
    if request.orders.len() != expected {
        return Err(mismatch("orders", format!("{kind} takes {expected} orders")));
    }
    let mut orders: Vec<Submit> = Vec::new();
    for (index, order) in request.orders.iter().enumerate() {
        let is_child = kind != GroupKind::Oco && index > 0;
        let order =
            member(request, order, orders.first().filter(|_| is_child)).map_err(|error| of_member(index, &error))?;
        orders.push(order);
    }
    let ids: std::collections::BTreeSet<_> = orders.iter().map(|order| &order.client_order_id).collect();
    if ids.len() != orders.len() {
        return Err(mismatch("orders", "each order needs a client_order_id of its own"));
    }
    if orders.iter().any(|order| order.symbol != orders[0].symbol) {
        return Err(mismatch("orders", "all orders trade one symbol"));
    }
    match kind {
        GroupKind::Oco => {
            if orders[0].side != orders[1].side || orders[0].quantity != orders[1].quantity {
                return Err(mismatch("orders", "the legs are of one side and quantity"));
            }
            match protects(&orders[0]) {
                true => pair(&orders[1], &orders[0])?,
                false => pair(&orders[0], &orders[1])?,
            }
        }
        GroupKind::Oto => {}
        GroupKind::Bracket => {
            let away = orders[0].side.opposite();
            if orders[1].side != away || orders[2].side != away {
                return Err(mismatch("orders", "the exits are of the side across from the entry"));
            }
            pair(&orders[1], &orders[2])?;
        }
    }
    Ok(GroupSubmit { kind, orders })
}

/// One order of a group; a child has its entry's quantity as the most that it can become.
fn member(group: &pb::SubmitGroupRequest, order: &pb::SubmitOrderRequest, entry: Option<&Submit>) -> Result<Submit> {
    let mut order = order.clone();
    if order.account_id.is_empty() {
        order.account_id.clone_from(&group.account_id);
    }
    if order.account_id != group.account_id {
        return Err(mismatch("account_id", "all orders are of the group's account"));
    }
    if let Some(entry) = entry {
        if !order.quantity.is_empty() {
            return Err(mismatch("quantity", "a child trades what its entry has filled"));
        }
        order.quantity = entry.quantity.to_string();
    }
    submit(&order)
}

/// Whether an order limits a loss: a stop or a trailing stop.
fn protects(order: &Submit) -> bool {
    matches!(order.wishes.trigger, Some(Trigger::Stop(_) | Trigger::Trailing(_)))
}

/// Whether two exits make a pair: one that takes a profit, resting or waiting, and one that limits the loss beyond it.
fn pair(profit: &Submit, loss: &Submit) -> Result<()> {
    let rests = profit.wishes.trigger.is_none() && profit.price.is_some() && profit.time_in_force == TimeInForce::Gtc;
    let waits = matches!(profit.wishes.trigger, Some(Trigger::TakeProfit(_)));
    if !(rests || waits) {
        return Err(mismatch(
            "orders",
            "one exit is a limit order that rests, or a take-profit",
        ));
    }
    if !protects(loss) {
        return Err(mismatch("orders", "one exit is a stop or a trailing stop"));
    }
    let target = profit
        .wishes
        .trigger
        .and_then(|trigger| trigger.stated_price())
        .or(profit.price);
    let stop = loss.wishes.trigger.and_then(|trigger| trigger.stated_price());
    let (Some(target), Some(stop)) = (target, stop) else {
        return Ok(());
    };
    let is_beyond = match profit.side {
        Side::Sell => target > stop,
        Side::Buy => target < stop,
    };
    match is_beyond {
        true => Ok(()),
        false => Err(mismatch(
            "orders",
            "the profit is taken on the stop's side of the market",
        )),
    }
}

fn of_member(index: usize, error: &Error) -> Error {
    let field = error.context().get("field").cloned().unwrap_or_default();
    let message = format!("orders[{index}].{}", error.message());
    Error::new(error.kind(), error.reason().to_owned(), message).with("field", format!("orders[{index}].{field}"))
}

/// An order in place of another.
pub(super) fn replace(request: &pb::ReplaceOrderRequest) -> Result<Replace> {
    let replace = Replace {
        account: parse("account_id", &request.account_id)?,
        order_id: parse("order_id", &request.order_id)?,
        client_order_id: parse("client_order_id", &request.client_order_id)?,
        quantity: optional("quantity", &request.quantity)?,
        price: optional("price", &request.price)?,
        stop_price: optional("stop_price", &request.stop_price)?,
    };
    if replace.quantity.is_none() && replace.price.is_none() && replace.stop_price.is_none() {
        return Err(mismatch(
            "quantity",
            "nothing is to be another: state quantity, price or stop_price",
        ));
    }
    Ok(replace)
}
