//! How a journal names what went wrong, and where.

use std::io;
use std::path::Path;

use super::disk::is_full;
use crate::error::{Error, Result};

/// The reason of an error that says: nothing was written, since there is no room for it now.
pub const DISK_FULL: &str = "DISK_FULL";

/// Damage: bytes that were durable once and are not what was written.
pub(super) fn damaged(path: &Path, offset: u64, why: &str) -> Error {
    let message = format!("{} is damaged at offset {offset}: {why}", path.display());
    Error::internal("JOURNAL_DAMAGED", message)
        .with("file", path.display())
        .with("offset", offset)
}

/// Adds the deed and the path to an IO error.
pub(super) trait Explain<T> {
    fn explain(self, deed: &str, path: &Path) -> Result<T>;
}

impl<T> Explain<T> for io::Result<T> {
    fn explain(self, deed: &str, path: &Path) -> Result<T> {
        self.map_err(|error| {
            let message = format!("cannot {deed} {}: {error}", path.display());
            let error = match is_full(&error) {
                true => Error::exhausted(DISK_FULL, message),
                false => Error::internal("JOURNAL_IO", message),
            };
            error.with("file", path.display())
        })
    }
}
