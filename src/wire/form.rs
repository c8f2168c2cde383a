//! What a value of a request may be, as `trademesh.api.v1.field` states it: generated checks call these before a service
//! sees the request, and the API page states the same as patterns and bounds.

use domain::{AccountId, Asset, ClientOrderId, OrderId, StrategyId, Symbol};

use super::invalid;
use crate::error::{Error, Result};
use crate::page;

/// A check of a text that has a form.
pub type Check = fn(&str, &str) -> Result<()>;

/// The most characters of a decimal.
const DECIMAL_LENGTH: usize = 20;
/// The most characters of a name.
const NAME_LENGTH: usize = 64;
/// The most characters of a page token.
const TOKEN_LENGTH: usize = 256;

fn require(is_right: bool, field: &str, what: &'static str) -> Result<()> {
    if is_right { Ok(()) } else { Err(invalid(field, what)) }
}

/// Refuses a value that is not given.
///
/// # Errors
/// `INVALID_FIELD`, like every check here.
pub fn given(field: &str, is_given: bool) -> Result<()> {
    require(is_given, field, "must be given")
}

/// Refuses a list with fewer or more items; at most 0 means any number.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn items(field: &str, count: usize, least: usize, most: usize) -> Result<()> {
    if count < least {
        return Err(invalid(field, format!("at least {least}, not {count}")).with("min", least));
    }
    if most != 0 && count > most {
        return Err(invalid(field, format!("at most {most}, not {count}")).with("max", most));
    }
    Ok(())
}

/// Refuses a text with fewer or more characters; at most 0 means any number. The text is not repeated: it may be a secret.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn length(field: &str, text: &str, least: usize, most: usize) -> Result<()> {
    let count = text.chars().count();
    if count < least {
        return Err(invalid(field, format!("at least {least} characters, not {count}")).with("min", least));
    }
    if most != 0 && count > most {
        return Err(invalid(field, format!("at most {most} characters, not {count}")).with("max", most));
    }
    Ok(())
}

/// Refuses any other word.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn one_of(field: &str, text: &str, words: &[&str]) -> Result<()> {
    if words.contains(&text) {
        return Ok(());
    }
    Err(invalid(field, format!("one of {}", words.join(", "))))
}

/// Refuses a number beyond its bounds.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn within(field: &str, number: i128, min: Option<i64>, max: Option<i64>) -> Result<()> {
    if let Some(min) = min.filter(|min| number < i128::from(*min)) {
        return Err(invalid(field, format!("at least {min}, not {number}")).with("min", min));
    }
    if let Some(max) = max.filter(|max| number > i128::from(*max)) {
        return Err(invalid(field, format!("at most {max}, not {number}")).with("max", max));
    }
    Ok(())
}

/// Refuses a number with decimals beyond its bounds, and one that is none.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn within_reals(field: &str, number: f64, min: Option<f64>, max: Option<f64>) -> Result<()> {
    let is_enough = min.is_none_or(|min| number >= min);
    if let Some(min) = min.filter(|_| !is_enough) {
        return Err(invalid(field, format!("at least {min}, not {number}")).with("min", min));
    }
    let is_few = max.is_none_or(|max| number <= max);
    if let Some(max) = max.filter(|_| !is_few) {
        return Err(invalid(field, format!("at most {max}, not {number}")).with("max", max));
    }
    Ok(())
}

/// Refuses a number that is no value of its enum.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn known(field: &str, is_known: bool) -> Result<()> {
    require(is_known, field, "a value of its enum")
}

/// The refusal of a message within another one, with the whole path of the field.
///
/// # Errors
/// That of the inner message.
pub fn inside(outer: &str, inner: Result<()>) -> Result<()> {
    inner.map_err(|error| {
        let field = error.context().get("field").map_or("", String::as_str);
        let (field, message) = (format!("{outer}.{field}"), format!("{outer}.{}", error.message()));
        let mut whole = Error::invalid(super::INVALID_FIELD, message).with("field", field);
        for key in ["min", "max"] {
            if let Some(bound) = error.context().get(key) {
                whole = whole.with(key, bound);
            }
        }
        whole
    })
}

/// As [`inside`], of the message at this place of a list.
///
/// # Errors
/// That of the inner message.
pub fn inside_item(outer: &str, index: usize, inner: Result<()>) -> Result<()> {
    inner.or_else(|error| inside(&format!("{outer}[{index}]"), Err(error)))
}

fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = text
        .split_once('.')
        .map_or((text, None), |(whole, decimals)| (whole, Some(decimals)));
    let is_canonical = whole == "0" || !whole.starts_with('0');
    text.len() <= DECIMAL_LENGTH && is_canonical && digits(whole) && decimals.is_none_or(digits)
}

/// A decimal of zero or more.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn decimal(field: &str, text: &str) -> Result<()> {
    let what = "a decimal of at most 20 characters, such as 0.25";
    require(is_decimal(text), field, what)
}

/// A decimal greater than zero.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn positive_decimal(field: &str, text: &str) -> Result<()> {
    let is_positive = text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let what = "a decimal greater than zero, of at most 20 characters";
    require(is_positive && is_decimal(text), field, what)
}

/// A market.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn symbol(field: &str, text: &str) -> Result<()> {
    Symbol::parse(text).map(drop).map_err(|error| invalid(field, error))
}

/// A currency or coin.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn asset(field: &str, text: &str) -> Result<()> {
    Asset::parse(text).map(drop).map_err(|error| invalid(field, error))
}

/// A platform account.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn account_id(field: &str, text: &str) -> Result<()> {
    AccountId::parse(text).map(drop).map_err(|error| invalid(field, error))
}

/// A platform account, or all of them.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn account_grant(field: &str, text: &str) -> Result<()> {
    if text == "*" { Ok(()) } else { account_id(field, text) }
}

/// A platform order id.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn order_id(field: &str, text: &str) -> Result<()> {
    OrderId::parse(text).map(drop).map_err(|error| invalid(field, error))
}

/// A client's order id.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn client_order_id(field: &str, text: &str) -> Result<()> {
    ClientOrderId::parse(text)
        .map(drop)
        .map_err(|error| invalid(field, error))
}

/// What orders are traded for.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn strategy(field: &str, text: &str) -> Result<()> {
    StrategyId::parse(text).map(drop).map_err(|error| invalid(field, error))
}

/// The name of a user or service account.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn name(field: &str, text: &str) -> Result<()> {
    let may_occur = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let is_name = (1..=NAME_LENGTH).contains(&text.len()) && text.bytes().all(may_occur);
    require(is_name, field, "1 to 64 of lowercase letters, digits and ._-")
}

/// A text without control characters.
///
/// # Errors
/// `INVALID_FIELD`.
pub fn line(field: &str, text: &str) -> Result<()> {
    let is_line = !text.is_empty() && !text.chars().any(char::is_control);
    require(is_line, field, "a text without control characters")
}

/// How many items a page has.
///
/// # Errors
/// Those of [`page::size`].
pub fn page_size(_field: &str, size: i32) -> Result<()> {
    page::size(size, page::MAX_SIZE).map(drop)
}

/// What a list may give as the token of its next page. Whether this list gave it is the list's to say.
///
/// # Errors
/// That of [`page::key`].
pub fn page_token(field: &str, text: &str) -> Result<()> {
    length(field, text, 1, TOKEN_LENGTH)?;
    page::check_form(text)
}

#[cfg(test)]
mod tests;
