//! Orders that hang together, and what each does to the others.

use super::*;
use VenueStatus::{Cancelled, Expired, Filled, Live, Rejected};
use domain::{GroupKind, Trail, Trigger};

pub(super) fn stop(at: &str) -> Wishes {
    Wishes {
        trigger: Some(Trigger::Stop(price(at))),
        ..Wishes::default()
    }
}

fn take(at: &str) -> Wishes {
    Wishes {
        trigger: Some(Trigger::TakeProfit(price(at))),
        ..Wishes::default()
    }
}

impl Desk {
    /// A member of a group: its side, quantity, limit and wishes.
    pub(super) fn member(&mut self, side: Side, size: &str, at: &str, wishes: Wishes) -> Submit {
        Submit {
            wishes,
            ..self.order(side, size, at)
        }
    }

    pub(super) fn group(&mut self, kind: GroupKind, orders: Vec<Submit>) -> Vec<u64> {
        match self.tell(Command::Group(GroupSubmit { kind, orders })) {
            Answer::Orders(orders) => orders,
            other => panic!("{other:?}"),
        }
    }

    /// A sell of `size` at 110 that rests, or a stop at 90.
    pub(super) fn oco(&mut self, size: &str) -> (u64, u64) {
        let legs = vec![
            self.member(Side::Sell, size, "110", Wishes::default()),
            self.member(Side::Sell, size, "", stop("90")),
        ];
        let orders = self.group(GroupKind::Oco, legs);
        (orders[0], orders[1])
    }

    /// A buy of 4 at 100 with exits at 110 and 90; the profit rests or waits.
    pub(super) fn bracket(&mut self, profit_rests: bool) -> (u64, u64, u64) {
        let profit = match profit_rests {
            true => self.member(Side::Sell, "4", "110", Wishes::default()),
            false => self.member(Side::Sell, "4", "", take("110")),
        };
        let orders = vec![
            self.member(Side::Buy, "4", "100", Wishes::default()),
            profit,
            self.member(Side::Sell, "4", "", stop("90")),
        ];
        let orders = self.group(GroupKind::Bracket, orders);
        (orders[0], orders[1], orders[2])
    }

    pub(super) fn live(&mut self, order: u64) {
        self.news(order, News::State(state_of(Live, "0", &[])));
    }

    pub(super) fn why(&self, order: u64) -> (OrderStatus, &str) {
        let entry = self.entry(order);
        (entry.order.status(), entry.reason.as_str())
    }

    /// Everything that was journalled leads to this state again.
    pub(super) fn replays(&self) {
        assert_eq!(self.replayed(), self.decider.state);
    }
}

#[test]
fn a_pair_shares_what_it_sets_aside() {
    let mut desk = Desk::new();
    let (limit, stop) = desk.oco("10");
    assert_eq!(desk.reserved("BTC"), "10", "all coins, once");
    assert_eq!(
        (desk.status(limit), desk.status(stop)),
        (OrderStatus::PendingNew, OrderStatus::PendingTrigger)
    );
    assert_eq!(desk.placements(limit), 1);
    assert_eq!(reason(&desk.limit(Side::Sell, "0.1", "100")), "BUYING_POWER");
    // Buys set aside what the dearer leg needs.
    let mut desk = Desk::new();
    let legs = vec![
        desk.member(Side::Buy, "1", "90", Wishes::default()),
        desk.member(Side::Buy, "1", "112", super::groups::stop("110")),
    ];
    desk.group(GroupKind::Oco, legs);
    assert_eq!(desk.reserved("USDT"), "112.112");
    desk.replays();
    // So it is whichever leg comes first, and whatever the venue says of the one that it has.
    let mut desk = Desk::new();
    let legs = vec![
        desk.member(Side::Sell, "10", "", super::groups::stop("90")),
        desk.member(Side::Sell, "10", "110", Wishes::default()),
    ];
    let legs = desk.group(GroupKind::Oco, legs);
    let shares = |desk: &Desk| (desk.reserved("BTC"), desk.entry(legs[0]).reserved);
    assert_eq!(shares(&desk), ("10".to_owned(), money("10")));
    desk.news(legs[1], News::Unknown);
    assert_eq!(shares(&desk), ("10".to_owned(), Money::ZERO));
    desk.news(legs[1], News::Rejected("WHY".into()));
    assert_eq!(shares(&desk), ("10".to_owned(), money("10")));
    desk.replays();
}

#[test]
fn a_leg_that_fills_ends_the_other() {
    let mut desk = Desk::new();
    let (limit, stop) = desk.oco("10");
    desk.live(limit);
    desk.news(limit, News::State(state_of(Live, "4", &[(1, "110", "4")])));
    assert_eq!(
        desk.entry(stop).order.quantity(),
        quantity("6"),
        "a part that traded is taken from the other"
    );
    assert_eq!(desk.why(stop).1, "OCO_PART_FILLED");
    desk.news(limit, News::State(state_of(Filled, "10", &[(2, "110", "6")])));
    assert_eq!(desk.why(stop), (OrderStatus::Cancelled, "OCO_FILLED"));
    assert_eq!(desk.reserved("BTC"), "0");
    desk.replays();
}

#[test]
fn a_leg_that_fires_cancels_the_other_first() {
    let mut desk = Desk::new();
    let (limit, stop) = desk.oco("10");
    desk.live(limit);
    desk.mark("90");
    assert_eq!(
        (desk.status(limit), desk.status(stop)),
        (OrderStatus::PendingCancel, OrderStatus::PendingTrigger)
    );
    assert_eq!(
        (desk.placements(stop), desk.reserved("BTC").as_str()),
        (0, "10"),
        "both never live at once"
    );
    desk.mark("100");
    assert_eq!(desk.entry(limit).cancels, 1);
    // A fill crosses the cancel: what is left goes.
    desk.news(limit, News::State(state_of(Cancelled, "3", &[(1, "110", "3")])));
    assert_eq!(desk.why(limit), (OrderStatus::Cancelled, "OCO_TRIGGERED"));
    assert_eq!(
        (desk.status(stop), desk.entry(stop).order.quantity()),
        (OrderStatus::PendingNew, quantity("7"))
    );
    assert_eq!((desk.placements(stop), desk.reserved("BTC").as_str()), (1, "7"));
    desk.replays();

    // All of it crosses the cancel.
    let mut desk = Desk::new();
    let (limit, stop) = desk.oco("10");
    desk.live(limit);
    desk.mark("90");
    desk.news(limit, News::State(state_of(Filled, "10", &[(1, "110", "10")])));
    assert_eq!(
        (desk.why(stop), desk.placements(stop)),
        ((OrderStatus::Cancelled, "OCO_FILLED"), 0)
    );
    desk.replays();
}

#[test]
fn two_held_legs() {
    for (at, fired, other) in [("110", 0, 1), ("90", 1, 0)] {
        let mut desk = Desk::new();
        let legs = vec![
            desk.member(Side::Sell, "10", "", take("110")),
            desk.member(Side::Sell, "10", "", stop("90")),
        ];
        let orders = desk.group(GroupKind::Oco, legs);
        desk.mark(at);
        assert_eq!(desk.status(orders[fired]), OrderStatus::PendingNew);
        assert_eq!(desk.why(orders[other]), (OrderStatus::Cancelled, "OCO_TRIGGERED"));
        assert_eq!(desk.reserved("BTC"), "10");
        desk.replays();
    }
}

#[test]
fn how_a_leg_ends_is_how_the_other_goes_on() {
    // What happens to the leg that rests; how the stop then stands.
    let table = [
        (
            News::Rejected("VENUE_FILTER".into()),
            OrderStatus::PendingTrigger,
            "",
            "10",
        ),
        (
            News::State(state_of(Rejected, "0", &[])),
            OrderStatus::PendingTrigger,
            "",
            "10",
        ),
        (
            News::State(state_of(Cancelled, "0", &[])),
            OrderStatus::Cancelled,
            "OCO_ENDED",
            "0",
        ),
        (
            News::State(state_of(Expired, "0", &[])),
            OrderStatus::Cancelled,
            "OCO_ENDED",
            "0",
        ),
    ];
    for (news, status, why, reserved) in table {
        let mut desk = Desk::new();
        let (limit, stop) = desk.oco("10");
        desk.news(limit, news);
        assert_eq!(
            (desk.why(stop), desk.reserved("BTC").as_str()),
            ((status, why), reserved)
        );
        desk.replays();
    }
    // A cancel of the held leg takes the other along.
    let mut desk = Desk::new();
    let (limit, stop) = desk.oco("10");
    desk.live(limit);
    desk.cancel(stop);
    assert_eq!(desk.status(limit), OrderStatus::PendingCancel);
    desk.news(limit, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(
        (desk.why(limit), desk.reserved("BTC").as_str()),
        ((OrderStatus::Cancelled, "OCO_ENDED"), "0")
    );
    desk.replays();
}

#[test]
fn an_entrys_fills_activate_its_exits() {
    let mut desk = Desk::new();
    let (entry, profit, loss) = desk.bracket(false);
    assert_eq!(desk.reserved("BTC"), "0", "nothing is to sell yet");
    desk.mark("90");
    assert_eq!(
        desk.status(loss),
        OrderStatus::PendingTrigger,
        "an exit without a position waits"
    );
    desk.mark("100");
    desk.news(entry, News::State(state_of(Live, "1.5", &[(1, "100", "1.5")])));
    for exit in [profit, loss] {
        assert_eq!(desk.entry(exit).order.quantity(), quantity("1.5"));
    }
    assert_eq!(desk.reserved("BTC"), "1.5");
    // The stop fires while the entry is still at work: that ends first.
    desk.mark("90");
    assert_eq!(
        (desk.status(entry), desk.placements(loss)),
        (OrderStatus::PendingCancel, 0)
    );
    assert_eq!(desk.why(profit), (OrderStatus::Cancelled, "OCO_TRIGGERED"));
    desk.news(entry, News::State(state_of(Cancelled, "2", &[(2, "100", "0.5")])));
    assert_eq!(
        (desk.status(loss), desk.entry(loss).order.quantity()),
        (OrderStatus::PendingNew, quantity("2"))
    );
    desk.news(loss, News::State(state_of(Filled, "2", &[(3, "90", "2")])));
    assert_eq!(
        (desk.balance("BTC").as_str(), desk.reserved("BTC").as_str()),
        ("10", "0")
    );
    desk.replays();
}

#[test]
fn an_exit_that_rests_goes_when_the_entry_is_over() {
    let mut desk = Desk::new();
    let (entry, profit, loss) = desk.bracket(true);
    desk.news(entry, News::State(state_of(Live, "1", &[(1, "100", "1")])));
    assert_eq!(desk.placements(profit), 0);
    desk.news(entry, News::State(state_of(Filled, "4", &[(2, "100", "3")])));
    assert_eq!(
        (desk.placements(profit), desk.entry(profit).order.quantity()),
        (1, quantity("4"))
    );
    desk.live(profit);
    desk.news(profit, News::State(state_of(Live, "1", &[(3, "110", "1")])));
    assert_eq!(desk.entry(loss).order.quantity(), quantity("3"));
    desk.mark("90");
    assert_eq!(
        (desk.status(profit), desk.placements(loss)),
        (OrderStatus::PendingCancel, 0)
    );
    desk.news(profit, News::State(state_of(Cancelled, "1", &[])));
    assert_eq!(
        (desk.placements(loss), desk.entry(loss).order.quantity()),
        (1, quantity("3"))
    );
    desk.replays();

    let mut desk = Desk::new();
    let (entry, profit, loss) = desk.bracket(true);
    desk.news(entry, News::State(state_of(Filled, "4", &[(1, "100", "4")])));
    desk.live(profit);
    desk.news(profit, News::State(state_of(Filled, "4", &[(2, "110", "4")])));
    assert_eq!(desk.why(loss), (OrderStatus::Cancelled, "OCO_FILLED"));
    desk.replays();
}

#[test]
fn without_an_entry_there_are_no_exits() {
    for news in [
        News::Rejected("VENUE_BALANCE".into()),
        News::State(state_of(Cancelled, "0", &[])),
        News::State(state_of(Expired, "0", &[])),
    ] {
        let mut desk = Desk::new();
        let (entry, profit, loss) = desk.bracket(true);
        desk.news(entry, news);
        for exit in [profit, loss] {
            assert_eq!(desk.why(exit), (OrderStatus::Cancelled, "ENTRY_ENDED"));
        }
        desk.replays();
    }
}

#[test]
fn one_triggers_the_other() {
    // A stop entry, then a trailing stop for what it bought; the fee in coins is left out.
    let mut desk = Desk::new();
    let trail = Wishes {
        trigger: Some(Trigger::Trailing(Trail::Amount(price("5")))),
        ..Wishes::default()
    };
    let orders = vec![
        desk.member(Side::Buy, "4", "106", stop("105")),
        desk.member(Side::Sell, "4", "", trail),
    ];
    let orders = desk.group(GroupKind::Oto, orders);
    let (entry, child) = (orders[0], orders[1]);
    assert_eq!(desk.status(entry), OrderStatus::PendingTrigger);
    desk.mark("105");
    let mut filled = state_of(Filled, "4", &[(1, "105", "4")]);
    filled.trades[0].fee = money("10.0005");
    filled.trades[0].fee_asset = Asset::parse("BTC").unwrap();
    desk.news(entry, News::State(filled));
    assert_eq!(
        (desk.entry(child).order.quantity(), desk.entry(child).extreme),
        (quantity("4"), None)
    );
    desk.mark("108");
    assert_eq!(
        desk.entry(child).extreme,
        Some(price("108")),
        "its trail begins with its position"
    );
    desk.mark("103");
    assert_eq!(
        (desk.status(child), desk.entry(child).order.quantity()),
        (OrderStatus::PendingNew, quantity("3.999"))
    );
    desk.replays();
    // A child that meets the market at once.
    let mut desk = Desk::new();
    let orders = vec![
        desk.member(Side::Sell, "4", "100", Wishes::default()),
        desk.member(Side::Buy, "4", "95", Wishes::default()),
    ];
    let orders = desk.group(GroupKind::Oto, orders);
    desk.news(orders[0], News::State(state_of(Cancelled, "3", &[(1, "100", "3")])));
    assert_eq!(desk.entry(orders[1]).order.quantity(), quantity("3"));
    assert_eq!(
        (desk.status(orders[1]), desk.reserved("USDT").as_str()),
        (OrderStatus::PendingNew, "285.285")
    );
    desk.replays();
}

#[test]
fn a_group_is_one_request() {
    let mut desk = Desk::new();
    let legs = vec![
        desk.member(Side::Sell, "10", "110", Wishes::default()),
        desk.member(Side::Sell, "10", "", stop("90")),
    ];
    let group = |orders: &[Submit]| {
        Command::Group(GroupSubmit {
            kind: GroupKind::Oco,
            orders: orders.to_vec(),
        })
    };
    let first = desk.tell(group(&legs));
    let sequence = desk.decider.state.sequence();
    assert_eq!(
        desk.tell(group(&legs)),
        first,
        "a repeat is answered as its original was"
    );
    let other = [
        legs[0].clone(),
        Submit {
            wishes: stop("91"),
            ..legs[1].clone()
        },
    ];
    assert_eq!(reason(&desk.tell(group(&other))), "IDEMPOTENCY_CONFLICT");
    assert_eq!(
        reason(&desk.tell(Command::Submit(legs[1].clone()))),
        "IDEMPOTENCY_CONFLICT"
    );
    assert_eq!(desk.decider.state.sequence(), sequence);
    assert_eq!(
        desk.tell(Command::Group(GroupSubmit {
            kind: GroupKind::Oto,
            orders: vec![]
        })),
        Answer::Orders(vec![])
    );

    // One member's refusal is the group's, and nothing of it is accepted.
    let mut desk = Desk::new();
    let legs = [
        desk.member(Side::Sell, "10", "110", Wishes::default()),
        desk.member(Side::Sell, "10", "", stop("101")),
    ];
    assert_eq!(reason(&desk.tell(group(&legs))), "WOULD_TRIGGER_AT_ONCE");
    assert_eq!(
        reason(&desk.tell(group(&legs))),
        "WOULD_TRIGGER_AT_ONCE",
        "kept under its key"
    );
    assert_eq!(
        (desk.decider.state.orders().count(), desk.reserved("BTC").as_str()),
        (0, "0")
    );
    desk.tell(Command::Ready(account("one"), false));
    let legs = [
        desk.member(Side::Sell, "10", "110", Wishes::default()),
        desk.member(Side::Sell, "10", "", stop("90")),
    ];
    assert_eq!(reason(&desk.tell(group(&legs))), "ACCOUNT_NOT_READY");

    // Each member counts: three live orders are allowed.
    let mut desk = Desk::new();
    desk.accepted(Side::Buy, "1", "99");
    let orders = vec![
        desk.member(Side::Buy, "4", "100", Wishes::default()),
        desk.member(Side::Sell, "4", "110", Wishes::default()),
        desk.member(Side::Sell, "4", "", stop("90")),
    ];
    let kind = GroupKind::Bracket;
    assert_eq!(
        reason(&desk.tell(Command::Group(GroupSubmit { kind, orders }))),
        "OPEN_ORDER_LIMIT"
    );
}
