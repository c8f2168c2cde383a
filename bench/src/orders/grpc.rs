//! A gRPC client of the gateway over kept HTTP/2 connections.

use super::client::Answer;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::pb::trading::{CancelOrderRequest, SubmitOrderRequest};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

/// A client. Its clones share connections and token.
#[derive(Debug, Clone)]
pub struct Grpc {
    /// Used in turn.
    channels: Arc<Vec<Channel>>,
    turn: Arc<AtomicUsize>,
    bearer: Arc<RwLock<MetadataValue<Ascii>>>,
    timeout: Duration,
}

impl Grpc {
    /// Connects `connections` times to a gateway at `http://host:port`. A call that has no answer after `timeout` failed.
    ///
    /// # Errors
    /// When the address is none, nothing answers there, or the token cannot be sent.
    pub async fn connect(
        base: &str,
        token: &str,
        connections: u32,
        timeout: Duration,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let endpoint = Endpoint::from_shared(base.to_owned())?.tcp_nodelay(true);
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(endpoint.connect().await?);
        }
        Ok(Self {
            channels: Arc::new(channels),
            turn: Arc::default(),
            bearer: Arc::new(RwLock::new(format!("Bearer {token}").parse()?)),
            timeout,
        })
    }

    /// Sends this access token from now on.
    ///
    /// # Errors
    /// When it cannot be sent in a header.
    pub fn set_token(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        *self.bearer.write().expect("no holder panics") = format!("Bearer {token}").parse()?;
        Ok(())
    }

    /// Submits what the JSON of a submit says.
    pub(super) async fn submit(&self, account: &str, body: &Value) -> Answer {
        let mut message: SubmitOrderRequest = match serde_json::from_value(body.clone()) {
            Ok(message) => message,
            Err(error) => return answer(Err(Status::invalid_argument(error.to_string()))),
        };
        account.clone_into(&mut message.account_id);
        let submitted = self.client().submit_order(self.request(message)).await;
        answer(submitted.map(|response| response.into_inner().order.map(|order| order.order_id)))
    }

    /// Cancels an order under this request id.
    pub(super) async fn cancel(&self, account: &str, order: &str, request_id: &str) -> Answer {
        let message = CancelOrderRequest {
            account_id: account.to_owned(),
            order_id: order.to_owned(),
            request_id: request_id.to_owned(),
        };
        let cancelled = self.client().cancel_order(self.request(message)).await;
        answer(cancelled.map(|response| response.into_inner().order.map(|order| order.order_id)))
    }

    fn client(&self) -> TradingServiceClient<Channel> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        TradingServiceClient::new(self.channels[turn].clone())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = self.bearer.read().expect("no holder panics").clone();
        request.metadata_mut().insert("authorization", bearer);
        request.set_timeout(self.timeout);
        request
    }
}

/// The answer in the words of REST: 200, or the code of gRPC with its reason; zero when nobody answered.
fn answer(called: Result<Option<String>, Status>) -> Answer {
    match called {
        Ok(order_id) => Answer::new(200, json!({"order": {"orderId": order_id}}), String::new()),
        Err(status) => {
            let is_answered = !matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded);
            let code = if is_answered { status.code() as u16 } else { 0 };
            let reason = status.get_details_error_info().map(|info| info.reason);
            let details = reason.map_or(json!([]), |reason| json!([{ "reason": reason }]));
            Answer::new(
                code,
                json!({"error": {"details": details}}),
                status.message().to_owned(),
            )
        }
    }
}
