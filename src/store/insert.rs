//! Many rows in one statement: a batch then costs few round trips to the database, not one a row.

use sqlx::AssertSqlSafe;

use super::Transaction;
use crate::error::Result;

/// Rows of one statement, a power of two.
const MAX_ROWS: usize = 64;
/// The engine whose parameters have no names here: it looks each name up among those before it, so that the cost of a
/// statement grew with the square of its length.
const NAMELESS: &str = "SQLite";

/// Rows that wait to be inserted.
pub struct Insert {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    values: Vec<Value>,
}

/// What is bound to a column.
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl Insert {
    /// An insert without rows: `head` is everything before `VALUES`, such as `INSERT INTO thing (id, name)`, and `tail`
    /// everything after the rows, such as `ON CONFLICT (id) DO NOTHING`.
    pub fn new(head: &'static str, columns: usize, tail: &'static str) -> Insert {
        Insert {
            head,
            columns,
            tail,
            values: Vec::new(),
        }
    }

    /// Begins a row: as many values as there are columns are to be bound to it.
    pub fn row(&mut self) -> Row<'_> {
        Row(&mut self.values)
    }

    /// Writes the rows; nothing when there are none.
    ///
    /// # Errors
    /// The database's; the transaction is then to be given up.
    pub async fn execute(self, transaction: &mut Transaction) -> Result<()> {
        let mut left = self.values.len() / self.columns;
        let mut values = self.values.into_iter();
        let is_named = transaction.backend_name() != NAMELESS;
        while left > 0 {
            let rows = step(left);
            // The text has names and numbers of parameters only; values are bound. There are few lengths, so that each is
            // prepared once a connection.
            let mut query = sqlx::query(AssertSqlSafe(statement(
                self.head,
                self.columns,
                rows,
                self.tail,
                is_named,
            )));
            for value in values.by_ref().take(rows * self.columns) {
                query = match value {
                    Value::Integer(number) => query.bind(number),
                    Value::Text(text) => query.bind(text),
                };
            }
            query.execute(&mut **transaction).await?;
            left -= rows;
        }
        Ok(())
    }
}

/// One row of an [`Insert`].
pub struct Row<'a>(&'a mut Vec<Value>);

impl Row<'_> {
    /// Binds the next column.
    pub fn bind(self, value: impl Into<Value>) -> Self {
        self.0.push(value.into());
        self
    }
}

/// How many of these rows the next statement takes: the largest power of two.
fn step(left: usize) -> usize {
    MAX_ROWS.min(1 << left.ilog2())
}

fn statement(head: &str, columns: usize, rows: usize, tail: &str, is_named: bool) -> String {
    let mut text = String::with_capacity(head.len() + rows * columns * 7 + tail.len() + 16);
    text.push_str(head);
    text.push_str(" VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "" } else { ", " });
            match is_named {
                true => text.push_str(&format!("${}", row * columns + column + 1)),
                false => text.push('?'),
            }
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(tail);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Migration, Store, testing};
    use sqlx::Row as _;

    static TABLES: &[Migration] = &[Migration {
        version: 1,
        name: "pairs",
        sqlite: "CREATE TABLE pair (id BIGINT PRIMARY KEY, name TEXT NOT NULL)",
        postgres: "CREATE TABLE pair (id BIGINT PRIMARY KEY, name TEXT NOT NULL)",
    }];

    #[test]
    fn parameters_are_numbered_through_all_rows() {
        let of = |is_named| statement("INSERT INTO t (a, b)", 2, 2, "ON CONFLICT (a) DO NOTHING", is_named);
        assert_eq!(
            (of(true).as_str(), of(false).as_str()),
            (
                "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT (a) DO NOTHING",
                "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT (a) DO NOTHING"
            )
        );
    }

    #[test]
    fn few_lengths_make_up_every_number_of_rows() {
        for rows in 1..500 {
            let (mut left, mut steps) = (rows, 0);
            while left > 0 {
                left -= step(left);
                steps += 1;
            }
            assert!(steps <= rows / MAX_ROWS + 6, "{rows} rows in {steps} statements");
        }
        assert_eq!((step(1), step(63), step(64), step(1_000)), (1, 32, 64, 64));
    }

    async fn write(store: &Store, rows: std::ops::Range<i64>, name: &str) -> Result<()> {
        let mut insert = Insert::new(
            "INSERT INTO pair (id, name)",
            2,
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        );
        for id in rows {
            insert.row().bind(id).bind(name);
        }
        let mut transaction = store.begin().await?;
        insert.execute(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    #[tokio::test]
    async fn all_rows_are_written_in_as_many_statements_as_it_takes() {
        for config in testing::engines() {
            let store = Store::open_rebuildable(&config, "pairs", TABLES).await.unwrap();
            write(&store, 0..0, "none").await.unwrap();
            write(&store, 0..20_000, "first").await.unwrap();
            write(&store, 19_999..20_001, "second").await.unwrap();
            let query = "SELECT name, CAST(COUNT(*) AS BIGINT) AS count FROM pair GROUP BY name ORDER BY name";
            let rows = sqlx::query(query).fetch_all(store.read()).await.unwrap();
            let counts: Vec<(String, i64)> = rows.iter().map(|row| (row.get("name"), row.get("count"))).collect();
            assert_eq!(counts, [("first".to_owned(), 19_999), ("second".to_owned(), 2)]);
        }
    }
}
