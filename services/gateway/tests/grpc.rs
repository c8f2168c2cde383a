//! Native gRPC through the gateway.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod common;

use bytes::Bytes;
use common::{Platform, config, fakes};
use futures::stream::{self, BoxStream, StreamExt};
use gateway::Config;
use http_body::Frame;
use http_body_util::StreamBody;
use mesh::error::Error;
use mesh::pb::auth::LoginRequest;
use mesh::pb::auth::auth_service_client::AuthServiceClient;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::pb::data::{GetFeedRequest, GetInstrumentRequest, StreamQuotesRequest};
use mesh::pb::portfolio::ListPositionsRequest;
use mesh::pb::portfolio::portfolio_service_client::PortfolioServiceClient;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::pb::trading::{GetOrderRequest, SubmitOrderRequest};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt;

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn order(account: &str) -> GetOrderRequest {
    GetOrderRequest {
        account_id: account.to_owned(),
        order_id: "1".to_owned(),
    }
}

fn quotes(symbol: &str) -> StreamQuotesRequest {
    StreamQuotesRequest {
        symbols: vec![symbol.to_owned()],
    }
}

fn refusal(status: Status) -> (Code, String) {
    (status.code(), Error::from(status).reason().to_owned())
}

#[tokio::test]
async fn unary_calls_go_through_whole() {
    let platform = Platform::start(config()).await;
    let channel = platform.grpc().await;
    let mut request = with(&platform.ada(), order("paper-1"));
    let forged = "forged".parse().unwrap();
    request.metadata_mut().insert("x-trademesh-service", forged);
    let mut trading = TradingServiceClient::new(channel.clone());
    let order = trading.get_order(request).await.unwrap().into_inner().order.unwrap();
    assert_eq!(
        (order.order_id.as_str(), order.client_order_id.as_str()),
        ("ada", "gateway")
    );
    let mut request = with(&platform.ada(), GetInstrumentRequest { symbol: "X".to_owned() });
    request.metadata_mut().insert("x-request-id", "mine-1".parse().unwrap());
    let answer = MarketDataServiceClient::new(channel)
        .get_instrument(request)
        .await
        .unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine-1");
    assert_eq!(answer.into_inner().instrument.unwrap().venue, "mine-1");
}

#[tokio::test]
async fn streams_go_through_with_their_trailers() {
    let platform = Platform::start(config()).await;
    let mut data = MarketDataServiceClient::new(platform.grpc().await);
    let mut one = data
        .stream_quotes(with(&platform.ada(), quotes("ONE")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.message().await.unwrap().unwrap().quote.unwrap().symbol, "ONE");
    assert!(one.message().await.unwrap().is_none());
    assert!(one.trailers().await.unwrap().is_some());
    let mut lost = data
        .stream_quotes(with(&platform.ada(), quotes("LOST")))
        .await
        .unwrap()
        .into_inner();
    assert!(lost.message().await.unwrap().is_some());
    let error = lost.message().await.unwrap_err();
    assert_eq!(refusal(error), (Code::Unavailable, "FEED_LOST".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let platform = Platform::start(config()).await;
    let mut data = MarketDataServiceClient::new(platform.grpc().await);
    let mut live = data
        .stream_quotes(with(&platform.expiring(), quotes("LIVE")))
        .await
        .unwrap()
        .into_inner();
    assert!(live.message().await.unwrap().is_some());
    let error = live.message().await.unwrap_err();
    assert_eq!(refusal(error), (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned()));
}

#[tokio::test]
async fn whoever_may_not_is_refused() {
    let platform = Platform::start(config()).await;
    let channel = platform.grpc().await;
    let mut trading = TradingServiceClient::new(channel.clone());
    let refused = trading
        .get_order(with(&platform.ada(), order("paper-2")))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "ACCOUNT_NOT_GRANTED".to_owned())
    );
    let refused = trading.get_order(order("paper-1")).await.unwrap_err();
    assert_eq!(refusal(refused), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
    let refused = trading.get_order(with("forged", order("paper-1"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let viewer = platform.token("vera", &["viewer"], &["*"]);
    let refused = trading
        .submit_order(with(&viewer, SubmitOrderRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(refused),
        (Code::PermissionDenied, "PERMISSION_DENIED".to_owned())
    );
    let closed = fakes::order("CLOSED");
    let refused = trading.submit_order(with(&platform.ada(), closed)).await.unwrap_err();
    assert_eq!(refusal(refused), (Code::FailedPrecondition, "MARKET_CLOSED".to_owned()));
    // Compressed, so that only the service sees the account.
    let mut gzip = TradingServiceClient::new(channel.clone()).send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let refused = gzip
        .get_order(with(&platform.ada(), order("paper-2")))
        .await
        .unwrap_err();
    assert_ne!(refused.code(), Code::Ok);
    let mut auth = AuthServiceClient::new(channel);
    let login = auth.login(with("forged", LoginRequest::default())).await;
    assert!(login.is_ok(), "{login:?}");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let platform = Platform::start(config()).await;
    let channel = platform.grpc().await;
    let mut data = MarketDataServiceClient::new(channel.clone());
    let stub = data
        .get_feed(with(&platform.ada(), GetFeedRequest {}))
        .await
        .unwrap_err();
    assert_eq!(stub.code(), Code::Unimplemented);
    let mut portfolio = PortfolioServiceClient::new(channel.clone());
    let request = ListPositionsRequest {
        account_id: "paper-1".to_owned(),
        ..ListPositionsRequest::default()
    };
    let away = portfolio
        .list_positions(with(&platform.ada(), request))
        .await
        .unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    let unknown = sent(&platform, "/trademesh.data.v1.MarketDataService/Nothing", vec![]).await;
    assert_eq!(unknown, (Code::Unimplemented as i32).to_string());
}

#[tokio::test]
async fn health_and_reflection_are_the_gateways() {
    let platform = Platform::start(config()).await;
    let mut health = HealthClient::new(platform.grpc().await);
    let request = HealthCheckRequest {
        service: "trademesh.gateway.v1.GatewayService".to_owned(),
    };
    assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
    // ServerReflectionRequest { list_services: "" }: field 7, empty.
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let response = post(&platform, path, vec![0, 0, 0, 0, 2, 0x3a, 0]).await;
    let bytes = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("trademesh.gateway.v1.GatewayService"), "{text}");
}

#[tokio::test]
async fn too_many_calls_are_refused() {
    let platform = Platform::start(Config {
        request_burst: 1,
        requests_per_second: 1,
        ..config()
    })
    .await;
    let mut trading = TradingServiceClient::new(platform.grpc().await);
    trading
        .get_order(with(&platform.ada(), order("paper-1")))
        .await
        .unwrap();
    let refused = trading
        .get_order(with(&platform.ada(), order("paper-1")))
        .await
        .unwrap_err();
    assert_eq!(refusal(refused), (Code::ResourceExhausted, "RATE_LIMITED".to_owned()));
}

const GET_ORDER: &str = "/trademesh.trading.v1.TradingService/GetOrder";

async fn post(platform: &Platform, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    client
        .post(format!("http://{}{path}", platform.address))
        .bearer_auth(platform.ada())
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .body(body)
        .send()
        .await
        .unwrap()
}

/// The status in the head of the answer.
async fn sent(platform: &Platform, path: &str, body: Vec<u8>) -> String {
    let response = post(platform, path, body).await;
    response.headers()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_first_message_that_cannot_be_read_is_refused() {
    let platform = Platform::start(Config {
        request_timeout_ms: 100,
        ..config()
    })
    .await;
    for (body, code) in [
        (vec![], Code::InvalidArgument),
        (vec![0, 0, 0, 0, 9, 10], Code::InvalidArgument),
        (vec![0, 0, 0, 0, 2, 10, 9], Code::InvalidArgument),
        (vec![0, 255, 255, 255, 255, 0], Code::ResourceExhausted),
    ] {
        let found = sent(&platform, GET_ORDER, body.clone()).await;
        assert_eq!(found, (code as i32).to_string(), "{body:?}");
    }
}

/// The status of a call whose body begins well and goes on as `rest` says.
async fn begun(
    channel: tonic::transport::Channel,
    token: &str,
    rest: BoxStream<'static, Result<Frame<Bytes>, Status>>,
) -> Result<String, tonic::transport::Error> {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(&[0, 0, 0, 0, 9, 10])))]);
    let request = http::Request::post(format!("http://gateway{GET_ORDER}"))
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"))
        .body(tonic::body::Body::new(StreamBody::new(first.chain(rest))))
        .unwrap();
    let response = channel.oneshot(request).await?;
    Ok(response.headers()["grpc-status"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_first_message_that_does_not_come_is_not_waited_for() {
    let platform = Platform::start(Config {
        request_timeout_ms: 100,
        ..config()
    })
    .await;
    let channel = platform.grpc().await;
    let slow = begun(channel.clone(), &platform.ada(), stream::pending().boxed()).await;
    assert_eq!(slow.unwrap(), (Code::DeadlineExceeded as i32).to_string());
    let lost = stream::iter([Err(Status::aborted("the client is gone"))]).boxed();
    assert!(begun(channel, &platform.ada(), lost).await.is_err());
}
