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
mod tests {
    use super::*;
    use crate::core::order::{Fill, Order, OrderType, Side, Status, TimeInForce};
    use std::collections::BTreeMap;

    #[test]
    fn records_survive_the_journal() {
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
        };
        let account = "paper-1".to_owned();
        let records = [
            Record::Started,
            Record::Ids { ceiling: u64::MAX },
            Record::Values {
                values: BTreeMap::from([("BTCUSDT".into(), 67_000.123_456_789)]),
            },
            Record::Opened {
                account: account.clone(),
                balances: BTreeMap::from([("USDT".into(), -1)]),
            },
            Record::Accepted { order },
            Record::Filled { fill, unlocked: 3 },
            Record::Closed {
                account,
                order: 7,
                status: Status::Expired,
                time: 8,
            },
        ];
        for record in records {
            assert_eq!(decode(&encode(&record)), Ok(record));
        }
        assert!(decode(b"{}").is_err());
    }

    /// A journal of the first release must stay readable.
    #[test]
    fn the_first_format_is_still_read() {
        let line = br#"{"Closed":{"account":"paper-1","order":7,"status":"Canceled","time":8}}"#;
        let expected = Record::Closed {
            account: "paper-1".into(),
            order: 7,
            status: Status::Canceled,
            time: 8,
        };
        assert_eq!(decode(line), Ok(expected));
    }
}
