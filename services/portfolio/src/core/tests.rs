use super::{Changes, Event, FoldError, Mark, MarkSource, Portfolios, value};
use domain::{
    AccountId, Asset, Fill, Instrument, InstrumentStatus, Liquidity, Money, OrderId, Price, Quantity, Side, Symbol,
    Timestamp, TradeId, Venue,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        base: asset("BTC"),
        quote: asset("USDT"),
        tick_size: price("0.01"),
        lot_size: quantity("0.0001"),
        min_quantity: quantity("0.0001"),
        max_quantity: quantity("1000"),
        min_notional: money("5"),
        max_price: price("1000000"),
        status: InstrumentStatus::Trading,
    }
}

fn asset(text: &str) -> Asset {
    Asset::parse(text).unwrap()
}
fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}
fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}
fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}
fn account() -> AccountId {
    AccountId::parse("paper-1").unwrap()
}

fn fill(trade: u64, side: Side, at: &str, size: &str, fee: &str, fee_asset: &str) -> Event {
    Event::Fill(Fill {
        account: account(),
        venue: Venue::parse("sim").unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        trade_id: TradeId::new(trade),
        order_id: OrderId::parse("0-1").unwrap(),
        side,
        price: price(at),
        quantity: quantity(size),
        fee: money(fee),
        fee_asset: asset(fee_asset),
        liquidity: Liquidity::Taker,
        time: Timestamp::from_micros(7),
    })
}

fn opening(amounts: &[(&str, &str)]) -> Event {
    let balances = amounts
        .iter()
        .map(|(name, amount)| (asset(name), money(amount)))
        .collect();
    Event::BalancesAdopted {
        account: account(),
        balances,
        reason: "opening".into(),
    }
}

/// Applies the events in batches of `size`.
fn fold(events: &[Event], size: usize) -> Portfolios {
    let mut portfolios = Portfolios::default();
    let mut sequence = 0;
    for chunk in events.chunks(size) {
        let mut changes = Changes::default();
        for event in chunk {
            sequence += 1;
            let time = Timestamp::from_micros(7);
            portfolios
                .apply(&mut changes, sequence, time, event, Some(&instrument()))
                .unwrap();
        }
        portfolios.commit(changes);
    }
    portfolios
}

#[test]
fn a_purchase_moves_cash_assets_and_position() {
    let events = [
        opening(&[("USDT", "1000"), ("BTC", "1")]),
        fill(1, Side::Buy, "100", "2", "0.2", "USDT"),
    ];
    let portfolios = fold(&events, 1);
    let account = portfolios.account(&account()).unwrap();
    assert_eq!(account.balances[&asset("USDT")], money("799.8"));
    assert_eq!(account.balances[&asset("BTC")], money("3"));
    assert_eq!(account.sequence, 2);
    let position = &account.positions[&Symbol::parse("BTCUSDT").unwrap()];
    assert_eq!(
        position.quantity(),
        money("2"),
        "the opening balance has no cost and is no position"
    );
}

#[test]
fn a_fee_in_the_base_asset_reduces_what_is_held() {
    let portfolios = fold(&[fill(1, Side::Buy, "100", "2", "0.002", "BTC")], 1);
    let account = portfolios.account(&account()).unwrap();
    assert_eq!(account.balances[&asset("BTC")], money("1.998"));
    assert_eq!(
        account.positions[&Symbol::parse("BTCUSDT").unwrap()].quantity(),
        money("1.998")
    );
}

#[test]
fn balances_that_are_adopted_again_post_only_the_difference() {
    let events = [opening(&[("USDT", "1000")]), opening(&[("USDT", "900"), ("BTC", "0")])];
    let mut portfolios = fold(&events[..1], 1);
    let mut changes = Changes::default();
    portfolios
        .apply(&mut changes, 2, Timestamp::from_micros(7), &events[1], None)
        .unwrap();
    assert_eq!(changes.movements[0].entries.len(), 2, "one asset differs, two sides");
    portfolios.commit(changes);
    assert_eq!(
        portfolios.account(&account()).unwrap().balances[&asset("USDT")],
        money("900")
    );
}

#[test]
fn what_cannot_be_applied_changes_nothing() {
    let portfolios = Portfolios::default();
    let mut changes = Changes::default();
    let mut apply = |event: &Event, instrument: Option<&Instrument>| {
        portfolios.apply(&mut changes, 1, Timestamp::from_micros(7), event, instrument)
    };
    let refusal = apply(&fill(1, Side::Buy, "1", "1", "0", "USDT"), None);
    assert_eq!(
        refusal,
        Err(FoldError::UnknownInstrument(Symbol::parse("BTCUSDT").unwrap()))
    );
    let refusal = apply(&fill(1, Side::Buy, "1", "1", "2", "BTC"), Some(&instrument()));
    assert!(matches!(refusal, Err(FoldError::Position(_))));
    apply(&Event::Other, None).unwrap();
    assert_eq!(portfolios, Portfolios::default());
}

#[test]
fn an_account_is_valued_at_marks_and_names_what_has_none() {
    let events = [
        opening(&[("USDT", "1000"), ("XYZ", "5")]),
        fill(1, Side::Buy, "100", "2", "0.2", "USDT"),
        fill(2, Side::Sell, "110", "1", "0.11", "USDT"),
    ];
    let portfolios = fold(&events, 3);
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let instruments = BTreeMap::from([(symbol.clone(), instrument())]);
    let mark = Mark {
        price: price("120"),
        source: MarkSource::BookMid,
        age_us: 3,
    };
    let known = portfolios.account(&account()).unwrap();
    let valuation = value(known, &asset("USDT"), &instruments, &BTreeMap::from([(symbol, mark)])).unwrap();
    assert_eq!(valuation.equity, money("1029.69"));
    assert_eq!(valuation.realised, money("9.69"), "10 gained less both fees");
    assert_eq!(valuation.unrealised, money("20"));
    assert_eq!(
        valuation
            .holdings
            .iter()
            .filter(|holding| holding.value.is_none())
            .count(),
        1
    );
    let without = value(known, &asset("USDT"), &BTreeMap::new(), &BTreeMap::new()).unwrap();
    assert_eq!(without.positions[0].unrealised, None);
    assert_eq!(without.realised, Money::ZERO, "not known to be in the reporting asset");
    assert_eq!(
        (MarkSource::BookMid.name(), MarkSource::LastTrade.name()),
        ("book-mid", "last-trade")
    );
}

proptest! {
    /// However events are batched, the outcome is the same; and the cash is what the fills say.
    #[test]
    fn batching_does_not_matter(
        trades in prop::collection::vec((any::<bool>(), 1_u64..10_000, 1_u64..1000), 1..40),
        size in 1_usize..10,
    ) {
        let mut cash = Money::ZERO;
        let events: Vec<Event> = trades
            .iter()
            .enumerate()
            .map(|(index, (buys, cents, lots))| {
                let side = if *buys { Side::Buy } else { Side::Sell };
                let (at, size) = (format!("{}.{:02}", cents / 100, cents % 100), format!("0.{lots:04}"));
                fill(index as u64, side, if at == "0.00" { "0.01" } else { &at }, &size, "0", "USDT")
            })
            .collect();
        for event in &events {
            let Event::Fill(fill) = event else { unreachable!("only fills") };
            let notional = fill.notional().unwrap();
            cash = match fill.side {
                Side::Buy => cash.checked_sub(notional).unwrap(),
                Side::Sell => cash.checked_add(notional).unwrap(),
            };
        }
        let one_by_one = fold(&events, 1);
        prop_assert_eq!(&one_by_one, &fold(&events, size));
        prop_assert_eq!(one_by_one.account(&account()).unwrap().balances[&asset("USDT")], cash);
    }
}
