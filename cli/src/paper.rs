//! Paper accounts: one key file each, which the simulated exchange opens an account for and trading signs with.

use crate::private_file;
use mesh::error::{Error, Result};
use mesh::time::Chance;
use serde_json::json;
use std::path::Path;

/// The most paper accounts.
pub const MAX_ACCOUNTS: u32 = 10_000;

/// Files that are written at the same time.
const WRITERS: usize = 32;

/// Makes `paper-1` to `paper-<count>` where they are absent; what is there stays as it is.
///
/// # Errors
/// When there are too many, or a file cannot be written.
pub fn provide(folder: &Path, count: u32, chance: &Chance) -> Result<()> {
    if count > MAX_ACCOUNTS {
        let must = format!("must be 0 to {MAX_ACCOUNTS}, not {count}");
        return Err(mesh::config::out_of_bounds("paper.accounts", &must));
    }
    let failed = |error: std::io::Error| {
        Error::invalid(
            "DATA_DIR_UNWRITABLE",
            format!(
                "{} cannot be written: {error}: set mesh.data_dir to a folder that can be written",
                folder.display()
            ),
        )
        .with("key", "mesh.data_dir")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut absent = Vec::new();
    for number in 1..=count {
        let name = format!("paper-{number}");
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            let text = json!({"account": name, "api_key": secret(chance), "secret": secret(chance)}).to_string();
            absent.push((path, text));
        }
    }
    // Each file waits for the disk, and many wait together no longer than one.
    std::thread::scope(|scope| {
        let some = absent.chunks(absent.len().div_ceil(WRITERS).max(1));
        let writers: Vec<_> = some
            .map(|files| {
                scope.spawn(move || {
                    files
                        .iter()
                        .try_for_each(|(path, text)| private_file::write(path, text))
                })
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("writing a file does not panic"))
    })
    .map_err(failed)
}

/// 64 hexadecimal digits, as long as the venue's own keys.
fn secret(chance: &Chance) -> String {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ACCOUNTS, provide};
    use mesh::time::Chance;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn accounts_are_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let chance = Chance::seeded(1);
        provide(folder.path(), 1, &chance).unwrap();
        let first = folder.path().join("paper-1.json");
        let before = std::fs::read_to_string(&first).unwrap();
        provide(folder.path(), 2, &chance).unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), before);
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        let second = std::fs::read_to_string(folder.path().join("paper-2.json")).unwrap();
        assert!(second.contains("\"account\":\"paper-2\""), "{second}");
        assert_ne!(before, second);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let chance = Chance::seeded(1);
        let too_many = provide(folder.path(), MAX_ACCOUNTS + 1, &chance).unwrap_err();
        assert_eq!(too_many.message(), "paper.accounts must be 0 to 10000, not 10001");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            provide(&file.join("below"), 1, &chance).unwrap_err().reason(),
            "DATA_DIR_UNWRITABLE"
        );
        std::fs::create_dir(folder.path().join("paper-2.tmp")).unwrap();
        assert_eq!(
            provide(folder.path(), 3, &chance).unwrap_err().reason(),
            "DATA_DIR_UNWRITABLE"
        );
    }
}
