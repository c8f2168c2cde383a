//! Public keys, each with the one owner whose tokens it verifies.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use jsonwebtoken::DecodingKey;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The owner of the keys that sign access tokens. No service may have this name.
pub const USERS: &str = "users";

/// An Ed25519 public key and whose tokens it verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The key's id: its JWK thumbprint (RFC 7638, RFC 8037 appendix A.3), base64url.
    kid: String,
    /// [`USERS`], or a service's name.
    owner: String,
    bytes: [u8; 32],
}

impl PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// `Invalid` when the bytes are not a point of the curve, or one of small order.
    pub fn new(owner: impl Into<String>, bytes: [u8; 32]) -> Result<PublicKey> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|error| bad_key(&error))?;
        if key.is_weak() {
            return Err(bad_key(&"of small order, it verifies what nobody signed"));
        }
        Ok(PublicKey {
            kid: thumbprint(&bytes),
            owner: owner.into(),
            bytes,
        })
    }

    /// A key from the `x` of its JSON Web Key.
    ///
    /// # Errors
    /// `Invalid` when `x` is not 32 bytes in base64url, or not a point of the curve.
    pub fn from_jwk(owner: impl Into<String>, x: &str) -> Result<PublicKey> {
        let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|error| bad_key(&error))?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| bad_key(&"not 32 bytes"))?;
        PublicKey::new(owner, bytes)
    }

    /// A key from its PEM text (SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// `Invalid` when the text is not an Ed25519 public key.
    pub fn from_pem(owner: impl Into<String>, pem: &str) -> Result<PublicKey> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|error| bad_key(&error))?;
        PublicKey::new(owner, key.to_bytes())
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whose tokens it verifies.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The `x` of its JSON Web Key.
    pub fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    pub(super) fn decoding_key(&self) -> DecodingKey {
        DecodingKey::from_ed_der(&self.bytes)
    }
}

fn bad_key(error: &dyn std::fmt::Display) -> Error {
    Error::invalid("KEY_INVALID", format!("not an Ed25519 public key: {error}"))
}

fn thumbprint(bytes: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(bytes);
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(jwk.as_bytes()))
}

/// The keys and revocations in force, as `auth` publishes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Every key that verifies tokens.
    pub keys: Vec<PublicKey>,
    /// Ids of tokens that no longer work.
    pub revoked_token_ids: BTreeSet<String>,
}

/// Reads `<service>.pub` files of a folder: the published keys of services.
///
/// # Errors
/// `Invalid` naming the file that cannot be read or is no key.
pub fn public_keys(folder: &Path) -> Result<Vec<PublicKey>> {
    let listing = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut keys = Vec::new();
    for entry in listing {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let Some(owner) = owner_of(&path) else { continue };
        let pem = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        keys.push(PublicKey::from_pem(owner, &pem).map_err(|error| error.with("file", path.display()))?);
    }
    keys.sort_by(|a, b| a.owner.cmp(&b.owner));
    Ok(keys)
}

fn owner_of(path: &Path) -> Option<&str> {
    let is_public_key = path.extension().is_some_and(|extension| extension == "pub");
    let owner = path.file_stem()?.to_str()?;
    (is_public_key && owner != USERS).then_some(owner)
}

pub(super) fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::invalid("KEY_FILE_UNREADABLE", format!("{}: {error}", path.display())).with("file", path.display())
}

#[cfg(test)]
mod tests {
    use super::{PublicKey, public_keys};

    /// The key and thumbprint of RFC 8037, appendix A.3.
    #[test]
    fn the_key_id_is_the_thumbprint_of_the_rfc() {
        let key = PublicKey::from_jwk("users", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.x(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.owner(), "users");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for x in ["", "!", "AAAA", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(
                PublicKey::from_jwk("users", x).unwrap_err().reason(),
                "KEY_INVALID",
                "{x}"
            );
        }
        assert!(PublicKey::from_pem("users", "-----BEGIN NOTHING-----").is_err());
    }

    #[test]
    fn a_folder_that_is_absent_or_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        assert_eq!(public_keys(&absent).unwrap_err().reason(), "KEY_FILE_UNREADABLE");
        std::fs::write(folder.path().join("notes.txt"), "ignored").unwrap();
        std::fs::write(folder.path().join("users.pub"), "a name that no service may have").unwrap();
        assert!(public_keys(folder.path()).unwrap().is_empty());
        std::fs::write(folder.path().join("risk.pub"), "damaged").unwrap();
        let refusal = public_keys(folder.path()).unwrap_err();
        assert!(refusal.context()["file"].ends_with("risk.pub"));
        std::fs::remove_file(folder.path().join("risk.pub")).unwrap();
        std::fs::create_dir(folder.path().join("data.pub")).unwrap();
        assert_eq!(public_keys(folder.path()).unwrap_err().reason(), "KEY_FILE_UNREADABLE");
    }
}
