//! Looks at accounts against the fake venue: on start, on reconnect, and every interval.

use super::refusals::{plain, reason};
use super::*;
use crate::core::VenueStatus;
use crate::reconcile::FIRST_LOOKS;
use crate::venue::fake::Look;
use crate::venue::{Pace, Placement, UserData};
use domain::{AccountId, Symbol};
use mesh::error::Kind;

/// Looks come quickly one after the other.
fn busy() -> Config {
    Config {
        reconcile_interval_ms: 5,
        ..config()
    }
}

pub(super) async fn alerts(bench: &Bench) -> Vec<pb::Alert> {
    let list = pb::ListAlertsRequest::default();
    bench
        .client()
        .list_alerts(bench.ask(list))
        .await
        .unwrap()
        .into_inner()
        .alerts
}

async fn alert(bench: &Bench, reason: &str) -> pb::Alert {
    eventually(async || alerts(bench).await.into_iter().find(|alert| alert.reason == reason)).await
}

async fn external(bench: &Bench) -> Vec<pb::ExternalOrder> {
    let list = pb::ListExternalOrdersRequest {
        account_id: "paper-1".into(),
        ..Default::default()
    };
    bench
        .client()
        .list_external_orders(bench.ask(list))
        .await
        .unwrap()
        .into_inner()
        .orders
}

fn by_hand(id: &str, symbol: &str, price: &str) -> Placement {
    Placement {
        account: AccountId::parse("paper-1").unwrap(),
        symbol: Symbol::parse(symbol).unwrap(),
        venue_id: id.into(),
        side: domain::Side::Buy,
        kind: crate::venue::PlacementKind::LimitMaker,
        price: price.parse().unwrap(),
        quantity: "10".parse().unwrap(),
        display_quantity: None,
        signed: domain::Timestamp::EPOCH,
    }
}

#[tokio::test]
async fn an_idle_account_costs_one_cheap_question() {
    let folder = tempfile::tempdir().unwrap();
    let venue = start(folder.path(), None).await.stop().await;
    let before = venue.looks().len();
    let bench = begin(folder.path(), Some(venue), config()).await;
    let mut looks = bench.venue.looks().split_off(before);
    looks.sort_by_key(|look| format!("{look:?}"));
    let expected = accounts().into_iter().map(|account| Look::Balances(account, Pace::Now));
    assert_eq!(looks, expected.collect::<Vec<_>>());
    // One that has an order is asked for its symbol, and no more.
    bench.quoted().await;
    let order = bench.place("a", "1", "99").await;
    bench.until(&order.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;
    let before = venue.looks().len();
    let bench = begin(folder.path(), Some(venue), config()).await;
    let looks = bench.venue.looks().split_off(before);
    let lists: Vec<_> = looks
        .iter()
        .filter(|look| matches!(look, Look::OpenOrders(..)))
        .collect();
    let btc = Symbol::parse("BTCUSDT").unwrap();
    let paper = AccountId::parse("paper-1").unwrap();
    assert_eq!(lists, [&Look::OpenOrders(paper, Some(btc), Pace::Now)]);
    bench.stop().await;
}

#[tokio::test]
async fn few_accounts_are_compared_for_the_first_time_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Arc::new(FakeVenue::new(Clock::system()));
    let answers = venue.hold_looks();
    let count = 2 * FIRST_LOOKS + 5;
    let many = (1..=count).map(|number| AccountId::parse(&format!("paper-{number}")).unwrap());
    let patient = Config {
        ready_bound_ms: 3_600_000,
        ..config()
    };
    let bench = launch(folder.path(), Some(Arc::clone(&venue)), patient, many.collect()).await;
    for answered in 0..count {
        // All that may be under way are before one of them is answered.
        let under_way = FIRST_LOOKS.min(count - answered);
        eventually(async || (venue.looks().len() == answered && venue.looks_under_way().0 >= under_way).then_some(()))
            .await;
        assert!(
            !bench.readiness.is_ready(),
            "{answered} of {count} accounts are in step"
        );
        answers.add_permits(1);
    }
    bench.readiness.ready().await;
    assert_eq!(venue.looks_under_way(), (0, FIRST_LOOKS));
    // Of an account that is not here nothing is asked; the one after it is looked at again.
    let [stranger, known] = ["stranger", "paper-1"].map(|name| AccountId::parse(name).unwrap());
    venue.tell(UserData::Subscribed(stranger)).await;
    venue.tell(UserData::Subscribed(known.clone())).await;
    answers.add_permits(1);
    let last = eventually(async || venue.looks().get(count).cloned()).await;
    assert_eq!(last, Look::Balances(known, Pace::Now));
    bench.stop().await;
}

#[tokio::test]
async fn an_order_of_somebody_else_is_adopted_reserved_and_released() {
    let folder = tempfile::tempdir().unwrap();
    let bench = begin(folder.path(), None, busy()).await;
    bench.quoted().await;
    // 9,500 lots of value: with it in the way, an order that fitted before does not any more.
    let mut huge = by_hand("by-hand", "BTCUSDT", "50");
    huge.quantity = "19990".parse().unwrap();
    bench.venue.insert(huge);
    let found = alert(&bench, "EXTERNAL_ORDER").await;
    assert!(found.message.contains("by-hand"), "{}", found.message);
    let listed = external(&bench).await;
    assert_eq!(
        (
            listed[0].client_order_id.as_str(),
            listed[0].reserved.as_str(),
            listed[0].reserved_asset.as_str()
        ),
        ("by-hand", "999500", "USDT")
    );
    assert_eq!(
        reason(bench.client().submit_order(bench.ask(submit("poor", "10", "99"))).await),
        plain(Kind::Refused, "BUYING_POWER")
    );
    // An id that is known to be on another symbol is found by what it locks.
    bench.venue.insert(by_hand("elsewhere", "XYZUSDT", "1"));
    let listed = eventually(async || Some(external(&bench).await).filter(|listed| listed.len() == 2)).await;
    assert!(
        listed
            .iter()
            .any(|order| order.client_order_id == "elsewhere" && order.reserved.is_empty())
    );
    let page = pb::ListExternalOrdersRequest {
        account_id: "paper-1".into(),
        page_size: 1,
        page_token: String::new(),
    };
    let first = bench
        .client()
        .list_external_orders(bench.ask(page.clone()))
        .await
        .unwrap()
        .into_inner();
    let page = pb::ListExternalOrdersRequest {
        page_token: first.next_page_token,
        ..page
    };
    let second = bench
        .client()
        .list_external_orders(bench.ask(page))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((second.orders.len(), second.next_page_token.as_str()), (1, ""));
    assert_ne!(first.orders, second.orders);
    let venue = bench.stop().await;

    let bench = begin(folder.path(), Some(venue), busy()).await;
    assert_eq!(external(&bench).await.len(), 2, "a restart remembers them");
    for id in ["by-hand", "elsewhere"] {
        bench.venue.end(id, VenueStatus::Cancelled);
    }
    eventually(async || external(&bench).await.is_empty().then_some(())).await;
    bench.quoted().await;
    bench.place("rich", "10", "99").await;
    bench.stop().await;
}

#[tokio::test]
async fn holdings_that_stay_different_are_adopted_and_a_failed_look_is_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let bench = begin(folder.path(), None, busy()).await;
    bench.quoted().await;
    let order = bench.place("a", "1", "99").await;
    bench.until(&order.order_id, OrderStatus::Open).await;
    // Nothing is answered for a while: nobody takes that for an empty account.
    bench.venue.fail_looks(50);
    let before = bench.venue.looks().len();
    eventually(async || (bench.venue.looks().len() > before + 50).then_some(())).await;
    let told = alerts(&bench).await;
    assert!(told.iter().any(|alert| alert.account_id == "paper-1"), "{told:?}");
    let is_silence = |alert: &pb::Alert| alert.reason == "VENUE_NOT_REACHED";
    assert!(told.iter().all(is_silence), "{told:?}");
    let findings = async || {
        let mut found = alerts(&bench).await;
        found.retain(|alert| !is_silence(alert));
        found
    };
    bench.venue.hold("paper-1", "BTC", "-3");
    bench.venue.hold("paper-1", "DUST", "7");
    let adjusted = eventually(async || {
        let found = findings().await;
        (found.len() >= 2).then_some(found)
    })
    .await;
    assert!(
        adjusted.iter().all(|alert| alert.reason == "BALANCE_ADJUSTED"),
        "{adjusted:?}"
    );
    let shown: Vec<&str> = adjusted.iter().map(|alert| alert.message.as_str()).collect();
    assert!(
        shown.iter().any(|text| text.contains("BTC 10 here, 7 at the venue")),
        "{shown:?}"
    );
    assert!(
        shown.iter().any(|text| text.contains("DUST 0 here, 7 at the venue")),
        "{shown:?}"
    );
    // Fills that nobody told are fetched, not adopted as a difference.
    let venue_id = bench.venue.placed().pop().unwrap().venue_id;
    bench.venue.mute(true);
    bench.venue.fill(&venue_id, "99", "0.5").await;
    bench
        .until_order(&order.order_id, |order| order.filled_quantity == "0.5")
        .await;
    bench.venue.mute(false);
    assert_eq!(findings().await.len(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn what_ended_or_lived_on_unheard_is_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let bench = begin(folder.path(), None, busy()).await;
    bench.quoted().await;
    let order = bench.place("a", "1", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    // It ends at the venue, and nobody tells.
    bench.venue.end(&open.venue_order_id, VenueStatus::Cancelled);
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    // An order that the venue does not know any more keeps its exposure, and people are told.
    let order = bench.place("b", "1", "99").await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    bench.venue.forget(&open.venue_order_id);
    let missing = alert(&bench, "ORDER_MISSING").await;
    assert!(missing.message.contains(&order.order_id), "{}", missing.message);
    let counted = async || alert(&bench, "ORDER_MISSING").await.count;
    eventually(async || (counted().await > 1).then_some(())).await;
    bench.stop().await;
}

#[tokio::test]
async fn an_order_that_was_forgotten_and_lives_is_listed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let forgetful = Config {
        closed_orders_kept: 1,
        ..busy()
    };
    let bench = begin(folder.path(), None, forgetful).await;
    bench.quoted().await;
    let mut ended = Vec::new();
    for id in ["a", "b"] {
        let order = bench.place(id, "1", "99").await;
        let order = bench.until(&order.order_id, OrderStatus::Open).await;
        bench.venue.end(&order.venue_order_id, VenueStatus::Cancelled);
        ended.push(bench.until(&order.order_id, OrderStatus::Cancelled).await);
    }
    let mut alive = by_hand(&ended[0].venue_order_id, "BTCUSDT", "99");
    alive.quantity = "1".parse().unwrap();
    bench.venue.insert(alive);
    let found = alert(&bench, "ORDER_FORGOTTEN").await;
    assert!(found.message.contains(&ended[0].order_id), "{}", found.message);
    let listed = external(&bench).await;
    assert_eq!(
        (listed[0].client_order_id.as_str(), listed[0].reserved.as_str()),
        (ended[0].venue_order_id.as_str(), "99")
    );
    // Its fill cannot be applied, and people are told.
    bench.venue.fill(&ended[0].venue_order_id, "99", "1").await;
    let told = async || {
        alerts(&bench)
            .await
            .into_iter()
            .find(|alert| alert.message.contains("its trade"))
    };
    let told = eventually(told).await;
    assert_eq!(told.reason, "ORDER_FORGOTTEN");
    eventually(async || external(&bench).await.is_empty().then_some(())).await;
    bench.stop().await;
}

#[tokio::test]
async fn an_account_that_is_not_in_step_refuses_new_orders_and_takes_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.place("a", "1", "99").await;
    bench.until(&order.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;
    venue.fail_looks(usize::MAX);
    let config = Config {
        ready_bound_ms: 1,
        ..config()
    };
    let bench = begin(folder.path(), Some(venue), config).await;
    let refused = bench.client().submit_order(bench.ask(submit("b", "1", "99"))).await;
    assert_eq!(reason(refused), plain(Kind::Unavailable, "ACCOUNT_NOT_READY"));
    let cancel = pb::CancelOrderRequest {
        account_id: "paper-1".into(),
        order_id: order.order_id.clone(),
        request_id: String::new(),
    };
    bench.client().cancel_order(bench.ask(cancel)).await.unwrap();
    bench.until(&order.order_id, OrderStatus::Cancelled).await;
    bench.venue.clear();
    bench.quoted().await;
    bench.stop().await;
}

#[tokio::test]
async fn alerts_are_paged_and_for_those_who_watch_risk() {
    let folder = tempfile::tempdir().unwrap();
    let bench = begin(folder.path(), None, busy()).await;
    for id in ["x-1", "x-2", "x-3"] {
        bench.venue.insert(by_hand(id, "BTCUSDT", "1"));
    }
    eventually(async || (alerts(&bench).await.len() == 3).then_some(())).await;
    let mut list = pb::ListAlertsRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let first = bench
        .client()
        .list_alerts(bench.ask(list.clone()))
        .await
        .unwrap()
        .into_inner();
    list.page_token = first.next_page_token;
    let second = bench
        .client()
        .list_alerts(bench.ask(list.clone()))
        .await
        .unwrap()
        .into_inner();
    let numbers: Vec<i64> = first
        .alerts
        .iter()
        .chain(&second.alerts)
        .map(|alert| alert.number)
        .collect();
    assert_eq!((numbers, second.next_page_token.as_str()), (vec![3, 2, 1], ""));
    let denied = bench.ask_as(list.clone(), &["trader"], &["*"]);
    assert_eq!(
        reason(bench.client().list_alerts(denied).await),
        plain(Kind::Denied, "PERMISSION_DENIED")
    );
    list.page_token = mesh::page::token("x");
    assert_eq!(
        reason(bench.client().list_alerts(bench.ask(list)).await).1,
        "PAGE_TOKEN_INVALID"
    );
    bench.stop().await;
}
