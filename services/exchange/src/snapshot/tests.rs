//! What is read back, and what sends the start back to the records.

use super::{Folded, decode, encode};
use crate::codec;
use crate::core::ledger::{Ledger, Record};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const KEPT: usize = 10;

fn ledger(base: &str, kept: usize) -> Ledger {
    let pair = (base.to_owned(), "USDT".to_owned());
    Ledger::new(BTreeMap::from([(format!("{base}USDT"), pair)]), kept)
}

fn empty() -> Ledger {
    ledger("BTC", KEPT)
}

/// A ledger with something everywhere: an order waits in it whose every field is set.
fn full() -> Folded {
    let mut full = Folded {
        sequence: 0,
        ledger: empty(),
    };
    let samples = codec::tests::samples().into_iter();
    for record in samples.filter(|record| !matches!(record, Record::Progressed { .. } | Record::Closed { .. })) {
        full.ledger.fold(&record);
        full.sequence += 1;
    }
    full
}

#[test]
fn a_ledger_reads_back() {
    let none = Folded {
        sequence: 0,
        ledger: empty(),
    };
    for folded in [none, full()] {
        assert_eq!(decode(&encode(&folded).unwrap(), &empty()).unwrap(), folded);
    }
}

#[test]
fn whatever_is_not_exactly_this_is_not_used() {
    let bytes = encode(&full()).unwrap();
    let json = String::from_utf8(bytes[12..].to_vec()).unwrap();
    let with = |json: String| [&bytes[..12], json.as_bytes()].concat();
    let other_version = [&2_u32.to_le_bytes(), &bytes[4..]].concat();
    let table = [
        (Vec::new(), empty(), "beginning"),
        (bytes[..11].to_vec(), empty(), "beginning"),
        (other_version, empty(), "version 2"),
        (bytes.clone(), ledger("ETH", KEPT), "symbols"),
        (bytes.clone(), ledger("BTC", KEPT + 1), "bounds"),
        (bytes[..bytes.len() - 1].to_vec(), empty(), "EOF"),
        (
            with(json.replace("\"id_ceiling\"", "\"id_floor\"")),
            empty(),
            "unknown field",
        ),
        (with(json.replace("\"number\":1,", "")), empty(), "missing field"),
        (
            with(json.replace("\"Waiting\"", "\"Dreaming\"")),
            empty(),
            "unknown variant",
        ),
    ];
    for (bytes, empty, why) in table {
        let error = decode(&bytes, &empty).unwrap_err();
        assert_eq!(error.reason(), "SNAPSHOT_UNUSABLE");
        assert!(error.message().contains(why), "{error} does not say '{why}'");
    }
}

/// Whoever changes the list raises [`super::VERSION`], and writes down the new one.
#[test]
fn the_fields_are_those_of_this_version() {
    let bytes = encode(&full()).unwrap();
    let json = serde_json::from_slice(&bytes[12..]).unwrap();
    let mut found = BTreeSet::new();
    fields("", &json, &mut found);
    let found: Vec<String> = found.into_iter().collect();
    assert_eq!(
        (super::VERSION, found.join("\n").as_str()),
        (1, include_str!("fields.txt").trim_end())
    );
}

/// The way to every value.
fn fields(way: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(inner) if !inner.is_empty() => inner
            .iter()
            .for_each(|(name, value)| fields(&format!("{way}/{name}"), value, found)),
        Value::Array(inner) if !inner.is_empty() => inner.iter().for_each(|value| fields(way, value, found)),
        _ => {
            found.insert(way.to_owned());
        }
    }
}
