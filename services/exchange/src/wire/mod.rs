//! What the venue says, in Binance's JSON.

pub mod info;
pub mod lists;
pub mod market;
pub mod private;
pub mod ticker;

/// A body as text. What is sent has names as keys and numbers that JSON knows, so it always has a form.
pub(crate) fn text(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// Milliseconds of a time in microseconds.
pub fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

#[cfg(test)]
mod tests;
