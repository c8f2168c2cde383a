//! API keys: who an account is. Read from a folder with one file an account; a key is never written or logged here.

use crate::error::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::Path;

/// Accounts that are read from the folder.
const MOST_ACCOUNTS: usize = 10_000;

/// What proves a signature.
#[derive(Clone)]
pub enum Proof {
    /// A shared secret: HMAC-SHA256, hex in any case.
    Secret(Vec<u8>),
    /// A public key: Ed25519, base64.
    Public(Box<VerifyingKey>),
}

/// One API key.
#[derive(Clone)]
pub struct Key {
    /// The account that it acts for.
    pub account: String,
    /// What proves its signatures.
    pub proof: Proof,
}

impl Key {
    /// Whether `signature` is this key's over `payload`.
    pub fn verify(&self, payload: &[u8], signature: &str) -> Result<(), ApiError> {
        let valid = match &self.proof {
            Proof::Secret(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
                mac.update(payload);
                hex::decode(signature).is_ok_and(|bytes| mac.verify_slice(&bytes).is_ok())
            }
            Proof::Public(key) => STANDARD
                .decode(signature)
                .ok()
                .and_then(|bytes| Signature::from_slice(&bytes).ok())
                .is_some_and(|signature| key.verify_strict(payload, &signature).is_ok()),
        };
        if valid { Ok(()) } else { Err(ApiError::signature()) }
    }

    /// Whether the key may log a session on: Binance takes Ed25519 keys alone there.
    pub fn may_log_on(&self) -> bool {
        matches!(self.proof, Proof::Public(_))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    account: String,
    api_key: String,
    #[serde(default)]
    secret: Option<String>,
    /// PEM of the public key (SubjectPublicKeyInfo).
    #[serde(default)]
    public_key: Option<String>,
}

/// The keys by their names.
#[derive(Clone, Default)]
pub struct Keys(BTreeMap<String, Key>);

impl Keys {
    /// Reads `<account>.json` files: `account`, `api_key`, and `secret` (HMAC) or `public_key` (Ed25519 PEM).
    ///
    /// A folder that does not exist holds no accounts. A file that cannot be understood is an error that names it.
    pub fn load(folder: &Path) -> Result<Self, String> {
        let mut keys = Self::default();
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(keys),
            Err(error) => return Err(format!("cannot read {}: {error}", folder.display())),
        };
        let mut paths: Vec<_> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        if paths.len() > MOST_ACCOUNTS {
            return Err(format!("{} holds more than {MOST_ACCOUNTS} accounts", folder.display()));
        }
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            keys.add(&text)
                .map_err(|reason| format!("{}: {reason}", path.display()))?;
        }
        Ok(keys)
    }

    /// Adds the key of one account file.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        // serde_json's own message may quote the secret: only its place is told
        let file: AccountFile = serde_json::from_str(text)
            .map_err(|error| format!("not an account file (line {}, column {})", error.line(), error.column()))?;
        let proof = match (file.secret, file.public_key) {
            (Some(secret), None) if !secret.is_empty() => Proof::Secret(secret.into_bytes()),
            (None, Some(pem)) => {
                let key = VerifyingKey::from_public_key_pem(&pem).map_err(|_| "public_key is not an Ed25519 PEM")?;
                Proof::Public(Box::new(key))
            }
            _ => return Err("exactly one of secret and public_key is needed".to_owned()),
        };
        if !well_formed(&file.api_key) {
            return Err("api_key has characters that no key has".to_owned());
        }
        if self
            .0
            .insert(
                file.api_key,
                Key {
                    account: file.account,
                    proof,
                },
            )
            .is_some()
        {
            return Err("api_key is used by another account".to_owned());
        }
        Ok(())
    }

    /// A key by name.
    pub fn get(&self, api_key: &str) -> Result<&Key, ApiError> {
        if !well_formed(api_key) {
            return Err(ApiError::key_format());
        }
        self.0.get(api_key).ok_or_else(ApiError::key)
    }

    /// The accounts that have keys.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|key| key.account.as_str())
    }
}

fn well_formed(api_key: &str) -> bool {
    let length = (1..=128).contains(&api_key.len());
    length
        && api_key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The time check of a signed request: `timestamp` in milliseconds (or microseconds), at most a second ahead, and not
/// older than `window` milliseconds.
pub fn check_time(timestamp: i64, window: f64, now_micros: i64) -> Result<(), ApiError> {
    // Binance reads either unit: a number of microseconds is a thousand times larger than any plausible millisecond
    let sent = if timestamp >= 100_000_000_000_000 {
        timestamp
    } else {
        timestamp.saturating_mul(1_000)
    };
    if sent >= now_micros + 1_000_000 {
        return Err(ApiError::bad(
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ));
    }
    if (now_micros.saturating_sub(sent)) as f64 > window * 1_000.0 {
        return Err(ApiError::bad(
            -1021,
            "Timestamp for this request is outside of the recvWindow.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Binance's REST documentation ("SIGNED endpoint examples").
    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn keys() -> Keys {
        let mut keys = Keys::default();
        let file = serde_json::json!({"account": "paper-1", "api_key": API_KEY, "secret": SECRET});
        keys.add(&file.to_string()).unwrap();
        keys
    }

    #[test]
    fn the_documented_examples_verify() {
        let keys = keys();
        let key = keys.get(API_KEY).unwrap_or_else(|error| panic!("{error:?}"));
        let query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert!(key.verify(query.as_bytes(), signature).is_ok());
        assert!(key.verify(query.as_bytes(), &signature.to_uppercase()).is_ok());
        let mixed = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77";
        assert!(key.verify(mixed.as_bytes(), signature).is_ok());
        assert_eq!(key.verify(query.as_bytes(), signature).unwrap_err().code, -1022);
        assert_eq!(key.verify(query.as_bytes(), "not hex").unwrap_err().code, -1022);
        assert!(!key.may_log_on());
        assert_eq!(keys.accounts().collect::<Vec<_>>(), ["paper-1"]);
    }

    #[test]
    fn a_public_key_verifies_base64() {
        use ed25519_dalek::pkcs8::EncodePublicKey;
        use ed25519_dalek::{Signer, SigningKey};
        let signing = SigningKey::from_bytes(&[7; 32]);
        let pem = signing.verifying_key().to_public_key_pem(Default::default()).unwrap();
        let mut keys = Keys::default();
        keys.add(&serde_json::json!({"account": "a", "api_key": "k", "public_key": pem}).to_string())
            .unwrap();
        let key = keys.get("k").unwrap_or_else(|error| panic!("{error:?}"));
        let signature = STANDARD.encode(signing.sign(b"timestamp=1").to_bytes());
        assert!(key.may_log_on());
        assert!(key.verify(b"timestamp=1", &signature).is_ok());
        assert!(key.verify(b"timestamp=2", &signature).is_err());
        assert!(key.verify(b"timestamp=1", "AA==").is_err());
        assert!(key.verify(b"timestamp=1", "?").is_err());
    }

    #[test]
    fn bad_files_and_keys_are_refused() {
        let table = [
            ("{", "not an account file"),
            (
                r#"{"account":"a","api_key":"k","secret":"s","public_key":"p"}"#,
                "exactly one",
            ),
            (r#"{"account":"a","api_key":"k"}"#, "exactly one"),
            (
                r#"{"account":"a","api_key":"k","public_key":"p"}"#,
                "not an Ed25519 PEM",
            ),
            (r#"{"account":"a","api_key":"k k","secret":"s"}"#, "characters"),
        ];
        for (text, reason) in table {
            let refused = Keys::default().add(text).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        let mut keys = keys();
        let again = serde_json::json!({"account": "b", "api_key": API_KEY, "secret": "s"});
        assert!(keys.add(&again.to_string()).unwrap_err().contains("another account"));
        assert_eq!(keys.get("a b").err().map(|error| error.code), Some(-2014));
        assert_eq!(keys.get("absent").err().map(|error| error.code), Some(-2015));
    }

    #[test]
    fn folders_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            Keys::load(&folder.path().join("absent")).map(|keys| keys.0.len()),
            Ok(0)
        );
        std::fs::write(
            folder.path().join("a.json"),
            r#"{"account":"a","api_key":"k","secret":"s"}"#,
        )
        .unwrap();
        std::fs::write(folder.path().join("readme.txt"), "not read").unwrap();
        assert_eq!(Keys::load(folder.path()).map(|keys| keys.0.len()), Ok(1));
        assert!(Keys::load(&folder.path().join("a.json")).is_err());
        std::fs::write(folder.path().join("b.json"), "{").unwrap();
        assert!(
            Keys::load(folder.path())
                .err()
                .is_some_and(|reason| reason.contains("b.json"))
        );
    }

    #[test]
    fn times_are_checked() {
        let now = 1_700_000_000_000_000;
        assert!(check_time(1_700_000_000_000, 5000.0, now).is_ok());
        assert!(check_time(1_700_000_000_000_000, 5000.0, now).is_ok());
        assert!(check_time(1_700_000_000_999, 5000.0, now).is_ok());
        assert!(
            check_time(1_700_000_001_000, 5000.0, now)
                .unwrap_err()
                .message
                .contains("ahead")
        );
        assert!(check_time(1_699_999_995_000, 5000.0, now).is_ok());
        assert!(
            check_time(1_699_999_994_999, 5000.0, now)
                .unwrap_err()
                .message
                .contains("recvWindow")
        );
        assert!(check_time(0, 5000.0, now).is_err());
        assert!(check_time(i64::MIN, 5000.0, now).is_err());
    }
}
