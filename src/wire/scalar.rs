//! Numbers, names and times.

use domain::{
    AccountId, Asset, ClientOrderId, IdError, Money, NumberError, OrderId, Price, Quantity, Symbol, Timestamp, TradeId,
    Venue,
};

use super::invalid;
use crate::error::{Error, Result};
use crate::pb;

/// Longer texts are not repeated in an error.
const MAX_ECHO: usize = 64;

fn number_error(field: &str, text: &str, error: NumberError) -> Error {
    invalid(field, format!("{error}: {}", echo(text))).with("cause", error.reason())
}

fn id_error(field: &str, text: &str, error: IdError) -> Error {
    if text.is_empty() {
        return invalid(field, "must be given").with("cause", error.reason());
    }
    invalid(field, format!("{error}: {}", echo(text))).with("cause", error.reason())
}

fn echo(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A decimal greater than zero.
pub fn price(field: &str, text: &str) -> Result<Price> {
    text.parse().map_err(|error| number_error(field, text, error))
}

/// A decimal greater than zero, or nothing.
pub fn optional_price(field: &str, text: &str) -> Result<Option<Price>> {
    if text.is_empty() {
        return Ok(None);
    }
    price(field, text).map(Some)
}

/// The text of a price that may be absent.
pub fn pb_price(price: Option<Price>) -> String {
    price.map(|price| price.to_string()).unwrap_or_default()
}

/// A decimal of zero or more.
pub fn quantity(field: &str, text: &str) -> Result<Quantity> {
    text.parse().map_err(|error| number_error(field, text, error))
}

/// A signed decimal.
pub fn money(field: &str, text: &str) -> Result<Money> {
    text.parse().map_err(|error| number_error(field, text, error))
}

/// A symbol such as `BTCUSDT`.
pub fn symbol(field: &str, text: &str) -> Result<Symbol> {
    Symbol::parse(text).map_err(|error| id_error(field, text, error))
}

/// A symbol, or nothing.
pub fn optional_symbol(field: &str, text: &str) -> Result<Option<Symbol>> {
    if text.is_empty() {
        return Ok(None);
    }
    symbol(field, text).map(Some)
}

/// An asset such as `BTC`.
pub fn asset(field: &str, text: &str) -> Result<Asset> {
    Asset::parse(text).map_err(|error| id_error(field, text, error))
}

/// A platform account.
pub fn account(field: &str, text: &str) -> Result<AccountId> {
    AccountId::parse(text).map_err(|error| id_error(field, text, error))
}

/// A platform order id.
pub fn order_id(field: &str, text: &str) -> Result<OrderId> {
    OrderId::parse(text).map_err(|error| id_error(field, text, error))
}

/// A client's order id.
pub fn client_order_id(field: &str, text: &str) -> Result<ClientOrderId> {
    ClientOrderId::parse(text).map_err(|error| id_error(field, text, error))
}

/// A venue.
pub fn venue(field: &str, text: &str) -> Result<Venue> {
    Venue::parse(text).map_err(|error| id_error(field, text, error))
}

/// A venue's number of a trade, 0 or more.
pub fn trade_id(field: &str, number: i64) -> Result<TradeId> {
    match u64::try_from(number) {
        Ok(number) => Ok(TradeId::new(number)),
        Err(_) => Err(invalid(field, format!("must not be negative: {number}"))),
    }
}

/// A venue's number of a trade; beyond 63 bits, which no venue reaches, the greatest one.
pub fn pb_trade_id(id: TradeId) -> i64 {
    i64::try_from(id.get()).unwrap_or(i64::MAX)
}

/// A time that must be stated. Parts of a microsecond are dropped.
pub fn timestamp(field: &str, time: Option<&pb::Timestamp>) -> Result<Timestamp> {
    optional_timestamp(field, time)?.ok_or_else(|| invalid(field, "must be given"))
}

/// A time, or nothing.
pub fn optional_timestamp(field: &str, time: Option<&pb::Timestamp>) -> Result<Option<Timestamp>> {
    match time.map(pb::Timestamp::as_micros) {
        None => Ok(None),
        Some(Some(micros)) => Ok(Some(Timestamp::from_micros(micros))),
        Some(None) => Err(invalid(
            field,
            "a time between the years 1 and 9999, with 0 to 999,999,999 nanoseconds",
        )),
    }
}

/// A time on the wire.
pub fn pb_timestamp(time: Timestamp) -> pb::Timestamp {
    pb::Timestamp::from_micros(time.as_micros())
}
