//! A service's own identity: a key file, and the short tokens that it signs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::EncodingKey;
use parking_lot::Mutex;

use super::claims::{AUDIENCE, Claims, ISSUER, TokenType, sign};
use super::keys::{PublicKey, USERS, unreadable};
use super::principal::Role;
use crate::error::{Error, Result};
use crate::time::{Chance, Clock};

/// How long a service token lives. It is renewed when half of this is left.
const TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// A service's name, key and current token. Cheap to clone.
#[derive(Clone)]
pub struct ServiceIdentity(Arc<Inner>);

struct Inner {
    name: String,
    public: PublicKey,
    signing: EncodingKey,
    clock: Clock,
    chance: Chance,
    current: Mutex<Option<Issued>>,
}

struct Issued {
    token: Arc<str>,
    issued_at_micros: i64,
    renew_at_micros: i64,
}

impl ServiceIdentity {
    /// Loads `<folder>/<name>.key`, or creates it (PKCS#8 PEM, mode 0600) with `<name>.pub` beside it.
    ///
    /// # Errors
    /// `Invalid` naming the file that cannot be read, written, or is no Ed25519 key; and for the name `users`.
    pub fn load_or_create(folder: &Path, name: &str, clock: &Clock, chance: &Chance) -> Result<ServiceIdentity> {
        if name == USERS {
            return Err(Error::invalid(
                "SERVICE_NAME_RESERVED",
                "no service may be called 'users'",
            ));
        }
        let key_path = folder.join(format!("{name}.key"));
        let key = if key_path.exists() {
            load(&key_path)?
        } else {
            create(&key_path, chance)?
        };
        publish(&folder.join(format!("{name}.pub")), &key)?;
        let der = key.to_pkcs8_der().map_err(|error| unreadable(&key_path, &error))?;
        Ok(ServiceIdentity(Arc::new(Inner {
            name: name.to_owned(),
            public: PublicKey::new(name, key.verifying_key().to_bytes())?,
            signing: EncodingKey::from_ed_der(der.as_bytes()),
            clock: clock.clone(),
            chance: chance.clone(),
            current: Mutex::new(None),
        })))
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key that verifies its tokens.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// A valid token of this service.
    ///
    /// # Errors
    /// `Internal` when signing fails.
    pub fn token(&self) -> Result<Arc<str>> {
        let now = self.0.clock.now_micros();
        let mut current = self.0.current.lock();
        // A token that is of the future was issued before the clock was set back: nobody would take it.
        let is_usable = |issued: &&Issued| (issued.issued_at_micros..issued.renew_at_micros).contains(&now);
        if let Some(issued) = current.as_ref().filter(is_usable) {
            return Ok(issued.token.clone());
        }
        let issued = self.issue(now)?;
        let token = issued.token.clone();
        *current = Some(issued);
        Ok(token)
    }

    fn issue(&self, now_micros: i64) -> Result<Issued> {
        let issued_at_s = now_micros.div_euclid(1_000_000);
        let lifetime_s = TOKEN_LIFETIME.as_secs() as i64;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: self.0.name.clone(),
            roles: vec![Role::Service.to_string()],
            accounts: vec!["*".to_owned()],
            jti: format!("{:016x}{:016x}", self.0.chance.u64(), self.0.chance.u64()),
            iat: issued_at_s,
            nbf: Some(issued_at_s),
            exp: issued_at_s + lifetime_s,
            typ: TokenType::Service,
        };
        let token = sign(&claims, &self.0.signing, self.0.public.kid())?;
        Ok(Issued {
            token: token.into(),
            issued_at_micros: issued_at_s * 1_000_000,
            renew_at_micros: (issued_at_s + lifetime_s / 2) * 1_000_000,
        })
    }
}

fn load(path: &Path) -> Result<SigningKey> {
    let pem = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| unreadable(path, &error))
}

fn create(path: &Path, chance: &Chance) -> Result<SigningKey> {
    let mut secret = [0_u8; 32];
    chance.fill(&mut secret);
    let key = SigningKey::from_bytes(&secret);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| unreadable(path, &error))?;
    write(path, pem.as_bytes(), 0o600)?;
    Ok(key)
}

fn publish(path: &Path, key: &SigningKey) -> Result<()> {
    let pem = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(|error| unreadable(path, &error))?;
    if std::fs::read(path).is_ok_and(|published| published == pem.as_bytes()) {
        return Ok(());
    }
    write(path, pem.as_bytes(), 0o644)
}

/// Writes a file whole or not at all: a half-written key would lock the service out.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension("new");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::ServiceIdentity;
    use crate::identity::public_keys;
    use crate::time::{Chance, Clock};

    #[test]
    fn the_key_survives_a_restart_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, _) = Clock::manual(0);
        let first = ServiceIdentity::load_or_create(folder.path(), "risk", &clock, &Chance::seeded(1)).unwrap();
        let again = ServiceIdentity::load_or_create(folder.path(), "risk", &clock, &Chance::seeded(2)).unwrap();
        assert_eq!(first.public_key(), again.public_key());
        assert_eq!(public_keys(folder.path()).unwrap(), [first.public_key().clone()]);
        let mode = std::fs::metadata(folder.path().join("risk.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(first.name(), "risk");
    }

    #[test]
    fn a_token_is_kept_until_half_its_life_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, manual) = Clock::manual(1_000_000_000);
        let identity = ServiceIdentity::load_or_create(folder.path(), "risk", &clock, &Chance::seeded(1)).unwrap();
        let first = identity.token().unwrap();
        manual.advance(Duration::from_secs(149));
        assert_eq!(identity.token().unwrap(), first);
        manual.advance(Duration::from_secs(1));
        let second = identity.token().unwrap();
        assert_ne!(second, first);
        manual.set(clock.now_micros() - 3_600_000_000);
        assert_ne!(identity.token().unwrap(), second, "the clock was set back");
    }

    #[test]
    fn a_damaged_key_and_an_absent_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, _) = Clock::manual(0);
        let chance = Chance::seeded(1);
        let load = |path: &std::path::Path, name| ServiceIdentity::load_or_create(path, name, &clock, &chance).err();
        std::fs::write(folder.path().join("risk.key"), "damaged").unwrap();
        let refusal = load(folder.path(), "risk").unwrap();
        assert_eq!(refusal.reason(), "KEY_FILE_UNREADABLE");
        assert!(refusal.context()["file"].ends_with("risk.key"));
        let refusal = load(&folder.path().join("absent"), "risk").unwrap();
        assert_eq!(refusal.reason(), "KEY_FILE_UNREADABLE");
        assert_eq!(load(folder.path(), "users").unwrap().reason(), "SERVICE_NAME_RESERVED");
    }
}
