//! An order in place of another, whatever happens meanwhile.

use super::*;
use VenueStatus::{Cancelled, Expired, Filled, Live};
use domain::{GroupKind, Trail, Trigger};

impl Desk {
    /// Replaces an order under a fresh id; empty texts keep what is.
    pub(super) fn replace(&mut self, order: u64, size: &str, at: &str, stop: &str) -> Answer {
        self.orders += 1;
        let id = format!("r-{}", self.orders);
        let replace = self.replacing(order, &id, size, at, stop);
        self.tell(Command::Replace(replace))
    }

    fn replacing(&self, order: u64, id: &str, size: &str, at: &str, stop: &str) -> Replace {
        Replace {
            account: account("one"),
            order_id: self.entry(order).order.terms().order_id.clone(),
            client_order_id: ClientOrderId::parse(id).unwrap(),
            quantity: (!size.is_empty()).then(|| quantity(size)),
            price: (!at.is_empty()).then(|| price(at)),
            stop_price: (!stop.is_empty()).then(|| price(stop)),
        }
    }

    fn replaced(&mut self, order: u64, size: &str, at: &str, stop: &str) -> u64 {
        match self.replace(order, size, at, stop) {
            Answer::Orders(orders) => {
                assert_eq!(orders[1], order);
                orders[0]
            }
            other => panic!("{other:?}"),
        }
    }
}

/// From a buy of 10 at 100 of which 2 have traded, replaced by 8 at 105: what the venue says of the old one, how the new
/// one then stands, its quantity and its reason.
#[test]
fn what_becomes_of_a_replacement() {
    let state = |status, executed, trades: &[(u64, &str, &str)]| News::State(state_of(status, executed, trades));
    let table: Vec<(Vec<News>, OrderStatus, &str, &str)> = vec![
        (vec![], OrderStatus::PendingTrigger, "6", ""),
        (vec![state(Cancelled, "2", &[])], OrderStatus::PendingNew, "6", ""),
        // A fill arrives meanwhile, before the cancel and with it.
        (
            vec![state(Live, "5", &[(2, "100", "3")])],
            OrderStatus::PendingTrigger,
            "3",
            "",
        ),
        (
            vec![state(Live, "5", &[(2, "100", "3")]), state(Cancelled, "5", &[])],
            OrderStatus::PendingNew,
            "3",
            "",
        ),
        (
            vec![state(Cancelled, "5", &[(2, "100", "3")])],
            OrderStatus::PendingNew,
            "3",
            "",
        ),
        // All that is wanted has traded, or all that there was.
        (
            vec![state(Cancelled, "8", &[(2, "100", "6")])],
            OrderStatus::Rejected,
            "6",
            "REPLACED_ORDER_FILLED",
        ),
        (
            vec![state(Filled, "10", &[(2, "100", "8")])],
            OrderStatus::Rejected,
            "6",
            "REPLACED_ORDER_FILLED",
        ),
        (
            vec![state(Expired, "2", &[])],
            OrderStatus::Rejected,
            "6",
            "REPLACED_ORDER_EXPIRED",
        ),
        // The cancel may not have arrived: the venue is asked, and the new one waits.
        (vec![News::CancelUnsure], OrderStatus::PendingTrigger, "6", ""),
        (
            vec![News::CancelUnsure, News::Found(state_of(Live, "2", &[]))],
            OrderStatus::PendingTrigger,
            "6",
            "",
        ),
        (
            vec![News::Found(state_of(Live, "2", &[])); 5],
            OrderStatus::Rejected,
            "6",
            "REPLACE_CANCEL_REJECTED",
        ),
    ];
    for (reports, status, size, why) in table {
        let mut desk = Desk::new();
        let old = desk.accepted(Side::Buy, "10", "100");
        desk.news(old, News::State(state_of(Live, "2", &[(1, "100", "2")])));
        let new = desk.replaced(old, "8", "105", "");
        assert_eq!(desk.status(old), OrderStatus::PendingCancel);
        assert_eq!(desk.placements(new), 0, "both never live at once");
        for report in &reports {
            desk.news(old, report.clone());
        }
        let entry = desk.entry(new);
        let found = (entry.order.status(), entry.order.quantity(), entry.reason.as_str());
        assert_eq!(found, (status, quantity(size), why), "{reports:?}");
        assert_eq!(desk.placements(new), usize::from(status == OrderStatus::PendingNew));
        assert_eq!(entry.replaces(), Some(old));
        assert_eq!(desk.entry(old).replaced_by, Some(new));
        assert_eq!(desk.replayed(), desk.decider.state, "{reports:?}");
    }
}

#[test]
fn the_worse_of_both_is_what_counts() {
    // 10,000 USDT. The old order holds 4,004 (10 at 400 is not allowed: the notional limit is 4,000).
    let mut desk = Desk::with(
        Limits {
            max_position_notional: money("99999"),
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    let old = desk.accepted(Side::Buy, "40", "100");
    desk.accepted(Side::Buy, "40", "99");
    assert_eq!(desk.reserved("USDT"), "7967.96");
    desk.news(old, News::State(state_of(Live, "0", &[])));
    // Smaller: the old one's share stays until it is over.
    let new = desk.replaced(old, "30", "99", "");
    assert_eq!(desk.reserved("USDT"), "7967.96");
    desk.news(old, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(desk.reserved("USDT"), "6936.93");
    // Larger: what it needs beyond the old one is set aside at once.
    desk.news(new, News::State(state_of(Live, "0", &[])));
    let newer = desk.replaced(new, "36", "110", "");
    assert_eq!(desk.reserved("USDT"), "7927.92");
    desk.news(new, News::State(state_of(Live, "10", &[(1, "99", "10")])));
    desk.news(new, News::State(state_of(Cancelled, "10", &[])));
    assert_eq!(
        (desk.status(newer), desk.entry(newer).order.quantity()),
        (OrderStatus::PendingNew, quantity("26"))
    );
    assert_eq!(desk.replayed(), desk.decider.state);
    // Beyond what both may be.
    desk.news(newer, News::State(state_of(Live, "0", &[])));
    assert_eq!(reason(&desk.replace(newer, "40", "110", "")), "MAX_ORDER_NOTIONAL");
    assert_eq!(
        desk.status(newer),
        OrderStatus::Open,
        "a refused replacement leaves the old order as it is"
    );

    // The position: what the old one might bring is not counted twice.
    let mut desk = Desk::new();
    let old = desk.accepted(Side::Buy, "40", "100");
    desk.now += 1_000_000;
    desk.market.heard = Timestamp::from_micros(desk.now);
    assert_eq!(reason(&desk.limit(Side::Buy, "11", "99")), "POSITION_LIMIT");
    desk.replaced(old, "39", "100", "");
    // The coins that the old order holds are the new one's.
    let mut desk = Desk::new();
    let old = desk.accepted(Side::Sell, "10", "101");
    let new = desk.replaced(old, "", "102", "");
    desk.news(old, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(
        (desk.status(new), desk.reserved("BTC").as_str()),
        (OrderStatus::PendingNew, "10")
    );
}

#[test]
fn a_held_order_is_replaced_at_once() {
    let mut desk = Desk::new();
    let old = desk.held(Side::Sell, "10", "94", Trigger::Stop(price("95")));
    let new = desk.replaced(old, "8", "89", "90");
    assert_eq!(
        (desk.status(old), desk.entry(old).reason.as_str()),
        (OrderStatus::Cancelled, "REPLACED")
    );
    assert_eq!(
        (desk.status(new), desk.reserved("BTC").as_str()),
        (OrderStatus::PendingTrigger, "8")
    );
    desk.mark("95");
    assert_eq!(desk.status(new), OrderStatus::PendingTrigger);
    desk.mark("90");
    assert_eq!(
        (desk.status(new), desk.placements(new), desk.placements(old)),
        (OrderStatus::PendingNew, 1, 0)
    );
    desk.news(new, News::State(state_of(Live, "0", &[])));
    // What has gone to the venue waits for nothing any more.
    assert_eq!(reason(&desk.replace(new, "", "", "80")), "REPLACE_STOP_UNEXPECTED");
    let last = desk.replaced(new, "", "88", "");
    assert_eq!(desk.entry(last).order.terms().conditions.trigger, None);
    desk.news(new, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(desk.status(last), OrderStatus::PendingNew);
    assert_eq!(desk.replayed(), desk.decider.state);

    let mut desk = Desk::new();
    let old = desk.held(Side::Sell, "10", "", Trigger::Trailing(Trail::Amount(price("5"))));
    desk.mark("120");
    assert_eq!(reason(&desk.replace(old, "", "", "80")), "REPLACE_STOP_UNEXPECTED");
    let new = desk.replaced(old, "4", "", "");
    assert_eq!(
        desk.entry(new).extreme,
        Some(price("120")),
        "a trail keeps what it has reached"
    );
    let old = desk.held(Side::Buy, "1", "", Trigger::TakeProfit(price("110")));
    let new = desk.replaced(old, "", "", "112");
    assert_eq!(
        desk.entry(new).order.terms().conditions.trigger,
        Some(Trigger::TakeProfit(price("112")))
    );
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn what_cannot_be_replaced() {
    let mut desk = Desk::with(
        Limits {
            max_open_orders: 9,
            max_orders_per_second: 99,
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    let open = desk.accepted(Side::Buy, "2", "99");
    desk.news(open, News::State(state_of(Live, "1", &[(1, "99", "1")])));
    let market = desk.accepted(Side::Buy, "1", "");
    let closed = desk.accepted(Side::Buy, "1", "98");
    desk.news(closed, News::Rejected("WHY".into()));
    let leaving = desk.accepted(Side::Buy, "1", "97");
    desk.cancel(leaving);
    let old = desk.accepted(Side::Buy, "1", "96");
    let waiting = desk.replaced(old, "2", "", "");
    let legs = vec![desk.order(Side::Sell, "1", "110"), desk.order(Side::Sell, "1", "111")];
    let kind = GroupKind::Oco;
    let Answer::Orders(group) = desk.tell(Command::Group(GroupSubmit { kind, orders: legs })) else {
        panic!()
    };
    let stop = desk.held(Side::Sell, "1", "", Trigger::Stop(price("90")));
    for (order, size, at, stop, expected) in [
        (closed, "1", "", "", "ORDER_CLOSED"),
        (leaving, "2", "", "", "ORDER_BEING_CANCELLED"),
        (group[0], "2", "", "", "ORDER_IN_GROUP"),
        (market, "2", "", "", "ORDER_NOT_REPLACEABLE"),
        (waiting, "3", "", "", "ORDER_NOT_REPLACEABLE"),
        (open, "1", "", "", "REPLACE_BELOW_FILLED"),
        (open, "", "", "90", "REPLACE_STOP_UNEXPECTED"),
        (stop, "", "90", "", "REPLACE_PRICE_UNEXPECTED"),
        (stop, "", "", "101", "WOULD_TRIGGER_AT_ONCE"),
        (open, "3", "200", "", "PRICE_COLLAR"),
    ] {
        assert_eq!(reason(&desk.replace(order, size, at, stop)), expected);
    }
    let mut unknown = desk.replacing(open, "u", "3", "", "");
    unknown.account = account("two");
    desk.open("two");
    assert_eq!(reason(&desk.tell(Command::Replace(unknown))), "ORDER_NOT_FOUND");
    desk.tell(Command::Ready(account("one"), false));
    assert_eq!(reason(&desk.replace(open, "3", "", "")), "ACCOUNT_NOT_READY");
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn a_replacement_has_a_key() {
    let mut desk = Desk::new();
    let old = desk.accepted(Side::Buy, "2", "99");
    let replace = desk.replacing(old, "r", "3", "", "");
    let first = desk.tell(Command::Replace(replace.clone()));
    let sequence = desk.decider.state.sequence();
    assert_eq!(desk.tell(Command::Replace(replace.clone())), first);
    let other = Replace {
        quantity: Some(quantity("4")),
        ..replace
    };
    assert_eq!(reason(&desk.tell(Command::Replace(other))), "IDEMPOTENCY_CONFLICT");
    assert_eq!(desk.decider.state.sequence(), sequence);
    let refused = desk.replacing(old, "q", "", "200", "");
    desk.news(old, News::State(state_of(Cancelled, "0", &[])));
    let Answer::Orders(orders) = first else { panic!() };
    let refused = Replace {
        order_id: desk.entry(orders[0]).order.terms().order_id.clone(),
        ..refused
    };
    for _ in 0..2 {
        assert_eq!(reason(&desk.tell(Command::Replace(refused.clone()))), "PRICE_COLLAR");
    }
    assert_eq!(
        desk.decider.state.sequence(),
        sequence + 4,
        "the end of the old, the release, its intent, one refusal"
    );
}

#[test]
fn cancelling_both_leaves_nothing() {
    let mut desk = Desk::new();
    let old = desk.accepted(Side::Buy, "2", "99");
    let new = desk.replaced(old, "3", "", "");
    desk.cancel(new);
    assert_eq!(desk.status(new), OrderStatus::Cancelled);
    desk.news(old, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!((desk.placements(new), desk.reserved("USDT").as_str()), (0, "0"));
    assert_eq!(desk.replayed(), desk.decider.state);
}

/// The old order is over, and the new one may not go yet: nobody else holds for it what it will need.
#[test]
fn a_replacement_that_may_not_go_sets_aside_all_that_it_needs() {
    let mut desk = Desk::new();
    let old = desk.accepted(Side::Sell, "10", "101");
    let new = desk.replaced(old, "6", "102", "");
    assert_eq!(
        (desk.entry(new).reserved, desk.reserved("BTC").as_str()),
        (Money::ZERO, "10")
    );
    desk.tell(Command::Ready(account("one"), false));
    desk.news(old, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(
        (desk.status(new), desk.reserved("BTC").as_str()),
        (OrderStatus::PendingTrigger, "6")
    );
    desk.tell(Command::Ready(account("one"), true));
    assert_eq!(reason(&desk.limit(Side::Sell, "5", "103")), "BUYING_POWER");
    desk.tell(Command::Tick);
    assert_eq!(
        (desk.status(new), desk.reserved("BTC").as_str()),
        (OrderStatus::PendingNew, "6")
    );
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn a_replacement_has_no_more_parts_than_the_venue_allows() {
    let mut desk = Desk::new();
    desk.market.icebergs.insert(Symbol::parse("BTCUSDT").unwrap(), 10);
    let wishes = Wishes {
        display_quantity: Some(quantity("0.5")),
        ..Wishes::default()
    };
    let Answer::Accepted(old) = desk.wish(Side::Buy, "5", "100", wishes) else {
        panic!()
    };
    desk.news(old, News::State(state_of(Live, "0", &[])));
    assert_eq!(reason(&desk.replace(old, "5.1", "", "")), "ICEBERG_PARTS");
    assert_eq!(
        desk.entry(old).order.status(),
        OrderStatus::Open,
        "nothing was cancelled"
    );
    let new = desk.replaced(old, "4", "", "");
    assert_eq!(desk.entry(new).shown(), Some(quantity("0.5")));
}
