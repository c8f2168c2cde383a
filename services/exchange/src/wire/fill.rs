//! Where orders met: fills, and matches that were prevented.

use super::{above_zero, list_id, millis};
use crate::core::listing::QUOTE;
use crate::core::order::{Fill, PreventedMatch, Side};
use crate::core::units::Decimal;
use serde::Serialize;

/// The asset of a fill's commission.
pub(super) fn fee_asset(fill: &Fill) -> &str {
    match (&fill.fee_asset, fill.side) {
        (Some(asset), _) => asset,
        (None, Side::Buy) => fill.symbol.strip_suffix(QUOTE).unwrap_or(&fill.symbol),
        (None, Side::Sell) => QUOTE,
    }
}

/// An entry of `GET /api/v3/myTrades`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade<'a> {
    symbol: &'a str,
    id: u64,
    order_id: u64,
    order_list_id: i64,
    price: Decimal,
    qty: Decimal,
    quote_qty: Decimal,
    commission: Decimal,
    commission_asset: &'a str,
    time: i64,
    is_buyer: bool,
    is_maker: bool,
    is_best_match: bool,
}

/// A fill by itself.
pub fn trade(fill: &Fill) -> Trade<'_> {
    Trade {
        symbol: &fill.symbol,
        id: fill.trade,
        order_id: fill.order,
        order_list_id: list_id(fill.list),
        price: Decimal(fill.price),
        qty: Decimal(fill.quantity),
        quote_qty: Decimal(fill.value),
        commission: Decimal(fill.fee),
        commission_asset: fee_asset(fill),
        time: millis(fill.time),
        is_buyer: fill.side == Side::Buy,
        is_maker: fill.maker,
        is_best_match: true,
    }
}

/// An entry of a placed order's `fills`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderFill<'a> {
    price: Decimal,
    qty: Decimal,
    commission: Decimal,
    commission_asset: &'a str,
    trade_id: u64,
}

/// A fill beside its order.
pub(super) fn of_order(fill: &Fill) -> OrderFill<'_> {
    OrderFill {
        price: Decimal(fill.price),
        qty: Decimal(fill.quantity),
        commission: Decimal(fill.fee),
        commission_asset: fee_asset(fill),
        trade_id: fill.trade,
    }
}

/// What two orders lost instead of trading, of each that lost any.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lost {
    #[serde(skip_serializing_if = "Option::is_none")]
    taker_prevented_quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maker_prevented_quantity: Option<Decimal>,
}

impl Lost {
    fn of(prevented: &PreventedMatch) -> Lost {
        Lost {
            taker_prevented_quantity: above_zero(prevented.taker_quantity),
            maker_prevented_quantity: above_zero(prevented.maker_quantity),
        }
    }
}

/// An entry of `GET /api/v3/myPreventedMatches`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prevented<'a> {
    symbol: &'a str,
    prevented_match_id: u64,
    taker_order_id: u64,
    maker_symbol: &'a str,
    maker_order_id: u64,
    trade_group_id: i64,
    self_trade_prevention_mode: &'static str,
    price: Decimal,
    #[serde(flatten)]
    lost: Lost,
    transact_time: i64,
}

/// A prevented match by itself.
pub fn prevented(prevented: &PreventedMatch) -> Prevented<'_> {
    Prevented {
        symbol: &prevented.symbol,
        prevented_match_id: prevented.id,
        taker_order_id: prevented.taker,
        maker_symbol: &prevented.symbol,
        maker_order_id: prevented.maker,
        trade_group_id: -1,
        self_trade_prevention_mode: prevented.mode.as_str(),
        price: Decimal(prevented.price),
        lost: Lost::of(prevented),
        transact_time: millis(prevented.time),
    }
}

/// An entry of a placed order's `preventedMatches`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderPrevented {
    prevented_match_id: u64,
    maker_order_id: u64,
    price: Decimal,
    #[serde(flatten)]
    lost: Lost,
}

/// A prevented match beside the order that came.
pub(super) fn prevented_of_order(prevented: &PreventedMatch) -> OrderPrevented {
    OrderPrevented {
        prevented_match_id: prevented.id,
        maker_order_id: prevented.maker,
        price: Decimal(prevented.price),
        lost: Lost::of(prevented),
    }
}
