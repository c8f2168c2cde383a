//! Halts before the journals are replayed.

use super::refusals::{plain, reason};
use super::*;
use crate::start::build_when;
use crate::venue::VenueError;
use crate::venue::fake::Fate;
use mesh::error::Kind;
use tokio::sync::oneshot;

/// A service whose replay waits for a word.
async fn waiting(folder: &Path, venue: Arc<FakeVenue>) -> (Bench, oneshot::Sender<()>) {
    let clock = Clock::system();
    let bed = Bed::new(folder, clock.clone(), Chance::seeded(1));
    let (price, quotes) = watch::channel("100".to_owned());
    bed.register("data", Routes::new(MarketDataServiceServer::new(StillMarket(quotes))));
    let deps = bed.deps("trading");
    let readiness = deps.readiness.clone();
    let (go, word) = oneshot::channel();
    let may_replay = async move {
        // Nobody who goes away lets it begin.
        if word.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let service = build_when(config(), deps, venue.clone(), accounts(), may_replay)
        .await
        .unwrap();
    bed.register("trading", service.routes);
    let bench = Bench {
        bed,
        venue,
        clock,
        readiness,
        price,
    };
    (bench, go)
}

fn kill(scope: pb::HaltScope, target: &str) -> pb::HaltTradingRequest {
    pb::HaltTradingRequest {
        scope: scope as i32,
        target: target.into(),
        reason: "kill".into(),
        request_id: String::new(),
        cancel_orders: true,
    }
}

#[tokio::test]
async fn a_kill_before_replay_cancels_at_the_venue_and_is_journalled_after() {
    use pb::HaltScope::{Account, Global, Strategy, Symbol, Venue};
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("a", "1", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;

    let (bench, go) = waiting(folder.path(), venue).await;
    let get = pb::GetOrderRequest {
        account_id: "paper-1".into(),
        order_id: order.order_id.clone(),
    };
    let early = [
        reason(bench.client().get_order(bench.ask(get)).await),
        reason(bench.client().submit_order(bench.ask(submit("b", "1", "99"))).await),
        reason(bench.client().list_halts(bench.ask(pb::ListHaltsRequest {})).await),
    ];
    assert_eq!(early, [(); 3].map(|()| plain(Kind::Unavailable, "REPLAYING")));
    let unknown = bench.client().halt_trading(bench.ask(kill(Account, "nobody"))).await;
    assert_eq!(reason(unknown), plain(Kind::NotFound, "ACCOUNT_NOT_FOUND"));
    for (scope, target) in [
        (Account, "paper-2"),
        (Symbol, "ETHUSDT"),
        (Venue, "elsewhere"),
        (Strategy, "other"),
    ] {
        let set = bench
            .client()
            .halt_trading(bench.ask(kill(scope, target)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(set.cancelling, 0, "{scope:?}");
    }
    assert!(!bench.venue.cancelled().contains(&open.venue_order_id));
    // The first attempts fail: it is tried again.
    bench.venue.fail_looks(1);
    bench.venue.on_cancel([
        Fate::Answer(VenueError::Limited(Duration::from_millis(1))),
        Fate::Answer(VenueError::NotSent("refused".into())),
    ]);
    let set = bench
        .client()
        .halt_trading(bench.ask(kill(Global, "")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(set.cancelling, 1);
    assert_eq!(set.halt.unwrap().subject, "ada");
    assert!(bench.venue.cancelled().contains(&open.venue_order_id));
    assert!(!bench.readiness.is_ready());

    go.send(()).unwrap();
    bench.readiness.ready().await;
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    let refused = bench.client().submit_order(bench.ask(submit("c", "1", "99"))).await;
    assert_eq!(reason(refused), plain(Kind::Refused, "TRADING_HALTED"));
    let venue = bench.stop().await;
    assert!(!folder.path().join("trading/halts-before-replay.json").exists());

    let bench = begin(folder.path(), Some(venue), config()).await;
    let halts = bench
        .client()
        .list_halts(bench.ask(pb::ListHaltsRequest {}))
        .await
        .unwrap()
        .into_inner()
        .halts;
    assert_eq!(halts.len(), 5, "journalled: {halts:?}");
    assert!(halts.iter().all(|halt| halt.cancel_orders && halt.subject == "ada"));
    bench.stop().await;
}

/// The venue does not know which strategy an order is of: it is cancelled once the journals say so.
#[tokio::test]
async fn a_kill_of_a_strategy_before_replay_cancels_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let mut orders = Vec::new();
    for strategy in ["mean", "trend"] {
        let order = pb::SubmitOrderRequest {
            strategy: strategy.into(),
            ..submit(strategy, "1", "99")
        };
        let order = bench.client().submit_order(bench.ask(order)).await.unwrap();
        let order = order.into_inner().order.unwrap();
        orders.push(bench.until(&order.order_id, OrderStatus::Open).await);
    }
    let venue = bench.stop().await;

    let (bench, go) = waiting(folder.path(), venue).await;
    let halt = kill(pb::HaltScope::Strategy, "mean");
    let set = bench.client().halt_trading(bench.ask(halt)).await.unwrap().into_inner();
    assert_eq!(set.cancelling, 0);
    let cancelled = bench.venue.cancelled();
    assert!(orders.iter().all(|order| !cancelled.contains(&order.venue_order_id)));
    go.send(()).unwrap();
    bench.readiness.ready().await;
    bench.until(&orders[0].order_id, OrderStatus::Cancelled).await;
    assert!(!bench.venue.cancelled().contains(&orders[1].venue_order_id));
    bench.stop().await;
}

#[tokio::test]
async fn a_kill_outlives_a_process_that_never_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("a", "1", "99").await;
    bench.until(&order.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;
    let (bench, _go) = waiting(folder.path(), venue).await;
    // The venue answers nothing: the halt is kept all the same.
    bench.venue.fail_looks(usize::MAX);
    let answer = bench
        .client()
        .halt_trading(bench.ask(kill(pb::HaltScope::Account, "paper-1")))
        .await;
    assert_eq!(reason(answer), plain(Kind::Unavailable, "KILL_INCOMPLETE"));
    let venue = bench.stop().await;
    venue.clear();

    let bench = begin(folder.path(), Some(venue), config()).await;
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    let refused = bench.client().submit_order(bench.ask(submit("b", "1", "99"))).await;
    assert_eq!(reason(refused), plain(Kind::Refused, "TRADING_HALTED"));
    bench.stop().await;
    let file = folder.path().join("trading/halts-before-replay.json");
    std::fs::write(&file, "{").unwrap();
    let bed = Bed::new(folder.path(), Clock::system(), Chance::seeded(1));
    let venue = Arc::new(FakeVenue::new(Clock::system()));
    let unreadable = build_on(config(), bed.deps("trading"), venue, accounts())
        .await
        .err()
        .unwrap();
    assert_eq!(unreadable.reason(), "HALTS_FILE");
}
