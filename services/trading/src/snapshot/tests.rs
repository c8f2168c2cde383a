//! What is read back, and what sends the start back to the records.

use super::{decode, encode};
use crate::core::{Event, Halt, HaltScope, Kept, State};
use domain::Timestamp;

const KEPT: Kept = Kept {
    closed_orders: 10,
    refusals: 3,
};

fn halted() -> State {
    let mut state = State::new(3, KEPT);
    let halt = Halt {
        scope: HaltScope::Symbol,
        target: "BTCUSDT".to_owned(),
        reason: "drill".to_owned(),
        subject: "ada".to_owned(),
        time: Timestamp::from_micros(7),
        cancel_orders: false,
    };
    state
        .apply(1, Timestamp::from_micros(7), &Event::HaltSet(halt))
        .unwrap();
    state
}

#[test]
fn a_state_reads_back() {
    for state in [State::new(3, KEPT), halted()] {
        assert_eq!(decode(&encode(&state).unwrap(), 3, KEPT).unwrap(), state);
    }
}

#[test]
fn whatever_is_not_exactly_this_is_not_used() {
    let bytes = encode(&halted()).unwrap();
    let json = String::from_utf8(bytes[4..].to_vec()).unwrap();
    let with = |json: String| [&bytes[..4], json.as_bytes()].concat();
    let mut other_version = bytes.clone();
    other_version[0] += 1;
    let more = Kept { refusals: 4, ..KEPT };
    let table = [
        (Vec::new(), 3, KEPT, "empty"),
        (other_version, 3, KEPT, "version 2"),
        (bytes.clone(), 4, KEPT, "shard 3"),
        (bytes.clone(), 3, more, "bounds"),
        (bytes[..bytes.len() - 1].to_vec(), 3, KEPT, "EOF"),
        (with(json.replace("\"halts\"", "\"stops\"")), 3, KEPT, "unknown field"),
        (with(json.replace("\"subject\":\"ada\",", "")), 3, KEPT, "missing field"),
        (
            with(json.replace("\"Symbol\"", "\"Planet\"")),
            3,
            KEPT,
            "unknown variant",
        ),
    ];
    for (bytes, shard, kept, why) in table {
        let error = decode(&bytes, shard, kept).unwrap_err();
        assert_eq!(error.reason(), "SNAPSHOT_UNUSABLE");
        assert!(error.message().contains(why), "{error} does not say '{why}'");
    }
}
