//! Held orders through the whole service: the ticker, the sender, and a restart.

use super::refusals::{invalid, mismatch, plain, reason};
use super::*;
use mesh::error::Kind;

/// A sell of one bitcoin that waits for this price.
fn stop(id: &str, at: &str) -> pb::SubmitOrderRequest {
    pb::SubmitOrderRequest {
        side: pb::Side::Sell as i32,
        r#type: pb::OrderType::Stop as i32,
        stop_price: at.into(),
        ..submit(id, "1", "")
    }
}

impl Bench {
    fn move_to(&self, price: &str) {
        self.price.send_replace(price.to_owned());
    }

    async fn submitted(&self, order: pb::SubmitOrderRequest) -> pb::Order {
        let answer = self.client().submit_order(self.ask(order)).await;
        answer.unwrap().into_inner().order.unwrap()
    }

    fn placements(&self, venue_id: &str) -> usize {
        self.venue
            .placed()
            .iter()
            .filter(|placed| placed.venue_id == venue_id)
            .count()
    }
}

#[tokio::test]
async fn a_stop_goes_once_whatever_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let near = bench.submitted(stop("near", "95")).await;
    assert_eq!(near.status(), OrderStatus::PendingTrigger);
    assert_eq!((near.r#type(), near.stop_price.as_str()), (pb::OrderType::Stop, "95"));
    let emulated = [pb::Emulation::Trigger, pb::Emulation::Collar];
    assert_eq!(near.emulated().collect::<Vec<_>>(), emulated);
    let far = bench.submitted(stop("far", "90")).await;
    bench.move_to("95");
    let gone = bench.until(&near.order_id, OrderStatus::Open).await;
    assert!(gone.trigger_time.is_some());
    let venue = bench.stop().await;

    let bench = start(folder.path(), Some(venue)).await;
    assert_eq!(
        bench.submitted(stop("far", "90")).await,
        far,
        "a repeat is answered as its original was"
    );
    bench.move_to("80");
    bench.until(&far.order_id, OrderStatus::Open).await;
    assert_eq!(bench.placements(&gone.venue_order_id), 1);
    assert_eq!(
        bench.venue.placed().last().unwrap().price.to_string(),
        "76",
        "the collar around the price that fired it"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_trigger_whose_sending_was_lost_goes_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let order = bench.submitted(stop("s", "95")).await;
    bench.venue.on_place([crate::venue::fake::Fate::Lost]);
    bench.move_to("95");
    bench.until(&order.order_id, OrderStatus::Unknown).await;
    let venue = bench.stop().await;
    let bench = start(folder.path(), Some(venue)).await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    // The one that was lost, and the one that came: under one id, although another owner sent it.
    assert_eq!(bench.placements(&open.venue_order_id), 2);
    bench.stop().await;
}

#[tokio::test]
async fn an_iceberg_goes_where_the_venue_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let iceberg = |id: &str| pb::SubmitOrderRequest {
        display_quantity: "0.25".into(),
        ..submit(id, "1", "99")
    };
    let order = bench.submitted(iceberg("shown")).await;
    let open = bench.until(&order.order_id, OrderStatus::Open).await;
    assert_eq!(open.display_quantity, "0.25");
    let placed = bench.venue.placed().pop().unwrap();
    assert_eq!(placed.display_quantity, Some("0.25".parse().unwrap()));
    bench.stop().await;
}

#[tokio::test]
async fn a_bracket_and_a_replacement_run_through() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let child = |id: &str, edit: fn(&mut pb::SubmitOrderRequest)| {
        let mut order = pb::SubmitOrderRequest {
            side: pb::Side::Sell as i32,
            ..submit(id, "", "")
        };
        edit(&mut order);
        order
    };
    let group = pb::SubmitGroupRequest {
        account_id: "paper-1".into(),
        r#type: pb::GroupType::Bracket as i32,
        orders: vec![
            submit("entry", "2", "99"),
            child("profit", |it| {
                (it.r#type, it.price) = (pb::OrderType::Limit as i32, "110".into())
            }),
            child("loss", |it| {
                (it.r#type, it.stop_price) = (pb::OrderType::Stop as i32, "90".into())
            }),
        ],
    };
    let answer = bench.client().submit_group(bench.ask(group.clone())).await.unwrap();
    let orders = answer.into_inner().orders;
    let [entry, profit, loss] = orders.as_slice() else {
        panic!()
    };
    assert_eq!(
        (entry.group_type(), &entry.parent_order_id),
        (pb::GroupType::Bracket, &String::new())
    );
    for child in [profit, loss] {
        assert_eq!(
            (&child.parent_order_id, &child.group_id),
            (&entry.order_id, &entry.order_id)
        );
        assert_eq!(
            (child.status(), child.quantity.as_str()),
            (OrderStatus::PendingTrigger, "0")
        );
    }
    let open = bench.until(&entry.order_id, OrderStatus::Open).await;
    bench.venue.fill(&open.venue_order_id, "99", "2").await;
    let resting = bench.until(&profit.order_id, OrderStatus::Open).await;
    assert_eq!(resting.quantity, "2");
    bench.venue.fill(&resting.venue_order_id, "110", "2").await;
    let over = bench.until(&loss.order_id, OrderStatus::Cancelled).await;
    assert_eq!(over.reason, "OCO_FILLED");
    let again = bench.client().submit_group(bench.ask(group.clone())).await.unwrap();
    assert_eq!(again.into_inner().orders.len(), 3);
    let mut other = group;
    other.orders[0].quantity = "3".into();
    assert_eq!(
        reason(bench.client().submit_group(bench.ask(other)).await),
        plain(Kind::Conflict, "IDEMPOTENCY_CONFLICT")
    );

    let old = bench.place("old", "2", "98").await;
    let old = bench.until(&old.order_id, OrderStatus::Open).await;
    bench.venue.fill(&old.venue_order_id, "98", "1").await;
    bench.until(&old.order_id, OrderStatus::PartiallyFilled).await;
    let replace = pb::ReplaceOrderRequest {
        account_id: "paper-1".into(),
        order_id: old.order_id.clone(),
        client_order_id: "new".into(),
        quantity: "4".into(),
        price: "97".into(),
        stop_price: String::new(),
    };
    let answer = bench.client().replace_order(bench.ask(replace.clone())).await.unwrap();
    let answer = answer.into_inner();
    let (new, replaced) = (answer.order.unwrap(), answer.replaced.unwrap());
    assert_eq!((&new.replaces, &replaced.replaced_by), (&old.order_id, &new.order_id));
    let open = bench.until(&new.order_id, OrderStatus::Open).await;
    assert_eq!((open.quantity.as_str(), open.price.as_str()), ("3", "97"));
    let end = bench.until(&old.order_id, OrderStatus::Cancelled).await;
    assert_eq!(end.reason, "REPLACED");
    let nothing = pb::ReplaceOrderRequest {
        quantity: String::new(),
        price: String::new(),
        ..replace.clone()
    };
    assert_eq!(
        reason(bench.client().replace_order(bench.ask(nothing)).await),
        mismatch("quantity")
    );
    let none = pb::ReplaceOrderRequest {
        quantity: "0".into(),
        ..replace
    };
    assert_eq!(
        reason(bench.client().replace_order(bench.ask(none)).await),
        invalid("quantity")
    );
    bench.stop().await;
}
