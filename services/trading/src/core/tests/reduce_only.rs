//! Reduce-only orders: cut to what is held, when they are submitted and when they go.

use super::*;
use super::{groups, triggers};
use VenueStatus::{Filled, Live};
use domain::GroupKind;

#[test]
fn reduce_only_keeps_within_what_is_held() {
    let reduce = Wishes {
        reduce_only: true,
        ..Wishes::default()
    };
    // 10 BTC are held.
    let mut desk = Desk::new();
    assert_eq!(
        reason(&desk.wish(Side::Buy, "1", "100", reduce.clone())),
        "REDUCE_ONLY_NOTHING_TO_REDUCE"
    );
    desk.accepted(Side::Sell, "7.5", "120");
    let Answer::Accepted(order) = desk.wish(Side::Sell, "4", "110", reduce.clone()) else {
        panic!()
    };
    desk.news(order, News::State(state_of(Live, "0", &[])));
    let entry = desk.entry(order);
    assert_eq!(
        (entry.order.quantity(), entry.order.status(), entry.reason()),
        (quantity("2.5"), OrderStatus::Open, "REDUCE_ONLY_SHRUNK"),
        "it is said as long as there is nothing else to say"
    );
    assert_eq!(
        reason(&desk.wish(Side::Sell, "1", "110", reduce.clone())),
        "REDUCE_ONLY_NOTHING_TO_REDUCE"
    );

    // Held: what is there when it goes is what counts, less the coins that a fee took.
    let wishes = Wishes {
        trigger: Some(triggers::stop("95")),
        ..reduce
    };
    let mut desk = Desk::new();
    let Answer::Accepted(order) = desk.wish(Side::Sell, "10", "", wishes.clone()) else {
        panic!()
    };
    let mut fee = state_of(Filled, "1", &[(9, "100", "1")]);
    fee.trades[0].fee = money("1.0005");
    fee.trades[0].fee_asset = Asset::parse("BTC").unwrap();
    let buy = desk.accepted(Side::Buy, "1", "100");
    desk.news(buy, News::State(fee));
    assert_eq!(desk.balance("BTC"), "9.9995");
    desk.mark("95");
    assert_eq!(
        (desk.status(order), desk.entry(order).order.quantity()),
        (OrderStatus::PendingNew, quantity("9.999"))
    );

    let mut desk = Desk::new();
    let Answer::Accepted(order) = desk.wish(Side::Sell, "10", "", wishes) else {
        panic!()
    };
    let mut fee = state_of(Filled, "1", &[(9, "100", "1")]);
    fee.trades[0].fee = money("11");
    fee.trades[0].fee_asset = Asset::parse("BTC").unwrap();
    let buy = desk.accepted(Side::Buy, "1", "100");
    desk.news(buy, News::State(fee));
    desk.mark("95");
    assert_eq!(desk.entry(order).reason, "REDUCE_ONLY_NOTHING_TO_REDUCE");
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn an_iceberg_that_is_cut_to_its_part_hides_nothing() {
    let mut desk = Desk::new();
    desk.market.icebergs.insert(Symbol::parse("BTCUSDT").unwrap(), 10);
    desk.accepted(Side::Sell, "4", "120");
    // 6 BTC are left to reduce.
    for (shown, expected) in [("5", Some("5")), ("6", None), ("8", None)] {
        let wishes = Wishes {
            reduce_only: true,
            display_quantity: Some(quantity(shown)),
            ..Wishes::default()
        };
        let Answer::Accepted(order) = desk.wish(Side::Sell, "9", "110", wishes) else {
            panic!()
        };
        let entry = desk.entry(order);
        assert_eq!(
            (entry.order.quantity(), entry.shown()),
            (quantity("6"), expected.map(quantity))
        );
        desk.news(order, News::Rejected("WHY".into()));
    }
}

#[test]
fn an_exit_that_buys_reduces_nothing() {
    let mut desk = Desk::new();
    let reduce = Wishes {
        reduce_only: true,
        ..groups::stop("110")
    };
    let entry = desk.member(Side::Sell, "1", "100", Wishes::default());
    let exit = desk.member(Side::Buy, "1", "", reduce);
    let kind = GroupKind::Oto;
    let orders = vec![entry, exit];
    let refused = desk.tell(Command::Group(GroupSubmit { kind, orders }));
    assert_eq!(reason(&refused), "REDUCE_ONLY_NOTHING_TO_REDUCE");
    assert!(desk.decider.state.orders().next().is_none());
}

#[test]
fn reduce_only_legs_are_cut_alike() {
    let mut desk = Desk::new();
    let reduce = |wishes: Wishes| Wishes {
        reduce_only: true,
        ..wishes
    };
    let legs = vec![
        desk.member(Side::Sell, "12", "110", reduce(Wishes::default())),
        desk.member(Side::Sell, "12", "", reduce(groups::stop("90"))),
    ];
    let orders = desk.group(GroupKind::Oco, legs);
    for order in orders {
        let entry = desk.entry(order);
        assert_eq!(
            (entry.order.quantity(), entry.reason()),
            (quantity("10"), "REDUCE_ONLY_SHRUNK")
        );
    }
}
