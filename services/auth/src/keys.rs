//! The key that signs access tokens, and the public keys that services leave in a folder.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use jsonwebtoken::EncodingKey;
use mesh::identity::{AUDIENCE, Claims, ISSUER, PublicKey, TokenType, USERS, public_keys, sign};
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use parking_lot::Mutex;

use crate::core::Access;

/// How long the services' keys are kept before their folder is read again.
const FOLDER_KEPT: Duration = Duration::from_secs(1);

/// Signs access tokens.
pub(crate) struct Signer {
    signing: EncodingKey,
    public: PublicKey,
}

/// What a token is to say.
pub(crate) struct Grant<'a> {
    /// The user's name or the client id.
    pub(crate) subject: &'a str,
    /// What it may do.
    pub(crate) access: &'a Access,
    /// The token's id.
    pub(crate) token_id: &'a str,
    /// From when it is valid, in seconds since the Unix epoch.
    pub(crate) issued_at_s: i64,
    /// Until when, likewise.
    pub(crate) expires_at_s: i64,
}

impl Signer {
    /// Loads the key, or creates it (PKCS#8 PEM, mode 0600).
    ///
    /// # Errors
    /// `Invalid` naming the file that cannot be read, written, or is no Ed25519 key.
    pub(crate) fn load_or_create(path: &Path, chance: &Chance) -> Result<Signer> {
        let key = if path.exists() {
            load(path)?
        } else {
            create(path, chance)?
        };
        let der = key.to_pkcs8_der().map_err(|error| bad_file(path, &error))?;
        Ok(Signer {
            signing: EncodingKey::from_ed_der(der.as_bytes()),
            public: PublicKey::new(USERS, key.verifying_key().to_bytes())?,
        })
    }

    /// The key that verifies its tokens.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs an access token.
    pub(crate) fn sign(&self, grant: &Grant<'_>) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: grant.subject.to_owned(),
            roles: grant.access.role_names(),
            accounts: grant.access.grants.names(),
            jti: grant.token_id.to_owned(),
            iat: grant.issued_at_s,
            nbf: None,
            exp: grant.expires_at_s,
            typ: TokenType::Access,
        };
        sign(&claims, &self.signing, self.public.kid())
    }
}

fn load(path: &Path) -> Result<SigningKey> {
    let pem = std::fs::read_to_string(path).map_err(|error| bad_file(path, &error))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| bad_file(path, &error))
}

fn create(path: &Path, chance: &Chance) -> Result<SigningKey> {
    let mut secret = [0; 32];
    chance.fill(&mut secret);
    let key = SigningKey::from_bytes(&secret);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| bad_file(path, &error))?;
    write_private(path, pem.as_bytes())?;
    Ok(key)
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| bad_file(path, &error))
}

fn bad_file(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::invalid("KEY_FILE_UNREADABLE", format!("{}: {error}", path.display())).with("file", path.display())
}

/// The public keys that services leave in a folder, read again when they are older than a second.
pub(crate) struct ServiceKeys {
    folder: Option<PathBuf>,
    clock: Clock,
    read: Mutex<Option<(Duration, Arc<Vec<PublicKey>>)>>,
}

impl ServiceKeys {
    /// The keys of a folder; of none, there are none.
    pub(crate) fn new(folder: Option<PathBuf>, clock: Clock) -> ServiceKeys {
        ServiceKeys {
            folder,
            clock,
            read: Mutex::new(None),
        }
    }

    /// The keys.
    ///
    /// A file that is no key must not take the others away: the keys that were read before stay in force.
    ///
    /// # Errors
    /// `Invalid` naming the file that is no key, when none were read before.
    pub(crate) async fn current(&self) -> Result<Arc<Vec<PublicKey>>> {
        let Some(folder) = self.folder.clone() else {
            return Ok(Arc::default());
        };
        let now = self.clock.monotonic();
        if let Some((read_at, keys)) = self.read.lock().as_ref()
            && now.saturating_sub(*read_at) < FOLDER_KEPT
        {
            return Ok(keys.clone());
        }
        let found = tokio::task::spawn_blocking(move || public_keys(&folder))
            .await
            .map_err(|error| Error::internal("KEYS_NOT_READ", format!("the services' keys were not read: {error}")))?;
        let mut read = self.read.lock();
        let keys = match (found, read.as_ref()) {
            (Ok(found), _) => Arc::new(found),
            (Err(error), None) => return Err(error),
            (Err(error), Some((_, kept))) => {
                tracing::warn!(%error, "services' keys were not read, the ones from before stay in force");
                kept.clone()
            }
        };
        *read = Some((now, keys.clone()));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use mesh::identity::ServiceIdentity;
    use mesh::time::{Chance, Clock};

    use super::{ServiceKeys, Signer};

    #[test]
    fn the_signing_key_is_private_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.key");
        let first = Signer::load_or_create(&path, &Chance::seeded(1)).unwrap();
        let again = Signer::load_or_create(&path, &Chance::seeded(2)).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_and_an_absent_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.key");
        std::fs::write(&path, "damaged").unwrap();
        let absent = folder.path().join("absent").join("users.key");
        for path in [&path, &absent] {
            let refusal = Signer::load_or_create(path, &Chance::seeded(1)).err().unwrap();
            assert_eq!(refusal.reason(), "KEY_FILE_UNREADABLE");
            assert_eq!(refusal.context()["file"], path.display().to_string());
        }
    }

    #[tokio::test]
    async fn a_new_service_is_published_after_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, manual) = Clock::manual(0);
        let chance = Chance::seeded(1);
        let keys = ServiceKeys::new(Some(folder.path().to_owned()), clock.clone());
        assert!(keys.current().await.unwrap().is_empty());
        let identity = ServiceIdentity::load_or_create(folder.path(), "risk", &clock, &chance).unwrap();
        assert!(keys.current().await.unwrap().is_empty());
        manual.advance(Duration::from_secs(1));
        assert_eq!(*keys.current().await.unwrap(), [identity.public_key().clone()]);
        std::fs::write(folder.path().join("ml.pub"), "damaged").unwrap();
        manual.advance(Duration::from_secs(1));
        assert_eq!(
            *keys.current().await.unwrap(),
            [identity.public_key().clone()],
            "the good keys stay"
        );
        let fresh = ServiceKeys::new(Some(folder.path().to_owned()), clock.clone());
        assert_eq!(fresh.current().await.unwrap_err().reason(), "KEY_INVALID");
        assert!(ServiceKeys::new(None, clock).current().await.unwrap().is_empty());
    }
}
