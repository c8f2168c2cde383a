//! Fresh databases for tests: every store test runs on both engines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{Store, StoreConfig, sqlite_url};
use crate::time::Chance;

/// Names the PostgreSQL server of the tests: `postgres://user@host:port/database`, with the right to create databases.
pub const POSTGRES: &str = "TRADEMESH_TEST_POSTGRES";

/// What an older test left behind is removed after this time.
const LEFTOVER: Duration = Duration::from_secs(3600);

/// A fresh SQLite file, and a fresh PostgreSQL database when [`POSTGRES`] is set.
///
/// # Panics
/// When the server is named and cannot be used: a gate never passes silently.
pub fn engines() -> Vec<StoreConfig> {
    let mut engines = vec![sqlite()];
    if let Ok(server) = std::env::var(POSTGRES) {
        engines.push(postgres(&server));
    }
    engines
}

/// A fresh SQLite file.
pub fn sqlite() -> StoreConfig {
    let root = std::env::temp_dir().join("trademesh-tests");
    remove_leftovers(&root);
    StoreConfig {
        url: sqlite_url(&folder(&root).join("store.db")),
        ..StoreConfig::default()
    }
}

fn folder(root: &Path) -> PathBuf {
    root.join(format!("{:016x}", Chance::from_entropy().u64()))
}

fn remove_leftovers(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .map(|time| time.elapsed().unwrap_or_default());
        if age.is_ok_and(|age| age > LEFTOVER) {
            // Another test process may be removing it at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn postgres(server: &str) -> StoreConfig {
    let name = format!("t{:016x}", Chance::from_entropy().u64());
    // Parameters may follow the database, such as the folder of a socket.
    let (path, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (base, _) = path
        .rsplit_once('/')
        .expect("TRADEMESH_TEST_POSTGRES is postgres://user@host:port/database");
    let url = format!("{base}/{name}?{parameters}");
    let (server, statement) = (server.to_owned(), format!("CREATE DATABASE {name}"));
    // A thread of its own: the caller may already be inside a runtime, which cannot be blocked.
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the test")
            .block_on(async {
                Store::install_drivers();
                let mut connection = sqlx::AnyConnection::connect(&server)
                    .await
                    .expect("the PostgreSQL server of the tests answers");
                connection
                    .execute(AssertSqlSafe(statement))
                    .await
                    .expect("the tests may create databases");
            });
    })
    .join()
    .expect("a fresh PostgreSQL database");
    StoreConfig {
        url,
        ..StoreConfig::default()
    }
}
