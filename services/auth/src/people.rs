//! Users and service accounts.

use mesh::Result;

use crate::core::{Access, PersonChange, leaves_no_admin};
use crate::error::{last_admin, name_taken, service_account_not_found, user_not_found};
use crate::office::Office;
use crate::secrets::{random_secret, sha256};
use crate::store::{self, ServiceAccount, TokensOf, User};

impl Office {
    /// Creates a user, who has to change the password at first.
    pub(crate) async fn create_user(&self, name: &str, password: &str, access: Access) -> Result<User> {
        let user = User {
            name: name.to_owned(),
            password_hash: self.passwords.hash(password).await?,
            access,
            disabled: false,
            must_change_password: true,
            created_us: self.clock.now_micros(),
        };
        let mut transaction = self.store.begin().await?;
        if store::name_is_taken(&mut transaction, name).await? {
            return Err(name_taken(name));
        }
        store::insert_user(&mut transaction, &user).await?;
        transaction.commit().await?;
        tracing::info!(user = name, "created a user");
        Ok(user)
    }

    /// Changes a user. What changes takes effect at once: tokens with the old access stop working.
    pub(crate) async fn update_user(&self, name: &str, access: Option<Access>, disabled: Option<bool>) -> Result<User> {
        let mut transaction = self.store.begin().await?;
        let before = store::user_in(&mut transaction, name)
            .await?
            .ok_or_else(|| user_not_found(name))?;
        let after = User {
            access: access.unwrap_or_else(|| before.access.clone()),
            disabled: disabled.unwrap_or(before.disabled),
            ..before.clone()
        };
        if after == before {
            return Ok(after);
        }
        let change = PersonChange {
            was_admin: before.is_enabled_admin(),
            is_admin: after.is_enabled_admin(),
        };
        if leaves_no_admin(change, store::enabled_admins(&mut transaction).await?) {
            return Err(last_admin(name));
        }
        store::update_user(&mut transaction, &after).await?;
        if after.disabled {
            store::end_sessions(&mut transaction, TokensOf::Subject(name)).await?;
        }
        let now = self.clock.now_micros();
        let revoked = store::revoke_tokens(&mut transaction, TokensOf::Subject(name), now).await?;
        transaction.commit().await?;
        self.announce(revoked);
        tracing::info!(user = name, disabled = after.disabled, roles = ?after.access.roles, "changed a user");
        Ok(after)
    }

    /// Creates a service account; returns it with its secret, which is kept nowhere.
    pub(crate) async fn create_service_account(
        &self,
        client_id: &str,
        description: &str,
        access: Access,
    ) -> Result<(ServiceAccount, String)> {
        let secret = random_secret(&self.chance);
        let account = ServiceAccount {
            client_id: client_id.to_owned(),
            secret_sha256: hex::encode(sha256(&secret)),
            description: description.to_owned(),
            access,
            created_us: self.clock.now_micros(),
        };
        let mut transaction = self.store.begin().await?;
        if store::name_is_taken(&mut transaction, client_id).await? {
            return Err(name_taken(client_id));
        }
        store::insert_service_account(&mut transaction, &account).await?;
        transaction.commit().await?;
        tracing::info!(client_id, "created a service account");
        Ok((account, secret))
    }

    /// Removes a service account and revokes its tokens.
    pub(crate) async fn delete_service_account(&self, client_id: &str) -> Result<()> {
        let mut transaction = self.store.begin().await?;
        if !store::delete_service_account(&mut transaction, client_id).await? {
            return Err(service_account_not_found(client_id));
        }
        let now = self.clock.now_micros();
        let revoked = store::revoke_tokens(&mut transaction, TokensOf::Subject(client_id), now).await?;
        transaction.commit().await?;
        self.announce(revoked);
        tracing::info!(client_id, "removed a service account");
        Ok(())
    }
}
