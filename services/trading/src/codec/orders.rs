//! An order ⇄ the wire: its terms, its conditions, and what `trading` does for it.

use super::words::{
    group_type, group_type_of, order_type, order_type_of, side, side_of, status, time_in_force, time_in_force_of,
};
use super::{damaged, digest, optional, parse, read_time, text, time};
use crate::core::{Accepted, Entry, order_id, parse_order_id};
use domain::{
    Conditions, Expiry, Membership, OrderStatus, OrderTerms, OrderType, Price, Quantity, TimeInForce, Timestamp, Trail,
    Trigger,
};
use mesh::Result;
use mesh::pb::trading as pb;

/// The order as it is accepted: `held` says how much of a held one is wanted for now.
pub(super) fn new_order(terms: &OrderTerms, held: Option<Quantity>, created: Timestamp) -> pb::Order {
    let accepted = parse_order_id(terms.order_id.as_str()).map_or(0, |(_, sequence)| sequence);
    let conditions = &terms.conditions;
    let trigger = conditions.trigger;
    let (trail, trail_basis_points) = match trigger {
        Some(Trigger::Trailing(Trail::Amount(amount))) => (amount.to_string(), 0),
        Some(Trigger::Trailing(Trail::BasisPoints(points))) => (String::new(), points as i32),
        _ => (String::new(), 0),
    };
    let (group_id, kind) = match &conditions.membership {
        Some(membership) => (membership.group.to_string(), group_type(membership.kind)),
        None => (String::new(), pb::GroupType::Unspecified),
    };
    let is_child = kind != pb::GroupType::Oco && group_id != terms.order_id.as_str();
    let first_status = match held {
        Some(_) => OrderStatus::PendingTrigger,
        None => OrderStatus::PendingNew,
    };
    pb::Order {
        order_id: terms.order_id.to_string(),
        client_order_id: terms.client_order_id.to_string(),
        account_id: terms.account.to_string(),
        symbol: terms.symbol.to_string(),
        side: side(terms.side) as i32,
        r#type: type_of(terms.order_type, trigger) as i32,
        time_in_force: lasting(terms.time_in_force, conditions.expiry) as i32,
        quantity: terms.quantity.to_string(),
        price: text(terms.price),
        status: status(first_status) as i32,
        filled_quantity: "0".to_owned(),
        average_price: String::new(),
        reason: String::new(),
        venue_order_id: String::new(),
        create_time: time(created),
        update_time: time(created),
        sequence: accepted as i64,
        stop_price: text(trigger.and_then(|trigger| trigger.stated_price())),
        trail,
        trail_basis_points,
        trail_extreme: String::new(),
        expire_time: conditions.expiry.and_then(|expiry| time(expiry.time())),
        // LIMIT_MAKER says it already, as it did in the first version.
        post_only: terms.order_type == OrderType::LimitMaker && trigger.is_some(),
        reduce_only: conditions.reduce_only,
        display_quantity: conditions
            .display_quantity
            .map(|shown| shown.to_string())
            .unwrap_or_default(),
        strategy: terms.strategy.as_ref().map(ToString::to_string).unwrap_or_default(),
        parent_order_id: if is_child { group_id.clone() } else { String::new() },
        group_id,
        group_type: kind as i32,
        replaces: conditions
            .replaces
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        replaced_by: String::new(),
        emulated: emulated(terms),
        trigger_time: None,
    }
}

/// The order as it is.
pub(crate) fn order_to_pb(entry: &Entry) -> pb::Order {
    let order = &entry.order;
    let terms = order.terms();
    let accepted = new_order(terms, None, order.created_at());
    let shard = parse_order_id(terms.order_id.as_str()).map_or(0, |(shard, _)| shard);
    let stop = terms
        .conditions
        .trigger
        .and_then(|trigger| trigger.level(terms.side, entry.extreme));
    pb::Order {
        quantity: order.quantity().to_string(),
        status: status(order.status()) as i32,
        filled_quantity: order.filled().to_string(),
        average_price: text(order.average_price()),
        reason: entry.reason().to_owned(),
        venue_order_id: entry.venue_id.clone(),
        update_time: time(order.updated_at()),
        sequence: entry.sequence as i64,
        stop_price: text(stop),
        trail_extreme: text(entry.extreme),
        trigger_time: entry.triggered.and_then(time),
        replaced_by: entry
            .replaced_by
            .map(|order| order_id(shard, order).to_string())
            .unwrap_or_default(),
        ..accepted
    }
}

/// The order as it was when it was accepted: what a repeated submit is answered.
pub(crate) fn order_as_accepted(entry: &Entry) -> pb::Order {
    let order = &entry.order;
    pb::Order {
        reason: entry.accepted_reason.clone(),
        ..new_order(order.terms(), entry.held_at_first, order.created_at())
    }
}

/// The sequence at which an order was accepted.
pub(crate) fn accepted_of(order: &pb::Order) -> Option<u64> {
    parse_order_id(&order.order_id).map(|(_, accepted)| accepted)
}

fn emulated(terms: &OrderTerms) -> Vec<i32> {
    let conditions = &terms.conditions;
    let all = [
        (conditions.trigger.is_some(), pb::Emulation::Trigger),
        (conditions.expiry.is_some(), pb::Emulation::Expiry),
        (conditions.membership.is_some(), pb::Emulation::Group),
        (conditions.reduce_only, pb::Emulation::ReduceOnly),
        (conditions.replaces.is_some(), pb::Emulation::Replace),
        (terms.order_type == OrderType::Market, pb::Emulation::Collar),
    ];
    let asked = all.iter().filter(|(is_asked, _)| *is_asked);
    asked.map(|(_, emulation)| *emulation as i32).collect()
}

fn type_of(kind: OrderType, trigger: Option<Trigger>) -> pb::OrderType {
    match (trigger, kind) {
        (None, kind) => order_type(kind),
        (Some(Trigger::Stop(_)), OrderType::Market) => pb::OrderType::Stop,
        (Some(Trigger::Stop(_)), OrderType::Limit | OrderType::LimitMaker) => pb::OrderType::StopLimit,
        (Some(Trigger::TakeProfit(_)), OrderType::Market) => pb::OrderType::TakeProfit,
        (Some(Trigger::TakeProfit(_)), OrderType::Limit | OrderType::LimitMaker) => pb::OrderType::TakeProfitLimit,
        (Some(Trigger::Trailing(_)), _) => pb::OrderType::TrailingStop,
    }
}

fn lasting(venue: TimeInForce, expiry: Option<Expiry>) -> pb::TimeInForce {
    match expiry {
        None => time_in_force(venue),
        Some(Expiry::Day(_)) => pb::TimeInForce::Day,
        Some(Expiry::At(_)) => pb::TimeInForce::Gtd,
    }
}

/// Reads an acceptance.
pub(super) fn accepted_from_pb(accepted: pb::OrderAccepted) -> Result<Accepted> {
    let order = accepted.order.ok_or_else(|| damaged("order", "empty"))?;
    let (order_type, trigger) = type_from_pb(&order)?;
    let (time_in_force, expiry) = lasting_from_pb(&order, order_type)?;
    let membership = match order.group_id.as_str() {
        "" => None,
        group => Some(Membership {
            kind: group_type_of(order.group_type).ok_or_else(|| damaged("group_type", order.group_type))?,
            group: parse("group_id", group)?,
        }),
    };
    let terms = OrderTerms {
        order_id: parse("order_id", &order.order_id)?,
        client_order_id: parse("client_order_id", &order.client_order_id)?,
        account: parse("account_id", &order.account_id)?,
        venue: parse("venue", &accepted.venue)?,
        symbol: parse("symbol", &order.symbol)?,
        side: side_of(order.side).ok_or_else(|| damaged("side", order.side))?,
        order_type,
        time_in_force,
        price: optional("price", &order.price)?,
        collar: optional("collar", &accepted.collar)?,
        quantity: parse("quantity", &order.quantity)?,
        strategy: optional("strategy", &order.strategy)?,
        conditions: Conditions {
            trigger,
            expiry,
            reduce_only: order.reduce_only,
            display_quantity: optional("display_quantity", &order.display_quantity)?,
            membership,
            replaces: optional("replaces", &order.replaces)?,
        },
    };
    Ok(Accepted {
        terms,
        base: parse("base_asset", &accepted.base_asset)?,
        quote: parse("quote_asset", &accepted.quote_asset)?,
        limit_revision: accepted.limit_revision,
        digest: digest(&accepted.request_digest)?,
        reserved: parse("reserved", &accepted.reserved)?,
        held: optional("held_quantity", &accepted.held_quantity)?,
        reason: order.reason,
    })
}

fn type_from_pb(order: &pb::Order) -> Result<(OrderType, Option<Trigger>)> {
    let limit = if order.post_only {
        OrderType::LimitMaker
    } else {
        OrderType::Limit
    };
    let stop = || parse::<Price>("stop_price", &order.stop_price);
    Ok(match pb::OrderType::try_from(order.r#type) {
        Ok(pb::OrderType::Stop) => (OrderType::Market, Some(Trigger::Stop(stop()?))),
        Ok(pb::OrderType::StopLimit) => (limit, Some(Trigger::Stop(stop()?))),
        Ok(pb::OrderType::TakeProfit) => (OrderType::Market, Some(Trigger::TakeProfit(stop()?))),
        Ok(pb::OrderType::TakeProfitLimit) => (limit, Some(Trigger::TakeProfit(stop()?))),
        Ok(pb::OrderType::TrailingStop) => {
            let trail = match order.trail.as_str() {
                "" => Trail::BasisPoints(order.trail_basis_points as u32),
                amount => Trail::Amount(parse("trail", amount)?),
            };
            (OrderType::Market, Some(Trigger::Trailing(trail)))
        }
        _ => {
            let plain = order_type_of(order.r#type).ok_or_else(|| damaged("type", order.r#type))?;
            (plain, None)
        }
    })
}

fn lasting_from_pb(order: &pb::Order, order_type: OrderType) -> Result<(TimeInForce, Option<Expiry>)> {
    let until = || read_time(order.expire_time);
    // What waits for its time here: a market order does not rest at the venue.
    let at_venue = match order_type {
        OrderType::Market => TimeInForce::Ioc,
        OrderType::Limit | OrderType::LimitMaker => TimeInForce::Gtc,
    };
    Ok(match pb::TimeInForce::try_from(order.time_in_force) {
        Ok(pb::TimeInForce::Day) => (at_venue, Some(Expiry::Day(until()?))),
        Ok(pb::TimeInForce::Gtd) => (at_venue, Some(Expiry::At(until()?))),
        _ => {
            let plain =
                time_in_force_of(order.time_in_force).ok_or_else(|| damaged("time_in_force", order.time_in_force))?;
            (plain, None)
        }
    })
}
