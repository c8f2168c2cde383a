//! The portfolio follows trading: every event counts once, whatever happens to the streams or the process.

use crate::support::trading::{EMPTY, balances, fill};
use crate::support::{World, soon};
use mesh::pb::trading::Side;
use mesh::pb::trading::trading_event::Event;
use portfolio::Config;

const ACCOUNT: &str = "paper-1";

/// An opening, two fills, and something that is no movement.
fn five_events(world: &World) {
    world.trading.push(balances(ACCOUNT, &[("USDT", "1000"), ("BTC", "1")]));
    world.trading.push(fill(ACCOUNT, "BTCUSDT", 1, Side::Buy, "100"));
    world.trading.push(Some(Event::HaltSet(Default::default())));
    world.trading.push(fill(ACCOUNT, "BTCUSDT", 2, Side::Sell, "120"));
    world.trading.push(balances(ACCOUNT, &[("USDT", "1010"), ("BTC", "1")]));
}

#[tokio::test]
async fn events_count_once_when_streams_repeat_leave_out_break_and_end() {
    let world = World::new();
    five_events(&world);
    world.trading.disturb(&[1, 2, 2, 1]);
    world.trading.disturb(&[4]);
    world.trading.disturb(&[1, 2, 3, 5]);
    world.trading.disturb(&[EMPTY]);
    world.trading.disturb(&[]);
    let _portfolio = world.ready().await;
    let found = world.portfolio(ACCOUNT).await.unwrap();
    assert_eq!(found.sequence, 5);
    let amounts: Vec<(&str, &str)> = found
        .holdings
        .iter()
        .map(|holding| (holding.asset.as_str(), holding.amount.as_str()))
        .collect();
    assert_eq!(amounts, [("BTC", "1"), ("USDT", "1010")]);
    assert_eq!(world.fills(ACCOUNT).await.len(), 2);
    assert_eq!(world.trading.subscriptions(), [1, 3, 3, 4, 4, 4]);
}

#[tokio::test]
async fn a_restart_goes_on_at_the_cursor() {
    let world = World::new();
    five_events(&world);
    world.ready().await.stop().await;
    world.trading.push(fill(ACCOUNT, "ETHUSDT", 7, Side::Buy, "10"));
    let again = world.ready().await;
    assert_eq!(world.trading.subscriptions(), [1, 6]);
    assert_eq!(world.portfolio(ACCOUNT).await.unwrap().sequence, 6);
    assert_eq!(world.fills(ACCOUNT).await.len(), 3);
    again.stop().await;
    // Nothing new: it is ready as soon as it knows.
    let _third = world.ready().await;
    assert_eq!(world.fills(ACCOUNT).await.len(), 3);
}

#[tokio::test]
async fn another_journal_stops_it() {
    let world = World::new();
    five_events(&world);
    world.ready().await.stop().await;
    world.trading.replace_journal();
    let mut again = world.start().await;
    let failure = soon(again.failures.next()).await;
    assert_eq!(failure.reason(), "JOURNAL_REPLACED");
    assert_eq!(
        (failure.context()["known"].as_str(), failure.context()["found"].as_str()),
        ("aa", "bb")
    );
    assert_eq!(world.fills(ACCOUNT).await.len(), 2, "what is known stays readable");
}

#[tokio::test]
async fn it_is_ready_once_it_has_caught_up() {
    let world = World::new();
    five_events(&world);
    world.trading.promise(6);
    world.trading.refuse_shards(2);
    let portfolio = world.start().await;
    world.until(ACCOUNT, |portfolio| portfolio.sequence == 5).await;
    assert_eq!(portfolio.readiness.pending(), ["portfolio replay"]);
    world.trading.push(None);
    soon(portfolio.readiness.ready()).await;
}

#[tokio::test]
async fn the_instrument_of_a_fill_is_asked_for_when_it_is_new() {
    let world = World::new();
    let mut portfolio = world.ready().await;
    world.data.list("SOLUSDT");
    world.trading.push(fill(ACCOUNT, "SOLUSDT", 1, Side::Buy, "20"));
    world.until(ACCOUNT, |portfolio| portfolio.sequence == 1).await;
    assert_eq!(world.fills(ACCOUNT).await[0].symbol, "SOLUSDT");
    world.trading.push(fill(ACCOUNT, "XRPUSDT", 2, Side::Buy, "20"));
    let failure = soon(portfolio.failures.next()).await;
    assert_eq!(failure.reason(), "EVENT_NOT_APPLIED", "{failure:?}");
    assert!(failure.message().contains("XRPUSDT"), "{failure:?}");
    assert_eq!(world.fills(ACCOUNT).await.len(), 1);
}

#[tokio::test]
async fn marks_come_back_after_their_stream_broke() {
    let world = World::new();
    five_events(&world);
    world.data.break_quotes(None);
    let _portfolio = world.ready().await;
    assert_eq!(world.portfolio(ACCOUNT).await.unwrap().unvalued_assets, ["BTC"]);
    world.data.quote("BTCUSDT", 110);
    let valued = world
        .until(ACCOUNT, |portfolio| portfolio.unvalued_assets.is_empty())
        .await;
    assert_eq!(valued.equity, "1120");
}

#[tokio::test]
async fn values_must_be_in_an_asset() {
    let config = Config {
        reporting_asset: "no asset".to_owned(),
        ..Config::default()
    };
    let error = World::new().refused(config).await;
    assert_eq!(error.reason(), "CONFIG_INVALID");
    assert!(error.message().contains("portfolio.reporting_asset"));
    let config = Config {
        batch_events: 0,
        ..Config::default()
    };
    let error = World::new().refused(config).await;
    assert_eq!(error.message(), "portfolio.batch_events must be 1 to 100000, not 0");
}
