//! What the venue says, in Binance's JSON.

pub mod info;
pub mod lists;
pub mod market;
pub mod private;
pub mod ticker;

/// Milliseconds of a time in microseconds.
pub fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}
