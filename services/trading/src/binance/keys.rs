//! The venue keys of the accounts: one `<account>.json` each, `{"account", "api_key", "secret"}`.

use domain::AccountId;
use hmac::{Hmac, KeyInit, Mac};
use mesh::{Error, Result};
use serde::Deserialize;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::Path;

/// Accounts that are read from the folder.
const MOST_ACCOUNTS: usize = 10_000;

/// One account's key. It prints without its secret.
#[derive(Clone)]
pub struct Key {
    /// The public half, sent with every request.
    pub api_key: String,
    secret: Vec<u8>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({})", self.api_key)
    }
}

impl Key {
    /// A key from its two halves.
    pub fn new(api_key: &str, secret: &str) -> Key {
        Key {
            api_key: api_key.to_owned(),
            secret: secret.as_bytes().to_vec(),
        }
    }

    /// The HMAC-SHA256 of the payload, as hexadecimal.
    pub fn sign(&self, payload: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(payload.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

#[derive(Deserialize)]
struct KeyFile {
    account: String,
    api_key: String,
    /// Absent where an account signs with a key of another kind, which is not ours to use.
    #[serde(default)]
    secret: Option<String>,
}

/// Reads the keys of a folder. One that does not exist holds none.
///
/// # Errors
/// `INVALID / ACCOUNT_KEY`, naming the file; never its contents.
pub fn load(folder: &Path) -> Result<BTreeMap<AccountId, Key>> {
    let mut keys = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(keys),
        Err(error) => return Err(bad(folder, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| bad(folder, error))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read(&path).map_err(|error| bad(&path, error))?;
        // The parser's own message could quote the file.
        let file: KeyFile = serde_json::from_slice(&text).map_err(|_| bad(&path, "not a key file"))?;
        let account = AccountId::parse(&file.account).map_err(|error| bad(&path, error))?;
        if let Some(secret) = &file.secret {
            keys.insert(account, Key::new(&file.api_key, secret));
        }
        if keys.len() > MOST_ACCOUNTS {
            return Err(bad(folder, format!("more than {MOST_ACCOUNTS} accounts")));
        }
    }
    Ok(keys)
}

fn bad(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::invalid("ACCOUNT_KEY", format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Key, load};
    use domain::AccountId;

    #[test]
    fn signs_as_the_venue_documents() {
        // The example of Binance's own documentation of signed endpoints (HMAC).
        let key = Key::new(
            "key",
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        );
        let payload = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        assert_eq!(
            key.sign(payload),
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        );
        assert_eq!(format!("{key:?}"), "Key(key)");
    }

    #[test]
    fn a_folder_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(&folder.path().join("none")).unwrap().is_empty());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("paper-1.json", r#"{"account":"paper-1","api_key":"k","secret":"s"}"#);
        write("other.json", r#"{"account":"other","api_key":"k","public_key":"pem"}"#);
        write("notes.txt", "secret notes");
        let keys = load(folder.path()).unwrap();
        assert_eq!(keys.keys().map(AccountId::as_str).collect::<Vec<_>>(), ["paper-1"]);
        write("bad.json", r#"{"secret":"hush"}"#);
        let error = load(folder.path()).unwrap_err();
        assert_eq!(error.reason(), "ACCOUNT_KEY");
        assert!(
            error.message().contains("bad.json") && !error.message().contains("hush"),
            "{error}"
        );
        write("bad.json", r#"{"account":"no spaces","api_key":"k","secret":"s"}"#);
        assert_eq!(load(folder.path()).unwrap_err().reason(), "ACCOUNT_KEY");
        assert_eq!(
            load(&folder.path().join("notes.txt")).unwrap_err().reason(),
            "ACCOUNT_KEY"
        );
    }
}
