//! Comparisons as tables.

use super::{Asking, Suspicion, asking, differences, is_in_step, is_whole, suspects};
use crate::core::{
    Accepted, Changed, Difference, Event, ExternalOrder, Intent, Kept, ListedTerms, State, VenueState, VenueStatus,
};
use crate::shard::{AccountView, Holdings, KnownOrder};
use crate::venue::{Holding, OpenOrder, VenueOrder};
use domain::{
    AccountId, Asset, ClientOrderId, Conditions, Money, OrderId, OrderStatus, OrderTerms, OrderType, Quantity, Side,
    Symbol, TimeInForce, Timestamp, Venue,
};
use std::time::Duration;

fn asset(name: &str) -> Asset {
    Asset::parse(name).unwrap()
}

fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn account() -> AccountId {
    AccountId::parse("one").unwrap()
}

/// An order of 2 at 100, sent, with this status.
fn known(name: &str, status: OrderStatus) -> KnownOrder {
    let mut state = State::new(
        0,
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    let time = Timestamp::from_micros(1);
    let base = name.strip_suffix("USDT").unwrap();
    let terms = OrderTerms {
        order_id: OrderId::parse("0-1").unwrap(),
        client_order_id: ClientOrderId::parse("c").unwrap(),
        account: account(),
        venue: Venue::parse("fake").unwrap(),
        symbol: symbol(name),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Some("100".parse().unwrap()),
        collar: None,
        quantity: "2".parse().unwrap(),
        strategy: None,
        conditions: Conditions::default(),
    };
    let accepted = Accepted {
        terms,
        base: asset(base),
        quote: asset("USDT"),
        limit_revision: 1,
        digest: [0; 32],
        reserved: money("200"),
        held: None,
        reason: String::new(),
    };
    let intent = Intent {
        order: 1,
        venue_id: "ours".into(),
        signed: time,
        cancel: false,
    };
    let mut events = vec![Event::Accepted(Box::new(accepted)), Event::Intent(intent)];
    if status != OrderStatus::PendingNew {
        events.push(Event::Changed(Changed {
            order: 1,
            status,
            reason: String::new(),
            reserved: Money::ZERO,
        }));
    }
    for (sequence, event) in (1..).zip(&events) {
        state.apply(sequence, time, event).unwrap();
    }
    KnownOrder::from(state.order(1).unwrap())
}

fn listed(name: &str, side: Side, at: Option<&str>, executed: &str) -> OpenOrder {
    OpenOrder {
        order: VenueOrder {
            venue_id: "ours".into(),
            state: VenueState {
                status: VenueStatus::Live,
                executed: executed.parse::<Quantity>().unwrap(),
                trades: Vec::new(),
                venue_order: "1".into(),
                reason: String::new(),
            },
        },
        terms: ListedTerms {
            symbol: symbol(name),
            side,
            price: at.map(|at| at.parse().unwrap()),
            quantity: "2".parse().unwrap(),
        },
    }
}

fn holding(name: &str, total: &str, locked: &str) -> Holding {
    Holding {
        asset: asset(name),
        total: money(total),
        locked: money(locked),
    }
}

fn view(balances: &[(&str, &str)]) -> AccountView {
    AccountView {
        opened: true,
        holdings: Holdings {
            balances: balances.iter().map(|(name, sum)| (asset(name), money(sum))).collect(),
            is_in_doubt: false,
        },
        ..AccountView::default()
    }
}

#[test]
fn the_cheaper_list_is_asked_for() {
    assert_eq!(asking(&AccountView::default()), Asking::Symbols(vec![]));
    let mut view = AccountView {
        live: vec![known("BTCUSDT", OrderStatus::Open), known("BTCUSDT", OrderStatus::Open)],
        ..AccountView::default()
    };
    assert_eq!(asking(&view), Asking::Symbols(vec![symbol("BTCUSDT")]));
    view.external = vec![ExternalOrder {
        account: account(),
        venue_order: "9".into(),
        client_id: "x".into(),
        symbol: symbol("ETHUSDT"),
        side: Side::Buy,
        price: None,
        quantity: "1".parse().unwrap(),
        executed: Quantity::ZERO,
        reserved: None,
        seen: Timestamp::EPOCH,
    }];
    assert_eq!(
        asking(&view),
        Asking::Symbols(vec![symbol("BTCUSDT"), symbol("ETHUSDT")])
    );
    for (symbols, expected) in [(13, false), (14, true)] {
        let live = (0..symbols).map(|number| known(&format!("A{number}USDT"), OrderStatus::Open));
        let view = AccountView {
            live: live.collect(),
            ..AccountView::default()
        };
        assert_eq!(asking(&view) == Asking::All, expected, "{symbols}");
    }
}

#[test]
fn a_list_is_whole_when_it_accounts_for_all_that_is_locked() {
    let buy = || listed("BTCUSDT", Side::Buy, Some("100"), "0.5");
    let sell = || listed("BTCUSDT", Side::Sell, Some("100"), "0.5");
    let (usdt, btc) = (
        |locked| holding("USDT", "1000", locked),
        |locked| holding("BTC", "10", locked),
    );
    for (holdings, orders, expected) in [
        (vec![usdt("0"), btc("0")], vec![], true),
        (vec![], vec![], true),
        (vec![usdt("1")], vec![], false),
        (vec![usdt("150"), btc("1.5")], vec![buy(), sell()], true),
        (vec![usdt("300")], vec![buy(), buy()], true),
        (vec![usdt("150"), btc("2")], vec![buy(), sell()], false),
        (vec![usdt("149")], vec![buy()], false),
        (vec![], vec![buy()], false),
        (vec![usdt("0")], vec![listed("BTCUSDT", Side::Buy, None, "0")], false),
        (vec![usdt("0")], vec![listed("XYZUSDT", Side::Sell, None, "0")], false),
        (vec![usdt("0")], vec![listed("BTCUSDT", Side::Sell, None, "3")], false),
        (vec![usdt("0")], vec![listed("BTCUSDT", Side::Sell, None, "2")], true),
    ] {
        let assets = |name: &Symbol| (name.as_str() == "BTCUSDT").then(|| (asset("BTC"), asset("USDT")));
        assert_eq!(
            is_whole(&holdings, &orders, assets),
            expected,
            "{holdings:?} {orders:?}"
        );
    }
}

#[test]
fn an_order_is_in_step_when_the_list_says_what_we_know() {
    let open = listed("BTCUSDT", Side::Buy, Some("100"), "0").order;
    let traded = listed("BTCUSDT", Side::Buy, Some("100"), "1").order;
    for (status, listed, expected) in [
        (OrderStatus::Open, Some(&open), true),
        (OrderStatus::Open, Some(&traded), false),
        (OrderStatus::Open, None, false),
        (OrderStatus::PendingNew, Some(&open), false),
        (OrderStatus::Unknown, Some(&open), false),
    ] {
        assert_eq!(is_in_step(&known("BTCUSDT", status), listed), expected, "{status:?}");
    }
}

#[test]
fn holdings_differ_by_asset_and_not_while_an_outcome_is_unknown() {
    let told = [
        holding("USDT", "90", "0"),
        holding("BTC", "1", "1"),
        holding("DUST", "3", "0"),
    ];
    let mut view = view(&[("USDT", "100"), ("BTC", "1"), ("ETH", "2"), ("NIL", "0")]);
    let found: Vec<_> = differences(&view, &told)
        .into_iter()
        .map(|it| (it.asset.to_string(), it.ours.to_string(), it.venue.to_string()))
        .collect();
    let row = |asset: &str, ours: &str, venue: &str| (asset.to_owned(), ours.to_owned(), venue.to_owned());
    assert_eq!(
        found,
        [row("DUST", "0", "3"), row("ETH", "2", "0"), row("USDT", "100", "90")]
    );
    view.live = vec![known("BTCUSDT", OrderStatus::Unknown)];
    assert!(differences(&view, &told).is_empty());
}

#[test]
fn a_difference_is_adopted_when_three_looks_in_a_row_have_seen_it() {
    let difference = |ours: &str, venue: &str| Difference {
        asset: asset("BTC"),
        ours: money(ours),
        venue: money(venue),
    };
    // What the looks see, a minute apart, and whether the last of them adopts it.
    let table: [(&[(&str, &str)], bool); 6] = [
        (&[("1", "2"), ("1", "2")], false),
        (&[("1", "2"), ("1", "2"), ("1", "2")], true),
        (&[("1", "2"), ("5", "6"), ("3", "4")], true),
        (&[("1", "2"), ("1", "3"), ("1", "2")], false),
        (&[("1", "2"), ("1", "2"), ("1", "1"), ("1", "2")], false),
        (&[("1", "2"), ("1", "3"), ("1", "3"), ("1", "3")], true),
    ];
    let minute = Duration::from_secs(60);
    for (looks, expected) in table {
        let mut suspicion = Suspicion::default();
        let mut confirmed = Vec::new();
        for (index, (ours, venue)) in (0..).zip(looks) {
            let seen = [difference(ours, venue)];
            let seen = if ours == venue { &[][..] } else { &seen[..] };
            confirmed = suspicion.note(seen, minute * index, minute);
            assert_eq!(suspicion.is_open(), ours != venue);
        }
        assert_eq!(!confirmed.is_empty(), expected, "{looks:?}");
    }
    // Looks in quick succession count as one.
    let mut suspicion = Suspicion::default();
    let seen = [difference("1", "2")];
    for (second, expected) in [(0, 0), (20, 0), (40, 0), (59, 0), (60, 0), (70, 0), (119, 0), (120, 1)] {
        let confirmed = suspicion.note(&seen, Duration::from_secs(second), minute);
        assert_eq!(confirmed.len(), expected, "{second}");
    }
}

#[test]
fn orders_that_are_over_are_suspected_by_their_assets() {
    let over = |name: &str| known(name, OrderStatus::Cancelled);
    let mut unsent = over("BTCUSDT");
    unsent.venue_id.clear();
    let view = AccountView {
        closed: vec![
            unsent,
            over("BTCUSDT"),
            over("ETHUSDT"),
            over("BTCUSDT"),
            over("BTCUSDT"),
        ],
        ..AccountView::default()
    };
    let differs = |name: &str| {
        vec![Difference {
            asset: asset(name),
            ours: Money::ZERO,
            venue: money("1"),
        }]
    };
    for (name, most, count) in [
        ("BTC", 9, 3),
        ("BTC", 2, 2),
        ("ETH", 9, 1),
        ("USDT", 9, 4),
        ("DUST", 9, 0),
    ] {
        assert_eq!(suspects(&view, &differs(name), most).len(), count, "{name}");
    }
    assert!(suspects(&view, &[], 9).is_empty());
}
