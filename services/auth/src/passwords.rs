//! Password hashes: argon2id on blocking threads, a bounded number at once.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use mesh::time::Chance;
use mesh::{Error, Result};
use tokio::sync::Semaphore;

use crate::config::Argon2Config;
use crate::error::password_checks_busy;

/// Makes and checks password hashes.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    chance: Chance,
    /// Those who hash or wait for their turn.
    admitted: Semaphore,
    /// Those who hash.
    running: Semaphore,
    /// The hash of a password that nobody knows: what is checked for a user that does not exist.
    decoy: String,
}

impl Passwords {
    /// # Errors
    /// `Invalid` when argon2 does not take the parameters.
    pub(crate) async fn new(config: &Argon2Config, chance: Chance) -> Result<Passwords> {
        let params = Params::new(config.memory_kib, config.passes, config.lanes, None)
            .map_err(|error| Error::invalid("CONFIG_OUT_OF_BOUNDS", format!("auth.argon2: {error}")))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut unknown = [0; 32];
        chance.fill(&mut unknown);
        let salt = salt(&chance);
        let hashed = argon2.clone();
        let decoy = blocking(move || hash(&hashed, &unknown, &salt)).await??;
        let running = config.concurrency as usize;
        Ok(Passwords(Arc::new(Inner {
            argon2,
            chance,
            admitted: Semaphore::new(running + config.waiting as usize),
            running: Semaphore::new(running),
            decoy,
        })))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// `Exhausted` when too many are waiting.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let salt = salt(&self.0.chance);
        let password = password.to_owned();
        let inner = self.0.clone();
        self.in_turn(move || hash(&inner.argon2, password.as_bytes(), &salt))
            .await?
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, and costs as much.
    ///
    /// # Errors
    /// `Exhausted` when too many are waiting.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.0.decoy).to_owned();
        let password = password.to_owned();
        let inner = self.0.clone();
        let matches = self.in_turn(move || inner.argon2.verify_password(password.as_bytes(), hash.as_str()).is_ok());
        Ok(matches.await? && exists)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _admitted = self.0.admitted.try_acquire().map_err(|_| password_checks_busy())?;
        let _running = self.0.running.acquire().await.map_err(|_| password_checks_busy())?;
        blocking(work).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("PASSWORD_HASH_FAILED", format!("a password was not hashed: {error}")))
}

fn salt(chance: &Chance) -> [u8; 16] {
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    salt
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<String> {
    argon2
        .hash_password_with_salt(password, salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal("PASSWORD_HASH_FAILED", format!("a password was not hashed: {error}")))
}

#[cfg(test)]
mod tests {
    use mesh::time::Chance;

    use super::Passwords;
    use crate::config::Argon2Config;

    fn cheap() -> Argon2Config {
        Argon2Config {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
            concurrency: 1,
            waiting: 1,
        }
    }

    #[tokio::test]
    async fn a_password_opens_only_its_own_hash() {
        let passwords = Passwords::new(&cheap(), Chance::seeded(1)).await.unwrap();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(
            hash,
            passwords.hash("correct horse battery").await.unwrap(),
            "each hash has its salt"
        );
        assert!(passwords.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse batterY", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse battery", None).await.unwrap());
        assert!(
            !passwords
                .verify("correct horse battery", Some("damaged"))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn hashes_of_other_costs_verify() {
        let chance = Chance::seeded(1);
        let before = Passwords::new(&Argon2Config { passes: 2, ..cheap() }, chance.clone())
            .await
            .unwrap();
        let hash = before.hash("correct horse battery").await.unwrap();
        let after = Passwords::new(&cheap(), chance).await.unwrap();
        assert!(after.verify("correct horse battery", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn only_so_many_may_wait() {
        let passwords = Passwords::new(&cheap(), Chance::seeded(1)).await.unwrap();
        let held = passwords.0.admitted.acquire_many(2).await.unwrap();
        let refusal = passwords.hash("correct horse battery").await.unwrap_err();
        assert_eq!(refusal.reason(), "PASSWORD_CHECKS_BUSY");
        assert!(passwords.verify("correct horse battery", None).await.is_err());
        drop(held);
        assert!(passwords.hash("correct horse battery").await.is_ok());
    }

    #[tokio::test]
    async fn parameters_that_argon2_refuses_are_refused() {
        let refusal = Passwords::new(&Argon2Config { lanes: 0, ..cheap() }, Chance::seeded(1))
            .await
            .err()
            .unwrap();
        assert_eq!(refusal.reason(), "CONFIG_OUT_OF_BOUNDS");
    }
}
