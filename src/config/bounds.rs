//! Whole numbers within their bounds.

use crate::error::{Error, Result};

/// An option: its key in its section, its value, and the least and the greatest value that it may have.
pub type Bounded = (&'static str, u64, u64, u64);

/// Refuses the first option of a section that is out of its bounds.
///
/// # Errors
/// `INVALID / CONFIG_OUT_OF_BOUNDS`, naming the key, its value and its bounds.
pub fn check_bounds(section: &str, options: &[Bounded]) -> Result<()> {
    let wrong = options
        .iter()
        .find(|(_, value, least, most)| !(least..=most).contains(&value));
    match wrong {
        None => Ok(()),
        Some((key, value, least, most)) => Err(out_of_bounds(
            &format!("{section}.{key}"),
            &format!("must be {least} to {most}, not {value}"),
        )),
    }
}

/// The refusal of a dotted key; `must` goes on from "the key": `must be 0.01 to 20, not 30`.
pub fn out_of_bounds(key: &str, must: &str) -> Error {
    Error::invalid("CONFIG_OUT_OF_BOUNDS", format!("{key} {must}")).with("key", key)
}
