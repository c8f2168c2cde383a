//! Brings a schema to the version that the code was written for, or refuses.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor, Row};

use super::{Engine, Migration, Store};
use crate::error::{Error, Result};

struct Applied {
    version: i64,
    name: String,
    checksum: String,
}

/// Applies what is missing in one transaction, under the writer's lock: replicas that start together wait for each other.
pub(super) async fn apply(store: &Store, schema: &str, migrations: &[Migration]) -> Result<()> {
    check_order(migrations)?;
    let mut transaction = store.begin().await?;
    if store.engine == Engine::Postgres {
        let create = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        transaction.execute(AssertSqlSafe(create)).await?;
    }
    transaction
        .execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
        )
        .await?;
    let rows = transaction
        .fetch_all("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
        .await?;
    let mut applied = Vec::with_capacity(rows.len());
    for row in rows {
        applied.push(Applied {
            version: row.try_get(0)?,
            name: row.try_get(1)?,
            checksum: row.try_get(2)?,
        });
    }
    for migration in pending(store.engine, migrations, &applied)? {
        sqlx::raw_sql(statements(store.engine, migration))
            .execute(&mut *transaction)
            .await
            .map_err(|error| {
                Error::internal(
                    "MIGRATION_FAILED",
                    format!("migration {} '{}': {error}", migration.version, migration.name),
                )
            })?;
        sqlx::query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)")
            .bind(migration.version)
            .bind(migration.name)
            .bind(checksum(store.engine, migration))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn check_order(migrations: &[Migration]) -> Result<()> {
    let mut last = 0;
    for migration in migrations {
        if migration.version <= last {
            return Err(Error::internal(
                "MIGRATION_ORDER",
                format!("migration {} follows migration {last}", migration.version),
            ));
        }
        last = migration.version;
    }
    Ok(())
}

/// The migrations that are not applied yet, when all applied ones are the first of ours, unchanged.
fn pending<'m>(engine: Engine, migrations: &'m [Migration], applied: &[Applied]) -> Result<&'m [Migration]> {
    for (index, done) in applied.iter().enumerate() {
        let Some(ours) = migrations.get(index) else {
            return Err(refusal(
                "MIGRATION_UNKNOWN",
                done,
                "is not known here: the database belongs to a newer version",
            ));
        };
        if ours.version != done.version {
            return Err(refusal(
                "MIGRATION_UNKNOWN",
                done,
                "is applied, but ours come in another order",
            ));
        }
        if checksum(engine, ours) != done.checksum {
            return Err(refusal(
                "MIGRATION_CHANGED",
                done,
                "was changed after it had been applied: add a new one instead",
            ));
        }
    }
    Ok(&migrations[applied.len()..])
}

fn refusal(reason: &'static str, done: &Applied, why: &str) -> Error {
    Error::refused(reason, format!("migration {} '{}' {why}", done.version, done.name)).with("version", done.version)
}

fn statements(engine: Engine, migration: &Migration) -> &'static str {
    match engine {
        Engine::Sqlite => migration.sqlite,
        Engine::Postgres => migration.postgres,
    }
}

fn checksum(engine: Engine, migration: &Migration) -> String {
    hex::encode(Sha256::digest(statements(engine, migration)))
}
