//! What the venue journals: each record as one JSON object, so that a journal can be read by eye.

use crate::core::ledger::Record;

/// A record as bytes.
pub fn encode(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record holds strings, whole numbers and finite values alone")
}

/// A record from bytes; says why when they hold none.
pub fn decode(bytes: &[u8]) -> Result<Record, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::ledger::Ledger;
    use crate::core::order::{
        Amendment, Fill, Order, OrderType, PreventedMatch, SelfTradePrevention, Side, Stage, Status, TimeInForce,
    };
    use crate::core::order_list::{Contingency, OrderList};
    use std::collections::BTreeMap;

    /// One of each, with every field set.
    pub(crate) fn samples() -> Vec<Record> {
        let order = Order {
            id: 7,
            account: "paper-1".into(),
            symbol: "BTCUSDT".into(),
            client_id: "c".into(),
            side: Side::Buy,
            kind: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 6_700_000_000_000,
            quantity: i128::from(i64::MAX) * 10,
            quote_quantity: 0,
            executed: 0,
            executed_value: 0,
            locked: 5,
            status: Status::New,
            created: 1,
            updated: 1,
            stage: Stage::Waiting,
            working_since: 2,
            stop_price: 3,
            trailing_delta: 4,
            trail: 5,
            trailing_since: 6,
            iceberg: 7,
            list: Some(8),
            prevention: SelfTradePrevention::Decrement,
            prevented: 9,
            amends: 1,
        };
        let list = OrderList {
            id: 8,
            account: "paper-1".into(),
            symbol: "BTCUSDT".into(),
            client_id: "l".into(),
            contingency: Contingency::Otoco,
            orders: vec![(7, "c".into())],
            open: true,
            created: 1,
            updated: 1,
        };
        let prevented = PreventedMatch {
            id: 10,
            account: "paper-1".into(),
            symbol: "BTCUSDT".into(),
            taker: 7,
            maker: 6,
            mode: SelfTradePrevention::ExpireBoth,
            price: 1,
            taker_quantity: 2,
            maker_quantity: 3,
            time: 4,
        };
        let amendment = Amendment {
            id: 11,
            order: 7,
            old_client_id: "c".into(),
            client_id: "d".into(),
            old_quantity: 2,
            quantity: 1,
            time: 4,
        };
        let fill = Fill {
            account: "paper-1".into(),
            symbol: "BTCUSDT".into(),
            order: 7,
            trade: 9,
            side: Side::Sell,
            price: 1,
            quantity: 2,
            value: 3,
            fee: 4,
            maker: true,
            time: 5,
            fee_asset: Some("BNB".into()),
            list: Some(8),
        };
        let account = "paper-1".to_owned();
        vec![
            Record::Started,
            Record::Ids { ceiling: u64::MAX },
            Record::Values {
                values: BTreeMap::from([("BTCUSDT".into(), 67_000.123_456_789)]),
            },
            Record::Opened {
                account: account.clone(),
                balances: BTreeMap::from([("USDT".into(), -1)]),
            },
            Record::FeeAsset {
                account: account.clone(),
                pays: true,
                time: 1,
            },
            Record::Listed { list },
            Record::Accepted { order },
            Record::Progressed {
                account: account.clone(),
                order: 7,
                stage: Stage::Working,
                status: Status::PendingNew,
                locked: 1,
                time: 2,
            },
            Record::Trailed {
                account: account.clone(),
                order: 7,
                best: 1,
                time: 2,
            },
            Record::Prevented {
                prevented,
                taker_unlocked: 1,
                maker_unlocked: 2,
            },
            Record::Amended {
                account: account.clone(),
                amendment,
                unlocked: 1,
            },
            Record::Filled { fill, unlocked: 3 },
            Record::Closed {
                account,
                order: 7,
                status: Status::Expired,
                time: 8,
            },
        ]
    }

    #[test]
    fn records_survive_the_journal() {
        for record in samples() {
            assert_eq!(decode(&encode(&record)), Ok(record));
        }
        assert!(decode(b"{}").is_err());
    }

    /// A journal of the first release must stay readable, and mean what it meant.
    #[test]
    fn the_first_format_is_still_read() {
        let order = r#"{"id":7,"account":"paper-1","symbol":"BTCUSDT","client_id":"c","side":"BUY","kind":"LIMIT_MAKER","time_in_force":"GTC","price":5000000000000,"quantity":200000000,"quote_quantity":0,"executed":0,"executed_value":0,"locked":10000000000000,"status":"New","created":3,"updated":3}"#;
        let market = r#"{"id":8,"account":"paper-1","symbol":"BTCUSDT","client_id":"m","side":"SELL","kind":"MARKET","time_in_force":"GTC","price":0,"quantity":100000000,"quote_quantity":5000000000000,"executed":0,"executed_value":0,"locked":0,"status":"New","created":4,"updated":4}"#;
        let fill = |order: u64, side: &str, fee: u64| {
            format!(
                r#"{{"account":"paper-1","symbol":"BTCUSDT","order":{order},"trade":9,"side":"{side}","price":5000000000000,"quantity":100000000,"value":5000000000000,"fee":{fee},"maker":true,"time":5}}"#
            )
        };
        let lines = [
            r#""Started""#.to_owned(),
            r#"{"Ids":{"ceiling":20000000}}"#.to_owned(),
            r#"{"Values":{"values":{"BTCUSDT":50000.5}}}"#.to_owned(),
            r#"{"Opened":{"account":"paper-1","balances":{"BTC":500000000,"USDT":20000000000000}}}"#.to_owned(),
            format!(r#"{{"Accepted":{{"order":{order}}}}}"#),
            format!(
                r#"{{"Filled":{{"fill":{},"unlocked":5000000000000}}}}"#,
                fill(7, "BUY", 10)
            ),
            format!(r#"{{"Accepted":{{"order":{market}}}}}"#),
            format!(r#"{{"Filled":{{"fill":{},"unlocked":0}}}}"#, fill(8, "SELL", 20)),
            r#"{"Closed":{"account":"paper-1","order":8,"status":"Filled","time":6}}"#.to_owned(),
        ];
        let pair = ("BTC".to_owned(), "USDT".to_owned());
        let mut ledger = Ledger::new(BTreeMap::from([("BTCUSDT".to_owned(), pair)]), 10);
        for line in lines {
            let record = decode(line.as_bytes()).unwrap_or_else(|reason| panic!("{line}: {reason}"));
            ledger.fold(&record);
        }
        let account = ledger.account("paper-1").unwrap();
        let order = &account.orders[&7];
        assert_eq!(
            (order.status, order.left(), order.locked),
            (Status::PartiallyFilled, 100_000_000, 5_000_000_000_000)
        );
        assert_eq!(
            (order.kind, order.stage, order.working_time()),
            (OrderType::LimitMaker, Stage::Working, Some(3))
        );
        assert_eq!(
            (order.list, order.prevention, order.iceberg),
            (None, SelfTradePrevention::None, 0)
        );
        assert_eq!(account.orders[&8].status, Status::Filled);
        let (btc, usdt) = (account.balance("BTC"), account.balance("USDT"));
        assert_eq!((btc.free, btc.locked), (500_000_000 - 10, 0));
        assert_eq!(
            (usdt.free, usdt.locked),
            (
                15_000_000_000_000 - 5_000_000_000_000 + 5_000_000_000_000 - 20,
                5_000_000_000_000
            )
        );
        assert!(ledger.imbalance().values().all(|rest| *rest == 0));
    }
}
