//! Cancel on disconnect: a stream that ends without a goodbye takes the orders along, after its grace period.

use super::refusals::{invalid, plain, reason};
use super::*;
use mesh::error::Kind;

fn open(session: &str, grace_ms: i32) -> pb::OpenSessionRequest {
    pb::OpenSessionRequest {
        account_id: "paper-1".into(),
        session_id: session.into(),
        grace_ms,
        symbol: String::new(),
        strategy: String::new(),
    }
}

async fn hold(bench: &Bench, request: pb::OpenSessionRequest) -> tonic::Streaming<pb::OpenSessionResponse> {
    let mut stream = bench
        .client()
        .open_session(bench.ask(request))
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert!(first.interval_ms > 0 && first.time.is_some());
    stream
}

async fn rest(bench: &Bench, id: &str) -> pb::Order {
    let order = bench.place(id, "1", "99").await;
    bench.until(&order.order_id, OrderStatus::Open).await
}

async fn status(bench: &Bench, order: &pb::Order) -> OrderStatus {
    let get = pb::GetOrderRequest {
        account_id: "paper-1".into(),
        order_id: order.order_id.clone(),
    };
    let answer = bench.client().get_order(bench.ask(get)).await.unwrap().into_inner();
    answer.order.unwrap().status()
}

#[tokio::test]
async fn a_stream_that_ends_takes_the_orders_along() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = rest(&bench, "a").await;
    let first = hold(&bench, open("desk", 1)).await;
    // Two streams hold it: it is lost with the second.
    let second = hold(&bench, open("desk", 1)).await;
    drop(first);
    let elsewhere = pb::OpenSessionRequest {
        symbol: "ETHUSDT".into(),
        ..open("other", 1)
    };
    drop(hold(&bench, elsewhere).await);
    // The other session is over, and its symbol was another one.
    eventually(async || {
        let shards = bench
            .client()
            .list_shards(pb::ListShardsRequest {})
            .await
            .unwrap()
            .into_inner()
            .shards;
        let shard = order.order_id.split('-').next().unwrap().parse::<usize>().unwrap();
        closed(&bench, &shards[shard]).await.then_some(())
    })
    .await;
    assert_eq!(status(&bench, &order).await, OrderStatus::Open);
    drop(second);
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.stop().await;
}

/// Whether a session was lost in this shard's journal.
async fn closed(bench: &Bench, shard: &pb::Shard) -> bool {
    let follow = pb::StreamShardEventsRequest {
        shard: shard.shard,
        from_sequence: 1,
    };
    let mut events = bench.client().stream_shard_events(follow).await.unwrap().into_inner();
    for _ in 0..shard.last_sequence {
        let event = events.message().await.unwrap().unwrap().event.unwrap().event.unwrap();
        if matches!(event, pb::trading_event::Event::SessionClosed(closed) if closed.lost) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn a_goodbye_and_a_return_within_grace_leave_the_orders() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = rest(&bench, "a").await;
    let mut stream = hold(&bench, open("desk", 1)).await;
    let goodbye = |session: &str| pb::CloseSessionRequest {
        account_id: "paper-1".into(),
        session_id: session.into(),
    };
    bench.client().close_session(bench.ask(goodbye("desk"))).await.unwrap();
    assert_eq!(stream.message().await.unwrap(), None, "its stream ends");
    bench.client().close_session(bench.ask(goodbye("never"))).await.unwrap();
    // Lost, and back before its grace is over: the timer of the first loss means nothing any more.
    drop(hold(&bench, open("back", 60_000)).await);
    let back = hold(&bench, open("back", 60_000)).await;
    // A session that is lost at once shows that timers run.
    let marker = pb::OpenSessionRequest {
        symbol: "ETHUSDT".into(),
        ..open("marker", 1)
    };
    drop(hold(&bench, marker).await);
    let shard: usize = order.order_id.split('-').next().unwrap().parse().unwrap();
    eventually(async || {
        let shards = bench
            .client()
            .list_shards(pb::ListShardsRequest {})
            .await
            .unwrap()
            .into_inner()
            .shards;
        closed(&bench, &shards[shard]).await.then_some(())
    })
    .await;
    assert_eq!(status(&bench, &order).await, OrderStatus::Open);
    drop(back);
    bench.stop().await;
}

#[tokio::test]
async fn a_restart_does_not_forget_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = rest(&bench, "a").await;
    // A process that ends takes no orders along: its client may be back before the grace of the next one is over.
    let stream = hold(&bench, open("desk", 50)).await;
    let venue = bench.stop().await;
    drop(stream);
    assert!(venue.cancelled().iter().all(|id| *id != order.venue_order_id));
    let bench = begin(folder.path(), Some(venue), config()).await;
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.stop().await;
}

#[tokio::test]
async fn sessions_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    type Edit = fn(&mut pb::OpenSessionRequest);
    let table: [(Edit, &str); 6] = [
        (|it| it.session_id.clear(), "session_id"),
        (|it| it.session_id = "x".repeat(37), "session_id"),
        (|it| it.grace_ms = -1, "grace_ms"),
        (|it| it.grace_ms = 60_001, "grace_ms"),
        (|it| it.symbol = "?".into(), "symbol"),
        (|it| it.account_id = "?".into(), "account_id"),
    ];
    for (edit, field) in table {
        let mut request = open("s", 0);
        edit(&mut request);
        assert_eq!(
            reason(bench.client().open_session(bench.ask(request)).await),
            invalid(field)
        );
    }
    let request = bench.ask_as(open("s", 0), &["viewer"], &["*"]);
    assert_eq!(
        reason(bench.client().open_session(request).await),
        plain(Kind::Denied, "PERMISSION_DENIED")
    );
    let mut held = Vec::new();
    for number in 0..16 {
        held.push(hold(&bench, open(&format!("s-{number}"), 0)).await);
    }
    assert_eq!(
        reason(bench.client().open_session(bench.ask(open("one-more", 0))).await),
        plain(Kind::Refused, "SESSION_LIMIT")
    );
    bench.stop().await;
}
