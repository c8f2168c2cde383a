//! Topics of the WebSocket: a topic is the name of a server-streaming RPC, its request is ProtoJSON, and so is each message.
//! Which RPCs there are is read from the descriptor set, so a new stream is a topic at once.

use bytes::{Buf, BufMut};
use futures::{Stream, StreamExt};
use mesh::channel::Channels;
use mesh::error::{Error, Result};
use mesh::policy::{self, Method};
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MethodDescriptor};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

/// Every server-streaming RPC that is open to callers from outside.
pub(crate) struct Topics {
    pool: DescriptorPool,
}

/// A topic with its request, ready to be called.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The policy of the RPC.
    pub(crate) method: &'static Method,
    /// The account that the request names, if the RPC is about one.
    pub(crate) account: Option<String>,
    rpc: MethodDescriptor,
    request: Vec<u8>,
}

impl Topics {
    /// The topics of the descriptor set.
    ///
    /// # Errors
    /// `Internal` when the descriptor set does not decode.
    pub(crate) fn new(descriptors: &[u8]) -> Result<Self> {
        let pool = DescriptorPool::decode(descriptors)
            .map_err(|error| Error::internal("DESCRIPTORS_DAMAGED", error.to_string()))?;
        Ok(Self { pool })
    }

    /// Reads what a client wants to follow.
    ///
    /// # Errors
    /// `NotFound` for an unknown topic, `Invalid` for a request that is not its message.
    pub(crate) fn subscription(&self, topic: &str, request_json: &str) -> Result<Subscription> {
        let unknown = || Error::not_found("UNKNOWN_TOPIC", "no such topic").with("topic", topic);
        let method = policy::method(&format!("/{topic}")).ok_or_else(unknown)?;
        if !method.server_streaming || method.client_streaming || method.http.is_empty() {
            return Err(unknown());
        }
        let (service, name) = topic.split_once('/').ok_or_else(unknown)?;
        let service = self.pool.get_service_by_name(service).ok_or_else(unknown)?;
        let rpc = service.methods().find(|rpc| rpc.name() == name).ok_or_else(unknown)?;
        let json = if request_json.is_empty() { "{}" } else { request_json };
        let request = message_of(&rpc, json)?.encode_to_vec();
        let account = policy::account_of(method, &request)?;
        Ok(Subscription {
            method,
            account,
            rpc,
            request,
        })
    }
}

impl Subscription {
    /// Calls the RPC: a stream of messages as ProtoJSON text, which ends after the first error.
    ///
    /// # Errors
    /// What the service answers.
    pub(crate) async fn open(self, channels: &Channels) -> Result<impl Stream<Item = Result<String>> + use<>> {
        let mut client = tonic::client::Grpc::new(channels.to(self.method.area));
        client
            .ready()
            .await
            .map_err(|error| Error::unavailable("UNREACHABLE", error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(self.method.path);
        let answer = client
            .server_streaming(Request::new(self.request), path, RawCodec)
            .await?;
        let output = self.rpc.output();
        Ok(answer.into_inner().map(move |message| {
            let bytes = message.map_err(Error::from)?;
            let message = DynamicMessage::decode(output.clone(), bytes.as_slice())
                .map_err(|error| Error::internal("MESSAGE_DAMAGED", error.to_string()))?;
            serde_json::to_string(&message).map_err(|error| Error::internal("MESSAGE_DAMAGED", error.to_string()))
        }))
    }
}

fn message_of(rpc: &MethodDescriptor, json: &str) -> Result<DynamicMessage> {
    let invalid = |error: serde_json::Error| {
        Error::invalid(
            "INVALID_JSON",
            format!("the request is not a {}: {error}", rpc.input().name()),
        )
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message =
        DynamicMessage::deserialize_with_options(rpc.input(), &mut deserializer, &options).map_err(invalid)?;
    deserializer.end().map_err(invalid)?;
    Ok(message)
}

/// Messages as the bytes they are.
#[derive(Debug, Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> std::result::Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> std::result::Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::Topics;

    const QUOTES: &str = "trademesh.data.v1.MarketDataService/StreamQuotes";
    const ORDERS: &str = "trademesh.trading.v1.TradingService/StreamOrderEvents";

    #[test]
    fn a_topic_is_a_streaming_rpc_with_its_account() {
        let topics = Topics::new(mesh::pb::FILE_DESCRIPTOR_SET).unwrap();
        let quotes = topics.subscription(QUOTES, "").unwrap();
        assert_eq!((quotes.method.area, quotes.account), ("data", None));
        let orders = topics.subscription(ORDERS, r#"{"accountId":"paper-1"}"#).unwrap();
        assert_eq!(
            (orders.method.area, orders.account.as_deref()),
            ("trading", Some("paper-1"))
        );
    }

    #[test]
    fn what_is_no_topic_or_no_request_is_refused() {
        let topics = Topics::new(mesh::pb::FILE_DESCRIPTOR_SET).unwrap();
        for topic in [
            "",
            "nothing",
            "trademesh.data.v1.MarketDataService/GetBook",
            "trademesh.trading.v1.TradingService/StreamShardEvents",
            "trademesh.data.v1.MarketDataService/StreamQuotes/more",
        ] {
            assert_eq!(
                topics.subscription(topic, "{}").unwrap_err().reason(),
                "UNKNOWN_TOPIC",
                "{topic}"
            );
        }
        for request in ["{", "[]", r#"{"symbol":"X"}"#, r#"{"symbols":1}"#, "{} {}"] {
            assert_eq!(
                topics.subscription(QUOTES, request).unwrap_err().reason(),
                "INVALID_JSON",
                "{request}"
            );
        }
    }
}
