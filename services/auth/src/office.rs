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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh::app::testing::Bed;
    use mesh::store::StoreConfig;
    use mesh::time::{Chance, Clock, ManualClock};
    use sqlx::Row;

    use super::Office;
    use crate::config::{Argon2Config, Config};

    struct Place {
        office: Office,
        manual: ManualClock,
        _folder: tempfile::TempDir,
    }

    impl Place {
        async fn open(store: StoreConfig) -> Place {
            let folder = tempfile::tempdir().unwrap();
            let (clock, manual) = Clock::manual(1_700_000_000_000_000);
            let mut deps = Bed::new(folder.path(), clock, Chance::from_entropy()).deps(crate::NAME);
            deps.store = store;
            let config = Config {
                housekeeping_s: 1,
                argon2: Argon2Config {
                    memory_kib: 8,
                    passes: 1,
                    ..Argon2Config::default()
                },
                ..Config::default()
            };
            let office = Office::open(config, &deps).await.unwrap();
            Place {
                office,
                manual,
                _folder: folder,
            }
        }

        async fn log_in(&self) {
            let password = std::fs::read_to_string(self.office.data_dir.join(super::PASSWORD_FILE)).unwrap();
            self.office.login(super::FIRST_USER, password.trim()).await.unwrap();
        }

        /// How many sessions, tokens and signing keys are stored.
        async fn stored(&self) -> [i64; 3] {
            let mut counts = [0; 3];
            let statements = [
                "SELECT CAST(COUNT(*) AS BIGINT) AS stored FROM sessions",
                "SELECT CAST(COUNT(*) AS BIGINT) AS stored FROM access_tokens",
                "SELECT CAST(COUNT(*) AS BIGINT) AS stored FROM signing_keys",
            ];
            for (count, statement) in counts.iter_mut().zip(statements) {
                let row = sqlx::query(statement)
                    .fetch_one(self.office.store.read())
                    .await
                    .unwrap();
                *count = row.try_get("stored").unwrap();
            }
            counts
        }
    }

    #[tokio::test]
    async fn what_has_expired_is_forgotten_a_minute_later() {
        for store in mesh::store::testing::engines() {
            let place = Place::open(store).await;
            place.log_in().await;
            let mut transaction = place.office.store.begin().await.unwrap();
            let now = place.office.clock.now_micros();
            crate::store::use_signing_key(&mut transaction, "of a replica that is gone", now)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
            // seconds since the login → sessions, tokens and keys that are left
            let table = [
                (659, [1, 1, 2]),
                (660, [1, 0, 2]),
                (86_400, [1, 0, 2]),
                (86_401, [1, 0, 1]),
                (30 * 86_400 + 59, [1, 0, 1]),
                (30 * 86_400 + 60, [0, 0, 1]),
            ];
            for (second, left) in table {
                place.manual.set(now + second * 1_000_000);
                place.office.keep_house().await.unwrap();
                assert_eq!(place.stored().await, left, "after {second} s");
            }
        }
    }

    #[tokio::test]
    async fn house_is_kept_again_and_again() {
        let place = Place::open(mesh::store::testing::sqlite()).await;
        place.log_in().await;
        place.manual.advance(Duration::from_secs(31 * 86_400));
        let until_it_is_done = async {
            while place.stored().await != [0, 0, 1] {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = place.office.clone().housekeeping() => unreachable!("it never ends"),
            () = until_it_is_done => {}
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_does_not_end_the_housekeeping() {
        let place = Place::open(mesh::store::testing::sqlite()).await;
        let mut transaction = place.office.store.begin().await.unwrap();
        sqlx::query("ALTER TABLE sessions RENAME TO hidden")
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert!(place.office.keep_house().await.is_err());
        let two_rounds = Duration::from_millis(2_100);
        let ended = tokio::time::timeout(two_rounds, place.office.clone().housekeeping()).await;
        assert!(ended.is_err(), "it goes on");
    }
}
