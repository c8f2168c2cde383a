//! Pages of lists (AIP-158): a bounded size, and an opaque token that carries the last key of the page before.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most items on one page.
pub const MAX_SIZE: i32 = 1000;

/// The size of a page: `requested`, or `default` when that is 0.
///
/// # Errors
/// `Invalid` when it is negative or above [`MAX_SIZE`].
pub fn size(requested: i32, default: i32) -> Result<usize> {
    let size = if requested == 0 { default } else { requested };
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(size.unsigned_abs() as usize);
    }
    let (reason, message) = if size < 0 {
        ("PAGE_SIZE_NEGATIVE", "page_size is negative")
    } else {
        ("PAGE_SIZE_TOO_LARGE", "page_size is too large")
    };
    Err(Error::invalid(reason, message)
        .with("field", "page_size")
        .with("max", MAX_SIZE))
}

/// The token that continues after `key`.
pub fn token(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

const BAD_TOKEN: &str = "PAGE_TOKEN_INVALID";

/// Refuses a text that is no token of any list.
///
/// # Errors
/// `Invalid` when it is not base64url without padding.
pub fn check_form(token: &str) -> Result<()> {
    decode(token).map(drop)
}

fn decode(token: &str) -> Result<Vec<u8>> {
    let malformed = |_| Error::invalid(BAD_TOKEN, "page_token is no page token").with("field", "page_token");
    URL_SAFE_NO_PAD.decode(token).map_err(malformed)
}

/// The key that a token continues after; none for the first page.
///
/// # Errors
/// `Invalid` when it is no token of any list, and [`bad_token`] when it is none of ours.
pub fn key(token: &str) -> Result<Option<String>> {
    if token.is_empty() {
        return Ok(None);
    }
    String::from_utf8(decode(token)?).map(Some).map_err(|_| bad_token())
}

/// The refusal of a token that has the form of one, and that this list did not give.
pub fn bad_token() -> Error {
    Error::refused(BAD_TOKEN, "page_token is not one that this list gave").with("field", "page_token")
}

#[cfg(test)]
mod tests {
    use super::{bad_token, check_form, key, size, token};
    use crate::error::Kind;

    #[test]
    fn sizes_are_bounded() {
        let table = [
            (0, Ok(100)),
            (1, Ok(1)),
            (1000, Ok(1000)),
            (1001, Err("PAGE_SIZE_TOO_LARGE")),
            (-1, Err("PAGE_SIZE_NEGATIVE")),
        ];
        for (requested, expected) in table {
            let found = size(requested, 100);
            match expected {
                Ok(expected) => assert_eq!(found.unwrap(), expected),
                Err(reason) => assert_eq!(found.unwrap_err().reason(), reason, "{requested}"),
            }
        }
        assert_eq!(size(1_000_000_000, 100).unwrap_err().context()["max"], "1000");
    }

    #[test]
    fn tokens_carry_keys() {
        assert_eq!(key("").unwrap(), None);
        assert_eq!(key(&token("BTCUSDT")).unwrap().as_deref(), Some("BTCUSDT"));
        for malformed in ["!", "_w=", "A", "AB"] {
            assert_eq!(key(malformed).unwrap_err().kind(), Kind::Invalid, "{malformed}");
            assert_eq!(check_form(malformed).unwrap_err().reason(), bad_token().reason());
        }
        assert_eq!(key("_w").unwrap_err(), bad_token(), "no text");
        assert!(check_form("_w").is_ok());
    }
}
