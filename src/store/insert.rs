//! Many rows in one statement: a batch then costs a round trip to the database, not one a row.

use sqlx::any::AnyArguments;
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Type};

use super::Transaction;
use crate::error::Result;

/// Parameters of one statement. SQLite takes 32,766, PostgreSQL 65,535.
const MAX_PARAMETERS: usize = 32_000;

/// Rows that wait for one `INSERT`.
pub struct Insert {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    statements: Vec<AnyArguments>,
}

impl Insert {
    /// An insert without rows: `head` is everything before `VALUES`, such as `INSERT INTO thing (id, name)`, and `tail`
    /// everything after the rows, such as `ON CONFLICT (id) DO NOTHING`. `columns` are at most 32,000.
    pub fn new(head: &'static str, columns: usize, tail: &'static str) -> Insert {
        Insert {
            head,
            columns,
            tail,
            statements: Vec::new(),
        }
    }

    /// Begins a row: as many values as there are columns are to be bound to it.
    pub fn row(&mut self) -> Row<'_> {
        let has_room = |statement: &&mut AnyArguments| statement.len() + self.columns <= MAX_PARAMETERS;
        if self.statements.last_mut().filter(has_room).is_none() {
            self.statements.push(AnyArguments::default());
        }
        let last = self.statements.len() - 1;
        Row(&mut self.statements[last])
    }

    /// Writes the rows; nothing when there are none.
    ///
    /// # Errors
    /// The database's; the transaction is then to be given up.
    pub async fn execute(self, transaction: &mut Transaction) -> Result<()> {
        for arguments in self.statements {
            let text = statement(self.head, self.columns, arguments.len() / self.columns, self.tail);
            // The text has names and numbers of parameters only; values are bound. Every length is another statement: few
            // come twice, so that keeping them prepared costs more than it saves.
            sqlx::query_with(AssertSqlSafe(text), arguments)
                .persistent(false)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

/// One row of an [`Insert`].
pub struct Row<'a>(&'a mut AnyArguments);

impl Row<'_> {
    /// Binds the next column.
    ///
    /// # Errors
    /// `INTERNAL` when the value cannot be encoded.
    pub fn bind<'t, T: Encode<'t, Any> + Type<Any>>(self, value: T) -> Result<Self> {
        self.0.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }
}

fn statement(head: &str, columns: usize, rows: usize, tail: &str) -> String {
    let mut text = String::with_capacity(head.len() + rows * columns * 7 + tail.len() + 16);
    text.push_str(head);
    text.push_str(" VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let separator = if column == 0 { "$" } else { ", $" };
            text.push_str(separator);
            text.push_str(&(row * columns + column + 1).to_string());
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
        assert_eq!(
            statement("INSERT INTO t (a, b)", 2, 2, "ON CONFLICT (a) DO NOTHING"),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT (a) DO NOTHING"
        );
    }

    async fn write(store: &Store, rows: std::ops::Range<i64>, name: &str) -> Result<()> {
        let mut insert = Insert::new(
            "INSERT INTO pair (id, name)",
            2,
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        );
        for id in rows {
            insert.row().bind(id)?.bind(name)?;
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
