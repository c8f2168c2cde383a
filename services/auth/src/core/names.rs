//! What names, passwords and descriptions may look like.

use mesh::{Error, Result};

/// The longest name of a user or service account.
const NAME_MAX: usize = 64;
/// The shortest password, in characters.
const PASSWORD_MIN: usize = 12;
/// The longest password, in characters: a bound on what one check may cost.
const PASSWORD_MAX: usize = 256;
/// The longest description of a service account, in characters.
const DESCRIPTION_MAX: usize = 200;

/// Whether a text could be a name: 1 to 64 of lowercase letters, digits and `._-`.
pub(crate) fn is_name(text: &str) -> bool {
    let may_occur = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(may_occur)
}

/// Refuses what is not a name; `field` is the request's field that carries it.
pub(crate) fn check_name(field: &'static str, text: &str) -> Result<()> {
    if is_name(text) {
        return Ok(());
    }
    let message = format!("{field} is 1 to {NAME_MAX} of lowercase letters, digits and ._-");
    Err(Error::invalid("NAME_INVALID", message).with("field", field))
}

/// Refuses a new password that is too short or too long. The refusal never carries the password.
pub(crate) fn check_password(field: &'static str, password: &str) -> Result<()> {
    if (PASSWORD_MIN..=PASSWORD_MAX).contains(&password.chars().count()) {
        return Ok(());
    }
    let message = format!("{field} is {PASSWORD_MIN} to {PASSWORD_MAX} characters");
    Err(Error::invalid("PASSWORD_LENGTH", message).with("field", field))
}

/// Refuses a description that is too long or holds control characters.
pub(crate) fn check_description(text: &str) -> Result<()> {
    if text.chars().count() <= DESCRIPTION_MAX && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("description is at most {DESCRIPTION_MAX} characters, without control characters");
    Err(Error::invalid("DESCRIPTION_INVALID", message).with("field", "description"))
}

#[cfg(test)]
mod tests {
    use super::{check_description, check_name, check_password, is_name};

    #[test]
    fn names() {
        let longest = "a".repeat(64);
        for name in ["a", "ada", "ada.lovelace_2-x", "0", "._-", &longest] {
            assert!(is_name(name), "{name}");
        }
        let too_long = "a".repeat(65);
        for name in ["", "Ada", "ada lovelace", "ädä", "a/b", "a\n", "a\0", "*", &too_long] {
            let refusal = check_name("user_name", name).unwrap_err();
            assert_eq!(
                (refusal.reason(), refusal.context()["field"].as_str()),
                ("NAME_INVALID", "user_name"),
                "{name}"
            );
        }
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        for (length, fits) in [(0, false), (11, false), (12, true), (256, true), (257, false)] {
            assert_eq!(
                check_password("password", &"ä".repeat(length)).is_ok(),
                fits,
                "{length}"
            );
        }
        let refusal = check_password("new_password", "hunter2").unwrap_err();
        assert_eq!(refusal.reason(), "PASSWORD_LENGTH");
        assert!(!refusal.message().contains("hunter2"));
    }

    #[test]
    fn descriptions() {
        assert!(check_description("").is_ok());
        assert!(check_description(&"ü".repeat(200)).is_ok());
        for text in [&"ü".repeat(201), "two\nlines"] {
            assert_eq!(check_description(text).unwrap_err().reason(), "DESCRIPTION_INVALID");
        }
    }
}
