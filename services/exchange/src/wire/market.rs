//! Public market data: answers and stream frames. Written by hand, because the streams carry thousands a second.

use super::millis;
use crate::core::bars::Bar;
use crate::core::book::Quote;
use crate::core::interval::Interval;
use crate::core::listing::Listing;
use crate::core::market::{Aggregate, Best, Market, MarketEvent, Print};
use crate::core::order::Side;
use crate::core::units::{Atoms, Decimal};
use std::fmt::Write;

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($part:tt)*) => { write!($out, $($part)*).expect("writing to a string cannot fail") };
}

fn amount(out: &mut String, amount: Atoms) {
    put!(out, "{}", Decimal(amount));
}

fn price(out: &mut String, listing: &Listing, ticks: i64) {
    amount(out, Atoms::from(ticks) * listing.tick());
}

fn lots(out: &mut String, listing: &Listing, lots: i64) {
    amount(out, Atoms::from(lots) * listing.lot());
}

fn turnover(out: &mut String, listing: &Listing, turnover: i128) {
    amount(out, turnover * listing.unit_value());
}

fn levels(out: &mut String, listing: &Listing, quotes: impl Iterator<Item = Quote>) {
    out.push('[');
    for (position, (ticks, quantity)) in quotes.enumerate() {
        out.push_str(if position == 0 { "[\"" } else { ",[\"" });
        price(out, listing, ticks);
        out.push_str("\",\"");
        lots(out, listing, quantity);
        out.push_str("\"]");
    }
    out.push(']');
}

/// `GET /api/v3/depth`
pub fn depth(market: &Market, limit: usize) -> String {
    let mut out = String::with_capacity(64 + limit.min(200) * 70);
    put!(out, "{{\"lastUpdateId\":{},\"bids\":", market.update_id());
    levels(&mut out, &market.listing, market.book().levels(Side::Buy).take(limit));
    out.push_str(",\"asks\":");
    levels(&mut out, &market.listing, market.book().levels(Side::Sell).take(limit));
    out.push('}');
    out
}

fn list<T>(items: impl Iterator<Item = T>, mut item: impl FnMut(&mut String, T)) -> String {
    let mut out = String::from("[");
    for (position, each) in items.enumerate() {
        if position > 0 {
            out.push(',');
        }
        item(&mut out, each);
    }
    out.push(']');
    out
}

/// `GET /api/v3/trades` and `/api/v3/historicalTrades`
pub fn trades<'a>(listing: &Listing, prints: impl Iterator<Item = &'a Print>) -> String {
    list(prints, |out, print| {
        put!(out, "{{\"id\":{},\"price\":\"", print.id);
        price(out, listing, print.ticks);
        out.push_str("\",\"qty\":\"");
        lots(out, listing, print.lots);
        out.push_str("\",\"quoteQty\":\"");
        amount(out, listing.value(print.ticks, print.lots));
        let (time, made) = (millis(print.time), print.buyer_made);
        put!(out, "\",\"time\":{time},\"isBuyerMaker\":{made},\"isBestMatch\":true}}");
    })
}

fn aggregate_fields(out: &mut String, listing: &Listing, each: &Aggregate) {
    put!(out, "\"a\":{},\"p\":\"", each.id);
    price(out, listing, each.ticks);
    out.push_str("\",\"q\":\"");
    lots(out, listing, each.lots);
    let (first, last, time, made) = (each.first, each.last, millis(each.time), each.buyer_made);
    put!(
        out,
        "\",\"f\":{first},\"l\":{last},\"T\":{time},\"m\":{made},\"M\":true"
    );
}

/// `GET /api/v3/aggTrades`
pub fn aggregates<'a>(listing: &Listing, all: impl Iterator<Item = &'a Aggregate>) -> String {
    list(all, |out, each| {
        out.push('{');
        aggregate_fields(out, listing, each);
        out.push('}');
    })
}

/// `GET /api/v3/klines`, in a zone `offset` µs east of UTC.
pub fn klines(listing: &Listing, interval: Interval, offset: i64, bars: impl Iterator<Item = Bar>) -> String {
    list(bars, |out, bar| {
        put!(out, "[{}", millis(bar.open_time));
        for ticks in [bar.open, bar.high, bar.low, bar.close] {
            out.push_str(",\"");
            price(out, listing, ticks);
            out.push('"');
        }
        out.push_str(",\"");
        lots(out, listing, bar.volume);
        put!(out, "\",{},\"", millis(interval.end(bar.open_time, offset)) - 1);
        turnover(out, listing, bar.turnover);
        put!(out, "\",{},\"", bar.trades);
        lots(out, listing, bar.taker_volume);
        out.push_str("\",\"");
        turnover(out, listing, bar.taker_turnover);
        out.push_str("\",\"0\"]");
    })
}

/// A quantity as text.
pub(super) fn lots_text(listing: &Listing, quantity: i64) -> String {
    let mut out = String::with_capacity(20);
    lots(&mut out, listing, quantity);
    out
}

/// A turnover as text.
pub(super) fn turnover_text(listing: &Listing, value: i128) -> String {
    let mut out = String::with_capacity(20);
    turnover(&mut out, listing, value);
    out
}

/// A price as text.
pub(super) fn text(listing: &Listing, ticks: i64) -> String {
    let mut out = String::with_capacity(20);
    price(&mut out, listing, ticks);
    out
}

/// A price level as two texts; zeros when there is none.
pub(super) fn quote_text(listing: &Listing, quote: Option<Quote>) -> (String, String) {
    let (ticks, quantity) = quote.unwrap_or((0, 0));
    (text(listing, ticks), lots_text(listing, quantity))
}

/// The `data` of a stream frame.
pub fn frame(listing: &Listing, time: i64, event: &MarketEvent) -> String {
    let mut out = String::with_capacity(256);
    let (symbol, sent) = (&listing.symbol, millis(time));
    match event {
        MarketEvent::Trade(print) => {
            put!(
                out,
                "{{\"e\":\"trade\",\"E\":{sent},\"s\":\"{symbol}\",\"t\":{},\"p\":\"",
                print.id
            );
            price(&mut out, listing, print.ticks);
            out.push_str("\",\"q\":\"");
            lots(&mut out, listing, print.lots);
            put!(
                out,
                "\",\"T\":{},\"m\":{},\"M\":true}}",
                millis(print.time),
                print.buyer_made
            );
        }
        MarketEvent::Aggregate(each) => {
            put!(out, "{{\"e\":\"aggTrade\",\"E\":{sent},\"s\":\"{symbol}\",");
            aggregate_fields(&mut out, listing, each);
            out.push('}');
        }
        MarketEvent::Best { update, best } => best_frame(&mut out, listing, *update, best),
        MarketEvent::Depth {
            first,
            last,
            bids,
            asks,
        } => {
            put!(
                out,
                "{{\"e\":\"depthUpdate\",\"E\":{sent},\"s\":\"{symbol}\",\"U\":{first},\"u\":{last},\"b\":"
            );
            levels(&mut out, listing, bids.iter().copied());
            out.push_str(",\"a\":");
            levels(&mut out, listing, asks.iter().copied());
            out.push('}');
        }
        MarketEvent::Kline { interval, bar, closed } => {
            put!(out, "{{\"e\":\"kline\",\"E\":{sent},\"s\":\"{symbol}\",\"k\":");
            kline_frame(&mut out, listing, *interval, bar, *closed);
            out.push('}');
        }
    }
    out
}

fn best_frame(out: &mut String, listing: &Listing, update: u64, best: &Best) {
    let (bid, bid_held) = quote_text(listing, best.bid);
    let (ask, ask_held) = quote_text(listing, best.ask);
    let symbol = &listing.symbol;
    put!(
        out,
        "{{\"u\":{update},\"s\":\"{symbol}\",\"b\":\"{bid}\",\"B\":\"{bid_held}\","
    );
    put!(out, "\"a\":\"{ask}\",\"A\":\"{ask_held}\"}}");
}

fn kline_frame(out: &mut String, listing: &Listing, interval: Interval, bar: &Bar, closed: bool) {
    let (start, end) = (millis(bar.open_time), millis(interval.end(bar.open_time, 0)) - 1);
    let (first, last) = bar
        .trade_ids
        .map_or((-1, -1), |(first, last)| (first as i64, last as i64));
    let (symbol, name) = (&listing.symbol, interval.name());
    put!(
        out,
        "{{\"t\":{start},\"T\":{end},\"s\":\"{symbol}\",\"i\":\"{name}\",\"f\":{first},\"L\":{last}"
    );
    for (key, ticks) in [("o", bar.open), ("c", bar.close), ("h", bar.high), ("l", bar.low)] {
        put!(out, ",\"{key}\":\"");
        price(out, listing, ticks);
        out.push('"');
    }
    out.push_str(",\"v\":\"");
    lots(out, listing, bar.volume);
    put!(out, "\",\"n\":{},\"x\":{closed},\"q\":\"", bar.trades);
    turnover(out, listing, bar.turnover);
    out.push_str("\",\"V\":\"");
    lots(out, listing, bar.taker_volume);
    out.push_str("\",\"Q\":\"");
    turnover(out, listing, bar.taker_turnover);
    out.push_str("\",\"B\":\"0\"}");
}
