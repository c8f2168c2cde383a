//! The gateway's own RPC: tickets for the WebSocket.

use crate::Gateway;
use crate::tickets::LIFETIME_S;
use mesh::error::Error;
use mesh::identity;
use mesh::pb::gateway::gateway_service_server::GatewayService;
use mesh::pb::gateway::{CreateWebSocketTicketRequest, CreateWebSocketTicketResponse};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// `GatewayService`.
pub(crate) struct GatewayGrpc(pub(crate) Arc<Gateway>);

#[tonic::async_trait]
impl GatewayService for GatewayGrpc {
    async fn create_web_socket_ticket(
        &self,
        _request: Request<CreateWebSocketTicketRequest>,
    ) -> Result<Response<CreateWebSocketTicketResponse>, Status> {
        let caller =
            identity::current().ok_or_else(|| Error::unauthenticated("UNAUTHENTICATED", "a token is needed"))?;
        let ticket = self.0.tickets.issue(caller)?;
        Ok(Response::new(CreateWebSocketTicketResponse {
            ticket,
            expires_in_s: LIFETIME_S,
        }))
    }
}
