//! Requests field by field: whatever is wrong is named before a shard hears of it.

use crate::codec::{order_type_of, scope_of, side_of, time_in_force_of};
use crate::core::{HaltScope, Submit};
use domain::{AccountId, OrderType, Symbol, TimeInForce};
use mesh::pb::trading as pb;
use mesh::{Error, Result};
use std::fmt::Display;
use std::str::FromStr;

/// The longest reason of a halt and the longest request id, in bytes.
const LONGEST_TEXT: usize = 256;

/// The refusal of a field.
pub(super) fn invalid(field: &'static str, why: impl Display) -> Error {
    Error::invalid("INVALID_FIELD", format!("{field}: {why}")).with("field", field)
}

/// A field that parses.
pub(super) fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error| invalid(field, error))
}

/// A field that may be empty.
pub(super) fn optional<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(field, text).map(Some)
    }
}

/// A text for people or a request id.
pub(super) fn text(field: &'static str, text: String) -> Result<String> {
    if text.len() > LONGEST_TEXT {
        return Err(invalid(field, format!("longer than {LONGEST_TEXT} bytes")));
    }
    Ok(text)
}

/// A new order.
pub(super) fn submit(request: &pb::SubmitOrderRequest) -> Result<Submit> {
    let order_type = order_type_of(request.r#type).ok_or_else(|| invalid("type", "not a known order type"))?;
    let submit = Submit {
        account: parse("account_id", &request.account_id)?,
        client_order_id: parse("client_order_id", &request.client_order_id)?,
        symbol: parse("symbol", &request.symbol)?,
        side: side_of(request.side).ok_or_else(|| invalid("side", "not a known side"))?,
        order_type,
        time_in_force: time_in_force(order_type, request.time_in_force)?,
        quantity: parse("quantity", &request.quantity)?,
        price: optional("price", &request.price)?,
    };
    if submit.quantity.is_zero() {
        return Err(invalid("quantity", "must be greater than zero"));
    }
    match (order_type, submit.price) {
        (OrderType::Market, Some(_)) => Err(invalid("price", "a market order takes none")),
        (OrderType::Limit | OrderType::LimitMaker, None) => Err(invalid("price", "a limit order needs one")),
        (OrderType::Market, None) | (OrderType::Limit | OrderType::LimitMaker, Some(_)) => Ok(submit),
    }
}

fn time_in_force(order_type: OrderType, number: i32) -> Result<TimeInForce> {
    let is_stated = number != pb::TimeInForce::Unspecified as i32;
    match order_type {
        OrderType::Limit if is_stated => {
            time_in_force_of(number).ok_or_else(|| invalid("time_in_force", "not a known time in force"))
        }
        OrderType::Market | OrderType::LimitMaker if is_stated => {
            Err(invalid("time_in_force", "only limit orders take one"))
        }
        OrderType::Limit | OrderType::LimitMaker => Ok(TimeInForce::Gtc),
        // It never rests: what does not trade within the collar expires.
        OrderType::Market => Ok(TimeInForce::Ioc),
    }
}

/// What a halt covers.
pub(super) fn halt_target(scope: i32, target: &str) -> Result<HaltScope> {
    let scope = scope_of(scope).ok_or_else(|| invalid("scope", "not a known scope"))?;
    match scope {
        HaltScope::Global if !target.is_empty() => return Err(invalid("target", "a global halt takes none")),
        HaltScope::Global => {}
        HaltScope::Account => drop(parse::<AccountId>("target", target)?),
        HaltScope::Symbol => drop(parse::<Symbol>("target", target)?),
    }
    Ok(scope)
}
