//! Trading's events, and data's instruments and quotes, as the core knows them.

use crate::core::{Event, Mark, MarkSource};
use domain::{Asset, Money, Price, Symbol, Timestamp};
use mesh::error::{Error, Result};
use mesh::pb::trading::trading_event;
use mesh::pb::{data, trading};
use mesh::wire;
use prost::Message;
use rust_decimal::Decimal;

/// Decodes an event of a shard's journal: when it was decided, and what it is to a portfolio.
///
/// # Errors
/// `Internal` when it does not decode, `Invalid` naming a field that is not what it should be.
pub(crate) fn shard_event(bytes: &[u8]) -> Result<(Timestamp, Event)> {
    let event = trading::TradingEvent::decode(bytes).map_err(|error| damaged("event", error))?;
    let time = wire::timestamp("time", event.time.as_ref())?;
    let event = match event.event {
        Some(trading_event::Event::FillApplied(applied)) => {
            let fill = applied.fill.as_ref().ok_or_else(|| damaged("fill", "none"))?;
            Event::Fill(wire::fill(fill)?)
        }
        Some(trading_event::Event::BalancesAdopted(adopted)) => Event::BalancesAdopted {
            account: wire::account("account_id", &adopted.account_id)?,
            balances: adopted.balances.iter().map(balance).collect::<Result<_>>()?,
            reason: adopted.reason,
        },
        _ => Event::Other,
    };
    Ok((time, event))
}

fn balance(balance: &trading::AssetBalance) -> Result<(Asset, Money)> {
    Ok((
        wire::asset("asset", &balance.asset)?,
        wire::money("total", &balance.total)?,
    ))
}

/// The mark that a quote gives: the middle of a live book, else the last trade.
///
/// # Errors
/// `Invalid` when a price is not one.
pub(crate) fn mark(quote: &data::Quote) -> Result<(Symbol, Option<Mark>)> {
    let symbol = wire::symbol("symbol", &quote.symbol)?;
    let middle = match (&quote.bid, &quote.ask) {
        (Some(bid), Some(ask)) if quote.state() == data::BookState::Live => Some(middle_of(
            wire::price("bid.price", &bid.price)?,
            wire::price("ask.price", &ask.price)?,
        )?),
        _ => None,
    };
    let found = match middle {
        Some(price) => Some((price, MarkSource::BookMid)),
        None if quote.last_price.is_empty() => None,
        None => Some((wire::price("last_price", &quote.last_price)?, MarkSource::LastTrade)),
    };
    Ok((
        symbol,
        found.map(|(price, source)| Mark {
            price,
            source,
            age_us: quote.age_us,
        }),
    ))
}

/// Half of the sum: exact, since halving a decimal adds one digit.
fn middle_of(bid: Price, ask: Price) -> Result<Price> {
    let out_of_range = |error: domain::NumberError| damaged("price", error);
    let sum = bid.checked_add(ask).map_err(out_of_range)?;
    Price::new(sum.decimal() / Decimal::TWO).map_err(out_of_range)
}

fn damaged(field: &'static str, value: impl std::fmt::Display) -> Error {
    Error::internal("EVENT_DAMAGED", format!("{field} cannot be {value}")).with("field", field)
}

#[cfg(test)]
mod tests;
