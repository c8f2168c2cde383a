//! Halts: which shards they concern, and that they survive a restart.

use super::refusals::{invalid, mismatch, plain, reason};
use super::*;
use mesh::error::Kind;

#[tokio::test]
async fn halts_concern_their_shards_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let halt = |scope: pb::HaltScope, target: &str, why: &str| pb::HaltTradingRequest {
        scope: scope as i32,
        target: target.into(),
        reason: why.into(),
        request_id: String::new(),
        cancel_orders: false,
    };
    use pb::HaltScope::{Account, Global, Strategy, Symbol, Unspecified, Venue};
    for (request, expected) in [
        (halt(Unspecified, "", "drill"), invalid("scope")),
        (halt(Global, "", ""), invalid("reason")),
        (halt(Global, "", "two\nlines"), invalid("reason")),
        (halt(Global, "", &"x".repeat(257)), invalid("reason")),
        (halt(Account, &"x".repeat(65), "drill"), invalid("target")),
        (halt(Global, "x", "drill"), mismatch("target")),
        (halt(Account, "", "drill"), mismatch("target")),
        (halt(Symbol, "btc", "drill"), mismatch("target")),
        (halt(Venue, "No Venue", "drill"), mismatch("target")),
        (halt(Strategy, "", "drill"), mismatch("target")),
    ] {
        assert_eq!(reason(bench.client().halt_trading(bench.ask(request)).await), expected);
    }
    let unknown = halt(Account, "nobody", "drill");
    assert_eq!(
        reason(bench.client().halt_trading(bench.ask(unknown)).await),
        plain(Kind::NotFound, "ACCOUNT_NOT_FOUND")
    );
    for request in [
        halt(Global, "", "drill"),
        halt(Account, "paper-2", "drill"),
        halt(Symbol, "BTCUSDT", "drill"),
        halt(Venue, "fake", "drill"),
        halt(Strategy, "mean", "drill"),
    ] {
        let set = bench
            .client()
            .halt_trading(bench.ask(request))
            .await
            .unwrap()
            .into_inner()
            .halt
            .unwrap();
        assert_eq!((set.subject.as_str(), set.reason.as_str()), ("ada", "drill"));
    }
    let venue = bench.stop().await;

    let bench = begin(folder.path(), Some(venue), config()).await;
    assert!(bench.readiness.is_ready());
    let halts = bench
        .client()
        .list_halts(bench.ask(pb::ListHaltsRequest {}))
        .await
        .unwrap()
        .into_inner()
        .halts;
    let halts: Vec<_> = halts.iter().map(|halt| (halt.scope(), halt.target.as_str())).collect();
    assert_eq!(
        halts,
        [
            (Global, ""),
            (Account, "paper-2"),
            (Symbol, "BTCUSDT"),
            (Venue, "fake"),
            (Strategy, "mean")
        ]
    );
    assert_eq!(
        reason(bench.client().submit_order(bench.ask(submit("h", "1", "99"))).await),
        plain(Kind::Refused, "TRADING_HALTED")
    );
    let resume = async |scope: pb::HaltScope, target: &str| {
        let resume = pb::ResumeTradingRequest {
            scope: scope as i32,
            target: target.into(),
            request_id: String::new(),
        };
        bench.client().resume_trading(bench.ask(resume)).await.unwrap();
    };
    for (scope, target) in [(Global, ""), (Symbol, "BTCUSDT"), (Venue, "fake")] {
        resume(scope, target).await;
    }
    bench.quoted().await;
    bench.place("free", "1", "99").await;
    let labelled = |id: &str| pb::SubmitOrderRequest {
        strategy: "mean".into(),
        ..submit(id, "1", "98")
    };
    let refused = bench.client().submit_order(bench.ask(labelled("still"))).await;
    assert_eq!(reason(refused), plain(Kind::Refused, "TRADING_HALTED"));
    resume(Strategy, "mean").await;
    bench.client().submit_order(bench.ask(labelled("again"))).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_halt_cancels_what_it_covers_if_asked_to() {
    use pb::HaltScope::{Account, Global, Strategy, Symbol, Venue};
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    for (case, (scope, target, cancels)) in [
        (Symbol, "ETHUSDT", 0),
        (Account, "paper-2", 0),
        (Venue, "elsewhere", 0),
        (Strategy, "other", 0),
        (Strategy, "mean", 1),
        (Global, "", 1),
        (Symbol, "BTCUSDT", 1),
        (Account, "paper-1", 1),
        (Venue, "fake", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let order = pb::SubmitOrderRequest {
            strategy: "mean".into(),
            ..submit(&format!("o-{case}"), "1", "99")
        };
        let order = bench.client().submit_order(bench.ask(order)).await;
        let order = order.unwrap().into_inner().order.unwrap();
        bench.until(&order.order_id, OrderStatus::Open).await;
        let halt = pb::HaltTradingRequest {
            scope: scope as i32,
            target: target.into(),
            reason: "drill".into(),
            request_id: String::new(),
            cancel_orders: true,
        };
        let set = bench.client().halt_trading(bench.ask(halt)).await.unwrap().into_inner();
        assert_eq!(set.cancelling, cancels, "{scope:?} {target}");
        assert!(set.halt.unwrap().cancel_orders);
        if cancels == 0 {
            let all = pb::CancelAllOrdersRequest {
                account_id: "paper-1".into(),
                ..Default::default()
            };
            bench.client().cancel_all_orders(bench.ask(all)).await.unwrap();
        }
        bench.until(&order.order_id, OrderStatus::Cancelled).await;
        let resume = pb::ResumeTradingRequest {
            scope: scope as i32,
            target: target.into(),
            request_id: String::new(),
        };
        let denied = bench.ask_as(resume.clone(), &["bot"], &["*"]);
        assert_eq!(
            reason(bench.client().resume_trading(denied).await),
            plain(Kind::Denied, "PERMISSION_DENIED")
        );
        bench.client().resume_trading(bench.ask(resume)).await.unwrap();
    }
    bench.stop().await;
}

/// A halt that reached one shard only, because the process ended in between, is on all of them after the next start.
#[tokio::test]
async fn a_halt_that_was_set_by_half_is_whole_after_a_restart() {
    use crate::codec::{Record, encode};
    use crate::core::{Event, Halt, HaltScope};
    use domain::Timestamp;
    use mesh::journal::{FileJournal, FileJournalOptions, Journal};

    let folder = tempfile::tempdir().unwrap();
    let venue = start(folder.path(), None).await.stop().await;
    let path = folder.path().join("trading/shard-1");
    let (mut journal, _) = FileJournal::open(&path, FileJournalOptions::default()).unwrap();
    let half = |scope, target: &str| Halt {
        scope,
        target: target.into(),
        reason: "half".into(),
        subject: "ada".into(),
        time: Timestamp::from_micros(5),
        cancel_orders: false,
    };
    let halts = [half(HaltScope::Global, ""), half(HaltScope::Account, "paper-3")];
    let first = journal.next_sequence();
    let records = (first..).zip(halts).map(|(sequence, halt)| {
        let record = Record {
            sequence,
            time: halt.time,
            event: Event::HaltSet(halt),
        };
        encode(1, &record)
    });
    journal.append(records.collect()).await.unwrap();
    drop(journal);

    let bench = begin(folder.path(), Some(venue), config()).await;
    for account in ["paper-1", "paper-2", "paper-3"] {
        let order = pb::SubmitOrderRequest {
            account_id: account.into(),
            ..submit("h", "1", "99")
        };
        let refused = bench.client().submit_order(bench.ask(order)).await;
        assert_eq!(reason(refused), plain(Kind::Refused, "TRADING_HALTED"), "{account}");
    }
    bench.stop().await;
}
