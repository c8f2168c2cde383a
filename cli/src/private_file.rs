//! Files that hold secrets.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file that is there whole or not at all, readable by its owner alone.
///
/// # Errors
/// What the file system says; an unfinished file beside it may be left.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("tmp");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}
