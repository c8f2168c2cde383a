//! Whatever happens in whatever order: replay equals live, and no unit of money appears or disappears.

use super::*;
use domain::{GroupKind, Trail, Trigger};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Submit {
        buy: bool,
        lots: u32,
        ticks: u32,
        market: bool,
    },
    Cancel(usize),
    CancelAll,
    /// To the nth order: a trade of so many lots under this id, and how the order then stands.
    Venue {
        order: usize,
        status: u8,
        trade: u64,
        lots: u32,
        asked: bool,
    },
    Unknown(usize),
    Absent(usize),
    Reject(usize),
    Halt(bool),
    Wait(u32),
    /// A stop, take-profit or trailing stop at so many ticks.
    Held {
        buy: bool,
        kind: u8,
        lots: u32,
        ticks: u32,
        reduce_only: bool,
    },
    /// An OCO, OTO or bracket around the mark of 100.
    Group {
        kind: u8,
        buy: bool,
        lots: u32,
        rests: bool,
    },
    /// The nth order by so many lots at so many ticks.
    Replace {
        order: usize,
        lots: u32,
        ticks: u32,
    },
    /// The market moves, and is looked at.
    Mark(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<bool>(), 1..3_000u32, 9_000..11_200u32, any::<bool>())
            .prop_map(|(buy, lots, ticks, market)| Step::Submit { buy, lots, ticks, market }),
        2 => (0..6usize).prop_map(Step::Cancel),
        1 => Just(Step::CancelAll),
        8 => (0..6usize, 0..5u8, 1..9u64, 0..2_000u32, any::<bool>())
            .prop_map(|(order, status, trade, lots, asked)| Step::Venue { order, status, trade, lots, asked }),
        1 => (0..6usize).prop_map(Step::Unknown),
        1 => (0..6usize).prop_map(Step::Absent),
        1 => (0..6usize).prop_map(Step::Reject),
        1 => any::<bool>().prop_map(Step::Halt),
        2 => (0..400_000u32).prop_map(Step::Wait),
        3 => (any::<bool>(), 0..3u8, 1..3_000u32, 8_500..11_500u32, any::<bool>())
            .prop_map(|(buy, kind, lots, ticks, reduce_only)| Step::Held { buy, kind, lots, ticks, reduce_only }),
        3 => (0..3u8, any::<bool>(), 1..3_000u32, any::<bool>())
            .prop_map(|(kind, buy, lots, rests)| Step::Group { kind, buy, lots, rests }),
        3 => (0..6usize, 1..3_000u32, 9_000..11_000u32)
            .prop_map(|(order, lots, ticks)| Step::Replace { order, lots, ticks }),
        4 => (8_500..11_500u32).prop_map(Step::Mark),
    ]
}

fn perform(desk: &mut Desk, orders: &mut Vec<u64>, step: Step) {
    let nth = |orders: &[u64], index: usize| orders.len().checked_sub(1 + index).map(|index| orders[index]);
    match step {
        Step::Submit {
            buy,
            lots,
            ticks,
            market,
        } => {
            let side = if buy { Side::Buy } else { Side::Sell };
            let at = if market {
                String::new()
            } else {
                Price::from_ticks(i64::from(ticks), price("0.01")).unwrap().to_string()
            };
            let size = Quantity::from_lots(u64::from(lots), quantity("0.001"))
                .unwrap()
                .to_string();
            if let Answer::Accepted(order) = desk.limit(side, &size, &at) {
                orders.push(order);
            }
        }
        Step::Cancel(index) => {
            let Some(entry) = nth(orders, index).and_then(|order| desk.decider.state.order(order)) else {
                return;
            };
            let order_id = entry.order.terms().order_id.clone();
            desk.tell(Command::Cancel(Cancel {
                account: account("one"),
                order_id,
                request_id: String::new(),
            }));
        }
        Step::CancelAll => {
            desk.tell(Command::CancelAll(CancelAll {
                account: account("one"),
                which: OrderMatch::default(),
                request_id: String::new(),
            }));
        }
        Step::Venue {
            order,
            status,
            trade,
            lots,
            asked,
        } => {
            let Some(order) = nth(orders, order) else { return };
            let Some(entry) = desk.decider.state.order(order) else {
                return;
            };
            let statuses = [
                VenueStatus::Live,
                VenueStatus::Filled,
                VenueStatus::Cancelled,
                VenueStatus::Rejected,
                VenueStatus::Expired,
            ];
            let size = Quantity::from_lots(u64::from(lots), quantity("0.001")).unwrap();
            let executed = entry.order.filled().checked_add(size).unwrap().to_string();
            let size = size.to_string();
            let trades = [(trade, "100", size.as_str())];
            let trades = if lots == 0 { &trades[..0] } else { &trades[..] };
            let state = state_of(statuses[usize::from(status)], &executed, trades);
            desk.news(order, if asked { News::Found(state) } else { News::State(state) });
        }
        Step::Unknown(index) => {
            nth(orders, index).map(|order| desk.news(order, News::Unknown));
        }
        Step::Absent(index) => {
            nth(orders, index).map(|order| desk.news(order, News::Absent("NEVER_REACHED_VENUE")));
        }
        Step::Reject(index) => {
            nth(orders, index).map(|order| desk.news(order, News::Rejected("WHY".into())));
        }
        Step::Halt(set) => {
            let (scope, target, subject) = (HaltScope::Global, String::new(), "ada".to_owned());
            desk.tell(match set {
                true => Command::Halt(SetHalt {
                    scope,
                    target,
                    reason: "drill".into(),
                    subject,
                    cancel_orders: false,
                }),
                false => Command::Resume(LiftHalt { scope, target, subject }),
            });
        }
        Step::Wait(micros) => {
            desk.now += i64::from(micros);
            desk.market.heard = Timestamp::from_micros(desk.now);
        }
        Step::Held {
            buy,
            kind,
            lots,
            ticks,
            reduce_only,
        } => {
            let wishes = Wishes {
                trigger: Some(match kind {
                    0 => Trigger::Stop(at(ticks)),
                    1 => Trigger::TakeProfit(at(ticks)),
                    _ => Trigger::Trailing(Trail::BasisPoints(ticks % 900 + 1)),
                }),
                reduce_only,
                ..Wishes::default()
            };
            if let Answer::Accepted(order) = desk.wish(side_of(buy), &size_of(lots), "", wishes) {
                orders.push(order);
            }
        }
        Step::Group { kind, buy, lots, rests } => {
            let submit = group_of(desk, kind, buy, &size_of(lots), rests);
            if let Answer::Orders(group) = desk.tell(Command::Group(submit)) {
                orders.extend(group);
            }
        }
        Step::Replace { order, lots, ticks } => {
            let Some(order) = nth(orders, order).filter(|order| desk.decider.state.order(*order).is_some()) else {
                return;
            };
            let limit = if desk.entry(order).order.terms().price.is_some() {
                at(ticks).to_string()
            } else {
                String::new()
            };
            if let Answer::Orders(both) = desk.replace(order, &size_of(lots), &limit, "") {
                orders.push(both[0]);
            }
        }
        Step::Mark(ticks) => desk.mark(&at(ticks).to_string()),
    }
}

fn at(ticks: u32) -> Price {
    Price::from_ticks(i64::from(ticks), price("0.01")).unwrap()
}

fn size_of(lots: u32) -> String {
    Quantity::from_lots(u64::from(lots), quantity("0.001"))
        .unwrap()
        .to_string()
}

fn side_of(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

/// A group whose exits are ten away from 100, if it has any; an entry at 100.
fn group_of(desk: &mut Desk, kind: u8, buy: bool, size: &str, rests: bool) -> GroupSubmit {
    let exit = if kind == 0 {
        side_of(buy)
    } else {
        side_of(buy).opposite()
    };
    let (target, stop) = match exit {
        Side::Sell => ("110", "90"),
        Side::Buy => ("90", "110"),
    };
    let on = |trigger: Trigger| Wishes {
        trigger: Some(trigger),
        ..Wishes::default()
    };
    let profit = match rests {
        true => desk.order(exit, size, target),
        false => Submit {
            wishes: on(Trigger::TakeProfit(price(target))),
            ..desk.order(exit, size, "")
        },
    };
    let loss = Submit {
        wishes: on(Trigger::Stop(price(stop))),
        ..desk.order(exit, size, "")
    };
    let entry = desk.order(side_of(buy), size, "100");
    let (kind, orders) = match kind {
        0 => (GroupKind::Oco, vec![profit, loss]),
        1 => (GroupKind::Oto, vec![entry, if rests { profit } else { loss }]),
        _ => (GroupKind::Bracket, vec![entry, profit, loss]),
    };
    GroupSubmit { kind, orders }
}

/// Whenever an order went to the venue, none was there that it must not live beside, and it went for no more than is left.
fn releases_are_exclusive(desk: &Desk) {
    let mut state = State::new(0, desk.decider.state.kept());
    for (sequence, (time, event)) in (1..).zip(&desk.journal) {
        if let Event::Released(released) = event {
            let entry = state.order(released.order).unwrap();
            let terms = entry.order.terms();
            assert!(released.quantity <= terms.quantity);
            let rival = state.rival(entry);
            let old = entry.replaces().and_then(|old| state.order(old));
            for other in rival.into_iter().chain(old) {
                assert!(!other.order.status().is_at_venue(), "{other:?} beside {entry:?}");
            }
            if let Some(old) = old {
                let since = old.order.filled().checked_sub(entry.carried).unwrap();
                assert!(released.quantity.checked_add(since).unwrap() <= terms.quantity);
            }
            if let Some(parent) = entry.parent().and_then(|parent| state.order(parent)) {
                assert!(released.quantity <= parent.order.filled());
            }
        }
        state.apply(sequence, *time, event).unwrap();
    }
}

/// The account's sums against sums made anew from its orders and from the journal.
fn audit(desk: &Desk) {
    let state = &desk.decider.state;
    let account = state.account(&account("one")).unwrap();
    let mut reserved: BTreeMap<Asset, Money> = BTreeMap::new();
    for entry in state.orders() {
        assert!(entry.order.status().is_live() || entry.reserved.is_zero());
        assert!(!entry.reserved.is_negative());
        if !entry.reserved.is_zero() {
            let sum = reserved.entry(entry.reserved_asset().clone()).or_default();
            *sum = sum.checked_add(entry.reserved).unwrap();
        }
    }
    assert_eq!(account.reserved, reserved);
    assert_eq!(
        account.live.iter().copied().collect::<Vec<_>>(),
        state.live_orders().map(|e| e.accepted).collect::<Vec<_>>()
    );
    let mut cash = money("10000");
    let mut coins = money("10");
    for (_, event) in &desk.journal {
        let Event::Filled(filled) = event else { continue };
        let (size, paid) = (filled.fill.quantity.amount(), filled.fill.notional().unwrap());
        let (size, paid) = match filled.fill.side {
            Side::Buy => (size, paid),
            Side::Sell => (size.negated(), paid.negated()),
        };
        coins = coins.checked_add(size).unwrap();
        cash = cash.checked_sub(paid).unwrap().checked_sub(filled.fill.fee).unwrap();
    }
    assert_eq!(
        (desk.balance("USDT"), desk.balance("BTC")),
        (cash.to_string(), coins.to_string())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_equals_live_and_sums_are_conserved(steps in proptest::collection::vec(step(), 1..60)) {
        let generous = Limits { max_open_orders: 20, max_orders_per_second: 100, ..limits() };
        let mut desk = Desk::with(generous, Kept { closed_orders: 4, refusals: 2 });
        let mut orders = Vec::new();
        for step in steps {
            perform(&mut desk, &mut orders, step);
            audit(&desk);
        }
        releases_are_exclusive(&desk);
        prop_assert_eq!(desk.replayed(), desk.decider.state);
    }

    #[test]
    fn a_snapshot_at_any_point_is_the_state_there(steps in proptest::collection::vec(step(), 1..60)) {
        let generous = Limits { max_open_orders: 20, max_orders_per_second: 100, ..limits() };
        let kept = Kept { closed_orders: 4, refusals: 2 };
        let mut desk = Desk::with(generous, kept);
        let mut orders = Vec::new();
        for step in steps {
            perform(&mut desk, &mut orders, step);
        }
        let mut whole = State::new(0, kept);
        let mut resumed = State::new(0, kept);
        for (sequence, (time, event)) in (1..).zip(&desk.journal) {
            whole.apply(sequence, *time, event).unwrap();
            // Every record after the one before's snapshot: the fold goes on from each as it would have without.
            resumed.apply(sequence, *time, event).unwrap();
            resumed = crate::snapshot::decode(&crate::snapshot::encode(&resumed).unwrap(), 0, kept).unwrap();
            prop_assert_eq!(&resumed, &whole);
        }
    }
}
