//! Prices and statistics of a market: the answers of `ticker/…` and the frames of the ticker streams.

use super::market::{lots_text, quote_text, text, turnover_text};
use super::millis;
use crate::core::bars::Bar;
use crate::core::listing::Listing;
use crate::core::market::Market;
use crate::core::order::Side;
use serde_json::{Value, json};

/// One minute, µs.
const MINUTE: i64 = 60_000_000;

/// How much of a statistic is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    Full,
    /// Without changes and means.
    Mini,
}

/// One entry of `GET /api/v3/ticker/price`
pub fn price(market: &Market) -> Value {
    json!({"symbol": market.listing.symbol, "price": text(&market.listing, market.last_ticks())})
}

/// One entry of `GET /api/v3/ticker/bookTicker`
pub fn book(market: &Market) -> Value {
    let (bid, bid_held) = quote_text(&market.listing, market.book().best(Side::Buy));
    let (ask, ask_held) = quote_text(&market.listing, market.book().best(Side::Sell));
    json!({
        "symbol": market.listing.symbol, "bidPrice": bid, "bidQty": bid_held, "askPrice": ask, "askQty": ask_held,
    })
}

/// When the last trade was, in milliseconds.
fn last_trade(market: &Market) -> i64 {
    market.tape().back().map_or(0, |print| millis(print.time))
}

/// `GET /api/v3/avgPrice`
pub fn average(market: &Market) -> Value {
    json!({"mins": 5, "price": text(&market.listing, market.average_ticks()), "closeTime": last_trade(market)})
}

/// The frame of `@avgPrice`.
pub fn average_frame(market: &Market, now: i64) -> String {
    let price = text(&market.listing, market.average_ticks());
    json!({
        "e": "avgPrice", "E": millis(now), "s": market.listing.symbol, "i": "5m", "w": price, "T": last_trade(market),
    })
    .to_string()
}

/// The mean price of a span by volume; its close when nothing traded.
fn mean(span: &Bar) -> i64 {
    if span.volume == 0 {
        span.close
    } else {
        (span.turnover / i128::from(span.volume)) as i64
    }
}

fn percent(span: &Bar) -> String {
    format!(
        "{:.3}",
        (span.close - span.open) as f64 / span.open.max(1) as f64 * 100.0
    )
}

/// First and last trade id of a span; -1 when nothing is known to have traded.
fn ids(span: &Bar) -> (i64, i64) {
    span.trade_ids
        .map_or((-1, -1), |(first, last)| (first as i64, last as i64))
}

fn last_quantity(market: &Market) -> String {
    lots_text(&market.listing, market.tape().back().map_or(0, |print| print.lots))
}

/// One entry of `GET /api/v3/ticker` and `/api/v3/ticker/tradingDay`: a span up to `closes`, both in µs.
pub fn span(market: &Market, span: &Bar, closes: i64, detail: Detail) -> Value {
    let listing = &market.listing;
    let (first, last) = ids(span);
    let mut entry = json!({
        "symbol": listing.symbol,
        "openPrice": text(listing, span.open),
        "highPrice": text(listing, span.high),
        "lowPrice": text(listing, span.low),
        "lastPrice": text(listing, span.close),
        "volume": lots_text(listing, span.volume),
        "quoteVolume": turnover_text(listing, span.turnover),
        "openTime": millis(span.open_time),
        "closeTime": millis(closes),
        "firstId": first,
        "lastId": last,
        "count": span.trades,
    });
    if detail == Detail::Full {
        entry["priceChange"] = text(listing, span.close - span.open).into();
        entry["priceChangePercent"] = percent(span).into();
        entry["weightedAvgPrice"] = text(listing, mean(span)).into();
    }
    entry
}

/// The last day of a market, as far as it remembers.
fn day_of(market: &Market, now: i64) -> Bar {
    market.span(now - 1_440 * MINUTE, now)
}

/// One entry of `GET /api/v3/ticker/24hr`
pub fn day(market: &Market, now: i64, detail: Detail) -> Value {
    let day = day_of(market, now);
    let mut entry = span(market, &day, now, detail);
    if detail == Detail::Full {
        let (bid, bid_held) = quote_text(&market.listing, market.book().best(Side::Buy));
        let (ask, ask_held) = quote_text(&market.listing, market.book().best(Side::Sell));
        entry["prevClosePrice"] = text(&market.listing, day.open).into();
        entry["lastQty"] = last_quantity(market).into();
        for (name, value) in [
            ("bidPrice", bid),
            ("bidQty", bid_held),
            ("askPrice", ask),
            ("askQty", ask_held),
        ] {
            entry[name] = value.into();
        }
    }
    entry
}

/// The prices and volumes that all ticker frames have.
fn fields(kind: String, listing: &Listing, span: &Bar, now: i64) -> Value {
    json!({
        "e": kind, "E": millis(now), "s": listing.symbol,
        "c": text(listing, span.close), "o": text(listing, span.open),
        "h": text(listing, span.high), "l": text(listing, span.low),
        "v": lots_text(listing, span.volume), "q": turnover_text(listing, span.turnover),
    })
}

fn with_change(mut frame: Value, listing: &Listing, span: &Bar, now: i64) -> Value {
    let (first, last) = ids(span);
    frame["p"] = text(listing, span.close - span.open).into();
    frame["P"] = percent(span).into();
    frame["w"] = text(listing, mean(span)).into();
    frame["O"] = millis(span.open_time).into();
    frame["C"] = millis(now).into();
    frame["F"] = first.into();
    frame["L"] = last.into();
    frame["n"] = span.trades.into();
    frame
}

/// The frame of `@miniTicker`.
pub fn mini_frame(market: &Market, now: i64) -> String {
    fields("24hrMiniTicker".to_owned(), &market.listing, &day_of(market, now), now).to_string()
}

/// The frame of `@ticker_<window>`.
pub fn rolling_frame(market: &Market, now: i64, window: &str, minutes: i64) -> String {
    let listing = &market.listing;
    let span = market.span(now - now.rem_euclid(MINUTE) - (minutes - 1) * MINUTE, now);
    let frame = fields(format!("{window}Ticker"), listing, &span, now);
    with_change(frame, listing, &span, now).to_string()
}

/// The frame of `@ticker`.
pub fn day_frame(market: &Market, now: i64) -> String {
    let (listing, day) = (&market.listing, day_of(market, now));
    let mut frame = with_change(fields("24hrTicker".to_owned(), listing, &day, now), listing, &day, now);
    let (bid, bid_held) = quote_text(listing, market.book().best(Side::Buy));
    let (ask, ask_held) = quote_text(listing, market.book().best(Side::Sell));
    frame["x"] = text(listing, day.open).into();
    frame["Q"] = last_quantity(market).into();
    for (name, value) in [("b", bid), ("B", bid_held), ("a", ask), ("A", ask_held)] {
        frame[name] = value.into();
    }
    frame.to_string()
}
