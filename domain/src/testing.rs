//! One instrument and its orders and fills, for the tests of this crate.

use crate::{
    AccountId, ClientOrderId, Conditions, Fill, Instrument, InstrumentStatus, Liquidity, OrderId, OrderTerms,
    OrderType, Side, Symbol, TimeInForce, Timestamp, TradeId, Venue,
};

pub(crate) fn btc_usdt() -> Instrument {
    Instrument {
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        tick_size: "0.01".parse().unwrap(),
        max_price: "1000000".parse().unwrap(),
        lot_size: "0.00001".parse().unwrap(),
        min_quantity: "0.0001".parse().unwrap(),
        max_quantity: "9000".parse().unwrap(),
        min_notional: "5".parse().unwrap(),
        status: InstrumentStatus::Trading,
    }
}

pub(crate) fn terms(side: Side, price: Option<&str>, quantity: &str) -> OrderTerms {
    OrderTerms {
        order_id: OrderId::parse("o-1").unwrap(),
        client_order_id: ClientOrderId::parse("c-1").unwrap(),
        account: AccountId::parse("paper-1").unwrap(),
        venue: Venue::parse("exchange").unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        side,
        order_type: if price.is_some() {
            OrderType::Limit
        } else {
            OrderType::Market
        },
        time_in_force: TimeInForce::Gtc,
        price: price.map(|text| text.parse().unwrap()),
        collar: None,
        quantity: quantity.parse().unwrap(),
        strategy: None,
        conditions: Conditions::default(),
    }
}

/// A fill by `paper-1`; `fee` is an amount and an asset, such as `"0.1 USDT"`.
pub(crate) fn fill(side: Side, price: &str, quantity: &str, fee: &str) -> Fill {
    let (fee, fee_asset) = fee.split_once(' ').unwrap();
    Fill {
        account: AccountId::parse("paper-1").unwrap(),
        venue: Venue::parse("exchange").unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        trade_id: TradeId::new(1),
        order_id: OrderId::parse("o-1").unwrap(),
        side,
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        fee: fee.parse().unwrap(),
        fee_asset: fee_asset.parse().unwrap(),
        liquidity: Liquidity::Taker,
        time: Timestamp::EPOCH,
    }
}
