use sqlx::Row;

use super::*;
use crate::error::Kind;

const FIRST: Migration = Migration {
    version: 1,
    name: "things",
    sqlite: "CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL, data BLOB, flag BIGINT NOT NULL);
             CREATE INDEX thing_name ON thing (name);",
    postgres: "CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL, data BYTEA, flag BIGINT NOT NULL);
               CREATE INDEX thing_name ON thing (name);",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "counter",
    sqlite: "CREATE TABLE counter (value BIGINT NOT NULL); INSERT INTO counter VALUES (0);",
    postgres: "CREATE TABLE counter (value BIGINT NOT NULL); INSERT INTO counter VALUES (0);",
};
const CHANGED: Migration = Migration {
    sqlite: "CREATE TABLE thing (id BIGINT PRIMARY KEY)",
    postgres: "CREATE TABLE thing (id BIGINT PRIMARY KEY)",
    ..FIRST
};
const BROKEN: Migration = Migration {
    version: 3,
    name: "broken",
    sqlite: "CREATE TABEL x",
    postgres: "CREATE TABEL x",
};

static BOTH: &[Migration] = &[FIRST, SECOND];

async fn open(config: &StoreConfig) -> Store {
    Store::open(config, "things", BOTH).await.unwrap()
}

async fn insert(store: &Store, id: i64) -> Result<()> {
    let mut transaction = store.begin().await?;
    sqlx::query("INSERT INTO thing (id, name, data, flag) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind("name")
        .bind(vec![0_u8, 255, id as u8])
        .bind(1_i64)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn count(store: &Store) -> i64 {
    let query = "SELECT CAST(COUNT(*) AS BIGINT) FROM thing";
    sqlx::query_scalar(query).fetch_one(store.read()).await.unwrap()
}

#[tokio::test]
async fn what_is_committed_is_read_back_after_a_restart() {
    for config in testing::engines() {
        let store = open(&config).await;
        insert(&store, 7).await.unwrap();
        let mut dropped = store.begin().await.unwrap();
        sqlx::query("DELETE FROM thing").execute(&mut *dropped).await.unwrap();
        drop(dropped);
        assert_eq!(count(&store).await, 1);
        store.close().await;

        let store = open(&config).await;
        let row = sqlx::query("SELECT id, name, data, flag FROM thing WHERE id = $1")
            .bind(7_i64)
            .fetch_one(store.read())
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>(0), 7);
        assert_eq!(row.get::<String, _>(1), "name");
        assert_eq!(row.get::<Vec<u8>, _>(2), vec![0, 255, 7]);
        assert_eq!(row.get::<i64, _>(3), 1);
        let missing = sqlx::query("SELECT id FROM thing WHERE id = $1")
            .bind(8_i64)
            .fetch_one(store.read())
            .await;
        assert_eq!(Error::from(missing.err().unwrap()).kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn nulls_bind_and_read_back_on_both_engines() {
    for config in testing::engines() {
        let store = open(&config).await;
        let mut transaction = store.begin().await.unwrap();
        sqlx::query("INSERT INTO thing (id, name, data, flag) VALUES ($1, $2, $3, $4)")
            .bind(1_i64)
            .bind("name")
            .bind(None::<Vec<u8>>)
            .bind(0_i64)
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let row = sqlx::query("SELECT data, (SELECT MAX(id) FROM thing WHERE id > 5) FROM thing")
            .fetch_one(store.read())
            .await
            .unwrap();
        assert_eq!(row.get::<Option<Vec<u8>>, _>(0), None);
        assert_eq!(row.get::<Option<i64>, _>(1), None);
    }
}

#[tokio::test]
async fn a_duplicate_is_a_conflict_and_a_null_a_defect() {
    for config in testing::engines() {
        let store = open(&config).await;
        insert(&store, 1).await.unwrap();
        let error = insert(&store, 1).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Conflict, "STORE_UNIQUE"));
        let mut transaction = store.begin().await.unwrap();
        let failed = sqlx::query("INSERT INTO thing (id, flag) VALUES (2, 0)")
            .execute(&mut *transaction)
            .await;
        assert_eq!(Error::from(failed.unwrap_err()).reason(), "STORE_CONSTRAINT");
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    for config in testing::engines() {
        let store = open(&config).await;
        assert!(
            sqlx::query("DELETE FROM thing").execute(store.read()).await.is_err(),
            "{:?}",
            store.engine()
        );
    }
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_unless_it_can_be_had_again() {
    // A database of its own each: the size of its pages is the first one's who opens it.
    for (config, other) in testing::engines().into_iter().zip(testing::engines()) {
        let committed = open(&config).await;
        let rebuildable = Store::open_rebuildable(&other, "folded", BOTH).await.unwrap();
        for (store, postgres, page, checkpoint) in
            [(committed, "on", 4_096, 1_000), (rebuildable, "off", 1_024, 16_384)]
        {
            let mut transaction = store.begin().await.unwrap();
            match store.engine() {
                Engine::Sqlite => {
                    // FULL, and temporary files in memory.
                    for (pragma, expected) in [
                        ("synchronous", 2),
                        ("temp_store", 2),
                        ("page_size", page),
                        ("wal_autocheckpoint", checkpoint),
                    ] {
                        let query = AssertSqlSafe(format!("PRAGMA {pragma}"));
                        let set: i64 = sqlx::query_scalar(query).fetch_one(&mut *transaction).await.unwrap();
                        assert_eq!(set, expected, "{pragma}");
                    }
                }
                Engine::Postgres => {
                    let query = "SELECT current_setting('synchronous_commit')";
                    let set: String = sqlx::query_scalar(query).fetch_one(&mut *transaction).await.unwrap();
                    assert_eq!(set, postgres);
                }
            }
        }
    }
}

#[tokio::test]
async fn read_modify_write_loses_nothing_between_two_stores() {
    for config in testing::engines() {
        let (one, two) = (open(&config).await, open(&config).await);
        let mut tasks = Vec::new();
        for index in 0..40 {
            let store = if index % 2 == 0 { one.clone() } else { two.clone() };
            tasks.push(tokio::spawn(async move {
                let mut transaction = store.begin().await?;
                let value: i64 = sqlx::query_scalar("SELECT value FROM counter")
                    .fetch_one(&mut *transaction)
                    .await?;
                sqlx::query("UPDATE counter SET value = $1")
                    .bind(value + 1)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok::<_, Error>(())
            }));
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let value: i64 = sqlx::query_scalar("SELECT value FROM counter")
            .fetch_one(one.read())
            .await
            .unwrap();
        assert_eq!(value, 40);
    }
}

#[tokio::test]
async fn a_writer_that_waits_too_long_is_told_so() {
    for mut config in testing::engines() {
        config.lock_timeout_ms = 50;
        config.acquire_timeout_ms = 200;
        let (one, two) = (open(&config).await, open(&config).await);
        let held = one.begin().await.unwrap();
        let other_process = two.begin().await.unwrap_err();
        assert_eq!(
            (other_process.kind(), other_process.reason()),
            (Kind::Unavailable, "STORE_BUSY")
        );
        let same_process = one.begin().await.unwrap_err();
        assert_eq!(same_process.reason(), "STORE_TIMEOUT");
        drop(held);
    }
}

#[tokio::test]
async fn migrations_are_applied_once_and_never_change() {
    for config in testing::engines() {
        Store::open(&config, "things", &[FIRST]).await.unwrap().close().await;
        open(&config).await.close().await;
        open(&config).await.close().await;
        let table: [(&'static [Migration], &str); 5] = [
            (&[FIRST], "MIGRATION_UNKNOWN"),
            (&[CHANGED, SECOND], "MIGRATION_CHANGED"),
            (&[SECOND, BROKEN], "MIGRATION_UNKNOWN"),
            (&[SECOND, FIRST], "MIGRATION_ORDER"),
            (&[FIRST, SECOND, BROKEN], "MIGRATION_FAILED"),
        ];
        for (migrations, reason) in table {
            let error = Store::open(&config, "things", migrations).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
        }
        assert_eq!(count(&open(&config).await).await, 0);
    }
}

#[tokio::test]
async fn services_that_start_together_migrate_once() {
    for config in testing::engines() {
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let config = config.clone();
                tokio::spawn(async move { Store::open(&config, "things", BOTH).await })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn addresses_and_names_that_cannot_work_are_refused() {
    let file = std::env::temp_dir().join(format!("trademesh-{:x}", crate::time::Chance::from_entropy().u64()));
    std::fs::write(&file, "").unwrap();
    let below_a_file = sqlite_url(&file.join("x/store.db"));
    let table = [
        ("", "things", "STORE_URL"),
        ("mysql://x", "things", "STORE_URL"),
        ("sqlite://", "things", "STORE_URL"),
        ("sqlite://:memory:", "things", "STORE_URL"),
        ("sqlite:///tmp/x.db?mode=memory", "things", "STORE_URL"),
        ("sqlite:///tmp/x.db", "Bad-Name", "STORE_SCHEMA"),
        (below_a_file.as_str(), "things", "STORE_FOLDER"),
        ("postgres://nobody@127.0.0.1:1/none", "things", "STORE_UNAVAILABLE"),
    ];
    for (url, service, reason) in table {
        let config = StoreConfig {
            url: url.to_owned(),
            acquire_timeout_ms: 500,
            ..StoreConfig::default()
        };
        let error = Store::open(&config, service, BOTH).await.unwrap_err();
        assert!(
            error.reason() == reason || (reason == "STORE_UNAVAILABLE" && error.reason() == "STORE_TIMEOUT"),
            "{url}: {error}"
        );
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_path_with_odd_characters_survives_its_address() {
    let path = Path::new("/tmp/a b?c#d%e/ä.db");
    match Address::parse(&StoreConfig::sqlite(path).url).unwrap() {
        Address::Sqlite(parsed) => assert_eq!(parsed, path),
        Address::Postgres(_) => panic!("not a server"),
    }
}
