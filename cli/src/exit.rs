//! How a command ends: one line on stderr, and an exit code that a program can act on.

use mesh::error::{Error, Kind};
use std::process::ExitCode;

/// The exit code of an error; the list is in `--help`.
pub fn code_of(error: &Error) -> u8 {
    match error.kind() {
        Kind::NotFound | Kind::Conflict | Kind::Refused | Kind::Exhausted | Kind::Internal | Kind::Unimplemented => 1,
        Kind::Invalid => 2,
        Kind::Unauthenticated | Kind::Denied => 3,
        Kind::Unavailable | Kind::Deadline => 4,
    }
}

/// Prints the error as one line on stderr and returns its exit code.
pub fn fail(error: &Error) -> ExitCode {
    eprintln!("{}", line_of(error));
    ExitCode::from(code_of(error))
}

fn line_of(error: &Error) -> String {
    let mut line = format!("trademesh: {}", error.message());
    if !error.reason().is_empty() {
        line.push_str(&format!(" [{}", error.reason()));
        for (key, value) in error.context() {
            line.push_str(&format!(" {key}={value}"));
        }
        line.push(']');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{code_of, fail, line_of};
    use mesh::error::Error;

    #[test]
    fn every_kind_has_its_code() {
        let table = [
            (Error::invalid("R", "m"), 2),
            (Error::unauthenticated("R", "m"), 3),
            (Error::denied("R", "m"), 3),
            (Error::not_found("R", "m"), 1),
            (Error::conflict("R", "m"), 1),
            (Error::refused("R", "m"), 1),
            // A disk without room at the start has some again at another time.
            (Error::exhausted("DISK_FULL", "m"), 1),
            (Error::unavailable("R", "m"), 4),
            (Error::deadline("R", "m"), 4),
            (Error::internal("R", "m"), 1),
        ];
        for (error, code) in table {
            assert_eq!(code_of(&error), code, "{error:?}");
            fail(&error);
        }
    }

    #[test]
    fn a_line_names_reason_and_context() {
        let error = Error::refused("BUYING_POWER", "not enough USDT").with("asset", "USDT");
        assert_eq!(line_of(&error), "trademesh: not enough USDT [BUYING_POWER asset=USDT]");
    }
}
