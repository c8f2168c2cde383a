//! What the portfolio keeps: the fills, the ledger's movements, and the positions and balances that follow from them,
//! all written in the transaction that moves the cursor.

use crate::core::{Changes, Portfolios};
use domain::ledger::{Entry, Owner};
use domain::position::Position;
use domain::{AccountId, Asset, Money, Symbol};
use mesh::error::{Error, Result};
use mesh::events::cursor;
use mesh::store::{Insert, Migration, Store, Transaction};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::borrow::Cow;

/// A movement's id is its event's sequence times this, plus its shard.
pub(crate) const SHARDS_BOUND: i64 = 1 << 8;

/// The tables.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "fold_of_fills",
        sqlite: include_str!("../migrations/sqlite/0001_fold_of_fills.sql"),
        postgres: include_str!("../migrations/postgres/0001_fold_of_fills.sql"),
    },
    cursor::migration(2),
    Migration {
        version: 3,
        name: "one_row_a_movement",
        sqlite: include_str!("../migrations/sqlite/0003_one_row_a_movement.sql"),
        postgres: include_str!("../migrations/postgres/0003_one_row_a_movement.sql"),
    },
];

/// A line of a movement as its row has it: the account of the ledger, the asset, the amount.
type Line<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>);

/// One side of a movement, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPosting {
    /// The movement.
    pub(crate) movement_id: i64,
    /// Its place in the movement.
    pub(crate) line: i64,
    /// `cash`, or a counter account.
    pub(crate) ledger_account: String,
    /// The asset.
    pub(crate) asset: String,
    /// The amount, a decimal.
    pub(crate) amount: String,
    /// What caused it.
    pub(crate) cause: String,
    /// When, in microseconds since the Unix epoch.
    pub(crate) time_us: i64,
}

/// One fill, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFill {
    /// The sequence of its event.
    pub(crate) sequence: i64,
    /// The symbol.
    pub(crate) symbol: String,
    /// The order.
    pub(crate) order_id: String,
    /// The venue's id of the trade.
    pub(crate) trade_id: i64,
    /// Whether it bought.
    pub(crate) is_buy: bool,
    /// The price, a decimal.
    pub(crate) price: String,
    /// The quantity, a decimal.
    pub(crate) quantity: String,
    /// The fee, a decimal.
    pub(crate) fee: String,
    /// The asset of the fee.
    pub(crate) fee_asset: String,
    /// When, in microseconds since the Unix epoch.
    pub(crate) time_us: i64,
}

/// Loads every account.
///
/// # Errors
/// When the store does not answer, or holds what this version cannot read.
pub(crate) async fn load(store: &Store) -> Result<Portfolios> {
    let mut portfolios = Portfolios::default();
    for row in sqlx::query("SELECT account, sequence FROM account")
        .fetch_all(store.read())
        .await?
    {
        portfolios.account_mut(&account_of(&row)?).sequence = row.try_get::<i64, _>("sequence")?.unsigned_abs();
    }
    for row in sqlx::query("SELECT account, asset, amount FROM balance")
        .fetch_all(store.read())
        .await?
    {
        let asset = Asset::parse(row.try_get("asset")?).map_err(damaged)?;
        let amount = Money::parse(row.try_get("amount")?).map_err(damaged)?;
        portfolios
            .account_mut(&account_of(&row)?)
            .balances
            .insert(asset, amount);
    }
    for row in sqlx::query("SELECT account, symbol, state FROM position")
        .fetch_all(store.read())
        .await?
    {
        let symbol = Symbol::parse(row.try_get("symbol")?).map_err(damaged)?;
        let position: Position = serde_json::from_str(row.try_get("state")?).map_err(damaged)?;
        portfolios
            .account_mut(&account_of(&row)?)
            .positions
            .insert(symbol, position);
    }
    Ok(portfolios)
}

/// Writes what a batch changed, in the caller's transaction.
///
/// # Errors
/// When the store refuses, for example a fill that is already there.
pub(crate) async fn save(tx: &mut Transaction, shard: i64, changes: &Changes) -> Result<()> {
    fill_rows(changes)?.execute(tx).await?;
    movement_rows(shard, changes)?.execute(tx).await?;
    let mut positions = Insert::new(
        "INSERT INTO position (account, symbol, state)",
        3,
        "ON CONFLICT (account, symbol) DO UPDATE SET state = excluded.state",
    );
    for ((account, symbol), position) in &changes.positions {
        let state = serde_json::to_string(position).map_err(damaged)?;
        positions.row().bind(account.as_str()).bind(symbol.as_str()).bind(state);
    }
    positions.execute(tx).await?;
    let mut balances = Insert::new(
        "INSERT INTO balance (account, asset, amount)",
        3,
        "ON CONFLICT (account, asset) DO UPDATE SET amount = excluded.amount",
    );
    for (account, held) in &changes.balances {
        for (asset, amount) in held {
            let row = balances.row().bind(account.as_str()).bind(asset.as_str());
            row.bind(amount.to_string());
        }
    }
    balances.execute(tx).await?;
    let mut accounts = Insert::new(
        "INSERT INTO account (account, sequence)",
        2,
        "ON CONFLICT (account) DO UPDATE SET sequence = excluded.sequence",
    );
    for (account, sequence) in &changes.sequences {
        accounts.row().bind(account.as_str()).bind(signed(*sequence)?);
    }
    accounts.execute(tx).await
}

/// An account's fills before a sequence, newest first; of one symbol when it is named.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn fills(
    store: &Store,
    account: &str,
    symbol: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<StoredFill>> {
    let rows = sqlx::query(
        "SELECT sequence, symbol, order_id, trade_id, is_buy, price, quantity, fee, fee_asset, time_us FROM fill
         WHERE account = $1 AND ($2 = '' OR symbol = $2) AND sequence < $3 ORDER BY sequence DESC LIMIT $4",
    )
    .bind(account)
    .bind(symbol)
    .bind(before)
    .bind(limit)
    .fetch_all(store.read())
    .await?;
    rows.iter().map(fill_of).collect()
}

/// An account's postings before a place in the ledger, newest first.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn postings(
    store: &Store,
    account: &str,
    before: (i64, i64),
    limit: i64,
) -> Result<Vec<StoredPosting>> {
    // A movement has a line at least, and the one at the place may have none left.
    let rows = sqlx::query(
        "SELECT movement_id, cause, time_us, lines FROM movement WHERE account = $1 AND movement_id <= $2
         ORDER BY movement_id DESC LIMIT $3",
    )
    .bind(account)
    .bind(before.0)
    .bind(limit.saturating_add(1))
    .fetch_all(store.read())
    .await?;
    let mut postings = Vec::new();
    for row in rows {
        let lines = postings_of(&row)?.into_iter().rev();
        postings.extend(lines.filter(|posting| (posting.movement_id, posting.line) < before));
        if postings.len() as i64 >= limit {
            break;
        }
    }
    postings.truncate(limit.unsigned_abs() as usize);
    Ok(postings)
}

/// The journal that a shard's cursor belongs to; none before its first event.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn journal_of(store: &Store, shard: i32) -> Result<Option<String>> {
    let row = sqlx::query("SELECT journal_id FROM journal WHERE shard = $1")
        .bind(i64::from(shard))
        .fetch_optional(store.read())
        .await?;
    Ok(row.map(|row| row.try_get("journal_id")).transpose()?)
}

/// Remembers the journal that a shard's cursor belongs to.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remember_journal(store: &Store, shard: i32, journal_id: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("INSERT INTO journal (shard, journal_id) VALUES ($1, $2)")
        .bind(i64::from(shard))
        .bind(journal_id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn fill_rows(changes: &Changes) -> Result<Insert> {
    let mut rows = Insert::new(
        "INSERT INTO fill (account, venue, symbol, trade_id, order_id, sequence, is_buy, price, quantity, fee, fee_asset,
         time_us)",
        12,
        "",
    );
    for (sequence, fill) in &changes.fills {
        rows.row()
            .bind(fill.account.as_str())
            .bind(fill.venue.as_str())
            .bind(fill.symbol.as_str())
            .bind(signed(fill.trade_id.get())?)
            .bind(fill.order_id.as_str())
            .bind(signed(*sequence)?)
            .bind(i64::from(fill.side == domain::Side::Buy))
            .bind(fill.price.to_string())
            .bind(fill.quantity.to_string())
            .bind(fill.fee.to_string())
            .bind(fill.fee_asset.as_str())
            .bind(fill.time.as_micros());
    }
    Ok(rows)
}

fn movement_rows(shard: i64, changes: &Changes) -> Result<Insert> {
    let mut rows = Insert::new(
        "INSERT INTO movement (account, movement_id, cause, time_us, lines)",
        5,
        "",
    );
    for movement in &changes.movements {
        let lines: Vec<Line<'_>> = movement.entries.iter().map(line).collect();
        if lines.is_empty() {
            continue;
        }
        rows.row()
            .bind(movement.account.as_str())
            .bind(signed(movement.sequence)? * SHARDS_BOUND + shard)
            .bind(movement.cause.as_str())
            .bind(movement.time.as_micros())
            .bind(serde_json::to_string(&lines).map_err(damaged)?);
    }
    Ok(rows)
}

fn line(entry: &Entry) -> Line<'_> {
    let ledger_account = match &entry.owner {
        Owner::Account(_) => "cash",
        Owner::Counter(name) => name.as_str(),
    };
    let amount = entry.amount.to_string();
    (ledger_account.into(), entry.asset.as_str().into(), amount.into())
}

fn fill_of(row: &AnyRow) -> Result<StoredFill> {
    Ok(StoredFill {
        sequence: row.try_get("sequence")?,
        symbol: row.try_get("symbol")?,
        order_id: row.try_get("order_id")?,
        trade_id: row.try_get("trade_id")?,
        is_buy: row.try_get::<i64, _>("is_buy")? == 1,
        price: row.try_get("price")?,
        quantity: row.try_get("quantity")?,
        fee: row.try_get("fee")?,
        fee_asset: row.try_get("fee_asset")?,
        time_us: row.try_get("time_us")?,
    })
}

/// The lines of a movement's row, in their order.
fn postings_of(row: &AnyRow) -> Result<Vec<StoredPosting>> {
    let lines: Vec<Line<'_>> = serde_json::from_str(row.try_get("lines")?).map_err(damaged)?;
    let posting = |(line, (ledger_account, asset, amount)): (i64, Line<'_>)| {
        Ok(StoredPosting {
            movement_id: row.try_get("movement_id")?,
            line,
            ledger_account: ledger_account.into_owned(),
            asset: asset.into_owned(),
            amount: amount.into_owned(),
            cause: row.try_get("cause")?,
            time_us: row.try_get("time_us")?,
        })
    };
    (0..).zip(lines).map(posting).collect()
}

fn account_of(row: &AnyRow) -> Result<AccountId> {
    AccountId::parse(row.try_get("account")?).map_err(damaged)
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(damaged)
}

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::internal("STORE_DAMAGED", format!("the store holds what cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
