//! What an account is worth at given marks. Holdings without a mark are named, never guessed.

use super::Account;
use domain::position::Position;
use domain::{Asset, Instrument, Money, NumberError, Price, Symbol};
use std::collections::BTreeMap;

/// Where a mark comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkSource {
    /// The middle of a live book's best prices.
    BookMid,
    /// The last trade: the book is one-sided or not live.
    LastTrade,
}

impl MarkSource {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::BookMid => "book-mid",
            Self::LastTrade => "last-trade",
        }
    }
}

/// The price that a position is valued at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The price.
    pub price: Price,
    /// Where it comes from.
    pub source: MarkSource,
    /// Microseconds since the venue confirmed it.
    pub age_us: i64,
}

/// A position with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionValue<'a> {
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The position.
    pub position: &'a Position,
    /// The mark, if there is one.
    pub mark: Option<Mark>,
    /// Realised with average cost and with first in, first out, quote fees deducted; in the quote asset.
    pub realised: (Money, Money),
    /// Unrealised at the mark, likewise.
    pub unrealised: Option<(Money, Money)>,
}

/// One asset held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The asset.
    pub asset: Asset,
    /// The amount.
    pub amount: Money,
    /// Its value in the reporting asset; none without a mark.
    pub value: Option<Money>,
}

/// An account's worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Valuation<'a> {
    /// The value of all holdings with a mark.
    pub equity: Money,
    /// Realised profit and loss with average cost, of instruments quoted in the reporting asset.
    pub realised: Money,
    /// Unrealised likewise.
    pub unrealised: Money,
    /// The holdings, by asset.
    pub holdings: Vec<Holding>,
    /// The positions, by symbol.
    pub positions: Vec<PositionValue<'a>>,
}

/// Values an account in `reporting`, at the marks of the instruments quoted in it.
///
/// # Errors
/// When a number is out of range.
pub fn value<'a>(
    account: &'a Account,
    reporting: &Asset,
    instruments: &BTreeMap<Symbol, Instrument>,
    marks: &BTreeMap<Symbol, Mark>,
) -> Result<Valuation<'a>, NumberError> {
    let price_of: BTreeMap<&Asset, Price> = instruments
        .values()
        .filter(|instrument| instrument.quote == *reporting)
        .filter_map(|instrument| Some((&instrument.base, marks.get(&instrument.symbol)?.price)))
        .collect();
    let mut valuation = Valuation {
        equity: Money::ZERO,
        realised: Money::ZERO,
        unrealised: Money::ZERO,
        holdings: Vec::with_capacity(account.balances.len()),
        positions: Vec::with_capacity(account.positions.len()),
    };
    for (asset, amount) in &account.balances {
        let value = if asset == reporting {
            Some(*amount)
        } else {
            price_of.get(asset).map(|price| amount.valued_at(*price)).transpose()?
        };
        valuation.equity = valuation.equity.checked_add(value.unwrap_or_default())?;
        valuation.holdings.push(Holding {
            asset: asset.clone(),
            amount: *amount,
            value,
        });
    }
    for (symbol, position) in &account.positions {
        let quote = instruments.get(symbol).map(|instrument| &instrument.quote);
        let valued = value_position(symbol, position, quote, marks.get(symbol).copied())?;
        if quote == Some(reporting) {
            valuation.realised = valuation.realised.checked_add(valued.realised.0)?;
            let unrealised = valued.unrealised.map(|(average, _)| average).unwrap_or_default();
            valuation.unrealised = valuation.unrealised.checked_add(unrealised)?;
        }
        valuation.positions.push(valued);
    }
    Ok(valuation)
}

fn value_position<'a>(
    symbol: &'a Symbol,
    position: &'a Position,
    quote: Option<&Asset>,
    mark: Option<Mark>,
) -> Result<PositionValue<'a>, NumberError> {
    let realised = match quote {
        Some(quote) => (
            position.realised_net_average(quote)?,
            position.realised_net_fifo(quote)?,
        ),
        None => (position.realised_average(), position.realised_fifo()),
    };
    let unrealised = mark
        .map(|mark| {
            Ok((
                position.unrealised_average(mark.price)?,
                position.unrealised_fifo(mark.price)?,
            ))
        })
        .transpose()?;
    Ok(PositionValue {
        symbol,
        position,
        mark,
        realised,
        unrealised,
    })
}
