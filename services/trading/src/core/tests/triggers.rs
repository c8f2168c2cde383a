//! Orders that wait for a price.

use super::*;
use VenueStatus::Filled;
use domain::{OrderId, Trail, Trigger};

impl Desk {
    /// The market moves to this price, now; then a tick.
    pub(super) fn mark(&mut self, at: &str) {
        self.market.heard = Timestamp::from_micros(self.now);
        let mark = Mark {
            price: price(at),
            live: true,
        };
        self.market.marks.insert(Symbol::parse("BTCUSDT").unwrap(), mark);
        self.tick();
    }

    pub(super) fn tick(&mut self) {
        assert_eq!(self.tell(Command::Tick), Answer::Done);
    }

    /// Time passes, and the market is heard of at its end.
    pub(super) fn pass(&mut self, micros: i64) {
        self.now += micros;
        self.market.heard = Timestamp::from_micros(self.now);
        self.tick();
    }

    /// A new order with these wishes.
    pub(super) fn wish(&mut self, side: Side, size: &str, at: &str, wishes: Wishes) -> Answer {
        let submit = Submit {
            wishes,
            ..self.order(side, size, at)
        };
        self.tell(Command::Submit(submit))
    }

    pub(super) fn held(&mut self, side: Side, size: &str, at: &str, trigger: Trigger) -> u64 {
        let wishes = Wishes {
            trigger: Some(trigger),
            ..Wishes::default()
        };
        match self.wish(side, size, at, wishes) {
            Answer::Accepted(order) => order,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn entry(&self, order: u64) -> &Entry {
        self.decider.state.order(order).unwrap()
    }

    /// How many placements of an order were intended.
    pub(super) fn placements(&self, order: u64) -> usize {
        let is_placement =
            |event: &Event| matches!(event, Event::Intent(intent) if intent.order == order && !intent.cancel);
        self.journal.iter().filter(|(_, event)| is_placement(event)).count()
    }

    pub(super) fn cancel(&mut self, order: u64) -> Answer {
        let order_id: OrderId = self.entry(order).order.terms().order_id.clone();
        self.tell(Command::Cancel(Cancel {
            account: account("one"),
            order_id,
            request_id: String::new(),
        }))
    }
}

pub(super) fn stop(at: &str) -> Trigger {
    Trigger::Stop(price(at))
}

pub(super) fn until(micros: i64) -> Wishes {
    Wishes {
        lasts: Lasts::Until(Timestamp::from_micros(micros)),
        ..Wishes::default()
    }
}

#[test]
fn each_type_waits_for_its_price_and_goes_once() {
    let take = |at: &str| Trigger::TakeProfit(price(at));
    // The mark is 100. The side, the limit, the trigger; a price at which it waits, and one at which it goes.
    let table = [
        (Side::Sell, "", stop("95"), "95.01", "95"),
        (Side::Sell, "94", stop("95"), "95.01", "94.5"),
        (Side::Buy, "", stop("105"), "104.99", "105"),
        (Side::Buy, "106", stop("105"), "104.99", "105.5"),
        (Side::Sell, "", take("105"), "104.99", "105"),
        (Side::Sell, "105", take("105"), "104.99", "106"),
        (Side::Buy, "", take("95"), "95.01", "95"),
        (Side::Buy, "95", take("95"), "95.01", "94"),
    ];
    for (side, at, trigger, waits, goes) in table {
        let mut desk = Desk::new();
        let order = desk.held(side, "2", at, trigger);
        assert_eq!(desk.status(order), OrderStatus::PendingTrigger, "{trigger:?}");
        let held = desk.reserved(if side == Side::Buy { "USDT" } else { "BTC" });
        assert_ne!(held, "0", "a held order holds its reservation");
        desk.mark(waits);
        assert_eq!(
            (desk.status(order), desk.placements(order)),
            (OrderStatus::PendingTrigger, 0)
        );
        desk.mark(goes);
        assert_eq!(
            (desk.status(order), desk.placements(order)),
            (OrderStatus::PendingNew, 1),
            "{trigger:?}"
        );
        assert!(desk.entry(order).triggered.is_some());
        desk.mark(goes);
        assert_eq!(desk.placements(order), 1, "once");
        if at.is_empty() {
            // A market order keeps to the collar around the price that it goes at.
            let bound = desk.entry(order).price_bound().unwrap();
            let mark = price(goes);
            assert_eq!(bound > mark, side == Side::Buy);
        }
        assert_eq!(desk.replayed(), desk.decider.state);
    }
}

#[test]
fn a_trailing_stop_follows_in_steps_and_goes() {
    for (trail, level) in [
        (Trail::Amount(price("10")), "110.01"),
        (Trail::BasisPoints(1_000), "108.01"),
    ] {
        let mut desk = Desk::new();
        let order = desk.held(Side::Sell, "2", "", Trigger::Trailing(trail));
        assert_eq!(desk.entry(order).extreme, Some(price("100")), "it begins at the mark");
        let records = desk.journal.len();
        for at in ["100.2", "100.4", "100.1", "99", "100.49"] {
            desk.mark(at);
        }
        assert_eq!(desk.journal.len(), records, "a market that drifts makes no records");
        desk.mark("120");
        assert_eq!(desk.entry(order).extreme, Some(price("120")));
        desk.mark(level);
        assert_eq!(desk.status(order), OrderStatus::PendingTrigger);
        desk.mark("107.9");
        assert_eq!(desk.status(order), OrderStatus::PendingNew);
        assert_eq!(desk.replayed(), desk.decider.state);
    }
    let mut desk = Desk::new();
    let trail = Trigger::Trailing(Trail::Amount(price("100")));
    let wishes = Wishes {
        trigger: Some(trail),
        ..Wishes::default()
    };
    assert_eq!(reason(&desk.wish(Side::Sell, "1", "", wishes)), "TRAIL_TOO_LONG");
}

#[test]
fn what_makes_no_sense_is_refused_at_the_gate() {
    let on = |trigger: Trigger| Wishes {
        trigger: Some(trigger),
        ..Wishes::default()
    };
    let shown = |shown: &str| Wishes {
        display_quantity: Some(quantity(shown)),
        ..Wishes::default()
    };
    let table = [
        (Side::Sell, "", on(stop("100")), "WOULD_TRIGGER_AT_ONCE"),
        (Side::Sell, "", on(stop("101")), "WOULD_TRIGGER_AT_ONCE"),
        (Side::Buy, "", on(stop("99")), "WOULD_TRIGGER_AT_ONCE"),
        (
            Side::Sell,
            "",
            on(Trigger::TakeProfit(price("99"))),
            "WOULD_TRIGGER_AT_ONCE",
        ),
        (
            Side::Buy,
            "",
            on(Trigger::TakeProfit(price("101"))),
            "WOULD_TRIGGER_AT_ONCE",
        ),
        (Side::Sell, "", on(stop("95.001")), "PRICE_OFF_TICK"),
        // The collar is around the price that it waits for.
        (Side::Sell, "50", on(stop("55")), ""),
        (Side::Sell, "40", on(stop("55")), "PRICE_COLLAR"),
        (Side::Buy, "100", until(START), "EXPIRE_TIME_PAST"),
        (Side::Buy, "100", until(START + 1), ""),
        (Side::Buy, "100", shown("0.5"), "ICEBERG_UNSUPPORTED"),
    ];
    for (side, at, wishes, expected) in table {
        let mut desk = Desk::new();
        assert_eq!(
            reason(&desk.wish(side, "1", at, wishes.clone())),
            expected,
            "{side} {at} {wishes:?}"
        );
    }
    let mut desk = Desk::new();
    desk.market.icebergs.insert(Symbol::parse("BTCUSDT").unwrap(), 10);
    assert_eq!(
        reason(&desk.wish(Side::Buy, "1", "100", shown("0.0001"))),
        "QUANTITY_TOO_SMALL"
    );
    assert_eq!(
        reason(&desk.wish(Side::Buy, "1", "100", shown("0.099"))),
        "ICEBERG_PARTS"
    );
    let Answer::Accepted(order) = desk.wish(Side::Buy, "1", "100", shown("0.1")) else {
        panic!()
    };
    assert_eq!(
        desk.entry(order).order.terms().conditions.display_quantity,
        Some(quantity("0.1"))
    );
}

#[test]
fn nothing_goes_on_what_is_not_trusted() {
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    type Edit = fn(&mut Desk);
    let obstacles: [(Edit, Edit); 5] = [
        // The market is silent.
        (
            |desk| desk.now += 1_000_001,
            |desk| desk.market.heard = Timestamp::from_micros(desk.now),
        ),
        // The book is out of step.
        (
            |desk| desk.market.marks.values_mut().for_each(|mark| mark.live = false),
            |desk| desk.market.marks.values_mut().for_each(|mark| mark.live = true),
        ),
        // The instrument is halted by its venue.
        (
            |desk| {
                desk.market
                    .instruments
                    .values_mut()
                    .for_each(|it| it.status = InstrumentStatus::Halted)
            },
            |desk| {
                desk.market
                    .instruments
                    .values_mut()
                    .for_each(|it| it.status = InstrumentStatus::Trading)
            },
        ),
        // The account is not in step.
        (
            |desk| drop(desk.tell(Command::Ready(account("one"), false))),
            |desk| drop(desk.tell(Command::Ready(account("one"), true))),
        ),
        // Somebody halted trading.
        (
            |desk| {
                desk.tell(Command::Halt(SetHalt {
                    scope: HaltScope::Account,
                    target: "one".into(),
                    reason: "drill".into(),
                    subject: "ada".into(),
                    cancel_orders: false,
                }));
            },
            |desk| {
                desk.tell(Command::Resume(LiftHalt {
                    scope: HaltScope::Account,
                    target: "one".into(),
                    subject: "ada".into(),
                }));
            },
        ),
    ];
    for (index, (block, lift)) in obstacles.into_iter().enumerate() {
        let mut desk = Desk::new();
        let order = desk.held(Side::Sell, "2", "", stop("95"));
        desk.market.marks.get_mut(&symbol).unwrap().price = price("90");
        block(&mut desk);
        desk.tick();
        assert_eq!(desk.status(order), OrderStatus::PendingTrigger, "{index}");
        lift(&mut desk);
        desk.tick();
        assert_eq!(desk.status(order), OrderStatus::PendingNew, "{index}");
    }
}

#[test]
fn what_cannot_go_any_more_is_refused_by_its_reason() {
    // A buy-stop whose market gaps beyond the money.
    let mut desk = Desk::with(
        Limits {
            max_order_notional: money("99999"),
            max_position_notional: money("99999"),
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    let order = desk.held(Side::Buy, "50", "", stop("120"));
    desk.mark("200");
    assert_eq!(desk.entry(order).reason, "BUYING_POWER");
    assert_eq!(
        (desk.status(order), desk.reserved("USDT").as_str()),
        (OrderStatus::Rejected, "0")
    );
    // A rule of the instrument that is another by now.
    let mut desk = Desk::new();
    let order = desk.held(Side::Sell, "2", "94", stop("95"));
    desk.market
        .instruments
        .values_mut()
        .for_each(|it| it.max_quantity = quantity("1"));
    desk.mark("95");
    assert_eq!(desk.entry(order).reason, "QUANTITY_TOO_LARGE");
    // The instrument is not known for now: it waits.
    let order = desk.held(Side::Sell, "1", "89", stop("90"));
    let instruments = std::mem::take(&mut desk.market.instruments);
    desk.mark("90");
    assert_eq!(desk.status(order), OrderStatus::PendingTrigger);
    desk.market.instruments = instruments;
    desk.mark("90");
    assert_eq!(desk.status(order), OrderStatus::PendingNew);
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn a_trigger_that_fired_is_not_lost_before_the_venue() {
    let mut desk = Desk::new();
    let order = desk.held(Side::Sell, "2", "", stop("95"));
    desk.mark("95");
    // It is certain that it never arrived: it is held again, and goes again at once, although the price has left. Whoever owns
    // the journal by then, it is the same order to the venue, should that carry out the first request after all.
    let first = desk.entry(order).venue_id.clone();
    desk.decider.ids = ids::VenueIds::new([7; 16], 0, 2);
    desk.market
        .marks
        .values_mut()
        .for_each(|mark| mark.price = price("100"));
    desk.news(order, News::Unknown);
    desk.news(order, News::Absent("NEVER_REACHED_VENUE"));
    assert_eq!(
        (desk.status(order), desk.placements(order)),
        (OrderStatus::PendingNew, 2)
    );
    assert_eq!(
        (desk.reserved("BTC").as_str(), &desk.entry(order).venue_id),
        ("2", &first)
    );
    // While a halt is on it waits.
    let halt = SetHalt {
        scope: HaltScope::Global,
        target: String::new(),
        reason: "drill".into(),
        subject: "ada".into(),
        cancel_orders: false,
    };
    desk.tell(Command::Halt(halt));
    desk.news(order, News::Absent("SEND_WINDOW_PASSED"));
    assert_eq!(
        (desk.status(order), desk.entry(order).reason.as_str()),
        (OrderStatus::PendingTrigger, "SEND_WINDOW_PASSED")
    );
    // What turns up nevertheless is adopted.
    let adopted = desk.news(order, News::State(state_of(Filled, "2", &[(1, "95", "2")])));
    assert_eq!(
        (reason(&adopted), desk.status(order)),
        ("ORDER_ADOPTED", OrderStatus::Filled)
    );
    assert_eq!(desk.replayed(), desk.decider.state);

    // One that somebody wants cancelled is not held again.
    let mut desk = Desk::new();
    let order = desk.held(Side::Sell, "2", "", stop("95"));
    desk.mark("95");
    desk.cancel(order);
    desk.news(order, News::Absent("SEND_WINDOW_PASSED"));
    assert_eq!(desk.status(order), OrderStatus::Rejected);
}

#[test]
fn a_held_order_is_cancelled_at_once() {
    let mut desk = Desk::new();
    let order = desk.held(Side::Sell, "2", "", stop("95"));
    assert_eq!(
        desk.news(order, News::CancelUnsure),
        Answer::Done,
        "the venue is not asked of what it never had"
    );
    assert_eq!(desk.cancel(order), Answer::Order(order));
    assert_eq!(
        (desk.status(order), desk.reserved("BTC").as_str()),
        (OrderStatus::Cancelled, "0")
    );
    desk.mark("90");
    assert_eq!(desk.placements(order), 0);
    let order = desk.held(Side::Sell, "2", "", stop("80"));
    let all = CancelAll {
        account: account("one"),
        which: OrderMatch::default(),
        request_id: String::new(),
    };
    assert_eq!(desk.tell(Command::CancelAll(all)), Answer::Orders(vec![order]));
    assert_eq!(desk.status(order), OrderStatus::Cancelled);
    assert_eq!(desk.decider.state.held_orders().count(), 0);
}

#[test]
fn the_text_of_a_plain_order_is_that_of_the_first_version() {
    let mut desk = Desk::new();
    let plain = desk.order(Side::Buy, "1.0", "100.00");
    assert_eq!(plain.terms_text(), "BTCUSDT|BUY|LIMIT|GTC|1|100");
    let with = |wishes: Wishes| Submit {
        wishes,
        ..plain.clone()
    };
    let on = |trigger: Trigger| Wishes {
        trigger: Some(trigger),
        ..Wishes::default()
    };
    let all = Wishes {
        trigger: Some(stop("95.0")),
        lasts: Lasts::Day,
        reduce_only: true,
        display_quantity: Some(quantity("0.50")),
    };
    let table = [
        (with(all), "|stop=95|day|reduce_only|shown=0.5"),
        (with(on(Trigger::TakeProfit(price("105")))), "|take_profit=105"),
        (with(on(Trigger::Trailing(Trail::Amount(price("5"))))), "|trail=5"),
        (with(on(Trigger::Trailing(Trail::BasisPoints(250)))), "|trail=250bp"),
        (with(until(7)), "|until=7"),
        (
            Submit {
                strategy: Some(domain::StrategyId::parse("s").unwrap()),
                ..plain.clone()
            },
            "|strategy=s",
        ),
    ];
    for (submit, added) in table {
        assert_eq!(submit.terms_text(), format!("{}{added}", plain.terms_text()));
    }
}
