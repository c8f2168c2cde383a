//! Service accounts.

use mesh::Result;
use mesh::store::{Store, Transaction};
use sqlx::Row;
use sqlx::any::{AnyExecutor, AnyRow};

use super::{access, joined};
use crate::core::Access;

/// A service account as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    pub(crate) client_id: String,
    /// In hexadecimal.
    pub(crate) secret_sha256: String,
    pub(crate) description: String,
    pub(crate) access: Access,
    pub(crate) created_us: i64,
}

fn read(row: &AnyRow) -> Result<ServiceAccount> {
    Ok(ServiceAccount {
        client_id: row.try_get("client_id")?,
        secret_sha256: row.try_get("secret_sha256")?,
        description: row.try_get("description")?,
        access: access(row.try_get("roles")?, row.try_get("accounts")?)?,
        created_us: row.try_get("created_us")?,
    })
}

/// The service account of an id.
pub(crate) async fn service_account<'c>(from: impl AnyExecutor<'c>, client_id: &str) -> Result<Option<ServiceAccount>> {
    let row = sqlx::query("SELECT * FROM service_accounts WHERE client_id = $1")
        .bind(client_id)
        .fetch_optional(from)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Up to `limit` service accounts after an id, by id.
pub(crate) async fn list_service_accounts(store: &Store, after: &str, limit: i64) -> Result<Vec<ServiceAccount>> {
    let rows = sqlx::query("SELECT * FROM service_accounts WHERE client_id > $1 ORDER BY client_id LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(store.read())
        .await?;
    rows.iter().map(read).collect()
}

/// Adds a service account.
pub(crate) async fn insert_service_account(transaction: &mut Transaction, account: &ServiceAccount) -> Result<()> {
    sqlx::query(
        "INSERT INTO service_accounts (client_id, secret_sha256, description, roles, accounts, created_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&account.client_id)
    .bind(&account.secret_sha256)
    .bind(&account.description)
    .bind(joined(&account.access.role_names()))
    .bind(joined(&account.access.grants.names()))
    .bind(account.created_us)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Removes a service account; whether there was one.
pub(crate) async fn delete_service_account(transaction: &mut Transaction, client_id: &str) -> Result<bool> {
    let deleted = sqlx::query("DELETE FROM service_accounts WHERE client_id = $1")
        .bind(client_id)
        .execute(&mut **transaction)
        .await?;
    Ok(deleted.rows_affected() == 1)
}
