//! Logins, refreshes and their end; tokens of service accounts; passwords.

use std::time::Duration;

use mesh::identity::Principal;
use mesh::store::Transaction;
use mesh::wire::form;
use mesh::{Error, Result};

use crate::core::{Access, Family, Presented, access_until_password_changed, same};
use crate::error::{
    invalid_credentials, invalid_refresh_token, not_a_user, password_unchanged, too_many_attempts, too_many_tokens,
};
use crate::keys::Grant;
use crate::office::{FIRST_USER, Office};
use crate::secrets::{RefreshToken, random_id, random_secret, sha256};
use crate::store::{self, NewToken, Revoked, ServiceAccount, SessionRow, TokensOf, User};

/// The tokens of a session, or of a service account.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) expires_in_s: i64,
    /// Empty for service accounts.
    pub(crate) refresh_token: String,
}

impl Office {
    /// Opens a session; also says whether the password must be changed.
    pub(crate) async fn login(&self, name: &str, password: &str) -> Result<(Issued, bool)> {
        self.count_attempt(name)?;
        let user = if is_name(name) {
            store::user(&self.store, name).await?
        } else {
            None
        };
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matches = self.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|user| matches && !user.disabled) else {
            tracing::info!(user = loggable(name), "a login was refused");
            return Err(invalid_credentials());
        };
        let mut transaction = self.store.begin().await?;
        // The password was checked against what was read before this transaction.
        let user = store::user_in(&mut transaction, name)
            .await?
            .filter(|now| now.password_hash == user.password_hash && !now.disabled)
            .ok_or_else(invalid_credentials)?;
        let (issued, revoked) = self.open_session(&mut transaction, &user).await?;
        transaction.commit().await?;
        self.announce(revoked);
        self.throttle.lock().succeeded(name);
        tracing::info!(user = name, "logged in");
        Ok((issued, self.must_change(&user)))
    }

    /// Exchanges a refresh token. Of two that present the same one, the first wins, and the second ends the session.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Issued> {
        let token = RefreshToken::parse(token).ok_or_else(invalid_refresh_token)?;
        // Whoever makes tokens up does not occupy the one writer.
        store::session(self.store.read(), token.session)
            .await?
            .ok_or_else(invalid_refresh_token)?;
        let now = self.clock.now_micros();
        let mut transaction = self.store.begin().await?;
        let session = store::session(&mut *transaction, token.session)
            .await?
            .ok_or_else(invalid_refresh_token)?;
        match session.family.present(&sha256(token.secret), now) {
            Presented::Current => {}
            Presented::Expired | Presented::Ended => return Err(invalid_refresh_token()),
            Presented::Reused => {
                store::end_sessions(&mut transaction, TokensOf::Session(&session.id)).await?;
                let revoked = store::revoke_tokens(&mut transaction, TokensOf::Session(&session.id), now).await?;
                transaction.commit().await?;
                self.announce(revoked);
                tracing::warn!(
                    user = session.user_name,
                    session = session.id,
                    "a refresh token was used twice"
                );
                return Err(invalid_refresh_token());
            }
        }
        let user = store::user_in(&mut transaction, &session.user_name)
            .await?
            .filter(|user| !user.disabled)
            .ok_or_else(invalid_refresh_token)?;
        let secret = random_secret(&self.chance);
        store::rotate(&mut transaction, &session.id, &sha256(&secret)).await?;
        let mut issued = self
            .issue(&mut transaction, &user.name, &session.id, &self.access_of(&user))
            .await?;
        transaction.commit().await?;
        issued.refresh_token = RefreshToken {
            session: &session.id,
            secret: &secret,
        }
        .text();
        Ok(issued)
    }

    /// Exchanges a service account's credentials for an access token.
    pub(crate) async fn client_token(&self, client_id: &str, secret: &str) -> Result<Issued> {
        if !is_name(client_id) {
            return Err(invalid_credentials());
        }
        // Whoever makes credentials up does not occupy the one writer.
        let checked = store::service_account(self.store.read(), client_id).await?;
        let Some(checked) = checked.filter(|account| opens(account, secret)) else {
            tracing::info!(client_id, "a service account's credentials were refused");
            return Err(invalid_credentials());
        };
        let mut transaction = self.store.begin().await?;
        let account = store::service_account(&mut *transaction, client_id)
            .await?
            .filter(|now| now.secret_sha256 == checked.secret_sha256)
            .ok_or_else(invalid_credentials)?;
        let now = self.clock.now_micros();
        let limit = self.config.tokens_per_service_account;
        let (held, first_us) = store::tokens_of(&mut transaction, client_id, now).await?;
        if held >= i64::from(limit) {
            let wait = Duration::from_micros(first_us.saturating_sub(now).unsigned_abs());
            return Err(too_many_tokens(limit, wait));
        }
        let issued = self.issue(&mut transaction, client_id, "", &account.access).await?;
        transaction.commit().await?;
        Ok(issued)
    }

    /// Ends the caller's session; a service account's token stops working alone.
    pub(crate) async fn logout(&self, caller: &Principal) -> Result<()> {
        let now = self.clock.now_micros();
        let mut transaction = self.store.begin().await?;
        let session = store::session_of_token(&mut transaction, &caller.token_id).await?;
        let of = session
            .as_deref()
            .map_or(TokensOf::Id(&caller.token_id), TokensOf::Session);
        store::end_sessions(&mut transaction, of).await?;
        let revoked = store::revoke_tokens(&mut transaction, of, now).await?;
        transaction.commit().await?;
        self.announce(revoked);
        tracing::info!(subject = caller.subject, "logged out");
        Ok(())
    }

    /// Changes the caller's password, ends every session of the user and opens a new one.
    pub(crate) async fn change_password(&self, caller: &Principal, current: &str, new: &str) -> Result<Issued> {
        if current == new {
            return Err(password_unchanged());
        }
        let name = caller.subject.as_str();
        let user = store::user(&self.store, name).await?.ok_or_else(|| not_a_user(name))?;
        self.count_attempt(name)?;
        if !self.passwords.verify(current, Some(&user.password_hash)).await? {
            tracing::info!(user = name, "a change of password was refused");
            return Err(invalid_credentials());
        }
        let hash = self.passwords.hash(new).await?;
        let mut transaction = self.store.begin().await?;
        let mut user = store::user_in(&mut transaction, name)
            .await?
            .filter(|now| now.password_hash == user.password_hash && !now.disabled)
            .ok_or_else(invalid_credentials)?;
        store::set_password(&mut transaction, name, &hash).await?;
        user.must_change_password = false;
        store::end_sessions(&mut transaction, TokensOf::Subject(name)).await?;
        let now = self.clock.now_micros();
        let revoked = store::revoke_tokens(&mut transaction, TokensOf::Subject(name), now).await?;
        // Every session has just ended, so none is surplus.
        let (issued, _) = self.open_session(&mut transaction, &user).await?;
        transaction.commit().await?;
        self.announce(revoked);
        self.throttle.lock().succeeded(name);
        if name == FIRST_USER {
            self.remove_password_file();
        }
        tracing::info!(user = name, "changed the password");
        Ok(issued)
    }

    fn count_attempt(&self, name: &str) -> Result<()> {
        let now = self.clock.monotonic();
        let mut throttle = self.throttle.lock();
        let attempt = if is_name(name) {
            throttle.attempt(name, now)
        } else {
            throttle.attempt_unnamed(now)
        };
        attempt.map_err(too_many_attempts)
    }

    fn must_change(&self, user: &User) -> bool {
        user.must_change_password && self.config.require_password_change
    }

    fn access_of(&self, user: &User) -> Access {
        if self.must_change(user) {
            access_until_password_changed()
        } else {
            user.access.clone()
        }
    }

    /// Opens a session and ends the surplus ones; their revoked tokens are to be announced after the commit.
    async fn open_session(&self, transaction: &mut Transaction, user: &User) -> Result<(Issued, Vec<Revoked>)> {
        let now = self.clock.now_micros();
        let keep = i64::from(self.config.sessions_per_user) - 1;
        let mut revoked = Vec::new();
        for session in store::end_surplus_sessions(transaction, &user.name, keep, now).await? {
            revoked.extend(store::revoke_tokens(transaction, TokensOf::Session(&session), now).await?);
        }
        let secret = random_secret(&self.chance);
        let lifetime = i64::try_from(self.config.session_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        let session = SessionRow {
            id: random_id(&self.chance),
            user_name: user.name.clone(),
            family: Family {
                current: sha256(&secret),
                expires_at: now.saturating_add(lifetime),
                ended: false,
            },
            created_us: now,
        };
        store::insert_session(transaction, &session).await?;
        let mut issued = self
            .issue(transaction, &user.name, &session.id, &self.access_of(user))
            .await?;
        issued.refresh_token = RefreshToken {
            session: &session.id,
            secret: &secret,
        }
        .text();
        Ok((issued, revoked))
    }

    async fn issue(
        &self,
        transaction: &mut Transaction,
        subject: &str,
        session: &str,
        access: &Access,
    ) -> Result<Issued> {
        let token_id = random_id(&self.chance);
        let issued_at_s = self.clock.now_micros().div_euclid(1_000_000);
        let expires_in_s = i64::try_from(self.config.access_token_s)
            .map_err(|_| Error::internal("CONFIG_OUT_OF_BOUNDS", "auth.access_token_s is out of its bounds"))?;
        let expires_at_s = issued_at_s + expires_in_s;
        let token = NewToken {
            id: &token_id,
            subject,
            session,
            expires_us: expires_at_s * 1_000_000,
        };
        store::insert_token(transaction, &token).await?;
        let grant = Grant {
            subject,
            access,
            token_id: &token_id,
            issued_at_s,
            expires_at_s,
        };
        let access_token = self.signer.sign(&grant)?;
        Ok(Issued {
            access_token,
            expires_in_s,
            refresh_token: String::new(),
        })
    }
}

/// Whether the secret is the service account's.
fn opens(account: &ServiceAccount, secret: &str) -> bool {
    let mut expected = [0; 32];
    hex::decode_to_slice(&account.secret_sha256, &mut expected).is_ok() && same(&expected, &sha256(secret))
}

/// A name as it may stand in a log: people type passwords where names belong.
fn loggable(name: &str) -> &str {
    if is_name(name) { name } else { "(not a name)" }
}

/// Whether somebody could have the name.
fn is_name(text: &str) -> bool {
    form::name("name", text).is_ok()
}
