//! What market data knows ⇄ how its API says it.

use crate::core::sync::BookState;
use crate::market::{BookView, Totals};
use domain::{Bar, BookLevel, Instrument, InstrumentStatus, Interval, Side, Timestamp, Trade};
use mesh::Error;
use mesh::pb;
use mesh::pb::data as api;

/// An instrument of `venue`.
pub fn instrument(instrument: &Instrument, venue: &str) -> api::Instrument {
    api::Instrument {
        symbol: instrument.symbol.to_string(),
        venue: venue.to_owned(),
        base_asset: instrument.base.to_string(),
        quote_asset: instrument.quote.to_string(),
        tick_size: instrument.tick_size.to_string(),
        lot_size: instrument.lot_size.to_string(),
        min_quantity: instrument.min_quantity.to_string(),
        max_quantity: instrument.max_quantity.to_string(),
        min_notional: instrument.min_notional.to_string(),
        tradable: instrument.status == InstrumentStatus::Trading,
        max_price: instrument.max_price.to_string(),
    }
}

/// A book with its levels.
pub fn book(view: &BookView) -> api::Book {
    api::Book {
        symbol: view.symbol.to_string(),
        state: state(view.state).into(),
        update_id: view.update_id,
        venue_time: view.venue_time.map(time),
        age_us: micros(view.age),
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
    }
}

/// The best prices of a book.
pub fn quote(view: &BookView) -> api::Quote {
    api::Quote {
        symbol: view.symbol.to_string(),
        state: state(view.state).into(),
        age_us: micros(view.age),
        bid: view.bids.first().map(level),
        ask: view.asks.first().map(level),
        last_price: view.last_price.map(|price| price.to_string()).unwrap_or_default(),
        venue_time: view.venue_time.map(time),
    }
}

/// A trade.
pub fn trade(trade: &Trade) -> api::Trade {
    let taker_side = match trade.taker_side {
        Side::Buy => api::Side::Buy,
        Side::Sell => api::Side::Sell,
    };
    api::Trade {
        symbol: trade.symbol.to_string(),
        trade_id: i64::try_from(trade.trade_id.get()).unwrap_or(i64::MAX),
        price: trade.price.to_string(),
        quantity: trade.quantity.to_string(),
        taker_side: taker_side.into(),
        time: Some(time(trade.time)),
    }
}

/// A bar.
pub fn bar(bar: &Bar) -> api::Bar {
    let interval = match bar.interval {
        Interval::S1 => api::Interval::Interval1s,
        Interval::M1 => api::Interval::Interval1m,
        Interval::M5 => api::Interval::Interval5m,
        Interval::H1 => api::Interval::Interval1h,
    };
    api::Bar {
        symbol: bar.symbol.to_string(),
        interval: interval.into(),
        open_time: Some(time(bar.open_time)),
        close_time: Some(time(bar.close_time)),
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

/// The state of the feed.
pub fn feed(totals: &Totals, venue: &str) -> api::GetFeedResponse {
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let sum = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    api::GetFeedResponse {
        venue: venue.to_owned(),
        connected: totals.connected,
        live_books: count(totals.live),
        stale_books: count(totals.stale),
        resyncing_books: count(totals.resyncing),
        applied_updates: sum(totals.counters.applied),
        dropped_updates: sum(totals.counters.stale),
        gaps: sum(totals.counters.gaps),
        reconnects: sum(totals.reconnects),
    }
}

/// The interval that a request names.
///
/// # Errors
/// `INTERVAL_UNKNOWN` when it names none, or one that this version does not know.
pub fn interval(number: i32) -> mesh::Result<Interval> {
    match api::Interval::try_from(number) {
        Ok(api::Interval::Interval1s) => Ok(Interval::S1),
        Ok(api::Interval::Interval1m) => Ok(Interval::M1),
        Ok(api::Interval::Interval5m) => Ok(Interval::M5),
        Ok(api::Interval::Interval1h) => Ok(Interval::H1),
        Ok(api::Interval::Unspecified) | Err(_) => {
            Err(Error::invalid("INTERVAL_UNKNOWN", "interval must be 1s, 1m, 5m or 1h")
                .with("field", "interval")
                .with("value", number))
        }
    }
}

/// A time of a request; `absent` where it has none.
///
/// # Errors
/// `TIME_INVALID` when it is no time of the years 1 to 9999.
pub fn read_time(field: &'static str, given: Option<&pb::Timestamp>, absent: Timestamp) -> mesh::Result<Timestamp> {
    match given {
        None => Ok(absent),
        Some(given) => given
            .as_micros()
            .map(Timestamp::from_micros)
            .ok_or_else(|| Error::invalid("TIME_INVALID", "no time of the years 1 to 9999").with("field", field)),
    }
}

fn state(state: BookState) -> api::BookState {
    match state {
        BookState::Live => api::BookState::Live,
        BookState::Stale => api::BookState::Stale,
        BookState::Resyncing => api::BookState::Resyncing,
    }
}

fn level(level: &BookLevel) -> api::Level {
    api::Level {
        price: level.price.to_string(),
        quantity: level.quantity.to_string(),
    }
}

fn time(time: Timestamp) -> pb::Timestamp {
    pb::Timestamp::from_micros(time.as_micros())
}

fn micros(age: std::time::Duration) -> i64 {
    i64::try_from(age.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_times_are_checked() {
        let known: Vec<Interval> = (1..=4).map(|number| interval(number).unwrap()).collect();
        assert_eq!(known, crate::core::series::INTERVALS);
        for number in [0, 5, -1] {
            assert_eq!(interval(number).unwrap_err().reason(), "INTERVAL_UNKNOWN");
        }
        let absent = Timestamp::from_millis(5);
        assert_eq!(read_time("start_time", None, absent).unwrap(), absent);
        let good = pb::Timestamp {
            seconds: 1,
            nanos: 2_000,
        };
        assert_eq!(
            read_time("start_time", Some(&good), absent).unwrap().as_micros(),
            1_000_002
        );
        let bad = pb::Timestamp { seconds: 1, nanos: -1 };
        let error = read_time("start_time", Some(&bad), absent).unwrap_err();
        assert_eq!(
            (error.reason(), error.context()["field"].as_str()),
            ("TIME_INVALID", "start_time")
        );
    }
}
