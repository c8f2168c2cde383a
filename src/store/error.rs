//! What a database's failure means to a caller.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::error::Error;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let message = error.to_string();
        match &error {
            sqlx::Error::Database(database) => of_database(database.as_ref(), message),
            sqlx::Error::RowNotFound => Error::not_found("STORE_ROW_NOT_FOUND", "no such row"),
            sqlx::Error::PoolTimedOut => Error::unavailable("STORE_TIMEOUT", message),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Error::unavailable("STORE_UNAVAILABLE", message),
            // The enum is open. All the rest are defects: a wrong type, column or statement.
            _ => Error::internal("STORE_FAILED", message),
        }
    }
}

fn of_database(database: &dyn DatabaseError, message: String) -> Error {
    let violated = |error: Error| match database.constraint() {
        Some(constraint) => error.with("constraint", constraint),
        None => error,
    };
    match database.kind() {
        ErrorKind::UniqueViolation => return violated(Error::conflict("STORE_UNIQUE", message)),
        ErrorKind::ForeignKeyViolation | ErrorKind::NotNullViolation | ErrorKind::CheckViolation => {
            return violated(Error::internal("STORE_CONSTRAINT", message));
        }
        _ => {}
    }
    let code = database.code().unwrap_or_default();
    of_code(&code, message)
}

/// PostgreSQL's SQLSTATE (five characters), or SQLite's extended result code (a decimal number).
fn of_code(code: &str, message: String) -> Error {
    if let Ok(number) = code.parse::<u32>()
        && code.len() < 5
    {
        return match number & 0xff {
            // SQLITE_BUSY, SQLITE_LOCKED
            5 | 6 => Error::unavailable("STORE_BUSY", message),
            // SQLITE_IOERR, SQLITE_CANTOPEN
            10 | 14 => Error::unavailable("STORE_UNAVAILABLE", message),
            // SQLITE_CORRUPT, SQLITE_NOTADB
            11 | 26 => Error::internal("STORE_DAMAGED", message),
            // SQLITE_FULL
            13 => Error::exhausted("STORE_FULL", message),
            _ => Error::internal("STORE_FAILED", message),
        };
    }
    match code {
        // lock_not_available, deadlock_detected, serialization_failure
        "55P03" | "40P01" | "40001" => Error::unavailable("STORE_BUSY", message),
        "53100" => Error::exhausted("STORE_FULL", message),
        // connection exceptions, too many connections, shutting down or starting up
        "53300" | "57P01" | "57P02" | "57P03" => Error::unavailable("STORE_UNAVAILABLE", message),
        other if other.starts_with("08") => Error::unavailable("STORE_UNAVAILABLE", message),
        _ => Error::internal("STORE_FAILED", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn codes_of_both_engines_have_a_meaning() {
        let table = [
            ("5", Kind::Unavailable, "STORE_BUSY"),
            ("517", Kind::Unavailable, "STORE_BUSY"),
            ("6", Kind::Unavailable, "STORE_BUSY"),
            ("10", Kind::Unavailable, "STORE_UNAVAILABLE"),
            ("14", Kind::Unavailable, "STORE_UNAVAILABLE"),
            ("11", Kind::Internal, "STORE_DAMAGED"),
            ("26", Kind::Internal, "STORE_DAMAGED"),
            ("13", Kind::Exhausted, "STORE_FULL"),
            ("1", Kind::Internal, "STORE_FAILED"),
            ("55P03", Kind::Unavailable, "STORE_BUSY"),
            ("40001", Kind::Unavailable, "STORE_BUSY"),
            ("53100", Kind::Exhausted, "STORE_FULL"),
            ("57P01", Kind::Unavailable, "STORE_UNAVAILABLE"),
            ("08006", Kind::Unavailable, "STORE_UNAVAILABLE"),
            ("42601", Kind::Internal, "STORE_FAILED"),
            ("", Kind::Internal, "STORE_FAILED"),
        ];
        for (code, kind, reason) in table {
            let error = of_code(code, "text".to_owned());
            assert_eq!((error.kind(), error.reason()), (kind, reason), "{code}");
        }
    }

    #[test]
    fn failures_outside_the_database_have_a_meaning() {
        let table = [
            (sqlx::Error::RowNotFound, Kind::NotFound),
            (sqlx::Error::PoolTimedOut, Kind::Unavailable),
            (sqlx::Error::PoolClosed, Kind::Unavailable),
            (sqlx::Error::Io(std::io::Error::other("reset")), Kind::Unavailable),
            (sqlx::Error::ColumnNotFound("x".to_owned()), Kind::Internal),
        ];
        for (error, kind) in table {
            assert_eq!(Error::from(error).kind(), kind);
        }
    }
}
