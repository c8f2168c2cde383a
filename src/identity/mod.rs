//! Who calls, and what they may do: tokens, keys, principals and permissions.
//!
//! Two kinds of token exist, both EdDSA JWTs. Access tokens are signed by a key that belongs to `users` and speak for a
//! person or a program; service tokens are signed by a service's own key and speak for that service alone. A key
//! belongs to one owner, so a service can never sign a user's token.

mod claims;
mod current;
mod keys;
mod principal;
mod refresh;
mod service;
mod verifier;

pub use claims::{AUDIENCE, Claims, ISSUER, TokenType, sign};
pub(crate) use current::with_sync;
pub use current::{Caller, current, with};
pub use keys::{Keys, PublicKey, USERS, public_keys};
pub use principal::{Grants, Principal, Role};
pub use refresh::{KeySource, RefreshConfig, refresh};
pub use service::ServiceIdentity;
pub use verifier::{Verifier, VerifierConfig};

/// The header of the caller's token: `authorization: Bearer <access token>`.
pub const CALLER_HEADER: &str = "authorization";
/// The header of the calling service's own token.
pub const SERVICE_HEADER: &str = "x-trademesh-service";
