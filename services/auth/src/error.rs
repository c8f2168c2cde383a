//! The refusals of `auth`. Whatever a caller could learn about other people from a refusal is left out of it: an unknown
//! user, a wrong password and a disabled user are one answer.

use std::time::Duration;

use mesh::Error;

/// The name, password, secret or token does not let its bearer in.
pub(crate) fn invalid_credentials() -> Error {
    Error::unauthenticated("INVALID_CREDENTIALS", "the credentials are not valid")
}

/// A refresh token that does not open a session: unknown, used before, expired or ended.
pub(crate) fn invalid_refresh_token() -> Error {
    Error::unauthenticated("INVALID_REFRESH_TOKEN", "the refresh token is not valid; log in again")
}

/// Too many attempts to log in.
pub(crate) fn too_many_attempts(retry_after: Duration) -> Error {
    Error::exhausted("TOO_MANY_ATTEMPTS", "too many attempts to log in").retry_after(retry_after)
}

/// Too many passwords are being checked at once.
pub(crate) fn password_checks_busy() -> Error {
    Error::exhausted("PASSWORD_CHECKS_BUSY", "too many passwords are being checked at once")
        .retry_after(Duration::from_secs(1))
}

/// A service account holds as many tokens as it may.
pub(crate) fn too_many_tokens(limit: u32, retry_after: Duration) -> Error {
    Error::exhausted(
        "TOO_MANY_TOKENS",
        "the service account holds as many unexpired tokens as it may; use one again",
    )
    .with("limit", limit)
    .retry_after(retry_after)
}

/// A name that a user or service account already has.
pub(crate) fn name_taken(name: &str) -> Error {
    Error::conflict(
        "NAME_TAKEN",
        format!("a user or service account '{name}' exists already"),
    )
    .with("name", name)
}

/// No user has the name.
pub(crate) fn user_not_found(name: &str) -> Error {
    Error::not_found("USER_NOT_FOUND", format!("there is no user '{name}'")).with("user_name", name)
}

/// No service account has the id.
pub(crate) fn service_account_not_found(client_id: &str) -> Error {
    Error::not_found(
        "SERVICE_ACCOUNT_NOT_FOUND",
        format!("there is no service account '{client_id}'"),
    )
    .with("client_id", client_id)
}

/// The change would leave nobody to administer the platform.
pub(crate) fn last_admin(name: &str) -> Error {
    Error::refused("LAST_ADMIN", format!("'{name}' is the last enabled administrator")).with("user_name", name)
}

/// A service account has no password.
pub(crate) fn not_a_user(subject: &str) -> Error {
    Error::refused("NOT_A_USER", format!("'{subject}' is not a user and has no password")).with("subject", subject)
}

/// The new password is the old one.
pub(crate) fn password_unchanged() -> Error {
    Error::refused("PASSWORD_UNCHANGED", "the new password is the one in force")
}
