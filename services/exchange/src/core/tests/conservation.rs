//! Random sequences of everything that an account can ask for: nothing appears or vanishes, what is locked is what open
//! orders hold, and the records alone make the same accounts.

use super::super::account::Load;
use super::super::filters;
use super::super::listing::QUOTE;
use super::super::order::{OrderKey, SelfTradePrevention, Side, Stage, Status, TimeInForce};
use super::super::request::{Legs, NewList, NewOrder, Terms, Trigger};
use super::super::units::Atoms;
use super::super::venue::{self, Venue};
use super::{START, open, options};
use crate::snapshot::{self, Folded};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What must hold after every step.
pub(super) fn check(venue: &Venue) -> Result<(), TestCaseError> {
    for (asset, rest) in venue.ledger().imbalance() {
        prop_assert_eq!(rest, 0, "{} is out of balance", asset);
    }
    prop_assert!(venue.due.is_empty());
    for (name, state) in venue.ledger().accounts() {
        let mut locked: BTreeMap<&str, Atoms> = BTreeMap::new();
        for order in state.open_orders(None) {
            let base = order.symbol.strip_suffix(QUOTE).unwrap();
            let asset = if order.side == Side::Buy { QUOTE } else { base };
            *locked.entry(asset).or_default() += order.locked;
            let market = &venue.markets()[venue.symbol(&order.symbol).unwrap()];
            let resting = Atoms::from(market.left_of(order.id)) * market.listing.lot();
            let expected = if order.stage == Stage::Working { order.left() } else { 0 };
            prop_assert_eq!(resting, expected, "what is left of order {} is in the book", order.id);
            prop_assert!(order.locked >= 0 && order.left() > 0);
            prop_assert_eq!(order.status == Status::PendingNew, order.stage == Stage::Pending);
            let alone = order.list.is_none_or(|_| {
                state
                    .list_of(order.id)
                    .is_none_or(|list| list.rivals(order.id).is_empty())
            });
            if alone && order.price > 0 && order.stage != Stage::Pending {
                prop_assert_eq!(order.locked, order.lock_of(order.left()));
            }
        }
        let mut loads: BTreeMap<&str, [Atoms; 4]> = BTreeMap::new();
        for order in state.open_orders(None) {
            let load = Load::of(order);
            let counted = [
                load.orders as Atoms,
                load.waiting as Atoms,
                load.icebergs as Atoms,
                load.bid,
            ];
            let so_far = loads.entry(order.symbol.as_str()).or_default();
            counted.iter().zip(so_far).for_each(|(more, sum)| *sum += more);
        }
        for market in venue.markets() {
            let symbol = market.listing.symbol.as_str();
            let load = state.load(symbol);
            let kept = [
                load.orders as Atoms,
                load.waiting as Atoms,
                load.icebergs as Atoms,
                load.bid,
            ];
            prop_assert_eq!(kept, loads.get(symbol).copied().unwrap_or_default(), "{}", symbol);
        }
        for (asset, held) in &state.balances {
            prop_assert!(held.free >= 0, "{} is short of {}", name, asset);
            prop_assert_eq!(
                held.locked,
                locked.get(asset.as_str()).copied().unwrap_or_default(),
                "{}",
                asset
            );
        }
        for list in state.lists.values() {
            let is_open = |(id, _): &(u64, String)| state.orders.get(id).is_some_and(|order| order.status.is_open());
            prop_assert_eq!(list.open, list.orders.iter().any(is_open));
        }
        for order in state.orders.values().filter(|order| !order.status.is_open()) {
            prop_assert_eq!(order.locked, 0);
            prop_assert!(order.executed + order.prevented <= order.quantity);
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Ask {
    bob: bool,
    buy: bool,
    kind: u8,
    offset: i64,
    lots: i64,
    mode: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Place(Ask),
    List { form: u8, first: Ask, second: Ask },
    Cancel { bob: bool, nth: usize },
    CancelAll { bob: bool },
    Amend { bob: bool, nth: usize },
    FeeAsset { bob: bool, pays: bool },
    Wait,
    Restart,
}

fn ask() -> impl Strategy<Value = Ask> {
    (
        any::<bool>(),
        any::<bool>(),
        0..13_u8,
        -400..400_i64,
        10..40_000_i64,
        0..5_usize,
    )
        .prop_map(|(bob, buy, kind, offset, lots, mode)| Ask {
            bob,
            buy,
            kind,
            offset,
            lots,
            mode,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => ask().prop_map(Step::Place),
        5 => (0..3_u8, ask(), ask()).prop_map(|(form, first, second)| Step::List { form, first, second }),
        3 => (any::<bool>(), 0..8_usize).prop_map(|(bob, nth)| Step::Cancel { bob, nth }),
        1 => any::<bool>().prop_map(|bob| Step::CancelAll { bob }),
        2 => (any::<bool>(), 0..8_usize).prop_map(|(bob, nth)| Step::Amend { bob, nth }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(bob, pays)| Step::FeeAsset { bob, pays }),
        3 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn name(bob: bool) -> &'static str {
    if bob { "bob" } else { "alice" }
}

fn terms(venue: &Venue, ask: &Ask) -> Terms {
    let market = &venue.markets()[0];
    let tick = market.listing.tick();
    let last = Atoms::from(market.last_ticks()) * tick;
    let price = last + Atoms::from(ask.offset) * tick;
    let quantity = Atoms::from(ask.lots) * market.listing.lot();
    let part = Some(Atoms::from(ask.lots / 4 + 1) * market.listing.lot());
    let time_in_force = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok][ask.lots as usize % 3];
    let take_profit = ask.lots % 2 == 0;
    let trigger = match ask.lots % 4 {
        0 => Trigger::Trailing { delta: 10, from: None },
        1 => Trigger::Trailing {
            delta: 20,
            from: Some(price),
        },
        _ => Trigger::Stop(price),
    };
    let limit = |time_in_force, iceberg| Terms::Limit {
        price,
        quantity,
        time_in_force,
        iceberg,
    };
    match ask.kind {
        0 => Terms::Market { quantity },
        1 => Terms::MarketByValue {
            value: quantity * 60_000,
        },
        2 => Terms::LimitMaker {
            price,
            quantity,
            iceberg: None,
        },
        3 => limit(TimeInForce::Ioc, None),
        4 => limit(TimeInForce::Fok, None),
        5 | 6 => limit(TimeInForce::Gtc, part),
        7 | 8 => Terms::Stop {
            take_profit,
            trigger,
            quantity,
        },
        9 | 10 => Terms::StopLimit {
            take_profit,
            trigger,
            price: price + 50 * tick,
            quantity,
            time_in_force,
            iceberg: part.filter(|_| time_in_force == TimeInForce::Gtc),
        },
        _ => limit(TimeInForce::Gtc, None),
    }
}

fn order(ask: &Ask, side: Side, terms: Terms) -> NewOrder {
    NewOrder {
        account: name(ask.bob).into(),
        symbol: 0,
        client_id: None,
        side,
        terms,
        prevention: SelfTradePrevention::ALL[ask.mode],
    }
}

fn side(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

/// A pair around the last price.
fn pair(venue: &Venue, ask: &Ask, side: Side) -> (NewOrder, NewOrder) {
    let market = &venue.markets()[0];
    let tick = market.listing.tick();
    let last = Atoms::from(market.last_ticks()) * tick;
    let away = Atoms::from(ask.offset.abs() + 1) * tick;
    let quantity = Atoms::from(ask.lots) * market.listing.lot();
    let maker = |price| Terms::LimitMaker {
        price,
        quantity,
        iceberg: None,
    };
    let stop = |price| match ask.kind % 3 {
        0 => Terms::Stop {
            take_profit: false,
            trigger: Trigger::Stop(price),
            quantity,
        },
        1 => Terms::Stop {
            take_profit: false,
            trigger: Trigger::Trailing { delta: 10, from: None },
            quantity,
        },
        _ => Terms::StopLimit {
            take_profit: false,
            trigger: Trigger::Stop(price),
            price,
            quantity,
            time_in_force: TimeInForce::Gtc,
            iceberg: None,
        },
    };
    let (above, below) = match side {
        Side::Sell => (maker(last + away), stop(last - away)),
        Side::Buy => (stop(last + away), maker(last - away)),
    };
    (order(ask, side, above), order(ask, side, below))
}

fn legs(venue: &Venue, form: u8, first: &Ask, second: &Ask) -> Legs {
    let ours = Ask {
        bob: first.bob,
        ..second.clone()
    };
    let working = || {
        let limits = Ask {
            kind: if first.kind.is_multiple_of(2) { 11 } else { 3 },
            ..first.clone()
        };
        order(first, side(first.buy), terms(venue, &limits))
    };
    match form {
        0 => {
            let (above, below) = pair(venue, first, side(first.buy));
            Legs::Oco { above, below }
        }
        1 => Legs::Oto {
            working: working(),
            pending: order(
                &ours,
                side(ours.buy),
                terms(
                    venue,
                    &Ask {
                        kind: if ours.kind == 1 { 0 } else { ours.kind },
                        ..ours.clone()
                    },
                ),
            ),
        },
        _ => {
            let (above, below) = pair(venue, &ours, side(!first.buy));
            Legs::Otoco {
                working: working(),
                above,
                below,
            }
        }
    }
}

fn nth_open(venue: &Venue, bob: bool, nth: usize) -> Option<(u64, Atoms)> {
    let account = venue.ledger().account(name(bob)).unwrap();
    let order = account.open_orders(None).nth(nth)?;
    Some((order.id, order.executed + order.prevented + order.left() / 2))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn nothing_appears_or_vanishes_and_replay_agrees(steps in proptest::collection::vec(step(), 1..60), seed in 0..1_000_u64) {
        let options = venue::Options { max_open_orders: 40, kept: 30, ..options(4, seed) };
        let (mut venue, mut effects) = open(options.clone());
        let mut all = Vec::new();
        let mut now = START;
        for step in steps {
            let before = effects.records.len();
            match step {
                Step::Place(ask) => {
                    let new = order(&ask, side(ask.buy), terms(&venue, &ask));
                    let placed = venue.place(&new, now, &mut effects);
                    prop_assert!(placed.is_ok() || effects.records.len() == before, "a refusal changes nothing");
                    if let Ok(placed) = placed {
                        let filled: Atoms = placed.fills.iter().map(|fill| fill.quantity).sum();
                        prop_assert!(filled <= placed.order.executed, "a resting rest may fill by what it set off");
                        let reach_was_exact = new.terms.time_in_force() != TimeInForce::Fok || new.terms.trigger().is_some()
                            || filled == 0 || filled == placed.order.quantity;
                        prop_assert!(reach_was_exact, "all or nothing");
                    }
                }
                Step::List { form, first, second } => {
                    let new = NewList { client_id: None, legs: legs(&venue, form, &first, &second) };
                    let placed = venue.place_list(&new, now, &mut effects);
                    prop_assert!(placed.is_ok() || effects.records.len() == before, "a refusal changes nothing");
                }
                Step::Cancel { bob, nth } => {
                    if let Some((id, _)) = nth_open(&venue, bob, nth) {
                        prop_assert!(venue.cancel(name(bob), 0, &OrderKey::Id(id), None, now, &mut effects).is_ok());
                    }
                }
                Step::CancelAll { bob } => {
                    let any = venue.ledger().account(name(bob)).unwrap().load("BTCUSDT").orders > 0;
                    prop_assert_eq!(venue.cancel_all(name(bob), 0, now, &mut effects).is_ok(), any);
                    prop_assert_eq!(venue.ledger().account(name(bob)).unwrap().open_orders(None).count(), 0);
                }
                Step::Amend { bob, nth } => {
                    if let Some((id, quantity)) = nth_open(&venue, bob, nth) {
                        let quantity = quantity - quantity % venue.markets()[0].listing.lot();
                        let amended = venue.amend((name(bob), 0), &OrderKey::Id(id), None, quantity, now, &mut effects);
                        prop_assert!(amended.is_ok() || effects.records.len() == before);
                    }
                }
                Step::FeeAsset { bob, pays } => {
                    prop_assert!(venue.pay_in_fee_asset(name(bob), pays, now, &mut effects));
                }
                Step::Wait => {
                    now += 150_000;
                    venue.advance(now, &mut effects);
                }
                Step::Restart => {
                    all.append(&mut effects.records);
                    let mut replayed = venue::ledger(&options);
                    all.iter().for_each(|record| replayed.fold(record));
                    prop_assert_eq!(venue.ledger(), &replayed);
                    venue = Venue::open(options.clone(), replayed, now, &mut effects);
                }
            }
            check(&venue)?;
        }
        all.append(&mut effects.records);
        let mut replayed = venue::ledger(&options);
        all.iter().for_each(|record| replayed.fold(record));
        prop_assert_eq!(venue.ledger(), &replayed);
        // From the snapshot after each record the fold goes on as it would have without.
        let empty = venue::ledger(&options);
        let mut resumed = Folded { sequence: 0, ledger: empty.clone() };
        for record in &all {
            resumed.ledger.fold(record);
            resumed.sequence += 1;
            resumed = snapshot::decode(&snapshot::encode(&resumed).unwrap(), &empty).unwrap();
        }
        prop_assert_eq!(resumed, Folded { sequence: all.len() as u64, ledger: replayed });
        prop_assert!(filters::MAX_ALGO_ORDERS > 0);
    }
}
