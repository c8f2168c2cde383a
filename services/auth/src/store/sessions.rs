//! Sessions, and the access tokens in circulation.

use mesh::store::{Store, Transaction};
use mesh::{Error, Result};
use sqlx::Row;
use sqlx::any::{AnyExecutor, AnyRow};

use crate::core::Family;

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) user_name: String,
    pub(crate) family: Family,
    pub(crate) created_us: i64,
}

/// An access token that is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewToken<'a> {
    pub(crate) id: &'a str,
    pub(crate) subject: &'a str,
    /// Empty for service accounts.
    pub(crate) session: &'a str,
    pub(crate) expires_us: i64,
}

/// A token that no longer works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revoked {
    pub(crate) id: String,
    pub(crate) expires_us: i64,
}

/// Whose tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokensOf<'a> {
    /// Every token of a user or service account.
    Subject(&'a str),
    /// The tokens of one session.
    Session(&'a str),
    /// One token.
    Id(&'a str),
}

fn read(row: &AnyRow) -> Result<SessionRow> {
    let damaged = || Error::internal("STORE_DAMAGED", "a session's hash is not 32 bytes");
    let hash = hex::decode(row.try_get::<String, _>("refresh_sha256")?).map_err(|_| damaged())?;
    Ok(SessionRow {
        id: row.try_get("session_id")?,
        user_name: row.try_get("user_name")?,
        family: Family {
            current: hash.try_into().map_err(|_| damaged())?,
            expires_at: row.try_get("expires_us")?,
            ended: row.try_get::<i64, _>("ended")? != 0,
        },
        created_us: row.try_get("created_us")?,
    })
}

/// The session of an id.
pub(crate) async fn session<'c>(from: impl AnyExecutor<'c>, id: &str) -> Result<Option<SessionRow>> {
    let row = sqlx::query("SELECT * FROM sessions WHERE session_id = $1")
        .bind(id)
        .fetch_optional(from)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The session that a token belongs to; none for tokens of service accounts.
pub(crate) async fn session_of_token(transaction: &mut Transaction, token_id: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT session_id FROM access_tokens WHERE token_id = $1")
        .bind(token_id)
        .fetch_optional(&mut **transaction)
        .await?;
    let id = row.map(|row| row.try_get::<String, _>("session_id")).transpose()?;
    Ok(id.filter(|id| !id.is_empty()))
}

/// Adds a session.
pub(crate) async fn insert_session(transaction: &mut Transaction, session: &SessionRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO sessions (session_id, user_name, refresh_sha256, created_us, expires_us, ended)
         VALUES ($1, $2, $3, $4, $5, 0)",
    )
    .bind(&session.id)
    .bind(&session.user_name)
    .bind(hex::encode(session.family.current))
    .bind(session.created_us)
    .bind(session.family.expires_at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Sets the refresh token that works from now on.
pub(crate) async fn rotate(transaction: &mut Transaction, id: &str, next: &[u8; 32]) -> Result<()> {
    sqlx::query("UPDATE sessions SET refresh_sha256 = $2 WHERE session_id = $1")
        .bind(id)
        .bind(hex::encode(next))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Ends every session of a user, or one.
pub(crate) async fn end_sessions(transaction: &mut Transaction, of: TokensOf<'_>) -> Result<()> {
    let (statement, key) = match of {
        TokensOf::Subject(name) => ("UPDATE sessions SET ended = 1 WHERE user_name = $1", name),
        TokensOf::Session(id) => ("UPDATE sessions SET ended = 1 WHERE session_id = $1", id),
        TokensOf::Id(_) => return Ok(()),
    };
    sqlx::query(statement).bind(key).execute(&mut **transaction).await?;
    Ok(())
}

/// Ends a user's oldest sessions, so that `keep` are left; returns which.
pub(crate) async fn end_surplus_sessions(
    transaction: &mut Transaction,
    user_name: &str,
    keep: i64,
    now: i64,
) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT session_id FROM sessions WHERE user_name = $1 AND ended = 0 AND expires_us > $2
         ORDER BY created_us DESC, session_id DESC LIMIT 1000 OFFSET $3",
    )
    .bind(user_name)
    .bind(now)
    .bind(keep)
    .fetch_all(&mut **transaction)
    .await?;
    let ids = rows
        .iter()
        .map(|row| Ok(row.try_get("session_id")?))
        .collect::<Result<Vec<String>>>()?;
    for id in &ids {
        end_sessions(transaction, TokensOf::Session(id)).await?;
    }
    Ok(ids)
}

/// Notes an access token that is issued.
pub(crate) async fn insert_token(transaction: &mut Transaction, token: &NewToken<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO access_tokens (token_id, subject, session_id, expires_us, revoked) VALUES ($1, $2, $3, $4, 0)",
    )
    .bind(token.id)
    .bind(token.subject)
    .bind(token.session)
    .bind(token.expires_us)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// How many unexpired tokens a subject holds, and when the first of them expires.
pub(crate) async fn tokens_of(transaction: &mut Transaction, subject: &str, now: i64) -> Result<(i64, i64)> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS held, CAST(COALESCE(MIN(expires_us), 0) AS BIGINT) AS first_us
         FROM access_tokens WHERE subject = $1 AND expires_us > $2",
    )
    .bind(subject)
    .bind(now)
    .fetch_one(&mut **transaction)
    .await?;
    Ok((row.try_get("held")?, row.try_get("first_us")?))
}

/// Revokes tokens that have not expired; returns them.
pub(crate) async fn revoke_tokens(transaction: &mut Transaction, of: TokensOf<'_>, now: i64) -> Result<Vec<Revoked>> {
    let (select, update, key) = match of {
        TokensOf::Subject(subject) => (
            "SELECT token_id, expires_us FROM access_tokens WHERE subject = $1 AND revoked = 0 AND expires_us > $2",
            "UPDATE access_tokens SET revoked = 1 WHERE subject = $1 AND expires_us > $2",
            subject,
        ),
        TokensOf::Session(session) => (
            "SELECT token_id, expires_us FROM access_tokens WHERE session_id = $1 AND revoked = 0 AND expires_us > $2",
            "UPDATE access_tokens SET revoked = 1 WHERE session_id = $1 AND expires_us > $2",
            session,
        ),
        TokensOf::Id(id) => (
            "SELECT token_id, expires_us FROM access_tokens WHERE token_id = $1 AND revoked = 0 AND expires_us > $2",
            "UPDATE access_tokens SET revoked = 1 WHERE token_id = $1 AND expires_us > $2",
            id,
        ),
    };
    let rows = sqlx::query(select)
        .bind(key)
        .bind(now)
        .fetch_all(&mut **transaction)
        .await?;
    sqlx::query(update)
        .bind(key)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    rows.iter().map(revoked).collect()
}

fn revoked(row: &AnyRow) -> Result<Revoked> {
    Ok(Revoked {
        id: row.try_get("token_id")?,
        expires_us: row.try_get("expires_us")?,
    })
}

/// The revoked tokens that expire after a time.
pub(crate) async fn revoked_tokens(store: &Store, after: i64) -> Result<Vec<Revoked>> {
    let rows = sqlx::query(
        "SELECT token_id, expires_us FROM access_tokens WHERE revoked = 1 AND expires_us > $1 ORDER BY token_id",
    )
    .bind(after)
    .fetch_all(store.read())
    .await?;
    rows.iter().map(revoked).collect()
}

/// Removes sessions, tokens and keys that nothing depends on any more.
pub(crate) async fn forget_expired(transaction: &mut Transaction, before: i64, keys_before: i64) -> Result<()> {
    for (statement, time) in [
        ("DELETE FROM sessions WHERE expires_us <= $1", before),
        ("DELETE FROM access_tokens WHERE expires_us <= $1", before),
        ("DELETE FROM signing_keys WHERE used_us < $1", keys_before),
    ] {
        sqlx::query(statement).bind(time).execute(&mut **transaction).await?;
    }
    Ok(())
}
