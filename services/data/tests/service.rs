//! The service over real sockets: what its books, trades and bars do when the venue and the network do what they do.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod support;

use mesh::pb::data as api;
use support::{Command, Running, Venue, run, run_in};
use tonic::Streaming;

const ONE: &str = "BTCUSDT";
const BIDS: &str = r#"[["99","1"],["98","2"]]"#;
const ASKS: &str = r#"[["101","1"],["102","2"]]"#;

fn diff(symbol: &str, first: i64, last: i64, bids: &str, asks: &str) -> String {
    let name = symbol.to_ascii_lowercase();
    format!(
        r#"{{"stream":"{name}@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"{symbol}","U":{first},"u":{last},"b":{bids},"a":{asks}}}}}"#
    )
}

fn trade(symbol: &str, id: u64, price: &str, time: i64) -> String {
    let name = symbol.to_ascii_lowercase();
    format!(
        r#"{{"stream":"{name}@trade","data":{{"e":"trade","E":{time},"s":"{symbol}","t":{id},"p":"{price}","q":"2","T":{time},"m":false}}}}"#
    )
}

/// A venue with one book at update 10, and the service in step with it.
async fn in_step() -> (Venue, Running) {
    let venue = Venue::start(&[ONE]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    let running = run(venue.config()).await;
    running.readiness.ready().await;
    (venue, running)
}

/// Reads a stream of books until one is as wanted.
async fn until(stream: &mut Streaming<api::StreamBooksResponse>, wanted: impl Fn(&api::Book) -> bool) -> api::Book {
    loop {
        let book = stream.message().await.unwrap().unwrap().book.unwrap();
        if wanted(&book) {
            return book;
        }
    }
}

fn live_at(id: i64) -> impl Fn(&api::Book) -> bool {
    move |book| book.state() == api::BookState::Live && book.update_id == id
}

async fn books(running: &mut Running) -> Streaming<api::StreamBooksResponse> {
    let request = api::StreamBooksRequest {
        symbols: vec![ONE.to_owned()],
        depth: 0,
    };
    running.client.stream_books(request).await.unwrap().into_inner()
}

async fn feed(running: &mut Running) -> api::GetFeedResponse {
    running
        .client
        .get_feed(api::GetFeedRequest {})
        .await
        .unwrap()
        .into_inner()
}

fn reason(status: tonic::Status) -> String {
    mesh::Error::from(status).reason().to_owned()
}

#[tokio::test]
async fn diffs_move_the_book_and_a_gap_fetches_a_new_one() {
    let (venue, mut running) = in_step().await;
    let mut stream = books(&mut running).await;
    venue.send(&diff(ONE, 11, 12, r#"[["99.5","3"]]"#, "[]"));
    let book = until(&mut stream, live_at(12)).await;
    assert_eq!(
        (
            book.bids[0].price.as_str(),
            book.bids[0].quantity.as_str(),
            book.bids.len()
        ),
        ("99.5", "3", 3)
    );
    assert!(book.venue_time.is_some() && book.age_us >= 0);

    venue.depth(ONE, 30, BIDS, ASKS);
    venue.send(&diff(ONE, 20, 21, "[]", "[]"));
    let book = until(&mut stream, |book| {
        book.state() == api::BookState::Resyncing || book.update_id == 30
    })
    .await;
    assert!(
        book.update_id == 30 || book.bids.is_empty(),
        "a discarded book shows nothing"
    );
    until(&mut stream, live_at(30)).await;
    assert_eq!(feed(&mut running).await.gaps, 1);

    let quote = running
        .client
        .list_quotes(api::ListQuotesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(quote.quotes[0].bid.as_ref().unwrap().price, "99");
    let mut quotes = running
        .client
        .stream_quotes(api::StreamQuotesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(quotes.message().await.unwrap().unwrap().quote.unwrap().symbol, ONE);
}

#[tokio::test]
async fn a_cut_frame_resyncs_the_books_of_its_connection() {
    let (venue, mut running) = in_step().await;
    let mut stream = books(&mut running).await;
    venue.depth(ONE, 40, BIDS, ASKS);
    for other in [Command::Ping, Command::Binary] {
        venue.say(other);
    }
    let text = diff(ONE, 11, 12, "[]", "[]");
    venue.send(&text[..text.len() / 2]);
    until(&mut stream, live_at(40)).await;
    assert_eq!(feed(&mut running).await.reconnects, 0);
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_and_books_start_anew() {
    let (venue, mut running) = in_step().await;
    let mut stream = books(&mut running).await;
    for (count, command) in [(2, Command::Close), (3, Command::Drop)] {
        venue.depth(ONE, 40 + count, BIDS, ASKS);
        venue.say(command);
        venue.opened(count as usize).await;
        until(&mut stream, live_at(40 + count)).await;
    }
    let feed = feed(&mut running).await;
    assert!(feed.reconnects >= 2 && feed.connected);
}

#[tokio::test]
async fn a_silent_connection_is_opened_again() {
    let venue = Venue::start(&[ONE]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    let _running = run(data::Config {
        silence_ms: 150,
        ..venue.config()
    })
    .await;
    venue.opened(3).await;
}

#[tokio::test]
async fn a_quiet_book_is_confirmed_by_a_snapshot() {
    let venue = Venue::start(&[ONE]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    let mut running = run(data::Config {
        quiet_ms: 200,
        ..venue.config()
    })
    .await;
    running.readiness.ready().await;
    let mut stream = books(&mut running).await;
    let stale = until(&mut stream, |book| book.state() == api::BookState::Stale).await;
    assert_eq!((stale.update_id, stale.bids.len()), (10, 2), "the last known state");
    assert!(stale.age_us >= 200_000);
    until(&mut stream, live_at(10)).await;
    // The venue goes on, and the stream does not bring it: the subscription is dead.
    venue.depth(ONE, 50, BIDS, ASKS);
    venue.opened(2).await;
    until(&mut stream, live_at(50)).await;
}

#[tokio::test]
async fn the_venues_limits_and_failures_are_waited_out() {
    let venue = Venue::start(&[ONE]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    let bodies = [
        (500, None, "{}"),
        (429, Some(0), ""),
        (418, Some(0), ""),
        (200, None, "not json"),
        (400, None, "x"),
    ];
    *venue.script.refusals.lock().unwrap() = bodies
        .iter()
        .map(|(status, wait, body)| (*status, *wait, (*body).to_owned()))
        .collect();
    let mut running = run(venue.config()).await;
    let early = running
        .client
        .get_book(api::GetBookRequest {
            symbol: ONE.to_owned(),
            depth: 0,
        })
        .await;
    if let Err(status) = early {
        assert_eq!(reason(status), "INSTRUMENTS_NOT_LOADED");
    }
    running.readiness.ready().await;
    venue.script.depth.lock().unwrap().clear();
    venue.send(&diff(ONE, 90, 90, "[]", "[]"));
    venue.called("/api/v3/depth", 3).await;
    venue.depth(ONE, 90, BIDS, ASKS);
    let mut stream = books(&mut running).await;
    until(&mut stream, live_at(90)).await;
}

#[tokio::test]
async fn ready_after_a_bound_even_without_books() {
    let venue = Venue::start(&[ONE, "ETHUSDT"]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    let mut running = run(data::Config {
        ready_timeout_ms: 50,
        ..venue.config()
    })
    .await;
    running.readiness.ready().await;
    let request = api::GetBookRequest {
        symbol: "ETHUSDT".to_owned(),
        depth: 5,
    };
    let book = running
        .client
        .get_book(request)
        .await
        .unwrap()
        .into_inner()
        .book
        .unwrap();
    assert_eq!((book.state(), book.bids.len()), (api::BookState::Resyncing, 0));
}

#[tokio::test]
async fn symbols_are_split_over_connections() {
    let names = ["AAAUSDT", "BBBUSDT", "CCCUSDT"];
    let venue = Venue::start(&names).await;
    for name in names {
        venue.depth(name, 10, BIDS, ASKS);
    }
    let symbols = vec![
        "AAAUSDT".to_owned(),
        "BBBUSDT".to_owned(),
        "CCCUSDT".to_owned(),
        "NONE".to_owned(),
    ];
    let mut running = run(data::Config {
        streams_per_connection: 4,
        symbols,
        ..venue.config()
    })
    .await;
    running.readiness.ready().await;
    let mut streams = venue.script.streams.borrow().clone();
    streams.sort();
    assert_eq!(streams.len(), 2);
    assert!(streams[0].ends_with("aaausdt@depth@100ms/aaausdt@trade/bbbusdt@depth@100ms/bbbusdt@trade"));
    let feed = feed(&mut running).await;
    assert_eq!(
        (feed.live_books, feed.connected, feed.venue.as_str()),
        (3, true, "exchange")
    );
}

#[tokio::test]
async fn trades_are_listed_and_streamed() {
    let (venue, mut running) = in_step().await;
    let mut stream = running
        .client
        .stream_trades(api::StreamTradesRequest::default())
        .await
        .unwrap()
        .into_inner();
    for id in 1..=5 {
        venue.send(&trade(ONE, id, "100", 1_700_000_000_000));
    }
    venue.send(&trade(ONE, 5, "100", 1_700_000_000_000));
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let message = stream.message().await.unwrap().unwrap();
        assert_eq!(message.missed, 0);
        seen.extend(message.trades.iter().map(|trade| trade.trade_id));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    let mut request = api::ListTradesRequest {
        symbol: ONE.to_owned(),
        page_size: 2,
        page_token: String::new(),
    };
    let mut pages = Vec::new();
    loop {
        let page = running.client.list_trades(request.clone()).await.unwrap().into_inner();
        pages.push(page.trades.iter().map(|trade| trade.trade_id).collect::<Vec<_>>());
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
    let quote = running
        .client
        .list_quotes(api::ListQuotesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(quote.quotes[0].last_price, "100");
}

#[tokio::test]
async fn bad_requests_are_refused_with_their_reason() {
    let (_venue, mut running) = in_step().await;
    let client = &mut running.client;
    let book = |symbol: &str, depth| api::GetBookRequest {
        symbol: symbol.to_owned(),
        depth,
    };
    for (request, expected) in [
        (book("NONE", 0), "UNKNOWN_SYMBOL"),
        (book("", 0), "INVALID_FIELD"),
        (book(ONE, -1), "INVALID_FIELD"),
        (book(ONE, 1_001), "INVALID_FIELD"),
    ] {
        assert_eq!(reason(client.get_book(request).await.unwrap_err()), expected);
    }
    let list = |page_size, token: &str| api::ListInstrumentsRequest {
        page_size,
        page_token: token.to_owned(),
    };
    for (request, expected) in [
        (list(1_000_000_000, ""), "PAGE_SIZE_TOO_LARGE"),
        (list(-1, ""), "PAGE_SIZE_NEGATIVE"),
        (list(0, "!"), "PAGE_TOKEN_INVALID"),
    ] {
        assert_eq!(reason(client.list_instruments(request).await.unwrap_err()), expected);
    }
    let instrument = api::GetInstrumentRequest {
        symbol: "NONE".to_owned(),
    };
    assert_eq!(
        reason(client.get_instrument(instrument).await.unwrap_err()),
        "UNKNOWN_SYMBOL"
    );
    let odd_token = mesh::page::token("x");
    let trades = api::ListTradesRequest {
        symbol: ONE.to_owned(),
        page_size: 1,
        page_token: odd_token.clone(),
    };
    assert_eq!(
        reason(client.list_trades(trades).await.unwrap_err()),
        "PAGE_TOKEN_INVALID"
    );
    let bars = |symbol: &str, interval, token: &str| api::ListBarsRequest {
        symbol: symbol.to_owned(),
        interval,
        page_token: token.to_owned(),
        ..Default::default()
    };
    for (request, expected) in [
        (bars("NONE", 1, ""), "UNKNOWN_SYMBOL"),
        (bars(ONE, 0, ""), "INVALID_FIELD"),
        (bars(ONE, 9, ""), "INVALID_FIELD"),
        (bars(ONE, 1, &odd_token), "PAGE_TOKEN_INVALID"),
    ] {
        assert_eq!(reason(client.list_bars(request).await.unwrap_err()), expected);
    }
    let stream = |symbols: Vec<String>, depth| api::StreamBooksRequest { symbols, depth };
    for (request, expected) in [
        (stream(vec![], 0), "INVALID_FIELD"),
        (stream(vec![ONE.to_owned(); 1_001], 0), "INVALID_FIELD"),
        (stream(vec!["NONE".to_owned()], 0), "UNKNOWN_SYMBOL"),
        (stream(vec![ONE.to_owned()], 9_999), "INVALID_FIELD"),
    ] {
        assert_eq!(reason(client.stream_books(request).await.unwrap_err()), expected);
    }
    let bars = api::StreamBarsRequest {
        symbols: vec![ONE.to_owned()],
        interval: 0,
    };
    assert_eq!(reason(client.stream_bars(bars).await.unwrap_err()), "INVALID_FIELD");
}

#[tokio::test]
async fn instruments_are_paged() {
    let names = ["CCCUSDT", "AAAUSDT", "BBBUSDT"];
    let venue = Venue::start(&names).await;
    for name in names {
        venue.depth(name, 10, BIDS, ASKS);
    }
    let mut running = run(venue.config()).await;
    running.readiness.ready().await;
    let mut request = api::ListInstrumentsRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let first = running
        .client
        .list_instruments(request.clone())
        .await
        .unwrap()
        .into_inner();
    let symbols = |page: &api::ListInstrumentsResponse| {
        page.instruments
            .iter()
            .map(|instrument| instrument.symbol.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(symbols(&first), ["AAAUSDT", "BBBUSDT"]);
    request.page_token = first.next_page_token;
    let second = running.client.list_instruments(request).await.unwrap().into_inner();
    assert_eq!(
        (symbols(&second), second.next_page_token.as_str()),
        (vec!["CCCUSDT".to_owned()], "")
    );
    let one = api::GetInstrumentRequest {
        symbol: "AAAUSDT".to_owned(),
    };
    let one = running
        .client
        .get_instrument(one)
        .await
        .unwrap()
        .into_inner()
        .instrument
        .unwrap();
    assert_eq!(
        (one.base_asset.as_str(), one.lot_size.as_str(), one.tradable),
        ("BAAA", "0.1", true)
    );
}

#[tokio::test]
async fn a_wrong_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bed = mesh::app::testing::Bed::new(
        folder.path(),
        mesh::time::Clock::system(),
        mesh::time::Chance::seeded(1),
    );
    let config = data::Config {
        quiet_ms: 0,
        ..Default::default()
    };
    assert_eq!(
        data::build(config, bed.deps("data")).await.err().unwrap().reason(),
        "CONFIG_VALUE"
    );
}

fn micros(time: Option<mesh::pb::Timestamp>) -> i64 {
    time.unwrap().as_micros().unwrap()
}

#[tokio::test]
async fn bars_continue_the_venues_klines_and_are_kept() {
    let venue = Venue::start(&[ONE]).await;
    venue.depth(ONE, 10, BIDS, ASKS);
    venue.script.traded.store(true, std::sync::atomic::Ordering::Relaxed);
    let config = data::Config {
        bar_grace_ms: 100,
        history_bars: 60,
        ..venue.config()
    };
    let mut running = run(config.clone()).await;
    running.readiness.ready().await;
    let request = api::StreamBarsRequest {
        symbols: vec![ONE.to_owned()],
        interval: api::Interval::Interval1m.into(),
    };
    let mut minutes = running.client.stream_bars(request).await.unwrap().into_inner();
    let running_bar = loop {
        let bar = minutes.message().await.unwrap().unwrap().bar.unwrap();
        if !bar.closed {
            break bar;
        }
    };
    let calls = venue.script.calls.borrow().clone();
    let call = calls
        .iter()
        .find(|call| call.contains("klines") && call.contains("interval=1s"))
        .unwrap();
    let boundary: i64 = call
        .split("endTime=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .parse::<i64>()
        .unwrap()
        + 1;
    let minute = boundary - boundary.rem_euclid(60_000);
    assert_eq!(micros(running_bar.open_time), minute * 1_000);
    assert_eq!(
        running_bar.trade_count,
        (boundary - minute) / 1_000,
        "a trade for each second before the boundary"
    );

    // One trade in the boundary's second, one in the next.
    let request = api::StreamBarsRequest {
        symbols: vec![ONE.to_owned()],
        interval: api::Interval::Interval1s.into(),
    };
    let mut seconds = running.client.stream_bars(request).await.unwrap().into_inner();
    venue.send(&trade(ONE, 1, "105", boundary + 100));
    venue.send(&trade(ONE, 2, "95", boundary + 1_100));
    let mut closed = Vec::new();
    while closed.len() < 2 {
        let bar = seconds.message().await.unwrap().unwrap().bar.unwrap();
        if bar.closed && micros(bar.open_time) >= boundary * 1_000 {
            closed.push(bar);
        }
    }
    let list = |interval: api::Interval, start: Option<i64>, size: i32| api::ListBarsRequest {
        symbol: ONE.to_owned(),
        interval: interval.into(),
        start_time: start.map(|millis| mesh::pb::Timestamp::from_micros(millis * 1_000)),
        page_size: size,
        ..Default::default()
    };
    let second = list(api::Interval::Interval1s, Some(boundary), 1);
    let page = running.client.list_bars(second.clone()).await.unwrap().into_inner();
    let bar = &page.bars[0];
    assert_eq!(
        (bar.open.as_str(), bar.volume.as_str(), bar.trade_count, bar.closed),
        ("105", "2", 1, true)
    );
    assert_eq!((bar.quote_volume.as_str(), bar.taker_buy_volume.as_str()), ("210", "2"));
    let next = api::ListBarsRequest {
        page_token: page.next_page_token,
        ..second
    };
    let page = running.client.list_bars(next).await.unwrap().into_inner();
    assert_eq!(page.bars[0].close, "95");
    let latest = running
        .client
        .list_bars(list(api::Interval::Interval1h, None, 3))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            latest.bars.len(),
            latest.bars[2].closed,
            latest.next_page_token.as_str()
        ),
        (3, false, "")
    );
    let hour = (boundary + 1_100) - (boundary + 1_100).rem_euclid(3_600_000);
    if hour < boundary {
        assert_eq!(latest.bars[2].trade_count, (boundary - hour) / 1_000 + 2);
    }

    // What was closed outlives the process.
    let Running {
        folder, bed, client, ..
    } = running;
    drop(client);
    assert!(bed.shutdown().stop(std::time::Duration::from_secs(5)).await.is_empty());
    let mut again = run_in(folder, config).await;
    again.readiness.ready().await;
    let request = api::ListBarsRequest {
        end_time: Some(mesh::pb::Timestamp::from_micros((boundary + 1_000) * 1_000)),
        ..list(api::Interval::Interval1s, Some(boundary), 5)
    };
    let kept = again.client.list_bars(request).await.unwrap().into_inner().bars;
    assert_eq!((kept.len(), kept[0].open.as_str()), (1, "105"));
}
