//! Keys and revocations from `auth`.

use async_trait::async_trait;

use super::Channels;
use crate::error::Result;
use crate::identity::{KeySource, Keys, PublicKey};
use crate::pb::auth::GetKeysRequest;
use crate::pb::auth::auth_service_client::AuthServiceClient;

/// Asks `auth` for the keys that verify tokens, and for what is revoked.
pub struct AuthKeys(Channels);

impl AuthKeys {
    /// A source that calls through these channels.
    pub fn new(channels: Channels) -> AuthKeys {
        AuthKeys(channels)
    }
}

#[async_trait]
impl KeySource for AuthKeys {
    async fn fetch(&self) -> Result<Keys> {
        let mut client = AuthServiceClient::new(self.0.to("auth"));
        let answer = client.get_keys(GetKeysRequest {}).await?.into_inner();
        let keys = answer
            .keys
            .into_iter()
            .map(|key| PublicKey::from_jwk(key.owner, &key.x))
            .collect::<Result<Vec<_>>>()?;
        Ok(Keys {
            keys,
            revoked_token_ids: answer.revoked_token_ids.into_iter().collect(),
        })
    }
}
