//! The two ways in: the same request over REST or over gRPC.

use super::asked::Asked;
use super::client::{Answer, Rest};
use super::grpc::Grpc;
use super::tally::Kind;
use std::error::Error;

/// Where requests go.
#[derive(Debug, Clone)]
pub enum Door {
    /// JSON over HTTP/1.
    Rest(Rest),
    /// Protobuf over HTTP/2.
    Grpc(Grpc),
}

impl From<Rest> for Door {
    fn from(rest: Rest) -> Self {
        Self::Rest(rest)
    }
}

impl From<Grpc> for Door {
    fn from(grpc: Grpc) -> Self {
        Self::Grpc(grpc)
    }
}

impl Door {
    /// Sends this access token from now on.
    ///
    /// # Errors
    /// When it cannot be sent in a header.
    pub fn set_token(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::Rest(rest) => {
                rest.set_token(token);
                Ok(())
            }
            Self::Grpc(grpc) => grpc.set_token(token),
        }
    }

    /// Sends a request once.
    pub(super) async fn send(&self, asked: &Asked) -> Answer {
        let Asked { account, order, id, .. } = asked;
        match (self, asked.kind) {
            (Self::Rest(rest), Kind::Submit) => rest.post(&format!("/v1/accounts/{account}/orders"), &asked.body).await,
            (Self::Rest(rest), Kind::Cancel) => {
                let path = format!("/v1/accounts/{account}/orders/{order}:cancel");
                rest.post(&path, &asked.body).await
            }
            (Self::Grpc(grpc), Kind::Submit) => grpc.submit(account, &asked.body).await,
            (Self::Grpc(grpc), Kind::Cancel) => grpc.cancel(account, order, id).await,
        }
    }
}
