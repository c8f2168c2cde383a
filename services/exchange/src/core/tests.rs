//! The venue as a whole: determinism, activity, conservation.

use super::listing::QUOTE;
use super::market::MarketEvent;
use super::order::{OrderKey, SelfTradePrevention, Side, Status, TimeInForce};
use super::request::{NewOrder, Terms};
use super::units::ONE;
use super::venue::{self, Effects, Options, Venue};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

mod amends;
mod bed;
mod conservation;
mod fees;
mod icebergs;
mod lists;
mod prevention;
mod refusals;
mod stops;

const START: i64 = 1_700_000_000_000_000;

fn options(symbols: usize, seed: u64) -> Options {
    Options {
        symbols,
        seed,
        scale: 1.0,
        maker_fee_bps: 7,
        taker_fee_bps: 10,
        max_open_orders: 5,
        kept: 1_000,
    }
}

fn open(options: Options) -> (Venue, Effects) {
    let mut effects = Effects::default();
    let mut venue = Venue::open(options.clone(), venue::ledger(&options), START, &mut effects);
    let balances: BTreeMap<String, i128> = std::iter::once((QUOTE.to_owned(), 1_000_000 * ONE))
        .chain(
            venue
                .markets()
                .iter()
                .map(|market| (market.listing.base.clone(), 1_000 * ONE))
                .collect::<Vec<_>>(),
        )
        .collect();
    for name in ["alice", "bob"] {
        venue.open_account(name, balances.clone(), &mut effects);
    }
    (venue, effects)
}

fn tape(seed: u64) -> u64 {
    let (mut venue, _) = open(options(8, seed));
    let mut hasher = DefaultHasher::new();
    for step in 1..=300 {
        let mut effects = Effects::default();
        venue.advance(START + step * 33_333, &mut effects);
        format!("{:?}", effects.market).hash(&mut hasher);
    }
    hasher.finish()
}

#[test]
fn the_same_seed_makes_the_same_tape() {
    assert_eq!(tape(5), tape(5));
    assert_ne!(tape(5), tape(6));
}

#[test]
fn the_median_symbol_is_as_busy_as_promised() {
    let (mut venue, _) = open(options(120, 1));
    let seconds = 30;
    let mut changes = vec![0_usize; 120];
    let mut trades = vec![0_usize; 120];
    for step in 1..=seconds * 50 {
        let mut effects = Effects::default();
        venue.advance(START + step * 20_000, &mut effects);
        for (symbol, _, event) in &effects.market {
            match event {
                MarketEvent::Depth { bids, asks, .. } => changes[*symbol] += bids.len() + asks.len(),
                MarketEvent::Trade(_) => trades[*symbol] += 1,
                _ => {}
            }
        }
    }
    let median = |counts: &mut Vec<usize>| {
        counts.sort_unstable();
        counts[counts.len() / 2] as f64 / seconds as f64
    };
    let (changes, trades) = (median(&mut changes), median(&mut trades));
    println!("median level changes a second {changes:.1}, trades a second {trades:.1}");
    assert!(
        changes >= 30.0 && trades >= 2.0,
        "level changes {changes}, trades {trades}"
    );
    for market in venue.markets() {
        let (bid, ask) = (market.book().best(Side::Buy), market.book().best(Side::Sell));
        assert!(bid.is_some() && ask.is_some() && bid < ask, "{}", market.listing.symbol);
    }
}

#[test]
fn order_flow_tells_where_the_price_goes() {
    let (mut venue, _) = open(options(20, 2));
    let (mut product, mut flow_square, mut move_square) = (0.0, 0.0, 0.0);
    let mut flow = [0.0; 20];
    let mut mids: Vec<f64> = venue.markets().iter().map(super::market::Market::mid).collect();
    for second in 1..=600 {
        let mut effects = Effects::default();
        venue.advance(START + second * 1_000_000, &mut effects);
        let before = std::mem::replace(&mut flow, [0.0; 20]);
        for (symbol, _, event) in &effects.market {
            if let MarketEvent::Trade(print) = event {
                flow[*symbol] += if print.buyer_made { -1.0 } else { 1.0 };
            }
        }
        for (symbol, market) in venue.markets().iter().enumerate() {
            let change = market.mid() / mids[symbol] - 1.0;
            mids[symbol] = market.mid();
            product += before[symbol] * change;
            flow_square += before[symbol] * before[symbol];
            move_square += change * change;
        }
    }
    let correlation = product / (flow_square * move_square).sqrt();
    assert!(correlation > 0.02, "{correlation}");
}

#[test]
fn a_long_pause_is_not_made_up_for() {
    let (mut venue, _) = open(options(2, 1));
    let mut effects = Effects::default();
    venue.advance(START + 3_600_000_000, &mut effects);
    assert!(effects.market.len() < 4_000, "{}", effects.market.len());
    venue.advance(START, &mut effects);
    assert_eq!(venue.now(), START + 3_600_000_000);
}

#[test]
fn open_orders_are_bounded() {
    let (mut venue, mut effects) = open(options(1, 1));
    let price = i128::from(venue.markets()[0].last_ticks()) * 1_000_000 / 2;
    let terms = Terms::Limit {
        price,
        quantity: ONE / 100,
        time_in_force: TimeInForce::Gtc,
        iceberg: None,
    };
    let order = NewOrder {
        account: "alice".into(),
        symbol: 0,
        client_id: None,
        side: Side::Buy,
        terms,
        prevention: SelfTradePrevention::None,
    };
    for _ in 0..5 {
        assert!(venue.place(&order, START, &mut effects).is_ok());
    }
    let refused = venue.place(&order, START, &mut effects);
    assert_eq!(refused, Err(super::order::Refusal::Filter("MAX_NUM_ORDERS")));
    assert_eq!(
        venue
            .cancel_all("alice", 0, START, &mut effects)
            .map(|orders| orders.len()),
        Ok(5)
    );
    let nobody = NewOrder {
        account: "nobody".into(),
        ..order
    };
    assert_eq!(venue.check(&nobody), Err(super::order::Refusal::NoSuchAccount));
    assert!(venue.cancel_all("nobody", 0, START, &mut effects).is_err());
    assert!(
        venue
            .cancel("nobody", 0, &OrderKey::Id(1), None, START, &mut effects)
            .is_err()
    );
}

fn far_bid(venue: &Venue, client_id: &str) -> NewOrder {
    let price = i128::from(venue.markets()[0].last_ticks()) * venue.markets()[0].listing.tick() / 2;
    let price = price - price % venue.markets()[0].listing.tick();
    let terms = Terms::Limit {
        price,
        quantity: ONE / 100,
        time_in_force: TimeInForce::Gtc,
        iceberg: None,
    };
    NewOrder {
        account: "alice".into(),
        symbol: 0,
        client_id: Some(client_id.into()),
        side: Side::Buy,
        terms,
        prevention: SelfTradePrevention::None,
    }
}

#[test]
fn only_so_many_closed_orders_and_fills_are_kept() {
    let (mut venue, mut effects) = open(Options {
        kept: 2,
        ..options(1, 1)
    });
    for client_id in ["a", "b", "c"] {
        let order = far_bid(&venue, client_id);
        assert!(venue.place(&order, START, &mut effects).is_ok());
        let key = OrderKey::Client(client_id.into());
        assert!(venue.cancel("alice", 0, &key, None, START, &mut effects).is_ok());
        let terms = Terms::Market { quantity: ONE / 1_000 };
        let bought = NewOrder {
            client_id: None,
            terms,
            ..order
        };
        assert!(venue.place(&bought, START, &mut effects).is_ok());
    }
    let alice = venue.ledger().account("alice").unwrap();
    assert_eq!((alice.orders.len(), alice.fills.len()), (2, 2));
    let found = |client_id: &str| alice.order("BTCUSDT", &OrderKey::Client(client_id.into())).is_some();
    assert_eq!((found("a"), found("c")), (false, true));
}

#[test]
fn open_orders_return_to_the_book_and_those_that_no_longer_fit_expire() {
    let (mut venue, mut effects) = open(options(1, 1));
    let placed = venue
        .place(&far_bid(&venue, "rests"), START, &mut effects)
        .unwrap()
        .order;
    let mut ledger = venue::ledger(venue.options());
    effects.records.iter().for_each(|record| ledger.fold(record));
    // the same order off today's tick, as if the tick had been finer
    let odd = super::ledger::Record::Accepted {
        order: super::order::Order {
            id: placed.id + 1,
            client_id: "odd".into(),
            price: placed.price + 1,
            ..placed.clone()
        },
    };
    ledger.fold(&odd);
    let mut effects = Effects::default();
    let again = Venue::open(venue.options().clone(), ledger, START, &mut effects);
    let alice = again.ledger().account("alice").unwrap();
    let status = |client_id: &str| {
        alice
            .order("BTCUSDT", &OrderKey::Client(client_id.into()))
            .unwrap()
            .status
    };
    assert_eq!((status("rests"), status("odd")), (Status::New, Status::Expired));
    let market = &again.markets()[0];
    let ticks = (placed.price / market.listing.tick()) as i64;
    assert_eq!(
        i128::from(market.book().lots_at(Side::Buy, ticks)) * market.listing.lot(),
        ONE / 100
    );
    assert!(market.update_id() > venue.markets()[0].update_id());
    assert_eq!(alice.balance(QUOTE).locked, placed.locked);
}
