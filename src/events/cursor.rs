//! How far a consumer has come in each stream, kept in the transaction of its effect.

use crate::error::{Error, Result};
use crate::store::{Migration, Transaction};

const TABLE: &str = "CREATE TABLE cursor (stream TEXT PRIMARY KEY, sequence BIGINT NOT NULL)";

/// The migration that makes the `cursor` table, at a place of the service's choice among its own.
pub const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "event_cursor",
        sqlite: TABLE,
        postgres: TABLE,
    }
}

/// The sequence of the last event whose effect is in the store; 0 before the first.
pub async fn load(transaction: &mut Transaction, stream: &str) -> Result<u64> {
    let sequence: Option<i64> = sqlx::query_scalar("SELECT sequence FROM cursor WHERE stream = $1")
        .bind(stream)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(sequence.map_or(0, i64::cast_unsigned))
}

/// Moves the cursor forward to `sequence`.
///
/// # Errors
/// `CONFLICT / CURSOR_MOVED` when it is there or beyond already: somebody else consumes this stream too.
pub async fn save(transaction: &mut Transaction, stream: &str, sequence: u64) -> Result<()> {
    let saved = sqlx::query(
        "INSERT INTO cursor (stream, sequence) VALUES ($1, $2)
         ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence WHERE cursor.sequence < excluded.sequence",
    )
    .bind(stream)
    .bind(sequence.cast_signed())
    .execute(&mut **transaction)
    .await?;
    if saved.rows_affected() == 0 {
        return Err(Error::conflict(
            "CURSOR_MOVED",
            format!("the cursor of '{stream}' is at {sequence} or beyond"),
        )
        .with("stream", stream));
    }
    Ok(())
}
