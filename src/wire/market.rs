//! Instruments, levels, trades and bars.

use domain::{Bar, BookLevel, Instrument, InstrumentStatus, Trade};

use super::{
    asset, interval, invalid, money, pb_interval, pb_taker_side, pb_timestamp, pb_trade_id, price, quantity, symbol,
    taker_side, timestamp, trade_id,
};
use crate::error::Result;
use crate::pb::data;

/// An instrument; its venue is not part of it in the domain.
pub fn instrument(instrument: &data::Instrument) -> Result<Instrument> {
    let status = match instrument.tradable {
        true => InstrumentStatus::Trading,
        false => InstrumentStatus::Halted,
    };
    Ok(Instrument {
        symbol: symbol("instrument.symbol", &instrument.symbol)?,
        base: asset("instrument.base_asset", &instrument.base_asset)?,
        quote: asset("instrument.quote_asset", &instrument.quote_asset)?,
        tick_size: price("instrument.tick_size", &instrument.tick_size)?,
        max_price: price("instrument.max_price", &instrument.max_price)?,
        lot_size: quantity("instrument.lot_size", &instrument.lot_size)?,
        min_quantity: quantity("instrument.min_quantity", &instrument.min_quantity)?,
        max_quantity: quantity("instrument.max_quantity", &instrument.max_quantity)?,
        min_notional: money("instrument.min_notional", &instrument.min_notional)?,
        status,
    })
}

/// An instrument of a venue on the wire.
pub fn pb_instrument(instrument: &Instrument, venue: &str) -> data::Instrument {
    let tradable = match instrument.status {
        InstrumentStatus::Trading => true,
        InstrumentStatus::Halted => false,
    };
    data::Instrument {
        symbol: instrument.symbol.to_string(),
        venue: venue.to_owned(),
        base_asset: instrument.base.to_string(),
        quote_asset: instrument.quote.to_string(),
        tick_size: instrument.tick_size.to_string(),
        lot_size: instrument.lot_size.to_string(),
        min_quantity: instrument.min_quantity.to_string(),
        max_quantity: instrument.max_quantity.to_string(),
        min_notional: instrument.min_notional.to_string(),
        tradable,
        max_price: instrument.max_price.to_string(),
    }
}

/// One price level.
pub fn level(level: &data::Level) -> Result<BookLevel> {
    Ok(BookLevel {
        price: price("level.price", &level.price)?,
        quantity: quantity("level.quantity", &level.quantity)?,
    })
}

/// One price level on the wire.
pub fn pb_level(level: &BookLevel) -> data::Level {
    data::Level {
        price: level.price.to_string(),
        quantity: level.quantity.to_string(),
    }
}

/// A public trade.
pub fn trade(trade: &data::Trade) -> Result<Trade> {
    Ok(Trade {
        symbol: symbol("trade.symbol", &trade.symbol)?,
        trade_id: trade_id("trade.trade_id", trade.trade_id)?,
        price: price("trade.price", &trade.price)?,
        quantity: quantity("trade.quantity", &trade.quantity)?,
        taker_side: taker_side("trade.taker_side", trade.taker_side)?,
        time: timestamp("trade.time", trade.time.as_ref())?,
    })
}

/// A public trade on the wire.
pub fn pb_trade(trade: &Trade) -> data::Trade {
    data::Trade {
        symbol: trade.symbol.to_string(),
        trade_id: pb_trade_id(trade.trade_id),
        price: trade.price.to_string(),
        quantity: trade.quantity.to_string(),
        taker_side: pb_taker_side(trade.taker_side).into(),
        time: Some(pb_timestamp(trade.time)),
    }
}

/// A bar.
pub fn bar(bar: &data::Bar) -> Result<Bar> {
    let trades = u64::try_from(bar.trade_count).map_err(|_| invalid("bar.trade_count", "must not be negative"))?;
    Ok(Bar {
        symbol: symbol("bar.symbol", &bar.symbol)?,
        interval: interval("bar.interval", bar.interval)?,
        open_time: timestamp("bar.open_time", bar.open_time.as_ref())?,
        close_time: timestamp("bar.close_time", bar.close_time.as_ref())?,
        open: price("bar.open", &bar.open)?,
        high: price("bar.high", &bar.high)?,
        low: price("bar.low", &bar.low)?,
        close: price("bar.close", &bar.close)?,
        volume: quantity("bar.volume", &bar.volume)?,
        quote_volume: money("bar.quote_volume", &bar.quote_volume)?,
        trades,
        taker_buy_volume: quantity("bar.taker_buy_volume", &bar.taker_buy_volume)?,
        taker_buy_quote_volume: money("bar.taker_buy_quote_volume", &bar.taker_buy_quote_volume)?,
        closed: bar.closed,
    })
}

/// A bar on the wire.
pub fn pb_bar(bar: &Bar) -> data::Bar {
    data::Bar {
        symbol: bar.symbol.to_string(),
        interval: pb_interval(bar.interval).into(),
        open_time: Some(pb_timestamp(bar.open_time)),
        close_time: Some(pb_timestamp(bar.close_time)),
        open: bar.open.to_string(),
        high: bar.high.to_string(),
        low: bar.low.to_string(),
        close: bar.close.to_string(),
        volume: bar.volume.to_string(),
        quote_volume: bar.quote_volume.to_string(),
        trade_count: i64::try_from(bar.trades).unwrap_or(i64::MAX),
        taker_buy_volume: bar.taker_buy_volume.to_string(),
        taker_buy_quote_volume: bar.taker_buy_quote_volume.to_string(),
        closed: bar.closed,
    }
}
