//! What the venue says, in Binance's JSON. What an account sees borrows from the core, and is written out as it stands;
//! fields have Binance's names, in the order in which its documentation has them.

pub mod account;
pub mod amendment;
pub mod events;
pub mod fill;
pub mod info;
pub mod lists;
pub mod market;
pub mod order;
pub mod replace;
pub mod ticker;

use crate::core::units::{Atoms, Decimal};
use serde::{Serialize, Serializer};

/// Why no answer fails to become text.
const WRITABLE: &str = "an answer is made of texts, numbers and flags under names, which JSON has all";

/// Milliseconds of a time in microseconds.
pub fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

/// An answer, or an event, as text.
pub fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect(WRITABLE)
}

/// A list as text, row by row: however many there are, no more than one of them is held beside the text.
pub fn rows<T: Serialize>(rows: impl IntoIterator<Item = T>) -> String {
    let mut out = Vec::new();
    serde_json::Serializer::new(&mut out).collect_seq(rows).expect(WRITABLE);
    String::from_utf8(out).expect("JSON is written as UTF-8")
}

/// The id of a list, or what stands for none.
fn list_id(list: Option<u64>) -> i64 {
    list.map_or(-1, u64::cast_signed)
}

/// An amount that is told only when there is one.
fn above_zero(amount: Atoms) -> Option<Decimal> {
    (amount > 0).then_some(Decimal(amount))
}

#[cfg(test)]
mod tests;
