//! The table of closed bars.

use crate::core::series::INTERVALS;
use domain::{Bar, Interval, Symbol, Timestamp};
use mesh::store::{Migration, Store};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use std::fmt::Write;

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "bars",
    sqlite: "CREATE TABLE bars (
        symbol TEXT NOT NULL, interval_s BIGINT NOT NULL, open_time BIGINT NOT NULL,
        open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL, close TEXT NOT NULL,
        volume TEXT NOT NULL, quote_volume TEXT NOT NULL, trades BIGINT NOT NULL,
        taker_buy_volume TEXT NOT NULL, taker_buy_quote_volume TEXT NOT NULL,
        PRIMARY KEY (symbol, interval_s, open_time)) WITHOUT ROWID;
        CREATE INDEX bars_by_age ON bars (interval_s, open_time);",
    postgres: "CREATE TABLE bars (
        symbol TEXT NOT NULL, interval_s BIGINT NOT NULL, open_time BIGINT NOT NULL,
        open TEXT NOT NULL, high TEXT NOT NULL, low TEXT NOT NULL, close TEXT NOT NULL,
        volume TEXT NOT NULL, quote_volume TEXT NOT NULL, trades BIGINT NOT NULL,
        taker_buy_volume TEXT NOT NULL, taker_buy_quote_volume TEXT NOT NULL,
        PRIMARY KEY (symbol, interval_s, open_time));
        CREATE INDEX bars_by_age ON bars (interval_s, open_time);",
}];

const COLUMNS: usize = 12;

/// Rows of one INSERT: 12 columns of each stay below SQLite's bound of 32,766 parameters, and the text stays short.
const ROWS_AT_ONCE: usize = 64;

const SELECT: &str = "SELECT open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, \
    taker_buy_quote_volume FROM bars WHERE symbol = $1 AND interval_s = $2 AND open_time >= $3 AND open_time < $4";

fn seconds(interval: Interval) -> i64 {
    interval.micros() / 1_000_000
}

/// Writes bars in one transaction; a bar that is there is replaced.
pub async fn save(store: &Store, bars: &[Bar]) -> mesh::Result<()> {
    let mut transaction = store.begin().await?;
    for rows in bars.chunks(ROWS_AT_ONCE) {
        let mut query = sqlx::query(AssertSqlSafe(insert(rows.len())));
        for bar in rows {
            query = query
                .bind(bar.symbol.as_str().to_owned())
                .bind(seconds(bar.interval))
                .bind(bar.open_time.as_micros());
            let (open, high, low, close) = (bar.open, bar.high, bar.low, bar.close);
            for price in [open, high, low, close] {
                query = query.bind(price.to_string());
            }
            query = query
                .bind(bar.volume.to_string())
                .bind(bar.quote_volume.to_string())
                .bind(i64::try_from(bar.trades).unwrap_or(i64::MAX))
                .bind(bar.taker_buy_volume.to_string())
                .bind(bar.taker_buy_quote_volume.to_string());
        }
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn insert(rows: usize) -> String {
    let mut text = String::from(
        "INSERT INTO bars (symbol, interval_s, open_time, open, high, low, close, volume, quote_volume, trades, \
         taker_buy_volume, taker_buy_quote_volume) VALUES ",
    );
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMNS {
            let comma = if column == 1 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}${}", row * COLUMNS + column);
        }
        text.push(')');
    }
    text.push_str(
        " ON CONFLICT (symbol, interval_s, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, \
         low = excluded.low, close = excluded.close, volume = excluded.volume, quote_volume = excluded.quote_volume, \
         trades = excluded.trades, taker_buy_volume = excluded.taker_buy_volume, \
         taker_buy_quote_volume = excluded.taker_buy_quote_volume",
    );
    text
}

/// Which bars.
#[derive(Debug, Clone)]
pub struct Range {
    /// The symbol.
    pub symbol: Symbol,
    /// The span.
    pub interval: Interval,
    /// The first open time, inclusive.
    pub start: Timestamp,
    /// The last open time, exclusive.
    pub end: Timestamp,
    /// The latest bars of the range instead of the first ones.
    pub latest: bool,
    /// At most so many.
    pub limit: usize,
}

/// Reads bars of a range, oldest first.
pub async fn load(store: &Store, range: &Range) -> mesh::Result<Vec<Bar>> {
    let order = if range.latest { "DESC" } else { "ASC" };
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} ORDER BY open_time {order} LIMIT $5")))
        .bind(range.symbol.as_str().to_owned())
        .bind(seconds(range.interval))
        .bind(range.start.as_micros())
        .bind(range.end.as_micros())
        .bind(i64::try_from(range.limit).unwrap_or(i64::MAX))
        .fetch_all(store.read())
        .await?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in &rows {
        bars.push(bar_of(range, row)?);
    }
    if range.latest {
        bars.reverse();
    }
    Ok(bars)
}

fn bar_of(range: &Range, row: &AnyRow) -> mesh::Result<Bar> {
    let open_time = Timestamp::from_micros(row.try_get(0)?);
    Ok(Bar {
        symbol: range.symbol.clone(),
        interval: range.interval,
        open_time,
        close_time: range.interval.close_time(open_time),
        open: decimal(row, 1)?,
        high: decimal(row, 2)?,
        low: decimal(row, 3)?,
        close: decimal(row, 4)?,
        volume: decimal(row, 5)?,
        quote_volume: decimal(row, 6)?,
        trades: u64::try_from(row.try_get::<i64, _>(7)?).unwrap_or(0),
        taker_buy_volume: decimal(row, 8)?,
        taker_buy_quote_volume: decimal(row, 9)?,
        closed: true,
    })
}

fn decimal<T: std::str::FromStr<Err = domain::NumberError>>(row: &AnyRow, column: usize) -> mesh::Result<T> {
    let text: String = row.try_get(column)?;
    text.parse()
        .map_err(|fault| mesh::Error::internal("BAR_UNREADABLE", format!("a stored bar: {fault}")))
}

/// Deletes the bars of each interval that opened before its time, as in [`INTERVALS`].
pub async fn prune(store: &Store, before: [Timestamp; 4]) -> mesh::Result<()> {
    let mut transaction = store.begin().await?;
    for (interval, before) in INTERVALS.into_iter().zip(before) {
        sqlx::query("DELETE FROM bars WHERE interval_s = $1 AND open_time < $2")
            .bind(seconds(interval))
            .bind(before.as_micros())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Price;

    fn bar(interval: Interval, index: i64, close: &str) -> Bar {
        let open_time = Timestamp::from_micros(index * interval.micros());
        let price: Price = close.parse().unwrap();
        let mut bar = Bar::empty(Symbol::parse("BTCUSDT").unwrap(), interval, open_time, price);
        bar.volume = "0.12345678".parse().unwrap();
        bar.quote_volume = "-0.5".parse().unwrap();
        bar.trades = 7;
        bar.closed = true;
        bar
    }

    fn range(interval: Interval, latest: bool, limit: usize) -> Range {
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let end = Timestamp::from_micros(i64::MAX);
        Range {
            symbol,
            interval,
            start: Timestamp::EPOCH,
            end,
            latest,
            limit,
        }
    }

    #[tokio::test]
    async fn bars_are_kept_replaced_and_pruned_on_both_engines() {
        for config in mesh::store::testing::engines() {
            let store = Store::open(&config, "data", MIGRATIONS).await.unwrap();
            let bars: Vec<Bar> = (0..150).map(|index| bar(Interval::S1, index, "100.5")).collect();
            save(&store, &bars).await.unwrap();
            save(&store, &[bar(Interval::S1, 149, "99"), bar(Interval::H1, 3, "1")])
                .await
                .unwrap();
            let found = load(&store, &range(Interval::S1, false, 1_000)).await.unwrap();
            assert_eq!(found.len(), 150);
            assert_eq!(found[..149], bars[..149]);
            assert_eq!(found[149].close.to_string(), "99");
            let latest = load(&store, &range(Interval::S1, true, 2)).await.unwrap();
            assert_eq!(latest, found[148..]);
            let mut part = range(Interval::S1, false, 3);
            (part.start, part.end) = (bars[10].open_time, bars[12].open_time);
            assert_eq!(load(&store, &part).await.unwrap(), bars[10..12]);
            prune(
                &store,
                [
                    bars[100].open_time,
                    Timestamp::EPOCH,
                    Timestamp::EPOCH,
                    Timestamp::EPOCH,
                ],
            )
            .await
            .unwrap();
            assert_eq!(
                load(&store, &range(Interval::S1, false, 1_000)).await.unwrap().len(),
                50
            );
            assert_eq!(load(&store, &range(Interval::H1, false, 1_000)).await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_row_that_is_no_bar_is_an_error() {
        for config in mesh::store::testing::engines() {
            let store = Store::open(&config, "data", MIGRATIONS).await.unwrap();
            let mut transaction = store.begin().await.unwrap();
            sqlx::query("INSERT INTO bars VALUES ('BTCUSDT', 1, 0, 'x', '1', '1', '1', '1', '1', 1, '1', '1')")
                .execute(&mut *transaction)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
            let error = load(&store, &range(Interval::S1, false, 1)).await.unwrap_err();
            assert_eq!(error.reason(), "BAR_UNREADABLE");
        }
    }
}
