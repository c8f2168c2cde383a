//! Secrets, which are read from files and never printed.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// The largest secret, in bytes.
const MAX_SECRET: usize = 64 * 1024;

/// A text that no log, error or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for whoever needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Reads a secret from the file that a `…_file` key names, without the line ends after it.
///
/// # Errors
/// `INVALID / CONFIG_SECRET` naming the file when it cannot be read, is empty, or is larger than 64 KiB.
pub fn read_secret(path: &Path) -> Result<Secret> {
    let refusal = |why: String| Error::invalid("CONFIG_SECRET", format!("secret file {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refusal(error.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(refusal("it is empty".to_owned()));
    }
    if text.len() > MAX_SECRET {
        return Err(refusal(format!("it is larger than {MAX_SECRET} bytes")));
    }
    Ok(Secret::new(text))
}

/// The text, with what stands between `user:` and `@host` of an address hidden.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split(['/', '?', '"']).next().unwrap_or_default();
    match authority
        .rsplit_once('@')
        .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
    {
        Some((user, host)) => format!("{scheme}://{user}:…@{host}{}", &rest[authority.len()..]),
        None => text.to_owned(),
    }
}
