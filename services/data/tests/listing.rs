//! The venue's list of symbols changes while the service runs.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod support;

use mesh::pb::data as api;
use support::{Command, Running, Venue, exchange_info, run};
use tonic::Streaming;

const BITCOIN: &str = "BTCUSDT";
const ETHER: &str = "ETHUSDT";
const ADA: &str = "ADAUSDT";
const BIDS: &str = r#"[["99","1"]]"#;
const ASKS: &str = r#"[["101","1"]]"#;

/// A service that has room for two symbols and asks for the list ten times a second, in step with one.
async fn following_one() -> (Venue, Running) {
    let venue = Venue::start(&[BITCOIN]).await;
    for symbol in [BITCOIN, ETHER, ADA] {
        venue.depth(symbol, 10, BIDS, ASKS);
    }
    let config = data::Config {
        instruments_every_ms: 100,
        max_symbols: 2,
        ..venue.config()
    };
    let running = run(config).await;
    running.readiness.ready().await;
    (venue, running)
}

fn list(venue: &Venue, text: String) {
    *venue.script.exchange_info.lock().unwrap() = text;
}

/// Waits until the venue was asked for its list twice more: the first answer may be from before.
async fn read_again(venue: &Venue) {
    let asked = |calls: &[String]| calls.iter().filter(|call| call.contains("exchangeInfo")).count();
    let now = asked(&venue.script.calls.borrow());
    venue.called("/api/v3/exchangeInfo", now + 3).await;
}

async fn symbols(running: &mut Running) -> Vec<(String, bool)> {
    let request = api::ListInstrumentsRequest::default();
    let answer = running.client.list_instruments(request).await.unwrap().into_inner();
    let instruments = answer.instruments.into_iter();
    instruments.map(|one| (one.symbol, one.tradable)).collect()
}

async fn book_stream(running: &mut Running, symbol: &str) -> Streaming<api::StreamBooksResponse> {
    let request = api::StreamBooksRequest {
        symbols: vec![symbol.to_owned()],
        depth: 0,
    };
    running.client.stream_books(request).await.unwrap().into_inner()
}

async fn until_state(stream: &mut Streaming<api::StreamBooksResponse>, state: api::BookState) {
    loop {
        let book = stream.message().await.unwrap().unwrap().book.unwrap();
        if book.state() == state {
            return;
        }
    }
}

fn both(tradable: bool) -> Vec<(String, bool)> {
    vec![(BITCOIN.to_owned(), tradable), (ETHER.to_owned(), true)]
}

#[tokio::test]
async fn a_new_symbol_is_followed_and_comes_to_open_streams() {
    let (venue, mut running) = following_one().await;
    let all = api::StreamQuotesRequest::default();
    let mut quotes = running.client.stream_quotes(all).await.unwrap().into_inner();
    let all = api::StreamTradesRequest::default();
    let mut trades = running.client.stream_trades(all).await.unwrap().into_inner();
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    venue.opened(2).await;
    loop {
        let quote = quotes.message().await.unwrap().unwrap().quote.unwrap();
        if quote.symbol == ETHER && quote.state() == api::BookState::Live {
            break;
        }
    }
    let trade = r#"{"stream":"ethusdt@trade","data":{"e":"trade","E":1,"s":"ETHUSDT","t":5,"p":"100","q":"2","T":1,"m":false}}"#;
    venue.send(trade);
    let message = trades.message().await.unwrap().unwrap();
    assert_eq!(
        (message.trades[0].symbol.as_str(), message.trades[0].trade_id),
        (ETHER, 5)
    );
    assert_eq!(symbols(&mut running).await, both(true));
    let request = api::ListQuotesRequest::default();
    let quotes = running.client.list_quotes(request).await.unwrap().into_inner().quotes;
    assert_eq!(quotes.len(), 2);
    let feed = running
        .client
        .get_feed(api::GetFeedRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(feed.connected && feed.live_books == 2, "{feed:?}");
}

#[tokio::test]
async fn a_halted_symbol_is_followed_on_and_not_tradable() {
    let (venue, mut running) = following_one().await;
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    venue.opened(2).await;
    list(&venue, exchange_info(&[BITCOIN, ETHER]).replacen("TRADING", "BREAK", 1));
    read_again(&venue).await;
    assert_eq!(symbols(&mut running).await, both(false));
    let mut stream = book_stream(&mut running, BITCOIN).await;
    until_state(&mut stream, api::BookState::Live).await;
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    read_again(&venue).await;
    assert_eq!(symbols(&mut running).await, both(true));
}

#[tokio::test]
async fn a_symbol_that_is_gone_is_not_found_until_it_is_back() {
    let (venue, mut running) = following_one().await;
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    venue.opened(2).await;
    let mut stream = book_stream(&mut running, BITCOIN).await;
    until_state(&mut stream, api::BookState::Live).await;
    list(&venue, exchange_info(&[ETHER]));
    until_state(&mut stream, api::BookState::Resyncing).await;
    let request = api::GetBookRequest {
        symbol: BITCOIN.to_owned(),
        depth: 0,
    };
    let refusal = running.client.get_book(request).await.unwrap_err();
    assert_eq!(mesh::Error::from(refusal).reason(), "UNKNOWN_SYMBOL");
    assert_eq!(symbols(&mut running).await, [(ETHER.to_owned(), true)]);
    // Its connection has nothing to carry: it is not opened again while nothing of it is listed.
    venue.say(Command::Drop);
    venue.opened(3).await;
    assert!(venue.script.streams.borrow()[2].contains("ethusdt"));
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    until_state(&mut stream, api::BookState::Live).await;
    assert_eq!(symbols(&mut running).await, both(true));
}

#[tokio::test]
async fn a_failed_reading_and_a_full_house_leave_what_is() {
    let (venue, mut running) = following_one().await;
    let failure = (500, None, r#"{"code":-1000,"msg":"no"}"#.to_owned());
    venue.script.refusals.lock().unwrap().push_back(failure);
    read_again(&venue).await;
    assert!(venue.script.refusals.lock().unwrap().is_empty());
    assert_eq!(symbols(&mut running).await, [(BITCOIN.to_owned(), true)]);
    list(&venue, exchange_info(&[BITCOIN, ETHER]));
    venue.opened(2).await;
    list(&venue, exchange_info(&[ADA, BITCOIN, ETHER]));
    read_again(&venue).await;
    assert_eq!(symbols(&mut running).await, both(true), "who came first stays");
    list(&venue, exchange_info(&[ADA, ETHER]));
    read_again(&venue).await;
    assert_eq!(
        symbols(&mut running).await,
        [(ETHER.to_owned(), true)],
        "the place of a symbol that is gone is kept for it"
    );
}
