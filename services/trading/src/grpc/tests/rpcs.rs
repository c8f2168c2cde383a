//! Each RPC: what it answers, and what it refuses before a shard hears of it.

use super::refusals::{invalid, mismatch, plain, reason};
use super::*;
use mesh::error::Kind;

#[tokio::test]
async fn fields_of_a_new_order() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let good = || submit("x", "1", "99");
    type Edit = fn(&mut pb::SubmitOrderRequest);
    let table: Vec<(Edit, &str)> = vec![
        (|it| it.account_id = "not an account".into(), "account_id"),
        (|it| it.strategy = "two words".into(), "strategy"),
        (|it| it.stop_price = "0".into(), "stop_price"),
        (|it| it.trail = "-1".into(), "trail"),
        (|it| it.trail_basis_points = 10_000, "trail_basis_points"),
        (|it| it.trail_basis_points = -1, "trail_basis_points"),
        (|it| it.display_quantity = "0".into(), "display_quantity"),
        (|it| it.client_order_id.clear(), "client_order_id"),
        (|it| it.client_order_id = "x".repeat(37), "client_order_id"),
        (|it| it.client_order_id = "ü".into(), "client_order_id"),
        (|it| it.symbol = "btc/usdt".into(), "symbol"),
        (|it| it.side = 0, "side"),
        (|it| it.side = 9, "side"),
        (|it| it.r#type = 0, "type"),
        (|it| it.time_in_force = 9, "time_in_force"),
        (|it| it.quantity = "1e400".into(), "quantity"),
        (|it| it.quantity = "-1".into(), "quantity"),
        (|it| it.quantity = "0".into(), "quantity"),
        (|it| it.quantity = format!("0.{}", "1".repeat(19)), "quantity"),
        (|it| it.price = "NaN".into(), "price"),
        (|it| it.price = "0".into(), "price"),
    ];
    let combinations: Vec<(Edit, &str)> = vec![
        (
            |it| (it.r#type, it.time_in_force) = (pb::OrderType::LimitMaker as i32, 1),
            "time_in_force",
        ),
        (|it| it.quantity.clear(), "quantity"),
        (|it| it.price.clear(), "price"),
        (|it| it.r#type = pb::OrderType::Market as i32, "price"),
    ];
    let forms = table.into_iter().map(|(edit, field)| (edit, invalid(field)));
    let rules = combinations.into_iter().map(|(edit, field)| (edit, mismatch(field)));
    for (index, (edit, expected)) in forms.chain(rules).enumerate() {
        let mut order = good();
        edit(&mut order);
        assert_eq!(
            reason(bench.client().submit_order(bench.ask(order)).await),
            expected,
            "{index}"
        );
    }
    let mut fok = good();
    fok.time_in_force = pb::TimeInForce::Fok as i32;
    let order = bench
        .client()
        .submit_order(bench.ask(fok))
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(order.time_in_force(), pb::TimeInForce::Fok);
    assert_eq!(order.status(), OrderStatus::PendingNew);
    let mut other = good();
    other.quantity = "2".into();
    assert_eq!(
        reason(bench.client().submit_order(bench.ask(other)).await),
        plain(Kind::Conflict, "IDEMPOTENCY_CONFLICT")
    );
    let poor = submit("poor", "2000", "100");
    assert_eq!(
        reason(bench.client().submit_order(bench.ask(poor)).await),
        plain(Kind::Refused, "QUANTITY_TOO_LARGE")
    );
    bench.stop().await;
}

#[tokio::test]
async fn grants_and_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("mine", "1", "99").await;
    let get = |account: &str, order_id: &str| pb::GetOrderRequest {
        account_id: account.into(),
        order_id: order_id.into(),
    };
    let found = bench
        .client()
        .get_order(bench.ask(get("paper-1", &order.order_id)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.order.unwrap().client_order_id, "mine");
    for (account, order_id) in [
        ("paper-2", order.order_id.as_str()),
        ("paper-3", &order.order_id),
        ("paper-1", "0-zzz"),
    ] {
        let request = bench.ask_as(get(account, order_id), &["trader"], &["*"]);
        assert_eq!(
            reason(bench.client().get_order(request).await),
            plain(Kind::NotFound, "ORDER_NOT_FOUND")
        );
        let cancel = pb::CancelOrderRequest {
            account_id: account.into(),
            order_id: order_id.into(),
            request_id: String::new(),
        };
        assert_eq!(
            reason(bench.client().cancel_order(bench.ask(cancel)).await),
            plain(Kind::NotFound, "ORDER_NOT_FOUND")
        );
    }
    let request = bench.ask_as(get("paper-1", &order.order_id), &["trader"], &["paper-2"]);
    assert_eq!(
        reason(bench.client().get_order(request).await),
        plain(Kind::Denied, "ACCOUNT_NOT_GRANTED")
    );
    let request = bench.ask_as(submit("y", "1", "99"), &["viewer"], &["*"]);
    assert_eq!(
        reason(bench.client().submit_order(request).await),
        plain(Kind::Denied, "PERMISSION_DENIED")
    );
    assert_eq!(
        reason(bench.client().get_order(bench.ask(get("nobody", "0-1"))).await),
        plain(Kind::NotFound, "ACCOUNT_NOT_FOUND")
    );
    assert_eq!(
        reason(bench.client().get_order(bench.ask(get("paper-1", "no id!"))).await),
        invalid("order_id")
    );

    let list = pb::ListAccountsRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let mut names = Vec::new();
    let mut request = list.clone();
    loop {
        let page = bench
            .client()
            .list_accounts(bench.ask_as(request, &["viewer"], &["paper-3", "paper-1"]))
            .await;
        let page = page.unwrap().into_inner();
        names.extend(page.accounts.into_iter().map(|account| account.account_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request = pb::ListAccountsRequest {
            page_token: page.next_page_token,
            ..list.clone()
        };
    }
    assert_eq!(names, ["paper-1", "paper-3"]);
    let all = bench
        .client()
        .list_accounts(pb::ListAccountsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .accounts;
    assert_eq!(all.len(), 3, "a service sees all");
    assert_eq!(all[0].venue, "fake");
    bench.stop().await;
}

#[tokio::test]
async fn pages_of_orders() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let mut placed = Vec::new();
    for number in 0..5 {
        placed.push(bench.place(&format!("p-{number}"), "1", "99").await.order_id);
    }
    let list = pb::ListOrdersRequest {
        account_id: "paper-1".into(),
        open_only: true,
        page_size: 2,
        ..Default::default()
    };
    let mut request = list.clone();
    let mut found = Vec::new();
    loop {
        let page = bench
            .client()
            .list_orders(bench.ask(request))
            .await
            .unwrap()
            .into_inner();
        assert!(page.orders.len() <= 2);
        found.extend(page.orders.into_iter().map(|order| order.order_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request = pb::ListOrdersRequest {
            page_token: page.next_page_token,
            ..list.clone()
        };
    }
    placed.reverse();
    assert_eq!(found, placed, "newest first, each once");
    let all = pb::ListOrdersRequest {
        open_only: false,
        page_size: 0,
        ..list.clone()
    };
    let all = bench
        .client()
        .list_orders(bench.ask(all))
        .await
        .unwrap()
        .into_inner()
        .orders;
    assert!(all.len() > 5, "those that are over too");
    let none = pb::ListOrdersRequest {
        symbol: "ETHUSDT".into(),
        ..list.clone()
    };
    assert!(
        bench
            .client()
            .list_orders(bench.ask(none))
            .await
            .unwrap()
            .into_inner()
            .orders
            .is_empty()
    );
    let strangers = pb::ListOrdersRequest {
        account_id: "paper-2".into(),
        ..list.clone()
    };
    assert!(
        bench
            .client()
            .list_orders(bench.ask(strangers))
            .await
            .unwrap()
            .into_inner()
            .orders
            .is_empty()
    );
    for (request, reason_expected, field) in [
        (
            pb::ListOrdersRequest {
                page_size: 1_000_000_000,
                ..list.clone()
            },
            "PAGE_SIZE_TOO_LARGE",
            "page_size",
        ),
        (
            pb::ListOrdersRequest {
                page_token: "!".into(),
                ..list.clone()
            },
            "PAGE_TOKEN_INVALID",
            "page_token",
        ),
        (
            pb::ListOrdersRequest {
                page_token: mesh::page::token("x"),
                ..list.clone()
            },
            "PAGE_TOKEN_INVALID",
            "page_token",
        ),
        (
            pb::ListOrdersRequest {
                symbol: "?".into(),
                ..list.clone()
            },
            "INVALID_FIELD",
            "symbol",
        ),
    ] {
        // It has the form of a token, and this list did not give it.
        let kind = match request.page_token == mesh::page::token("x") {
            true => Kind::Refused,
            false => Kind::Invalid,
        };
        let found = reason(bench.client().list_orders(bench.ask(request)).await);
        assert_eq!(found, (kind, reason_expected.to_owned(), field.to_owned()));
    }

    let all = pb::CancelAllOrdersRequest {
        account_id: "paper-1".into(),
        ..Default::default()
    };
    let cancelled = bench
        .client()
        .cancel_all_orders(bench.ask(all))
        .await
        .unwrap()
        .into_inner()
        .orders;
    assert_eq!(cancelled.len(), 5);
    for order_id in &placed {
        bench.until(order_id, OrderStatus::Cancelled).await;
    }
    let bad = pb::CancelAllOrdersRequest {
        account_id: "paper-1".into(),
        request_id: "x".repeat(257),
        ..Default::default()
    };
    assert_eq!(
        reason(bench.client().cancel_all_orders(bench.ask(bad)).await),
        invalid("request_id")
    );
    bench.stop().await;
}

#[tokio::test]
async fn shards_stream_their_journals() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("s", "1", "99").await;
    let shards = bench
        .client()
        .list_shards(pb::ListShardsRequest {})
        .await
        .unwrap()
        .into_inner()
        .shards;
    assert_eq!(shards.len(), 2);
    assert_ne!(shards[0].journal_id, shards[1].journal_id);
    let number: usize = order.order_id.split('-').next().unwrap().parse().unwrap();
    assert!(shards[number].last_sequence >= order.sequence);
    let follow = |shard: i32, from_sequence: i64| pb::StreamShardEventsRequest { shard, from_sequence };
    let mut events = bench
        .client()
        .stream_shard_events(follow(number as i32, 0))
        .await
        .unwrap()
        .into_inner();
    for sequence in 1..=order.sequence {
        let event = events.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!((event.shard, event.sequence), (number as i32, sequence));
    }
    assert_eq!(
        reason(bench.client().stream_shard_events(follow(9, 1)).await),
        plain(Kind::NotFound, "SHARD_NOT_FOUND")
    );
    assert_eq!(
        reason(bench.client().stream_shard_events(follow(0, -1)).await),
        invalid("from_sequence")
    );
    let bad = pb::StreamOrderEventsRequest {
        account_id: "paper-1".into(),
        from_sequence: -1,
    };
    assert_eq!(
        reason(bench.client().stream_order_events(bench.ask(bad)).await),
        invalid("from_sequence")
    );
    let users = bench.ask(follow(0, 1));
    assert_eq!(
        reason(bench.client().stream_shard_events(users).await),
        plain(Kind::Denied, "PERMISSION_DENIED")
    );
    bench.stop().await;
}

#[tokio::test]
async fn order_events_from_now_and_from_the_past_agree() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let follow = |from_sequence| pb::StreamOrderEventsRequest {
        account_id: "paper-1".into(),
        from_sequence,
    };
    let mut live = bench
        .client()
        .stream_order_events(bench.ask(follow(0)))
        .await
        .unwrap()
        .into_inner();
    let order = bench.place("e", "1", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    bench.venue.fill(&open.venue_order_id, "99", "1").await;
    let mut seen = Vec::new();
    loop {
        let event = live.message().await.unwrap().unwrap();
        seen.push(event.clone());
        if event.order.as_ref().unwrap().status() == OrderStatus::Filled {
            assert_eq!(event.fill.unwrap().price, "99");
            break;
        }
    }
    let mut past = bench
        .client()
        .stream_order_events(bench.ask(follow(order.sequence)))
        .await
        .unwrap()
        .into_inner();
    for expected in seen {
        assert_eq!(past.message().await.unwrap().unwrap(), expected);
    }
    bench.stop().await;
}
