//! What a token says, and how it is signed.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The issuer of every token.
pub const ISSUER: &str = "trademesh";
/// The audience of every token.
pub const AUDIENCE: &str = "trademesh";

/// Whom a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    /// A person or a program outside the platform.
    Access,
    /// A service of the platform.
    Service,
}

/// The claims of a token (RFC 7519); times are whole seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer, [`ISSUER`].
    pub iss: String,
    /// The audience, [`AUDIENCE`].
    pub aud: String,
    /// The user's name, the client id, or the service's name.
    pub sub: String,
    /// The roles' names.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The granted accounts; `*` means all.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The token's id, by which it can be revoked.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// Before when it is not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it expires.
    pub exp: i64,
    /// Whom it speaks for.
    pub typ: TokenType,
}

/// Signs a token with an Ed25519 key. `key_id` is the thumbprint of its public key.
///
/// # Errors
/// `Internal` when the key is not an Ed25519 key.
pub fn sign(claims: &Claims, key: &EncodingKey, key_id: &str) -> Result<String> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key_id.to_owned());
    jsonwebtoken::encode(&header, claims, key)
        .map_err(|error| Error::internal("TOKEN_NOT_SIGNED", format!("a token could not be signed: {error}")))
}
