//! The tables: users, service accounts, sessions, the access tokens in circulation, and the keys that sign them.
//!
//! Whatever decides something is read and written in one transaction of the one writer, so that a second caller sees what
//! the first has done.

mod service_accounts;
mod sessions;
mod users;

use mesh::Result;
use mesh::store::{Migration, Store, Transaction};
use sqlx::Row;

use crate::core::Access;

pub(crate) use service_accounts::{
    ServiceAccount, delete_service_account, insert_service_account, list_service_accounts, service_account,
};
pub(crate) use sessions::{
    NewToken, Revoked, SessionRow, end_sessions, end_surplus_sessions, forget_expired, insert_session, insert_token,
    revoked_tokens, rotate, session, session_of_token, tokens_of,
};
pub(crate) use sessions::{TokensOf, revoke_tokens};
pub(crate) use users::{
    User, any_user, enabled_admins, insert_user, list_users, set_password, update_user, user, user_in,
};

/// The tables.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "users_and_sessions",
    sqlite: include_str!("../../migrations/sqlite/0001_users_and_sessions.sql"),
    postgres: include_str!("../../migrations/postgres/0001_users_and_sessions.sql"),
}];

/// Whether a user or service account has the name. They share one namespace, because a token's subject is either.
pub(crate) async fn name_is_taken(transaction: &mut Transaction, name: &str) -> Result<bool> {
    let taken = sqlx::query(
        "SELECT user_name FROM users WHERE user_name = $1 UNION SELECT client_id FROM service_accounts WHERE client_id = $1",
    )
    .bind(name)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(taken.is_some())
}

/// Notes that a key signs tokens from now on.
pub(crate) async fn use_signing_key(transaction: &mut Transaction, x: &str, now: i64) -> Result<()> {
    sqlx::query("INSERT INTO signing_keys (x, used_us) VALUES ($1, $2) ON CONFLICT (x) DO UPDATE SET used_us = excluded.used_us")
        .bind(x)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The keys that signed tokens since a time, the ones of other replicas too.
pub(crate) async fn signing_keys(store: &Store, since: i64) -> Result<Vec<String>> {
    let rows = sqlx::query("SELECT x FROM signing_keys WHERE used_us >= $1 ORDER BY x")
        .bind(since)
        .fetch_all(store.read())
        .await?;
    rows.iter().map(|row| Ok(row.try_get("x")?)).collect()
}

/// Lists of names, as stored: separated by spaces, which no name holds.
fn joined(names: &[String]) -> String {
    names.join(" ")
}

fn access(roles: &str, accounts: &str) -> Result<Access> {
    let split = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Access::parse(&split(roles), &split(accounts))
}
