//! Bounds: calls, streams, connections, and how they end.

use std::time::Duration;

use futures::stream;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::Status;
use tonic::body::Body;

use crate::pb::risk::StreamLimitsRequest;
use crate::registry::LocalService;
use crate::server::Limits;
use crate::server::ServerConfig;
use crate::server::{AcceptConfig, accept};
use crate::telemetry;
use crate::time::Chance;

use super::{Bench, limits_of, reason, with};

#[tokio::test]
async fn one_call_too_many_is_refused_and_health_still_answers() {
    let config = ServerConfig {
        limits: Limits {
            max_calls: 1,
            max_streams: 1,
        },
        ..ServerConfig::default()
    };
    let bench = Bench::start(config).await;
    bench.may_answer.forget_permits(1_000);
    let mut client = bench.client().await;
    let waiting = tokio::spawn({
        let (mut client, asked) = (client.clone(), bench.asked(limits_of("a")));
        async move { client.get_limits(asked).await }
    });
    while bench.notes.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = client.get_limits(bench.asked(limits_of("b"))).await.unwrap_err();
    assert_eq!(reason(refused), (Code::ResourceExhausted, "TOO_MANY_CALLS".to_owned()));
    let mut stream = client
        .stream_limits(bench.asked(StreamLimitsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    let refused = client
        .stream_limits(bench.asked(StreamLimitsRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(reason(refused), (Code::ResourceExhausted, "TOO_MANY_CALLS".to_owned()));
    let mut health = tonic_health::pb::health_client::HealthClient::new(bench.endpoint().connect().await.unwrap());
    health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    bench.may_answer.add_permits(1);
    waiting.await.unwrap().unwrap();
    client.get_limits(bench.asked(limits_of("b"))).await.unwrap();
}

#[tokio::test]
async fn a_stream_keeps_its_surroundings_and_ends_resumably_when_the_server_drains() {
    let bench = Bench::start(ServerConfig::default()).await;
    let asked = with(bench.asked(StreamLimitsRequest::default()), &[("x-request-id", "r-2")]);
    let mut stream = bench.client().await.stream_limits(asked).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    assert_eq!(bench.last_note(), "streaming caller ada, deadline false, request r-2");
    bench.draining.cancel();
    let end = stream.message().await.unwrap_err();
    assert_eq!(reason(end), (Code::Unavailable, "SERVER_LEAVING".to_owned()));
    assert_eq!(bench.accepting.drain(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn a_stream_ends_at_the_deadline_that_it_states() {
    let bench = Bench::start(ServerConfig::default()).await;
    let asked = with(bench.asked(StreamLimitsRequest::default()), &[("grpc-timeout", "100m")]);
    let mut stream = bench.client().await.stream_limits(asked).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn running_calls_are_finished_before_the_server_ends_and_stubborn_ones_are_cut() {
    for (permits, forced) in [(1, 0), (0, 1)] {
        let bench = Bench::start(ServerConfig::default()).await;
        bench.may_answer.forget_permits(1_000);
        let waiting = tokio::spawn({
            let (mut client, asked) = (bench.client().await, bench.asked(limits_of("a")));
            async move { client.get_limits(asked).await }
        });
        while bench.notes.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        let (address, may_answer) = (bench.accepting.address(), bench.may_answer.clone());
        let within = Duration::from_millis(if forced == 0 { 5_000 } else { 20 });
        let draining = tokio::spawn(bench.accepting.drain(within));
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        may_answer.add_permits(permits);
        assert_eq!(draining.await.unwrap(), forced);
        assert_eq!(waiting.await.unwrap().is_ok(), forced == 0);
    }
}

#[tokio::test]
async fn operators_ask_over_http1() {
    let bench = Bench::start(ServerConfig::default()).await;
    bench
        .client()
        .await
        .get_limits(bench.asked(limits_of("a")))
        .await
        .unwrap();
    assert!(bench.http1("GET /livez HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    assert!(bench.http1("GET /readyz HTTP/1.1").await.ends_with("ready\n"));
    *bench.pending.lock() = vec!["replay".to_owned()];
    let waits = bench.http1("GET /readyz HTTP/1.1").await;
    assert!(waits.starts_with("HTTP/1.1 503") && waits.contains("replay"), "{waits}");
    let metrics = bench.http1("GET /metrics HTTP/1.1").await;
    let measured = r#"rpc_server_duration_seconds_count{service="risk",method="/trademesh.risk.v1.RiskService/GetLimits",code="OK"}"#;
    assert!(metrics.contains(measured), "{metrics}");
    assert!(bench.http1("POST /metrics HTTP/1.1").await.starts_with("HTTP/1.1 405"));
    assert!(bench.http1("GET /secrets HTTP/1.1").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_client_without_a_request_is_sent_away() {
    let accept = AcceptConfig {
        header_timeout_ms: 50,
        ..AcceptConfig::default()
    };
    let bench = Bench::start(ServerConfig {
        accept,
        ..ServerConfig::default()
    })
    .await;
    for first in ["", "GET /livez HTTP/1.1\r\nhost: ri"] {
        let mut stream = TcpStream::connect(bench.accepting.address()).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_take_the_answer_with_it() {
    let unread = LocalService::new(|_| async { Response::new(Body::empty()) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let accepting = accept(listener, unread, AcceptConfig::default(), Chance::seeded(1)).unwrap();
    let mut stream = TcpStream::connect(accepting.address()).await.unwrap();
    let body = vec![b'1'; 8 << 20];
    let head = format!("POST / HTTP/1.1\r\nhost: any\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    drop(stream);
    assert_eq!(accepting.drain(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn connections_are_bounded() {
    let accept = AcceptConfig {
        max_connections: 1,
        ..AcceptConfig::default()
    };
    let bench = Bench::start(ServerConfig {
        accept,
        ..ServerConfig::default()
    })
    .await;
    let mut client = bench.client().await;
    client.get_limits(bench.asked(limits_of("a"))).await.unwrap();
    let mut second = TcpStream::connect(bench.accepting.address()).await.unwrap();
    let mut answer = Vec::new();
    let _ = second.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn an_old_connection_ends_and_its_streams_resumably() {
    let accept = AcceptConfig {
        max_connection_age_s: 1,
        max_connection_age_grace_s: 0,
        ..AcceptConfig::default()
    };
    let bench = Bench::start(ServerConfig {
        accept,
        ..ServerConfig::default()
    })
    .await;
    let mut client = bench.client().await;
    let mut stream = client
        .stream_limits(bench.asked(StreamLimitsRequest::default()))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    let end = stream.message().await.unwrap_err();
    assert_eq!(reason(end), (Code::Unavailable, "SERVER_LEAVING".to_owned()));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_measured_as_cancelled() {
    let never = LocalService::new(|_| async {
        Response::new(Body::new(http_body_util::StreamBody::new(stream::pending::<
            Result<http_body::Frame<bytes::Bytes>, Status>,
        >())))
    });
    let measured = tower::Layer::layer(&crate::server::layers::metrics("abandoned".into()), never);
    telemetry::metrics();
    let response = measured.serve(Request::new(Body::empty())).await;
    drop(response);
    let page = telemetry::metrics().render();
    assert!(
        page.contains(r#"{service="abandoned",method="unknown",code="CANCELLED"}"#),
        "{page}"
    );
    assert!(
        page.contains(r#"rpc_server_active_calls{service="abandoned"} 0"#),
        "{page}"
    );
}

#[tokio::test]
async fn a_body_without_frames_ends() {
    let empty = LocalService::new(|_| async { Response::new(Body::empty()) });
    let measured = tower::Layer::layer(&crate::server::layers::metrics("empty".into()), empty);
    let mut response = measured.serve(Request::new(Body::empty())).await;
    assert!(response.body_mut().frame().await.is_none());
}
