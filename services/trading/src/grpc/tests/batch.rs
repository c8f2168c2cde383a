//! Batches: each entry by itself, in order, and one commit for all.

use super::refusals::{invalid, plain, reason};
use super::*;
use mesh::error::Kind;
use pb::entry_result::Outcome;

/// What became of the entries: an order's client id, or a refusal's reason.
fn outcomes(results: &[pb::EntryResult]) -> Vec<String> {
    let outcome = |result: &pb::EntryResult| match result.outcome.as_ref().unwrap() {
        Outcome::Order(order) => order.client_order_id.clone(),
        Outcome::Refusal(refusal) => refusal.reason.clone(),
    };
    results.iter().map(outcome).collect()
}

fn orders(entries: Vec<pb::SubmitOrderRequest>) -> pb::SubmitOrdersRequest {
    pb::SubmitOrdersRequest {
        account_id: "paper-1".into(),
        orders: entries,
    }
}

fn entry(id: &str) -> pb::SubmitOrderRequest {
    pb::SubmitOrderRequest {
        account_id: String::new(),
        ..submit(id, "1", "99")
    }
}

async fn last_sequences(bench: &Bench) -> Vec<i64> {
    let shards = bench
        .client()
        .list_shards(pb::ListShardsRequest {})
        .await
        .unwrap()
        .into_inner()
        .shards;
    shards.iter().map(|shard| shard.last_sequence).collect()
}

#[tokio::test]
async fn entries_are_decided_by_themselves_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let stranger = pb::SubmitOrderRequest {
        account_id: "paper-2".into(),
        ..entry("stranger")
    };
    let poor = pb::SubmitOrderRequest {
        quantity: "2000".into(),
        price: "100".into(),
        ..entry("poor")
    };
    let changed = pb::SubmitOrderRequest {
        quantity: "2".into(),
        ..entry("a")
    };
    let batch = orders(vec![
        entry("a"),
        pb::SubmitOrderRequest {
            price: String::new(),
            ..entry("none")
        },
        stranger,
        poor,
        submit("b", "1", "99"),
        entry("a"),
        changed,
    ]);
    let answer = bench
        .client()
        .submit_orders(bench.ask(batch.clone()))
        .await
        .unwrap()
        .into_inner();
    let expected = [
        "a",
        "FIELD_COMBINATION",
        "FIELD_COMBINATION",
        "QUANTITY_TOO_LARGE",
        "b",
        "a",
        "IDEMPOTENCY_CONFLICT",
    ];
    assert_eq!(outcomes(&answer.results), expected);
    let Some(Outcome::Refusal(refusal)) = &answer.results[2].outcome else {
        panic!()
    };
    assert_eq!(
        (refusal.code, refusal.context["field"].as_str()),
        (tonic::Code::FailedPrecondition as i32, "account_id")
    );
    let Some(Outcome::Order(order)) = answer.results[0].outcome.clone() else {
        panic!()
    };
    bench.until(&order.order_id, OrderStatus::Open).await;
    let again = bench
        .client()
        .submit_orders(bench.ask(batch))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, answer, "a repeat is answered as its original was");

    let cancel = |order_id: &str| pb::CancelOrderRequest {
        account_id: String::new(),
        order_id: order_id.into(),
        request_id: "r".into(),
    };
    let batch = pb::CancelOrdersRequest {
        account_id: "paper-1".into(),
        cancels: vec![
            cancel(&order.order_id),
            pb::CancelOrderRequest {
                account_id: "paper-2".into(),
                ..cancel(&order.order_id)
            },
            cancel("0-zzz"),
            cancel(&order.order_id),
        ],
    };
    let answer = bench
        .client()
        .cancel_orders(bench.ask(batch))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        outcomes(&answer.results),
        ["a", "FIELD_COMBINATION", "ORDER_NOT_FOUND", "a"]
    );
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.stop().await;
}

#[tokio::test]
async fn batches_are_bounded_granted_and_may_hold_nothing_good() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let cancel = pb::CancelOrderRequest {
        order_id: "0-zzz".into(),
        ..Default::default()
    };
    for count in [0, 101] {
        let batch = orders((0..count).map(|number| entry(&format!("n-{number}"))).collect());
        assert_eq!(
            reason(bench.client().submit_orders(bench.ask(batch)).await),
            invalid("orders")
        );
        let batch = pb::CancelOrdersRequest {
            account_id: "paper-1".into(),
            cancels: vec![cancel.clone(); count],
        };
        assert_eq!(
            reason(bench.client().cancel_orders(bench.ask(batch)).await),
            invalid("cancels")
        );
    }
    let before = last_sequences(&bench).await;
    // An entry that does not fit the proto refuses the call, and nothing of it is decided.
    let formless = pb::SubmitOrderRequest {
        side: 0,
        ..entry("formless")
    };
    let batch = orders(vec![entry("good"), formless]);
    assert_eq!(
        reason(bench.client().submit_orders(bench.ask(batch)).await),
        invalid("orders[1].side")
    );
    let batch = pb::CancelOrdersRequest {
        account_id: "paper-1".into(),
        cancels: vec![
            cancel.clone(),
            cancel.clone(),
            pb::CancelOrderRequest {
                order_id: "no id!".into(),
                ..Default::default()
            },
        ],
    };
    assert_eq!(
        reason(bench.client().cancel_orders(bench.ask(batch)).await),
        invalid("cancels[2].order_id")
    );
    // Of entries that fit each is answered, even if none can be decided.
    let bad = pb::SubmitOrderRequest {
        price: String::new(),
        ..entry("bad")
    };
    let answer = bench
        .client()
        .submit_orders(bench.ask(orders(vec![bad; 2])))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(outcomes(&answer.results), ["FIELD_COMBINATION"; 2]);
    let batch = pb::CancelOrdersRequest {
        account_id: "paper-1".into(),
        cancels: vec![pb::CancelOrderRequest {
            account_id: "paper-2".into(),
            ..cancel
        }],
    };
    let answer = bench
        .client()
        .cancel_orders(bench.ask(batch.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(outcomes(&answer.results), ["FIELD_COMBINATION"]);
    assert_eq!(last_sequences(&bench).await, before, "nothing was journalled");
    let ungranted = bench.ask_as(orders(vec![entry("x")]), &["trader"], &["paper-2"]);
    assert_eq!(
        reason(bench.client().submit_orders(ungranted).await),
        plain(Kind::Denied, "ACCOUNT_NOT_GRANTED")
    );
    let viewer = bench.ask_as(batch, &["viewer"], &["*"]);
    assert_eq!(
        reason(bench.client().cancel_orders(viewer).await),
        plain(Kind::Denied, "PERMISSION_DENIED")
    );
    let full = orders((0..100).map(|number| entry(&format!("n-{number}"))).collect());
    let answer = bench
        .client()
        .submit_orders(bench.ask(full))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.results.len(), 100);
    assert!(
        answer
            .results
            .iter()
            .all(|result| matches!(result.outcome, Some(Outcome::Order(_))))
    );
    bench.stop().await;
}
