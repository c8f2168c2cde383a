use super::{mark, shard_event};
use crate::core::{Event, MarkSource};
use domain::Timestamp;
use mesh::error::Kind;
use mesh::pb::trading::trading_event::Event as Decision;
use mesh::pb::{data, trading};
use mesh::wire;
use prost::Message;

fn quote(state: data::BookState, bid: Option<&str>, ask: Option<&str>, last: &str) -> data::Quote {
    let level = |price: &str| data::Level {
        price: price.to_owned(),
        quantity: "1".to_owned(),
    };
    data::Quote {
        symbol: "BTCUSDT".to_owned(),
        state: state.into(),
        age_us: 7,
        bid: bid.map(level),
        ask: ask.map(level),
        last_price: last.to_owned(),
        venue_time: None,
    }
}

fn event(decision: Option<Decision>) -> Vec<u8> {
    let event = trading::TradingEvent {
        shard: 0,
        sequence: 1,
        time: Some(wire::pb_timestamp(Timestamp::from_micros(9))),
        event: decision,
    };
    event.encode_to_vec()
}

fn fill() -> trading::Fill {
    trading::Fill {
        account_id: "paper-1".to_owned(),
        order_id: "0-1".to_owned(),
        venue: "sim".to_owned(),
        symbol: "BTCUSDT".to_owned(),
        trade_id: 1,
        venue_order_id: "5".to_owned(),
        side: trading::Side::Buy.into(),
        price: "100".to_owned(),
        quantity: "0.5".to_owned(),
        fee: "0.05".to_owned(),
        fee_asset: "USDT".to_owned(),
        liquidity: trading::Liquidity::Taker.into(),
        time: Some(wire::pb_timestamp(Timestamp::from_micros(8))),
    }
}

fn applied(fill: Option<trading::Fill>) -> Vec<u8> {
    event(Some(Decision::FillApplied(trading::FillApplied {
        fill,
        ..trading::FillApplied::default()
    })))
}

fn adopted(account: &str, asset: &str, total: &str) -> Vec<u8> {
    event(Some(Decision::BalancesAdopted(trading::BalancesAdopted {
        account_id: account.to_owned(),
        balances: vec![trading::AssetBalance {
            asset: asset.to_owned(),
            total: total.to_owned(),
        }],
        reason: "opening".to_owned(),
    })))
}

#[test]
fn a_mark_is_the_middle_of_a_live_book_else_the_last_trade() {
    use data::BookState::{Live, Unspecified};
    let table = [
        (
            quote(Live, Some("100"), Some("101"), "90"),
            Some(("100.5", MarkSource::BookMid)),
        ),
        (
            quote(Unspecified, Some("100"), Some("101"), "90"),
            Some(("90", MarkSource::LastTrade)),
        ),
        (
            quote(Live, Some("100"), None, "90"),
            Some(("90", MarkSource::LastTrade)),
        ),
        (quote(Live, None, Some("101"), ""), None),
        (quote(Unspecified, None, None, ""), None),
    ];
    for (quote, expected) in table {
        let (symbol, found) = mark(&quote).unwrap();
        assert_eq!(symbol.as_str(), "BTCUSDT");
        let found = found.map(|mark| (mark.price.to_string(), mark.source, mark.age_us));
        let expected = expected.map(|(price, source)| (price.to_owned(), source, 7));
        assert_eq!(found, expected, "{quote:?}");
    }
}

#[test]
fn a_quote_that_is_not_one_is_refused() {
    use data::BookState::Live;
    let nameless = data::Quote {
        symbol: "not a symbol".to_owned(),
        ..quote(Live, None, None, "")
    };
    let table = [
        nameless,
        quote(Live, Some("x"), Some("101"), ""),
        quote(Live, Some("100"), Some("-1"), ""),
        quote(Live, None, None, "0x"),
    ];
    for quote in table {
        assert_eq!(mark(&quote).unwrap_err().kind(), Kind::Invalid, "{quote:?}");
    }
}

#[test]
fn events_become_what_they_are_to_a_portfolio() {
    let (time, found) = shard_event(&applied(Some(fill()))).unwrap();
    assert_eq!(time, Timestamp::from_micros(9));
    assert_eq!(found, Event::Fill(wire::fill(&fill()).unwrap()));
    let (_, found) = shard_event(&adopted("paper-1", "USDT", "-3")).unwrap();
    let Event::BalancesAdopted {
        account,
        balances,
        reason,
    } = found
    else {
        panic!("not balances: {found:?}")
    };
    assert_eq!((account.as_str(), reason.as_str()), ("paper-1", "opening"));
    assert_eq!(balances.len(), 1);
    assert_eq!(
        (balances[0].0.as_str(), balances[0].1.to_string().as_str()),
        ("USDT", "-3")
    );
    assert_eq!(shard_event(&event(None)).unwrap().1, Event::Other);
    let halt = event(Some(Decision::HaltSet(trading::HaltSet::default())));
    assert_eq!(shard_event(&halt).unwrap().1, Event::Other);
}

#[test]
fn damaged_events_are_refused() {
    let timeless = trading::TradingEvent::default().encode_to_vec();
    let nowhere = trading::Fill {
        symbol: String::new(),
        ..fill()
    };
    let table = [
        (vec![0xff], Kind::Internal),
        (timeless, Kind::Invalid),
        (applied(None), Kind::Internal),
        (applied(Some(nowhere)), Kind::Invalid),
        (adopted("", "USDT", "1"), Kind::Invalid),
        (adopted("paper-1", "", "1"), Kind::Invalid),
        (adopted("paper-1", "USDT", "one"), Kind::Invalid),
    ];
    for (bytes, kind) in table {
        assert_eq!(shard_event(&bytes).unwrap_err().kind(), kind, "{bytes:?}");
    }
}
