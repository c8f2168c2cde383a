//! Enums, one table each.

use domain::{Interval, Liquidity, OrderStatus, OrderType, Side, TimeInForce};

use super::invalid;
use crate::error::Result;
use crate::pb::{data, trading};

/// One table both ways: `$wire::$there <=> $domain::$here`, and `$unstated` for what is not stated.
macro_rules! table {
    ($(#[$from_doc:meta])* $from:ident, $(#[$to_doc:meta])* $to:ident, $wire:ty, $domain:ty, $unstated:ident,
     { $($there:ident <=> $here:ident),+ $(,)? }) => {
        $(#[$from_doc])*
        pub fn $from(field: &str, number: i32) -> Result<$domain> {
            type Wire = $wire;
            match Wire::try_from(number) {
                $(Ok(Wire::$there) => Ok(<$domain>::$here),)+
                Ok(Wire::$unstated) => Err(invalid(field, "must be given")),
                // The wire may know more: what `trading` alone has is no word of the domain.
                _ => Err(invalid(field, format!("no such value: {number}"))),
            }
        }

        $(#[$to_doc])*
        pub fn $to(value: $domain) -> $wire {
            type Wire = $wire;
            type Domain = $domain;
            match value {
                $(Domain::$here => Wire::$there,)+
            }
        }
    };
}

table!(
    /// The side of an order or a fill.
    side,
    /// The side of an order or a fill on the wire.
    pb_side,
    trading::Side, Side, Unspecified,
    { Buy <=> Buy, Sell <=> Sell }
);

table!(
    /// The side of a public trade.
    taker_side,
    /// The side of a public trade on the wire.
    pb_taker_side,
    data::Side, Side, Unspecified,
    { Buy <=> Buy, Sell <=> Sell }
);

table!(
    /// The type of an order.
    order_type,
    /// The type of an order on the wire.
    pb_order_type,
    trading::OrderType, OrderType, Unspecified,
    { Limit <=> Limit, Market <=> Market, LimitMaker <=> LimitMaker }
);

table!(
    /// How long an order stands, stated.
    time_in_force,
    /// How long an order stands, on the wire.
    pb_time_in_force,
    trading::TimeInForce, TimeInForce, Unspecified,
    { Gtc <=> Gtc, Ioc <=> Ioc, Fok <=> Fok }
);

table!(
    /// Where an order is in its life.
    order_status,
    /// Where an order is in its life, on the wire.
    pb_order_status,
    trading::OrderStatus, OrderStatus, Unspecified,
    {
        PendingNew <=> PendingNew,
        Unknown <=> Unknown,
        Open <=> Open,
        PartiallyFilled <=> PartiallyFilled,
        PendingCancel <=> PendingCancel,
        Filled <=> Filled,
        Cancelled <=> Cancelled,
        Rejected <=> Rejected,
        Expired <=> Expired,
        PendingTrigger <=> PendingTrigger,
    }
);

table!(
    /// Whether a fill added or took liquidity.
    liquidity,
    /// Whether a fill added or took liquidity, on the wire.
    pb_liquidity,
    trading::Liquidity, Liquidity, Unspecified,
    { Maker <=> Maker, Taker <=> Taker }
);

table!(
    /// The span of a bar.
    interval,
    /// The span of a bar on the wire.
    pb_interval,
    data::Interval, Interval, Unspecified,
    { Interval1s <=> S1, Interval1m <=> M1, Interval5m <=> M5, Interval1h <=> H1 }
);

/// How long an order stands, or nothing when it is not stated.
pub fn optional_time_in_force(field: &str, number: i32) -> Result<Option<TimeInForce>> {
    if number == trading::TimeInForce::Unspecified as i32 {
        return Ok(None);
    }
    time_in_force(field, number).map(Some)
}
