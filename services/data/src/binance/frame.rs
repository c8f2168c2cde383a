//! Frames of Binance's combined streams, read in one pass: numbers go from the frame's text into exact decimals, and
//! names stay borrowed.

use crate::core::sync::{Diff, PricedQuantity};
use domain::{Price, Quantity, Side, Timestamp};
use serde::Deserialize;

/// A frame, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Changes of a book.
    Depth {
        /// The venue's symbol.
        symbol: &'a str,
        /// The changes.
        diff: Diff,
    },
    /// One trade.
    Trade {
        /// The venue's symbol.
        symbol: &'a str,
        /// The venue's id of the trade.
        trade_id: u64,
        /// The price.
        price: Price,
        /// The quantity.
        quantity: Quantity,
        /// Who came to the book.
        taker_side: Side,
        /// When it happened.
        time: Timestamp,
        /// When the venue sent it.
        event_time: Timestamp,
    },
    /// A well-formed frame that market data does not use: another stream, or the answer to a command.
    Other,
}

/// A frame that is no JSON of its stream's form: something was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "malformed frame: {}", self.0)
    }
}

#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

#[derive(Deserialize)]
struct StreamName<'a> {
    #[serde(borrow)]
    stream: Option<&'a str>,
}

#[derive(Deserialize)]
struct DepthData<'a> {
    #[serde(rename = "E")]
    event_time: i64,
    #[serde(rename = "s", borrow)]
    symbol: &'a str,
    #[serde(rename = "U")]
    first_id: i64,
    #[serde(rename = "u")]
    last_id: i64,
    #[serde(rename = "b")]
    bids: Vec<PricedQuantity>,
    #[serde(rename = "a")]
    asks: Vec<PricedQuantity>,
}

#[derive(Deserialize)]
struct TradeData<'a> {
    #[serde(rename = "E")]
    event_time: i64,
    #[serde(rename = "s", borrow)]
    symbol: &'a str,
    #[serde(rename = "t")]
    trade_id: u64,
    #[serde(rename = "p")]
    price: Price,
    #[serde(rename = "q")]
    quantity: Quantity,
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

const HEAD: &str = "{\"stream\":\"";

/// Reads one text frame of a combined stream.
pub fn parse(text: &str) -> Result<Frame<'_>, Malformed> {
    let malformed = |error: serde_json::Error| Malformed(error.to_string());
    // Venues write the stream's name first; reading it there saves a pass over the frame.
    let name = match text.strip_prefix(HEAD).and_then(|rest| rest.split_once('"')) {
        Some((name, _)) => Some(name),
        None => serde_json::from_str::<StreamName<'_>>(text).map_err(malformed)?.stream,
    };
    let kind = name.and_then(|name| name.split_once('@')).map(|(_, kind)| kind);
    match kind {
        Some(kind) if kind == "depth" || kind.starts_with("depth@") => {
            let Combined { data } = serde_json::from_str::<Combined<DepthData<'_>>>(text).map_err(malformed)?;
            if data.first_id > data.last_id || data.first_id < 0 || data.last_id == i64::MAX {
                return Err(Malformed(format!("update ids {} to {}", data.first_id, data.last_id)));
            }
            let diff = Diff {
                first_id: data.first_id,
                last_id: data.last_id,
                venue_time: Timestamp::from_millis(data.event_time),
                bids: data.bids,
                asks: data.asks,
            };
            Ok(Frame::Depth {
                symbol: data.symbol,
                diff,
            })
        }
        Some("trade") => {
            let Combined { data } = serde_json::from_str::<Combined<TradeData<'_>>>(text).map_err(malformed)?;
            Ok(Frame::Trade {
                symbol: data.symbol,
                trade_id: data.trade_id,
                price: data.price,
                quantity: data.quantity,
                taker_side: if data.buyer_is_maker { Side::Sell } else { Side::Buy },
                time: Timestamp::from_millis(data.time),
                event_time: Timestamp::from_millis(data.event_time),
            })
        }
        _ => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(malformed)?;
            Ok(Frame::Other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":5,"u":7,"b":[["100.10000000","2.00000000"]],"a":[["100.20000000","0.00000000"]]}}"#;
    const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000124,"s":"BTCUSDT","t":9,"p":"100.10","q":"0.50","T":1700000000120,"m":true,"M":true}}"#;

    #[test]
    fn depth_and_trades_are_read() {
        let Frame::Depth { symbol, diff } = parse(DEPTH).unwrap() else {
            panic!("a diff")
        };
        assert_eq!((symbol, diff.first_id, diff.last_id), ("BTCUSDT", 5, 7));
        assert_eq!(diff.bids, [("100.1".parse().unwrap(), "2".parse().unwrap())]);
        assert_eq!(diff.asks[0].1, Quantity::ZERO);
        assert_eq!(diff.venue_time.as_millis(), 1_700_000_000_123);
        let Frame::Trade {
            trade_id,
            price,
            taker_side,
            time,
            event_time,
            ..
        } = parse(TRADE).unwrap()
        else {
            panic!("a trade")
        };
        assert_eq!(
            (trade_id, price.to_string().as_str(), taker_side),
            (9, "100.1", Side::Sell)
        );
        assert_eq!(
            (time.as_millis(), event_time.as_millis()),
            (1_700_000_000_120, 1_700_000_000_124)
        );
        let bought = TRADE.replace("\"m\":true", "\"m\":false");
        assert!(matches!(
            parse(&bought),
            Ok(Frame::Trade {
                taker_side: Side::Buy,
                ..
            })
        ));
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let swapped = r#"{"data":{"E":1,"s":"A","U":1,"u":1,"b":[],"a":[]},"stream":"a@depth"}"#;
        assert!(matches!(parse(swapped), Ok(Frame::Depth { symbol: "A", .. })));
    }

    #[test]
    fn other_frames_are_left_alone() {
        for other in [
            r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"b":"1","a":"2"}}"#,
            r#"{"result":null,"id":1}"#,
            r#"{"stream":"!ticker@arr","data":[]}"#,
        ] {
            assert_eq!(parse(other), Ok(Frame::Other), "{other}");
        }
    }

    #[test]
    fn every_cut_of_a_frame_is_malformed() {
        for text in [DEPTH, TRADE] {
            for end in 0..text.len() {
                assert!(parse(&text[..end]).is_err(), "{}", &text[..end]);
            }
        }
        for bad in [
            DEPTH.replace("\"U\":5", "\"U\":8"),
            DEPTH.replace("\"U\":5", "\"U\":-1"),
            DEPTH.replace("100.10000000", "1e5"),
            DEPTH.replace("2.00000000", "-2"),
            TRADE.replace("100.10", "0"),
        ] {
            let error = parse(&bad).unwrap_err();
            assert!(error.to_string().starts_with("malformed frame: "), "{error}");
        }
    }
}
