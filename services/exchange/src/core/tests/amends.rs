//! Orders that become smaller in their place, or give way to another one.

use super::super::amend::Replace;
use super::super::filters::MAX_AMENDS;
use super::super::order::{Order, OrderKey, Refusal, Side, Status};
use super::super::request::{CancelRestriction, Legs, NewList, NewOrder, ReplaceMode};
use super::super::units::Atoms;
use super::START;
use super::bed::{Bed, LAST, iceberg, limit, maker, milli, order, stop, stop_limit};

fn amend(bed: &mut Bed, of: &Order, client_id: Option<&str>, quantity: Atoms) -> Result<Order, Refusal> {
    let key = OrderKey::Id(of.id);
    let amended = bed
        .venue
        .amend((&of.account, 0), &key, client_id, quantity, START, &mut bed.effects);
    amended.map(|(order, _)| order)
}

#[test]
fn a_smaller_order_keeps_its_place() {
    let mut bed = Bed::new();
    let first = bed.place("alice", Side::Sell, limit(LAST + 10, 10)).unwrap().order;
    bed.place("carol", Side::Sell, limit(LAST + 10, 10)).unwrap();
    let order = amend(&mut bed, &first, Some("smaller"), milli(6)).unwrap();
    assert_eq!(
        (order.quantity, order.locked, order.client_id.as_str()),
        (milli(6), milli(6), "smaller")
    );
    bed.restart();
    bed.place("bob", Side::Buy, limit(LAST + 10, 6)).unwrap();
    assert_eq!(bed.order_of("alice", first.id).status, Status::Filled);
    let alice = bed.venue.ledger().account("alice").unwrap();
    assert_eq!(
        alice.order("BTCUSDT", &OrderKey::Client("smaller".into())).unwrap().id,
        first.id
    );
    assert!(
        alice
            .order("BTCUSDT", &OrderKey::Client(first.client_id.clone()))
            .is_none()
    );
    assert_eq!(alice.amendments[0].old_quantity, milli(10));
    bed.check();
    bed.restart();
}

#[test]
fn waiting_and_hidden_orders_shrink_too() {
    let mut bed = Bed::new();
    for (side, terms) in [
        (Side::Buy, stop(false, LAST + 10, 10)),
        (Side::Buy, stop_limit(false, LAST + 10, LAST + 20, 10)),
        (Side::Sell, stop(false, LAST - 10, 10)),
        (Side::Sell, iceberg(LAST + 10, 10, 3)),
    ] {
        let whole = bed.place("alice", side, terms).unwrap().order;
        let order = amend(&mut bed, &whole, None, milli(5)).unwrap();
        assert_eq!(order.locked * 2, whole.locked);
        bed.check();
        bed.cancel(&order).unwrap();
        assert_eq!((bed.locked("alice", "USDT"), bed.locked("alice", "BTC")), (0, 0));
    }
}

#[test]
fn amendments_are_refused() {
    let mut bed = Bed::new();
    let other = bed.place("alice", Side::Sell, limit(LAST + 20, 10)).unwrap().order;
    let order = bed.place("alice", Side::Sell, limit(LAST + 10, 10)).unwrap().order;
    bed.place("bob", Side::Buy, limit(LAST + 10, 3)).unwrap();
    let legs = Legs::Oto {
        working: super::bed::order("alice", Side::Buy, limit(LAST - 10, 10)),
        pending: super::bed::order("alice", Side::Sell, limit(LAST + 10, 10)),
    };
    let new = NewList { client_id: None, legs };
    let leg = bed.venue.place_list(&new, START, &mut bed.effects).unwrap().orders[0].clone();
    let absent = Order {
        id: u64::MAX,
        ..order.clone()
    };
    let nobody = Order {
        account: "nobody".into(),
        ..order.clone()
    };
    let table = [
        (&order, None, milli(11), Refusal::AmendIncrease),
        (&order, None, milli(10), Refusal::AmendNothing),
        (&order, None, milli(3), Refusal::AmendRejected),
        (&order, None, 1, Refusal::Filter("LOT_SIZE")),
        (
            &order,
            Some(other.client_id.as_str()),
            milli(5),
            Refusal::DuplicateOrder,
        ),
        (&leg, None, milli(5), Refusal::AmendRejected),
        (&absent, None, milli(5), Refusal::UnknownOrder),
        (&nobody, None, milli(5), Refusal::NoSuchAccount),
    ];
    bed.effects.records.clear();
    for (of, client_id, quantity, expected) in table {
        assert_eq!(amend(&mut bed, of, client_id, quantity).err(), Some(expected));
    }
    assert!(bed.effects.records.is_empty());
    let same = order.client_id.clone();
    for times in 0..MAX_AMENDS {
        amend(
            &mut bed,
            &order,
            Some(&same),
            milli(10) - 1_000 * (Atoms::from(times) + 1),
        )
        .unwrap();
    }
    assert_eq!(
        amend(&mut bed, &order, None, milli(5)).err(),
        Some(Refusal::Filter("MAX_NUM_ORDER_AMENDS"))
    );
    bed.check();
}

#[test]
fn an_order_gives_way_to_another_one() {
    let mut bed = Bed::new();
    let old = bed.place("alice", Side::Buy, limit(LAST - 10, 10)).unwrap().order;
    let replace = |key: OrderKey, mode, new: NewOrder| Replace {
        key,
        cancel_client_id: Some("gone".into()),
        restriction: Some(CancelRestriction::OnlyNew),
        mode,
        new,
    };
    let key = OrderKey::Id(old.id);
    let new = order("alice", Side::Buy, limit(LAST - 20, 10));
    let asked = replace(key.clone(), ReplaceMode::StopOnFailure, new.clone());
    let done = bed.venue.replace(&asked, START, &mut bed.effects).unwrap();
    assert_eq!(done.cancelled.unwrap().status, Status::Canceled);
    let placed = done.placed.unwrap().unwrap().order;
    // the old one is gone: whether the new one is tried depends on the mode
    for (mode, tried) in [(ReplaceMode::StopOnFailure, false), (ReplaceMode::AllowFailure, true)] {
        let asked = replace(key.clone(), mode, new.clone());
        let done = bed.venue.replace(&asked, START, &mut bed.effects).unwrap();
        assert_eq!(done.cancelled, Err(Refusal::UnknownOrder));
        assert_eq!(done.placed.is_some(), tried);
    }
    // a filter that fails leaves the old one where it is, another refusal does not
    let asked = replace(
        OrderKey::Id(placed.id),
        ReplaceMode::StopOnFailure,
        order("alice", Side::Buy, limit(1, 10)),
    );
    let refused = bed.venue.replace(&asked, START, &mut bed.effects);
    assert_eq!(refused, Err(Refusal::Filter("PERCENT_PRICE_BY_SIDE")));
    assert_eq!(bed.order_of("alice", placed.id).status, Status::New);
    bed.place("bob", Side::Sell, limit(LAST - 5, 1)).unwrap();
    let takes = order("alice", Side::Buy, maker(LAST, 10));
    let asked = replace(OrderKey::Id(placed.id), ReplaceMode::StopOnFailure, takes);
    let done = bed.venue.replace(&asked, START, &mut bed.effects).unwrap();
    assert_eq!(
        (done.cancelled.is_ok(), done.placed),
        (true, Some(Err(Refusal::WouldTake)))
    );
    bed.check();
}

#[test]
fn a_cancel_may_ask_for_a_state() {
    let mut bed = Bed::new();
    let order = bed.place("alice", Side::Buy, limit(LAST - 10, 10)).unwrap().order;
    let cancel = |bed: &mut Bed, restriction| {
        let key = OrderKey::Id(order.id);
        let result = bed
            .venue
            .cancel_if("alice", 0, &key, None, Some(restriction), START, &mut bed.effects);
        result.map(|order| order.status)
    };
    assert_eq!(
        cancel(&mut bed, CancelRestriction::OnlyPartiallyFilled),
        Err(Refusal::CancelRestricted)
    );
    bed.place("bob", Side::Sell, limit(LAST - 10, 1)).unwrap();
    assert_eq!(
        cancel(&mut bed, CancelRestriction::OnlyNew),
        Err(Refusal::CancelRestricted)
    );
    assert_eq!(
        cancel(&mut bed, CancelRestriction::OnlyPartiallyFilled),
        Ok(Status::Canceled)
    );
    bed.check();
}
