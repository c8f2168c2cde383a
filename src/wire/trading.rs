//! Fills.

use domain::Fill;

use super::{
    account, asset, liquidity, money, order_id, pb_liquidity, pb_side, pb_timestamp, pb_trade_id, price, quantity,
    side, symbol, timestamp, trade_id, venue,
};
use crate::error::Result;
use crate::pb::trading;

/// A fill; the venue's own id of its order is not part of it in the domain.
pub fn fill(fill: &trading::Fill) -> Result<Fill> {
    Ok(Fill {
        account: account("fill.account_id", &fill.account_id)?,
        venue: venue("fill.venue", &fill.venue)?,
        symbol: symbol("fill.symbol", &fill.symbol)?,
        trade_id: trade_id("fill.trade_id", fill.trade_id)?,
        order_id: order_id("fill.order_id", &fill.order_id)?,
        side: side("fill.side", fill.side)?,
        price: price("fill.price", &fill.price)?,
        quantity: quantity("fill.quantity", &fill.quantity)?,
        fee: money("fill.fee", &fill.fee)?,
        fee_asset: asset("fill.fee_asset", &fill.fee_asset)?,
        liquidity: liquidity("fill.liquidity", fill.liquidity)?,
        time: timestamp("fill.time", fill.time.as_ref())?,
    })
}

/// A fill on the wire, with the venue's id of its order.
pub fn pb_fill(fill: &Fill, venue_order_id: &str) -> trading::Fill {
    trading::Fill {
        account_id: fill.account.to_string(),
        order_id: fill.order_id.to_string(),
        venue: fill.venue.to_string(),
        symbol: fill.symbol.to_string(),
        trade_id: pb_trade_id(fill.trade_id),
        venue_order_id: venue_order_id.to_owned(),
        side: pb_side(fill.side).into(),
        price: fill.price.to_string(),
        quantity: fill.quantity.to_string(),
        fee: fill.fee.to_string(),
        fee_asset: fill.fee_asset.to_string(),
        liquidity: pb_liquidity(fill.liquidity).into(),
        time: Some(pb_timestamp(fill.time)),
    }
}
