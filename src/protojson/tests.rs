//! The generated JSON of every message against an independent implementation, which reads the same descriptors at run
//! time (prost-reflect).

use std::collections::HashMap;

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use crate::pb;
use crate::rest::tests::fixture;

/// A small generator of numbers (splitmix64): a message is a function of its seed.
struct Dice {
    state: u64,
    /// Whether enums may have numbers that nobody knows.
    unknown_enums: bool,
}

impl Dice {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn text(&mut self) -> String {
        let pieces = ["", "a", "ä", "\"", "\\", "\n", "😀", "BTCUSDT", "1.5", "\u{7f}"];
        (0..self.below(4)).map(|_| pieces[self.below(10) as usize]).collect()
    }

    fn whole(&mut self) -> i64 {
        let edges = [0, 1, -1, i64::MAX, i64::MIN, i64::from(i32::MAX), i64::from(i32::MIN)];
        if self.below(2) == 0 {
            edges[self.below(7) as usize]
        } else {
            self.next() as i64
        }
    }

    fn fraction(&mut self) -> f64 {
        let edges = [0.0, 1.0, -1.5, 0.1, 1e300, 5e-324, f64::MAX, f64::MIN];
        let random = f64::from_bits(self.next());
        if self.below(2) == 0 || !random.is_finite() || random == 0.0 {
            edges[self.below(8) as usize]
        } else {
            random
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(5)).map(|_| self.next() as u8).collect()
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                let seconds = -62_135_596_800 + self.below(315_537_897_600) as i64;
                message.set_field_by_name("seconds", Value::I64(seconds));
                message.set_field_by_name("nanos", Value::I32(self.nanos()));
            }
            "google.protobuf.Duration" => {
                let (seconds, nanos) = (self.below(315_576_000_000) as i64, self.nanos());
                let sign = if self.below(2) == 0 { 1 } else { -1 };
                message.set_field_by_name("seconds", Value::I64(sign * seconds));
                message.set_field_by_name("nanos", Value::I32(sign as i32 * nanos));
            }
            _ => {
                for field in descriptor.fields() {
                    if self.below(3) > 0 && (depth > 0 || field.kind().as_message().is_none()) {
                        let value = self.field(&field, depth);
                        message.set_field(&field, value);
                    }
                }
            }
        }
        message
    }

    fn nanos(&mut self) -> i32 {
        [0, 1, 1_000, 1_000_000, 999_999_999, 120_000_000, 5_670_000][self.below(7) as usize]
    }

    fn field(&mut self, field: &FieldDescriptor, depth: u32) -> Value {
        let count = self.below(4);
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = (0..count).map(|_| (self.key(&key.kind()), self.value(&value.kind(), depth)));
            return Value::Map(entries.collect::<HashMap<_, _>>());
        }
        if field.is_list() {
            return Value::List((0..count).map(|_| self.value(&field.kind(), depth)).collect());
        }
        self.value(&field.kind(), depth)
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        match self.value(kind, 0) {
            Value::Bool(value) => MapKey::Bool(value),
            Value::I32(value) => MapKey::I32(value),
            Value::I64(value) => MapKey::I64(value),
            Value::String(value) => MapKey::String(value),
            other => panic!("no fixture has keys such as {other:?}"),
        }
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        match kind {
            Kind::Double => Value::F64(self.fraction()),
            Kind::Float => Value::F32([0.0, 1.5, -0.1, f32::MAX, 1e-40][self.below(5) as usize]),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.whole() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.whole()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.whole() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.whole() as u64),
            Kind::Bool => Value::Bool(self.below(2) == 0),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.bytes().into()),
            Kind::Message(message) => Value::Message(self.message(message, depth.saturating_sub(1))),
            Kind::Enum(_) if self.unknown_enums && self.below(4) == 0 => Value::EnumNumber(1000),
            Kind::Enum(enumeration) => {
                let index = self.below(enumeration.values().len() as u64) as usize;
                Value::EnumNumber(enumeration.values().nth(index).map_or(0, |value| value.number()))
            }
        }
    }
}

type Table = &'static [(
    &'static str,
    fn(&[u8]) -> Result<String, String>,
    fn(&str) -> Result<Vec<u8>, String>,
)];

/// Every message of both APIs, with its descriptor.
fn tables() -> Vec<(DescriptorPool, Table)> {
    let pool = |bytes: &'static [u8]| DescriptorPool::decode(bytes).unwrap();
    vec![
        (pool(pb::FILE_DESCRIPTOR_SET), pb::codecs::CODECS),
        (pool(fixture::DESCRIPTORS), fixture::codecs::CODECS),
    ]
}

fn compare(seed: u64, unknown_enums: bool) {
    for (pool, table) in tables() {
        for (name, to_json, to_bytes) in table {
            let descriptor = pool.get_message_by_name(name).unwrap();
            let message = Dice {
                state: seed,
                unknown_enums,
            }
            .message(&descriptor, 3);
            let ours = to_json(&message.encode_to_vec()).unwrap();
            let theirs = serde_json::to_string(&message).unwrap();
            let parse = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
            assert_eq!(parse(&ours), parse(&theirs), "{name}");
            if !unknown_enums {
                // Both read both: the bytes that come back mean the same message.
                for json in [&ours, &theirs] {
                    let read = DynamicMessage::decode(descriptor.clone(), &to_bytes(json).unwrap()[..]).unwrap();
                    assert_eq!(parse(&serde_json::to_string(&read).unwrap()), parse(&theirs), "{name}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn our_json_is_that_of_an_independent_implementation(seed in any::<u64>(), unknown_enums in any::<bool>()) {
        compare(seed, unknown_enums);
    }
}

#[test]
fn every_message_of_the_protos_is_in_the_comparison() {
    for (pool, table) in tables() {
        for message in pool.all_messages() {
            let is_ours = !message.full_name().starts_with("google.") && !message.is_map_entry();
            assert_eq!(
                is_ours,
                table.iter().any(|(name, ..)| *name == message.full_name()),
                "{}",
                message.full_name()
            );
        }
    }
}
