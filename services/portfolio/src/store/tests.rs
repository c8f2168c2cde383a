use super::{MIGRATIONS, SHARDS_BOUND, fills, journal_of, load, postings, remember_journal, save};
use crate::NAME;
use crate::core::{Changes, Event, Portfolios};
use domain::{
    AccountId, Asset, Fill, Instrument, InstrumentStatus, Liquidity, Money, OrderId, Price, Quantity, Side, Symbol,
    Timestamp, TradeId, Venue,
};
use mesh::error::Kind;
use mesh::store::Store;
use mesh::store::testing::engines;

const SHARD: i64 = 3;

fn account() -> AccountId {
    AccountId::parse("paper-1").unwrap()
}

fn instrument(base: &str) -> Instrument {
    Instrument {
        symbol: Symbol::parse(&format!("{base}USDT")).unwrap(),
        base: Asset::parse(base).unwrap(),
        quote: Asset::parse("USDT").unwrap(),
        tick_size: Price::parse("0.01").unwrap(),
        lot_size: Quantity::parse("0.0001").unwrap(),
        min_quantity: Quantity::parse("0.0001").unwrap(),
        max_quantity: Quantity::parse("1000").unwrap(),
        min_notional: Money::parse("5").unwrap(),
        max_price: Price::parse("1000000").unwrap(),
        status: InstrumentStatus::Trading,
    }
}

fn fill(base: &str, trade: u64, side: Side) -> Event {
    Event::Fill(Fill {
        account: account(),
        venue: Venue::parse("sim").unwrap(),
        symbol: instrument(base).symbol,
        trade_id: TradeId::new(trade),
        order_id: OrderId::parse("0-1").unwrap(),
        side,
        price: Price::parse("100").unwrap(),
        quantity: Quantity::parse("0.5").unwrap(),
        fee: Money::parse("0.05").unwrap(),
        fee_asset: Asset::parse("USDT").unwrap(),
        liquidity: Liquidity::Taker,
        time: Timestamp::from_micros(7),
    })
}

fn opening() -> Event {
    Event::BalancesAdopted {
        account: account(),
        balances: vec![(Asset::parse("USDT").unwrap(), Money::parse("1000").unwrap())],
        reason: "opening".to_owned(),
    }
}

/// What an opening, another that changes nothing, and three fills change, and the portfolios after them.
fn history() -> (Changes, Portfolios) {
    let (mut portfolios, mut changes) = (Portfolios::default(), Changes::default());
    let events = [
        (opening(), "BTC"),
        (opening(), "BTC"),
        (fill("BTC", 1, Side::Buy), "BTC"),
        (fill("ETH", 1, Side::Buy), "ETH"),
        (fill("BTC", 2, Side::Sell), "BTC"),
    ];
    for (sequence, (event, base)) in (1..).zip(&events) {
        let time = Timestamp::from_micros(9);
        portfolios
            .apply(&mut changes, sequence, time, event, Some(&instrument(base)))
            .unwrap();
    }
    let again = Changes {
        positions: changes.positions.clone(),
        balances: changes.balances.clone(),
        sequences: changes.sequences.clone(),
        ..Changes::default()
    };
    portfolios.commit(again);
    (changes, portfolios)
}

async fn stores() -> Vec<Store> {
    let mut stores = Vec::new();
    for engine in engines() {
        stores.push(Store::open(&engine, NAME, MIGRATIONS).await.unwrap());
    }
    stores
}

async fn written(store: &Store, changes: &Changes) -> mesh::Result<()> {
    let mut tx = store.begin().await?;
    save(&mut tx, SHARD, changes).await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn what_was_saved_is_loaded() {
    for store in stores().await {
        assert_eq!(load(&store).await.unwrap(), Portfolios::default());
        let (changes, portfolios) = history();
        written(&store, &changes).await.unwrap();
        assert_eq!(load(&store).await.unwrap(), portfolios);
        // Once more with only the last state: it replaces what was there.
        let latest = Changes {
            positions: changes.positions,
            balances: changes.balances,
            sequences: [(account(), 9)].into(),
            ..Changes::default()
        };
        written(&store, &latest).await.unwrap();
        assert_eq!(load(&store).await.unwrap().account(&account()).unwrap().sequence, 9);
    }
}

#[tokio::test]
async fn a_fill_is_stored_once() {
    for store in stores().await {
        let (changes, _) = history();
        written(&store, &changes).await.unwrap();
        let error = written(&store, &changes).await.unwrap_err();
        assert!(!error.is_retryable(), "{error:?}");
        assert_eq!(fills(&store, "paper-1", "", i64::MAX, 10).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn fills_are_read_newest_first_page_by_page() {
    for store in stores().await {
        written(&store, &history().0).await.unwrap();
        let sequences = async |symbol: &str, before: i64, limit: i64| -> Vec<i64> {
            let found = fills(&store, "paper-1", symbol, before, limit).await.unwrap();
            found.iter().map(|fill| fill.sequence).collect()
        };
        assert_eq!(sequences("", i64::MAX, 2).await, [5, 4]);
        assert_eq!(sequences("", 4, 2).await, [3]);
        assert_eq!(sequences("BTCUSDT", i64::MAX, 10).await, [5, 3]);
        assert_eq!(sequences("XRPUSDT", i64::MAX, 10).await, [0_i64; 0]);
        let newest = fills(&store, "paper-1", "", i64::MAX, 1).await.unwrap().remove(0);
        assert_eq!(
            (newest.symbol.as_str(), newest.trade_id, newest.is_buy),
            ("BTCUSDT", 2, false)
        );
        assert_eq!((newest.price.as_str(), newest.quantity.as_str()), ("100", "0.5"));
        assert_eq!(
            (newest.fee.as_str(), newest.fee_asset.as_str(), newest.time_us),
            ("0.05", "USDT", 7)
        );
        assert!(fills(&store, "paper-2", "", i64::MAX, 1).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn postings_are_read_newest_first_page_by_page() {
    for store in stores().await {
        written(&store, &history().0).await.unwrap();
        let all = postings(&store, "paper-1", (i64::MAX, 0), 100).await.unwrap();
        assert!(all.len() > 4, "{all:?}");
        assert_eq!(all[0].movement_id, 5 * SHARDS_BOUND + SHARD);
        let mut paged = Vec::new();
        let mut before = (i64::MAX, 0);
        loop {
            let page = postings(&store, "paper-1", before, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            before = (last.movement_id, last.line);
            paged.extend(page);
        }
        assert_eq!(paged, all);
        let oldest = all.last().unwrap();
        assert_eq!(
            (oldest.cause.as_str(), oldest.asset.as_str()),
            ("balances opening", "USDT")
        );
        assert!(all.iter().any(|posting| posting.ledger_account == "cash"));
        assert!(all.iter().any(|posting| posting.ledger_account == "venue"));
    }
}

#[tokio::test]
async fn postings_of_the_first_release_are_kept() {
    for engine in engines() {
        let first = Store::open(&engine, NAME, &MIGRATIONS[..2]).await.unwrap();
        let mut tx = first.begin().await.unwrap();
        for row in [
            "7, 1, 'paper-1', 'cash', 'USDT', '5', 'balances opening', 9",
            "7, 0, 'paper-1', 'venue', 'USDT', '-5', 'balances opening', 9",
            "4, 0, 'paper-1', 'venue', 'BTC', '-1', 'balances opening', 8",
            "4, 1, 'paper-1', 'cash', 'BTC', '1', 'balances opening', 8",
            "5, 0, 'paper-2', 'venue', 'BTC', '-1', 'balances opening', 8",
        ] {
            let insert = format!(
                "INSERT INTO posting (movement_id, line, account, ledger_account, asset, amount, cause, time_us) VALUES ({row})"
            );
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        let held = "INSERT INTO balance (account, asset, amount) VALUES ('paper-1', 'USDT', '5')";
        sqlx::query(held).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        drop(first);
        let store = Store::open(&engine, NAME, MIGRATIONS).await.unwrap();
        let kept = postings(&store, "paper-1", (i64::MAX, 0), 100).await.unwrap();
        let kept: Vec<_> = kept
            .iter()
            .map(|one| {
                (
                    one.movement_id,
                    one.line,
                    one.ledger_account.as_str(),
                    one.amount.as_str(),
                    one.time_us,
                )
            })
            .collect();
        assert_eq!(
            kept,
            [
                (7, 1, "cash", "5", 9),
                (7, 0, "venue", "-5", 9),
                (4, 1, "cash", "1", 8),
                (4, 0, "venue", "-1", 8),
            ]
        );
        let held = load(&store).await.unwrap();
        assert_eq!(held.account(&account()).unwrap().balances.len(), 1);
    }
}

#[tokio::test]
async fn a_journal_is_remembered() {
    for store in stores().await {
        assert_eq!(journal_of(&store, 0).await.unwrap(), None);
        remember_journal(&store, 0, "aa").await.unwrap();
        remember_journal(&store, 1, "bb").await.unwrap();
        assert_eq!(journal_of(&store, 0).await.unwrap().as_deref(), Some("aa"));
        assert_eq!(journal_of(&store, 1).await.unwrap().as_deref(), Some("bb"));
        assert!(remember_journal(&store, 0, "cc").await.is_err());
    }
}

#[tokio::test]
async fn a_damaged_store_is_named() {
    let table = [
        "INSERT INTO account (account, sequence) VALUES ('', 1)",
        "INSERT INTO balance (account, asset, amount) VALUES ('paper-1', '', '1')",
        "INSERT INTO balance (account, asset, amount) VALUES ('paper-1', 'USDT', 'much')",
        "INSERT INTO position (account, symbol, state) VALUES ('paper-1', '', '{}')",
        "INSERT INTO position (account, symbol, state) VALUES ('paper-1', 'BTCUSDT', '{')",
    ];
    for statement in table {
        for store in stores().await {
            let mut tx = store.begin().await.unwrap();
            sqlx::query(statement).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            let error = load(&store).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.reason()),
                (Kind::Internal, "STORE_DAMAGED"),
                "{statement}"
            );
        }
    }
}

#[tokio::test]
async fn a_movement_that_cannot_be_read_is_named() {
    for store in stores().await {
        let mut tx = store.begin().await.unwrap();
        let statement =
            "INSERT INTO movement (account, movement_id, cause, time_us, lines) VALUES ('paper-1', 1, '', 1, '[')";
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let error = postings(&store, "paper-1", (i64::MAX, 0), 1).await.unwrap_err();
        assert_eq!(error.reason(), "STORE_DAMAGED");
    }
}

#[tokio::test]
async fn a_number_that_no_column_holds_is_refused() {
    for store in stores().await {
        let beyond = Changes {
            sequences: [(account(), u64::MAX)].into(),
            ..Changes::default()
        };
        assert_eq!(written(&store, &beyond).await.unwrap_err().reason(), "STORE_DAMAGED");
    }
}
