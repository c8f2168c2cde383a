//! Orders between shard and venue: answers lost, fills late, gaps, restarts.

use super::*;
use crate::core::{VenueState, VenueStatus};
use crate::venue::fake::Fate;
use crate::venue::{Placement, UserData, VenueError, VenueOrder};

async fn cancel(bench: &Bench, order_id: &str) {
    let cancel = pb::CancelOrderRequest {
        account_id: "paper-1".into(),
        order_id: order_id.into(),
        request_id: "r".into(),
    };
    bench.client().cancel_order(bench.ask(cancel)).await.unwrap();
}

fn rejected() -> VenueError {
    VenueError::Rejected {
        reason: "VENUE_BALANCE".into(),
        message: "no".into(),
    }
}

#[tokio::test]
async fn what_becomes_of_a_placement() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let wait = VenueError::Limited(Duration::from_millis(1));
    let unsent = VenueError::NotSent("refused".into());
    let table: Vec<(Vec<Fate>, usize, OrderStatus, &str)> = vec![
        (vec![], 0, OrderStatus::Open, ""),
        (vec![Fate::AnswerLost], 2, OrderStatus::Open, ""),
        (vec![Fate::Lost], 0, OrderStatus::Rejected, "NEVER_REACHED_VENUE"),
        (
            vec![Fate::Answer(rejected())],
            0,
            OrderStatus::Rejected,
            "VENUE_BALANCE",
        ),
        (
            vec![Fate::Answer(wait), Fate::Answer(unsent.clone())],
            0,
            OrderStatus::Open,
            "",
        ),
        (
            vec![Fate::Answer(unsent); 20_000],
            0,
            OrderStatus::Rejected,
            "SEND_WINDOW_PASSED",
        ),
    ];
    for (index, (fates, failing, status, reason)) in table.into_iter().enumerate() {
        bench.venue.on_place(fates);
        bench.venue.fail_queries(failing);
        let order = bench.place(&format!("t-{index}"), "1", "99").await;
        let order = bench.until(&order.order_id, status).await;
        assert_eq!(order.reason, reason, "{index}");
        bench.venue.clear();
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_market_order_goes_as_ioc_at_its_collar() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("m", "1", "").await;
    bench.until(&order.order_id, OrderStatus::Open).await;
    let placement = bench.venue.placed().pop().unwrap();
    assert_eq!(
        placement.kind,
        crate::venue::PlacementKind::Limit(domain::TimeInForce::Ioc)
    );
    assert_eq!(placement.price.to_string(), "105");
    let mut maker = submit("k", "1", "99");
    maker.r#type = pb::OrderType::LimitMaker as i32;
    bench.client().submit_order(bench.ask(maker)).await.unwrap();
    bench.venue.wait_placed(3).await;
    assert_eq!(
        bench.venue.placed().pop().unwrap().kind,
        crate::venue::PlacementKind::LimitMaker
    );
    bench.stop().await;
}

#[tokio::test]
async fn fills_count_once_and_gaps_are_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("g", "3", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    let venue_id = open.venue_order_id.clone();
    bench.venue.mute(true);
    bench.venue.fill(&venue_id, "99", "1").await;
    bench.venue.mute(false);
    // The stream tells the second trade only: the cumulative quantity shows the gap.
    let second = bench.venue.fill(&venue_id, "98", "1").await;
    bench
        .until_order(&order.order_id, |order| order.filled_quantity == "2")
        .await;
    let account = domain::AccountId::parse("paper-1").unwrap();
    let state = VenueState {
        status: VenueStatus::Live,
        executed: "2".parse().unwrap(),
        trades: vec![second],
        venue_order: "1".into(),
        reason: String::new(),
    };
    let again = VenueOrder {
        venue_id: venue_id.clone(),
        state,
    };
    bench
        .venue
        .tell(UserData::Order(account.clone(), Box::new(again.clone())))
        .await;
    let foreign = VenueOrder {
        venue_id: "somebody-elses".into(),
        ..again
    };
    bench
        .venue
        .tell(UserData::Order(account, Box::new(foreign.clone())))
        .await;
    let nobody = domain::AccountId::parse("nobody").unwrap();
    bench.venue.tell(UserData::Order(nobody, Box::new(foreign))).await;
    bench.venue.fill(&venue_id, "97", "1").await;
    let filled = bench.until(&order.order_id, OrderStatus::Filled).await;
    assert_eq!(
        (filled.filled_quantity.as_str(), filled.average_price.as_str()),
        ("3", "98")
    );
    bench.stop().await;
}

#[tokio::test]
async fn cancels_find_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let wait = VenueError::Limited(Duration::from_millis(1));
    let unsent = VenueError::NotSent("refused".into());
    for (index, fates) in [
        vec![],
        vec![Fate::AnswerLost],
        vec![Fate::Lost, Fate::Lost],
        vec![Fate::Answer(wait), Fate::Answer(unsent)],
        vec![Fate::Answer(rejected())],
    ]
    .into_iter()
    .enumerate()
    {
        let order = bench.place(&format!("c-{index}"), "1", "99").await;
        bench.until(&order.order_id, OrderStatus::Open).await;
        bench.venue.on_cancel(fates);
        cancel(&bench, &order.order_id).await;
        let end = bench.until(&order.order_id, OrderStatus::Cancelled).await;
        assert!(bench.venue.cancelled().contains(&end.venue_order_id), "{index}");
    }
    // The fill that was under way when the cancel arrived.
    let order = bench.place("late", "2", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    cancel(&bench, &order.order_id).await;
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.venue.fill(&open.venue_order_id, "99", "1").await;
    let late = bench
        .until_order(&order.order_id, |order| order.filled_quantity == "1")
        .await;
    assert_eq!(late.status(), OrderStatus::Cancelled);
    bench.stop().await;
}

#[tokio::test]
async fn a_lost_stream_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("r", "2", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    bench.venue.mute(true);
    bench.venue.fill(&open.venue_order_id, "99", "1").await;
    bench.venue.mute(false);
    bench.venue.reconnect().await;
    bench.until(&order.order_id, OrderStatus::PartiallyFilled).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let first = bench.place("a", "2", "99").await;
    let open = bench.until(&first.order_id, OrderStatus::Open).await;
    bench.venue.fill(&open.venue_order_id, "99", "1").await;
    bench.until(&first.order_id, OrderStatus::PartiallyFilled).await;
    bench.venue.on_place([Fate::Lost]);
    let second = bench.place("b", "1", "99").await;
    bench.until(&second.order_id, OrderStatus::Unknown).await;
    let venue = bench.stop().await;
    // While we were away.
    venue.fill(&open.venue_order_id, "99", "1").await;

    let bench = start(folder.path(), Some(venue)).await;
    let filled = bench.until(&first.order_id, OrderStatus::Filled).await;
    assert_eq!(filled.filled_quantity, "2");
    let lost = bench.until(&second.order_id, OrderStatus::Rejected).await;
    assert_eq!(lost.reason, "NEVER_REACHED_VENUE");
    assert_eq!(
        bench.place("a", "2", "99").await.order_id,
        first.order_id,
        "its key is remembered"
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_order_beyond_the_journals_end_halts_trading() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("a", "1", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    let known = bench.venue.placed().pop().unwrap();
    let (prefix, _) = open.venue_order_id.rsplit_once('-').unwrap();
    bench.venue.insert(Placement {
        venue_id: format!("{prefix}-zzzz"),
        ..known.clone()
    });
    bench.venue.insert(Placement {
        venue_id: "by-hand".into(),
        ..known
    });
    bench.venue.reconnect().await;
    let halted = async {
        loop {
            let halts = bench
                .client()
                .list_halts(bench.ask(pb::ListHaltsRequest {}))
                .await
                .unwrap()
                .into_inner()
                .halts;
            if let Some(halt) = halts.first() {
                return halt.reason.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let reason = tokio::time::timeout(Duration::from_secs(20), halted).await.unwrap();
    assert!(reason.starts_with("DECISIONS_LOST"), "{reason}");
    cancel(&bench, &order.order_id).await;
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let bed = || Bed::new(folder.path(), Clock::system(), Chance::seeded(1));
    let bad = Config { shards: 0, ..config() };
    assert_eq!(
        build(bad, bed().deps("trading")).await.err().unwrap().reason(),
        "CONFIG_VALUE"
    );
    let first = bed();
    let running = build(config(), first.deps("trading")).await.unwrap();
    assert_eq!(running.name, crate::NAME);
    let locked = build(config(), bed().deps("trading")).await.err().unwrap();
    assert_eq!(locked.reason(), "JOURNAL_LOCKED");
    first.shutdown().stop(Duration::from_secs(5)).await;
    let fewer = Config { shards: 1, ..config() };
    assert_eq!(
        build(fewer, bed().deps("trading")).await.err().unwrap().reason(),
        "SHARDS_CHANGED"
    );
    std::fs::remove_file(folder.path().join("trading/shards")).unwrap();
    std::fs::create_dir(folder.path().join("trading/shards")).unwrap();
    assert_eq!(
        build(config(), bed().deps("trading")).await.err().unwrap().reason(),
        "DATA_DIR"
    );
}
