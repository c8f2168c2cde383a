use domain::{Interval, Liquidity, OrderStatus, OrderType, Side, TimeInForce, Timestamp, TradeId};

use super::*;
use crate::error::Kind;
use crate::pb::{self, data, trading};

fn field_of(error: &Error) -> &str {
    assert_eq!((error.kind(), error.reason()), (Kind::Invalid, INVALID_FIELD));
    &error.context()["field"]
}

fn wire_fill() -> trading::Fill {
    trading::Fill {
        account_id: "paper-1".to_owned(),
        order_id: "0-42".to_owned(),
        venue: "exchange".to_owned(),
        symbol: "BTCUSDT".to_owned(),
        trade_id: 7,
        venue_order_id: "991".to_owned(),
        side: trading::Side::Sell.into(),
        price: "64000.5".to_owned(),
        quantity: "0.001".to_owned(),
        fee: "-0.0064".to_owned(),
        fee_asset: "USDT".to_owned(),
        liquidity: trading::Liquidity::Maker.into(),
        time: Some(pb::Timestamp::from_micros(1_700_000_000_123_456)),
    }
}

fn wire_bar() -> data::Bar {
    data::Bar {
        symbol: "BTCUSDT".to_owned(),
        interval: data::Interval::Interval1m.into(),
        open_time: Some(pb::Timestamp::from_micros(60_000_000)),
        close_time: Some(pb::Timestamp::from_micros(119_999_000)),
        open: "10".to_owned(),
        high: "12".to_owned(),
        low: "9.5".to_owned(),
        close: "11".to_owned(),
        volume: "3".to_owned(),
        quote_volume: "33".to_owned(),
        trade_count: 2,
        taker_buy_volume: "1".to_owned(),
        taker_buy_quote_volume: "11".to_owned(),
        closed: true,
    }
}

fn wire_trade() -> data::Trade {
    data::Trade {
        symbol: "BTCUSDT".to_owned(),
        trade_id: 7,
        price: "10".to_owned(),
        quantity: "1".to_owned(),
        taker_side: data::Side::Buy.into(),
        time: Some(pb::Timestamp::from_micros(5)),
    }
}

fn wire_instrument() -> data::Instrument {
    data::Instrument {
        symbol: "BTCUSDT".to_owned(),
        venue: "exchange".to_owned(),
        base_asset: "BTC".to_owned(),
        quote_asset: "USDT".to_owned(),
        tick_size: "0.01".to_owned(),
        lot_size: "0.00001".to_owned(),
        min_quantity: "0.00001".to_owned(),
        max_quantity: "9000".to_owned(),
        min_notional: "5".to_owned(),
        tradable: true,
        max_price: "1000000".to_owned(),
    }
}

#[test]
fn messages_come_back_as_they_went() {
    let sent = wire_fill();
    assert_eq!(pb_fill(&fill(&sent).unwrap(), "991"), sent);
    let sent = wire_bar();
    assert_eq!(pb_bar(&bar(&sent).unwrap()), sent);
    let sent = wire_trade();
    assert_eq!(pb_trade(&trade(&sent).unwrap()), sent);
    for tradable in [true, false] {
        let sent = data::Instrument {
            tradable,
            ..wire_instrument()
        };
        assert_eq!(pb_instrument(&instrument(&sent).unwrap(), "exchange"), sent);
    }
    let sent = data::Level {
        price: "10".to_owned(),
        quantity: "0".to_owned(),
    };
    assert_eq!(pb_level(&level(&sent).unwrap()), sent);
}

/// Spoils one field of a valid message.
type Spoil<M> = fn(&mut M);

#[test]
fn a_wrong_field_of_a_fill_is_named() {
    let table: [(&str, Spoil<trading::Fill>); 12] = [
        ("fill.account_id", |fill| fill.account_id.clear()),
        ("fill.venue", |fill| fill.venue = "NO".to_owned()),
        ("fill.symbol", |fill| fill.symbol = "btc".to_owned()),
        ("fill.trade_id", |fill| fill.trade_id = -1),
        ("fill.order_id", |fill| fill.order_id = "a b".to_owned()),
        ("fill.side", |fill| fill.side = 0),
        ("fill.price", |fill| fill.price = "0".to_owned()),
        ("fill.quantity", |fill| fill.quantity = "-1".to_owned()),
        ("fill.fee", |fill| fill.fee = "1e3".to_owned()),
        ("fill.fee_asset", |fill| fill.fee_asset.clear()),
        ("fill.liquidity", |fill| fill.liquidity = 99),
        ("fill.time", |fill| fill.time = None),
    ];
    for (field, spoil) in table {
        let mut spoilt = wire_fill();
        spoil(&mut spoilt);
        assert_eq!(field_of(&fill(&spoilt).unwrap_err()), field);
    }
}

#[test]
fn a_wrong_field_of_market_data_is_named() {
    let table: [(&str, Spoil<data::Bar>); 13] = [
        ("bar.trade_count", |bar| bar.trade_count = -1),
        ("bar.symbol", |bar| bar.symbol.clear()),
        ("bar.interval", |bar| bar.interval = 0),
        ("bar.open_time", |bar| bar.open_time = None),
        ("bar.close_time", |bar| bar.close_time = None),
        ("bar.open", |bar| bar.open.clear()),
        ("bar.high", |bar| bar.high.clear()),
        ("bar.low", |bar| bar.low.clear()),
        ("bar.close", |bar| bar.close.clear()),
        ("bar.volume", |bar| bar.volume.clear()),
        ("bar.quote_volume", |bar| bar.quote_volume.clear()),
        ("bar.taker_buy_volume", |bar| bar.taker_buy_volume.clear()),
        ("bar.taker_buy_quote_volume", |bar| bar.taker_buy_quote_volume.clear()),
    ];
    for (field, spoil) in table {
        let mut spoilt = wire_bar();
        spoil(&mut spoilt);
        assert_eq!(field_of(&bar(&spoilt).unwrap_err()), field);
    }
    let table: [(&str, Spoil<data::Trade>); 6] = [
        ("trade.symbol", |trade| trade.symbol.clear()),
        ("trade.trade_id", |trade| trade.trade_id = -1),
        ("trade.price", |trade| trade.price.clear()),
        ("trade.quantity", |trade| trade.quantity.clear()),
        ("trade.taker_side", |trade| trade.taker_side = 3),
        ("trade.time", |trade| trade.time = None),
    ];
    for (field, spoil) in table {
        let mut spoilt = wire_trade();
        spoil(&mut spoilt);
        assert_eq!(field_of(&trade(&spoilt).unwrap_err()), field);
    }
    let table: [(&str, Spoil<data::Instrument>); 9] = [
        ("instrument.symbol", |each| each.symbol.clear()),
        ("instrument.base_asset", |each| each.base_asset.clear()),
        ("instrument.quote_asset", |each| each.quote_asset.clear()),
        ("instrument.tick_size", |each| each.tick_size = "0".to_owned()),
        ("instrument.max_price", |each| each.max_price.clear()),
        ("instrument.lot_size", |each| each.lot_size.clear()),
        ("instrument.min_quantity", |each| each.min_quantity.clear()),
        ("instrument.max_quantity", |each| each.max_quantity.clear()),
        ("instrument.min_notional", |each| each.min_notional.clear()),
    ];
    for (field, spoil) in table {
        let mut spoilt = wire_instrument();
        spoil(&mut spoilt);
        assert_eq!(field_of(&instrument(&spoilt).unwrap_err()), field);
    }
    let empty = data::Level::default();
    assert_eq!(field_of(&level(&empty).unwrap_err()), "level.price");
    let priced = data::Level {
        price: "1".to_owned(),
        ..empty
    };
    assert_eq!(field_of(&level(&priced).unwrap_err()), "level.quantity");
}

#[test]
fn every_enum_value_has_one_counterpart() {
    for &value in Side::ALL {
        assert_eq!(side("f", pb_side(value).into()).unwrap(), value);
        assert_eq!(taker_side("f", pb_taker_side(value).into()).unwrap(), value);
    }
    for &value in OrderType::ALL {
        assert_eq!(order_type("f", pb_order_type(value).into()).unwrap(), value);
    }
    for &value in TimeInForce::ALL {
        assert_eq!(time_in_force("f", pb_time_in_force(value).into()).unwrap(), value);
        let number = pb_time_in_force(value).into();
        assert_eq!(optional_time_in_force("f", number).unwrap(), Some(value));
    }
    for &value in OrderStatus::ALL {
        assert_eq!(order_status("f", pb_order_status(value).into()).unwrap(), value);
    }
    for &value in Liquidity::ALL {
        assert_eq!(liquidity("f", pb_liquidity(value).into()).unwrap(), value);
    }
    for &value in Interval::ALL {
        assert_eq!(interval("f", pb_interval(value).into()).unwrap(), value);
    }
    assert_eq!(optional_time_in_force("f", 0).unwrap(), None);
    let refused = [
        side("f", 0).err(),
        side("f", 9).err(),
        taker_side("f", 0).err(),
        taker_side("f", 9).err(),
        order_type("f", 0).err(),
        order_type("f", 9).err(),
        time_in_force("f", 0).err(),
        optional_time_in_force("f", 9).err(),
        order_status("f", 0).err(),
        order_status("f", 99).err(),
        liquidity("f", 0).err(),
        liquidity("f", -1).err(),
        interval("f", 0).err(),
        interval("f", 9).err(),
    ];
    for error in refused {
        assert_eq!(field_of(&error.unwrap()), "f");
    }
}

#[test]
fn absent_values_are_absent_where_they_may_be() {
    assert_eq!(optional_price("f", "").unwrap(), None);
    let price = optional_price("f", "10.50").unwrap();
    assert_eq!((pb_price(price).as_str(), pb_price(None).as_str()), ("10.5", ""));
    assert!(optional_price("f", "x").is_err());
    assert_eq!(optional_symbol("f", "").unwrap(), None);
    assert_eq!(optional_symbol("f", "BTCUSDT").unwrap().unwrap().as_str(), "BTCUSDT");
    assert_eq!(optional_timestamp("f", None).unwrap(), None);
    assert_eq!(client_order_id("f", "a/b").unwrap().as_str(), "a/b");
}

#[test]
fn errors_say_why_and_do_not_repeat_long_input() {
    let error = price("order.price", "1e400").unwrap_err();
    assert_eq!(error.message(), "order.price: not a plain decimal number: \"1e400\"");
    assert_eq!(error.context()["cause"], "NUMBER_MALFORMED");
    assert_eq!(symbol("f", "").unwrap_err().message(), "f: must be given");
    let long = client_order_id("f", &"ä".repeat(500)).unwrap_err();
    assert!(long.message().len() < 300 && long.message().ends_with('…'), "{long}");
    let out_of_range = pb::Timestamp { seconds: 0, nanos: -1 };
    assert_eq!(field_of(&timestamp("f", Some(&out_of_range)).unwrap_err()), "f");
    assert_eq!(field_of(&timestamp("f", None).unwrap_err()), "f");
    let time = Timestamp::from_micros(-1);
    assert_eq!(timestamp("f", Some(&pb_timestamp(time))).unwrap(), time);
    assert_eq!(pb_trade_id(TradeId::new(u64::MAX)), i64::MAX);
}
