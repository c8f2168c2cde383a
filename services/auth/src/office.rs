//! What every part of the service works with, its first boot, its keys and its housekeeping.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mesh::Result;
use mesh::app::Deps;
use mesh::identity::{Grants, PublicKey, Role, USERS, Verifier};
use mesh::store::Store;
use mesh::time::{Chance, Clock};
use parking_lot::Mutex;

use crate::config::Config;
use crate::core::{Access, Throttle};
use crate::keys::{ServiceKeys, Signer, write_private};
use crate::passwords::Passwords;
use crate::secrets::random_password;
use crate::store::{self, MIGRATIONS, Revoked, User};

/// The name of the first user.
pub(crate) const FIRST_USER: &str = "admin";
/// The file that holds the first user's password until it is changed.
const PASSWORD_FILE: &str = "admin-password";
/// How long something is published after its time, because clocks differ.
const CLOCKS_DIFFER_MICROS: i64 = 60_000_000;
/// How long a replica that is gone keeps its key published, in µs: longer than any access token lives.
const KEY_KEPT_MICROS: i64 = 86_400_000_000;

/// The state of the service. Clones share it.
#[derive(Clone)]
pub(crate) struct Office(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) passwords: Passwords,
    pub(crate) signer: Signer,
    pub(crate) throttle: Mutex<Throttle>,
    service_keys: ServiceKeys,
    verifier: Verifier,
    data_dir: PathBuf,
}

impl std::ops::Deref for Office {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The keys and revocations in force.
pub(crate) struct Published {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) revoked_token_ids: Vec<String>,
    pub(crate) at_micros: i64,
}

impl Office {
    /// Opens the store and the signing key, and creates the first user when there is none.
    pub(crate) async fn open(config: Config, deps: &Deps) -> Result<Office> {
        config.check()?;
        let keys_dir = config.keys_dir.clone().or_else(|| beside(&deps.data_dir));
        let throttle = Throttle::new(
            config.throttle.per_name(),
            config.throttle.over_all(),
            config.throttle.names_max,
        );
        let office = Office(Arc::new(Inner {
            store: Store::open(&deps.store, crate::NAME, MIGRATIONS).await?,
            clock: deps.clock.clone(),
            chance: deps.chance.clone(),
            passwords: Passwords::new(&config.argon2, deps.chance.clone()).await?,
            signer: Signer::load_or_create(&deps.data_dir.join("users.key"), &deps.chance)?,
            throttle: Mutex::new(throttle),
            service_keys: ServiceKeys::new(keys_dir, deps.clock.clone()),
            verifier: deps.verifier.clone(),
            data_dir: deps.data_dir.clone(),
            config,
        }));
        office.verifier.trust(office.signer.public().clone());
        office.create_first_user().await?;
        office.keep_house().await?;
        let revoked = store::revoked_tokens(&office.store, office.clock.now_micros()).await?;
        office.announce(revoked);
        Ok(office)
    }

    /// Someone must be able to create the others. The file is written first: a password that nobody knows helps nobody.
    async fn create_first_user(&self) -> Result<()> {
        let mut transaction = self.store.begin().await?;
        if store::any_user(&mut transaction).await? {
            return Ok(());
        }
        let password = random_password(&self.chance);
        let path = self.data_dir.join(PASSWORD_FILE);
        write_private(&path, format!("{password}\n").as_bytes())?;
        let user = User {
            name: FIRST_USER.to_owned(),
            password_hash: self.passwords.hash(&password).await?,
            access: Access {
                roles: [Role::Admin].into(),
                grants: Grants::All,
            },
            disabled: false,
            must_change_password: true,
            created_us: self.clock.now_micros(),
        };
        store::insert_user(&mut transaction, &user).await?;
        transaction.commit().await?;
        tracing::info!(user = FIRST_USER, file = %path.display(), "created the first user, its password is in the file");
        Ok(())
    }

    /// The first user's password was changed: the file has no more use.
    pub(crate) fn remove_password_file(&self) {
        let path = self.data_dir.join(PASSWORD_FILE);
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %path.display(), %error, "a file with an outdated password could not be removed");
        }
    }

    /// Keeps this replica's key published, and forgets what has expired.
    pub(crate) async fn keep_house(&self) -> Result<()> {
        let now = self.clock.now_micros();
        let mut transaction = self.store.begin().await?;
        store::use_signing_key(&mut transaction, &self.signer.public().x(), now).await?;
        store::forget_expired(&mut transaction, now - CLOCKS_DIFFER_MICROS, now - KEY_KEPT_MICROS).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps house again and again.
    pub(crate) async fn housekeeping(self) {
        let interval = Duration::from_secs(self.config.housekeeping_s);
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.keep_house().await {
                tracing::warn!(%error, "expired sessions and tokens were not removed");
            }
        }
    }

    /// Makes revocations known in this process at once; others learn them with the keys.
    pub(crate) fn announce(&self, revoked: Vec<Revoked>) {
        for token in revoked {
            self.verifier.revoke(token.id, token.expires_us);
        }
    }

    /// The keys that verify tokens, and the tokens that no longer work.
    pub(crate) async fn published(&self) -> Result<Published> {
        let now = self.clock.now_micros();
        let mut keys = vec![self.signer.public().clone()];
        for x in store::signing_keys(&self.store, now - KEY_KEPT_MICROS).await? {
            let key = PublicKey::from_jwk(USERS, &x)?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.extend(self.service_keys.current().await?.iter().cloned());
        let revoked = store::revoked_tokens(&self.store, now - CLOCKS_DIFFER_MICROS).await?;
        let revoked_token_ids = revoked.into_iter().map(|token| token.id).collect();
        Ok(Published {
            keys,
            revoked_token_ids,
            at_micros: now,
        })
    }
}

/// The folder `keys` beside the service's own, when it is there.
fn beside(data_dir: &Path) -> Option<PathBuf> {
    data_dir
        .parent()
        .map(|parent| parent.join("keys"))
        .filter(|folder| folder.is_dir())
}
