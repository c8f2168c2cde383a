//! Users.

use mesh::Result;
use mesh::identity::Role;
use mesh::store::{Store, Transaction};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{access, joined};
use crate::core::Access;

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// A PHC string.
    pub(crate) password_hash: String,
    pub(crate) access: Access,
    pub(crate) disabled: bool,
    pub(crate) must_change_password: bool,
    pub(crate) created_us: i64,
}

impl User {
    /// Whether this user can administer the platform.
    pub(crate) fn is_enabled_admin(&self) -> bool {
        !self.disabled && self.access.roles.contains(&Role::Admin)
    }
}

fn read(row: &AnyRow) -> Result<User> {
    Ok(User {
        name: row.try_get("user_name")?,
        password_hash: row.try_get("password_hash")?,
        access: access(row.try_get("roles")?, row.try_get("accounts")?)?,
        disabled: row.try_get::<i64, _>("disabled")? != 0,
        must_change_password: row.try_get::<i64, _>("must_change_password")? != 0,
        created_us: row.try_get("created_us")?,
    })
}

/// The user of a name.
pub(crate) async fn user(store: &Store, name: &str) -> Result<Option<User>> {
    let row = sqlx::query("SELECT * FROM users WHERE user_name = $1")
        .bind(name)
        .fetch_optional(store.read())
        .await?;
    row.as_ref().map(read).transpose()
}

/// The user of a name, as the transaction sees it.
pub(crate) async fn user_in(transaction: &mut Transaction, name: &str) -> Result<Option<User>> {
    let row = sqlx::query("SELECT * FROM users WHERE user_name = $1")
        .bind(name)
        .fetch_optional(&mut **transaction)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Up to `limit` users after a name, by name.
pub(crate) async fn list_users(store: &Store, after: &str, limit: i64) -> Result<Vec<User>> {
    let rows = sqlx::query("SELECT * FROM users WHERE user_name > $1 ORDER BY user_name LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(store.read())
        .await?;
    rows.iter().map(read).collect()
}

/// Whether there is any user.
pub(crate) async fn any_user(transaction: &mut Transaction) -> Result<bool> {
    let row = sqlx::query("SELECT user_name FROM users LIMIT 1")
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.is_some())
}

/// How many users can administer the platform.
pub(crate) async fn enabled_admins(transaction: &mut Transaction) -> Result<u64> {
    let row = sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) AS admins FROM users WHERE is_admin = 1 AND disabled = 0")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(row.try_get::<i64, _>("admins")?.unsigned_abs())
}

/// Adds a user.
pub(crate) async fn insert_user(transaction: &mut Transaction, user: &User) -> Result<()> {
    sqlx::query(
        "INSERT INTO users (user_name, password_hash, roles, accounts, is_admin, disabled, must_change_password, created_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(joined(&user.access.role_names()))
    .bind(joined(&user.access.grants.names()))
    .bind(i64::from(user.access.roles.contains(&Role::Admin)))
    .bind(i64::from(user.disabled))
    .bind(i64::from(user.must_change_password))
    .bind(user.created_us)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Sets a user's access and whether it may log in.
pub(crate) async fn update_user(transaction: &mut Transaction, user: &User) -> Result<()> {
    sqlx::query("UPDATE users SET roles = $2, accounts = $3, is_admin = $4, disabled = $5 WHERE user_name = $1")
        .bind(&user.name)
        .bind(joined(&user.access.role_names()))
        .bind(joined(&user.access.grants.names()))
        .bind(i64::from(user.access.roles.contains(&Role::Admin)))
        .bind(i64::from(user.disabled))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Sets a password that the user chose.
pub(crate) async fn set_password(transaction: &mut Transaction, name: &str, hash: &str) -> Result<()> {
    sqlx::query("UPDATE users SET password_hash = $2, must_change_password = 0 WHERE user_name = $1")
        .bind(name)
        .bind(hash)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
