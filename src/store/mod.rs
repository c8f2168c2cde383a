//! SQL, on SQLite (a file a service) or PostgreSQL (a schema a service): the same queries on both.
//!
//! Queries are `sqlx` over `Any`, with `$1` placeholders, in the subset that both engines speak: BIGINT (times in
//! microseconds, flags 0/1), TEXT (decimals are TEXT, never summed or ordered in SQL) and BLOB/BYTEA. Columns of other
//! types fail at run time. `MAX`, `COUNT` and `SUM` over BIGINT need `CAST(… AS BIGINT)`.
//!
//! There is one writer at a time on both engines, so that a read within [`Store::begin`] stays true until the commit:
//! SQLite begins IMMEDIATE on the one writing connection; PostgreSQL takes the schema's advisory lock first, which also
//! holds across processes. Readers have their own pool, see committed state, and cannot write.

mod error;
mod insert;
mod migrate;
#[doc(hidden)]
pub mod testing;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Executor};

use crate::error::{Error, Result};

pub use insert::{Insert, Row, Value};

/// A writing transaction. Dropped without `commit`, it rolls back.
pub type Transaction = sqlx::Transaction<'static, sqlx::Any>;

/// Where a service keeps its tables, and the bounds of its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:///absolute/path.db` (or `sqlite://relative.db`), or `postgres://user@host/database`. Empty: a SQLite file
    /// in the service's data folder.
    pub url: String,
    /// Connections that read. Default 4.
    pub read_connections: u32,
    /// How long a task waits for a free connection, in milliseconds. Default 5,000.
    pub acquire_timeout_ms: u64,
    /// How long a transaction waits for another writer, in milliseconds. Default 5,000.
    pub lock_timeout_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: String::new(),
            read_connections: 4,
            acquire_timeout_ms: 5_000,
            lock_timeout_ms: 5_000,
        }
    }
}

impl StoreConfig {
    /// A SQLite file with the default bounds.
    pub fn sqlite(path: &Path) -> Self {
        StoreConfig {
            url: sqlite_url(path),
            ..StoreConfig::default()
        }
    }
}

/// Which database a store stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file of this process alone.
    Sqlite,
    /// A server, which several replicas may share.
    Postgres,
}

/// What a power cut may take from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// Nothing that was committed.
    Committed,
    /// The last commits, in order and whole: whoever wrote them makes them again from their source.
    Rebuildable,
}

/// One step of a schema. Steps are applied in order of their versions, all in one transaction, and never change afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// From 1, ascending.
    pub version: i64,
    /// What it does, in snake_case.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for PostgreSQL.
    pub postgres: &'static str,
}

/// A service's tables. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    reader: AnyPool,
    writer: AnyPool,
    lock_key: i64,
}

impl Store {
    /// Opens the store, creates what is missing (folders, the file, the schema) and applies new migrations.
    ///
    /// # Errors
    /// `INVALID / STORE_URL` for an address of neither engine; `REFUSED / MIGRATION_*` when the applied migrations and
    /// `migrations` disagree; `UNAVAILABLE` when the database cannot be reached.
    pub async fn open(config: &StoreConfig, service: &str, migrations: &'static [Migration]) -> Result<Store> {
        Store::open_with(config, service, migrations, Durability::Committed).await
    }

    /// Opens a store of what can be had again from its source, such as the fold of an event stream with its cursor: a commit
    /// need not wait for the disk, and on PostgreSQL does not. A killed process loses nothing; a power cut may then take the
    /// last commits back, in order and each of them whole, so that cursor and effect stay together.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_rebuildable(
        config: &StoreConfig,
        service: &str,
        migrations: &'static [Migration],
    ) -> Result<Store> {
        Store::open_with(config, service, migrations, Durability::Rebuildable).await
    }

    async fn open_with(
        config: &StoreConfig,
        service: &str,
        migrations: &'static [Migration],
        durability: Durability,
    ) -> Result<Store> {
        Store::install_drivers();
        let schema = schema_name(service)?;
        let (engine, url) = match Address::parse(&config.url)? {
            Address::Sqlite(path) => {
                create_parent(&path)?;
                (Engine::Sqlite, format!("{}?mode=rwc", sqlite_url(&path)))
            }
            Address::Postgres(url) => (Engine::Postgres, url),
        };
        let store = Store {
            engine,
            writer: pool(config, engine, Access::Write(durability), &schema)
                .connect(&url)
                .await?,
            // Lazily: readers need what the writer makes first.
            reader: pool(config, engine, Access::Read, &schema).connect_lazy(&url)?,
            lock_key: lock_key(&schema),
        };
        migrate::apply(&store, &schema, migrations).await?;
        Ok(store)
    }

    /// Tells sqlx's `Any` which engines there are; once a process.
    fn install_drivers() {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
    }

    /// Connections that read committed state.
    pub fn read(&self) -> &AnyPool {
        &self.reader
    }

    /// Begins the one writing transaction, waiting for its turn.
    ///
    /// # Errors
    /// `UNAVAILABLE / STORE_BUSY` or `STORE_TIMEOUT` when its turn does not come in time.
    pub async fn begin(&self) -> Result<Transaction> {
        match self.engine {
            Engine::Sqlite => Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?),
            Engine::Postgres => {
                let mut transaction = self.writer.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(self.lock_key)
                    .execute(&mut *transaction)
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Which database this is. Queries need not ask.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

enum Address {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Address {
    fn parse(url: &str) -> Result<Address> {
        let refusal = |why: &str| Err(Error::invalid("STORE_URL", format!("store.url: {why}")));
        if let Some(rest) = url.strip_prefix("sqlite://") {
            let path = percent_decode_str(rest).decode_utf8_lossy().into_owned();
            if path.is_empty() || path.contains(":memory:") || rest.contains('?') {
                return refusal("sqlite:// is followed by the path of a file, without parameters");
            }
            return Ok(Address::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Address::Postgres(url.to_owned()));
        }
        // The address itself may hold a password, so it is not repeated here.
        refusal("expected sqlite:///path.db or postgres://…")
    }
}

/// What a path must not hold literally within an address.
const PATH_ESCAPES: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

fn sqlite_url(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let text = absolute.to_string_lossy();
    format!("sqlite://{}", utf8_percent_encode(&text, PATH_ESCAPES))
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    std::fs::create_dir_all(parent).map_err(|error| {
        Error::unavailable(
            "STORE_FOLDER",
            format!("cannot create the folder {}: {error}", parent.display()),
        )
    })
}

fn schema_name(service: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if service.is_empty() || service.len() > 32 || !service.bytes().all(plain) {
        return Err(Error::invalid(
            "STORE_SCHEMA",
            format!("'{service}' cannot name a schema"),
        ));
    }
    Ok(service.to_owned())
}

fn lock_key(schema: &str) -> i64 {
    let hash = Sha256::digest(format!("trademesh/{schema}"));
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write(Durability),
}

fn pool(config: &StoreConfig, engine: Engine, access: Access, schema: &str) -> AnyPoolOptions {
    let statements = session(config, engine, access, schema);
    AnyPoolOptions::new()
        .max_connections(match access {
            Access::Read => config.read_connections.max(1),
            Access::Write(_) => 1,
        })
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .after_connect(move |connection: &mut AnyConnection, _| {
            let statements = statements.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(statements)).await.map(drop) })
        })
}

/// What every connection says first.
fn session(config: &StoreConfig, engine: Engine, access: Access, schema: &str) -> String {
    let wait = config.lock_timeout_ms.min(i32::MAX as u64);
    let mut statements = match engine {
        Engine::Sqlite => {
            let page = match access {
                // A fold changes few bytes of many pages, and writes each page whole. A database that is there keeps its own.
                Access::Write(Durability::Rebuildable) => "PRAGMA page_size = 1024; ",
                Access::Write(Durability::Committed) | Access::Read => "",
            };
            // A statement that may fail halfway keeps what it overwrites, and spills it into a file of its own from 64 KiB on.
            format!(
                "PRAGMA busy_timeout = {wait}; {page}PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; \
                 PRAGMA temp_store = MEMORY;"
            )
        }
        Engine::Postgres => format!("SET search_path TO \"{schema}\"; SET lock_timeout = {wait};"),
    };
    statements.push_str(match (engine, access) {
        // FULL syncs at each commit: what was acknowledged survives a power cut, in WAL too.
        (Engine::Sqlite, Access::Write(Durability::Committed)) => " PRAGMA synchronous = FULL;",
        // What can be written again would do with a sync at each checkpoint. But then all that the WAL holds goes to the disk
        // in one piece, and the journals beside it wait for tens of milliseconds: a little at each commit keeps them for less.
        (Engine::Sqlite, Access::Write(Durability::Rebuildable)) => {
            " PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 16384;"
        }
        (Engine::Sqlite, Access::Read) => " PRAGMA query_only = ON;",
        (Engine::Postgres, Access::Write(Durability::Committed)) => "",
        (Engine::Postgres, Access::Write(Durability::Rebuildable)) => " SET synchronous_commit = off;",
        (Engine::Postgres, Access::Read) => " SET default_transaction_read_only = on;",
    });
    statements
}

#[cfg(test)]
mod tests;
