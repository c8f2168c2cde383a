//! Endpoints that fail, come back, or live in this process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http::Request;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::Code;
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt;

use crate::breaker::BreakerConfig;
use crate::channel::AuthKeys;
use crate::channel::Channel;
use crate::channel::ChannelConfig;
use crate::channel::Channels;
use crate::deadline;
use crate::identity::KeySource;
use crate::registry::InProcess;
use crate::registry::LocalService;
use crate::time::Chance;

use super::{READ, Server, WRITE, answer, call, channel_to, config, identity, ok, request, send, streamed, trailers};

#[tokio::test]
async fn failures_at_the_trailers_count_against_the_endpoint() {
    let breaker = BreakerConfig {
        failures: 2,
        eject_ms: 60_000,
        eject_max_ms: 60_000,
    };
    for frames in [
        || vec![Ok(trailers(14))],
        || vec![Err(Status::internal("broken"))],
        Vec::new,
    ] {
        let server = Server::start(move |_| answer(frames())).await;
        let channel = channel_to(
            ChannelConfig {
                breaker: breaker.clone(),
                ..config()
            },
            &[server.address()],
        );
        assert_ne!(call(&channel, WRITE).await.0, Code::Ok);
        assert_ne!(call(&channel, WRITE).await.0, Code::Ok);
        let ejected = call(&channel, WRITE).await;
        assert_eq!(ejected.0, Code::Unavailable);
        assert_eq!(server.calls(), 2, "{ejected:?}");
    }
}

#[tokio::test]
async fn a_plain_http_failure_is_the_endpoints_failure() {
    let server = Server::start(|_| Response::builder().status(502).body(Body::empty()).unwrap()).await;
    let breaker = BreakerConfig {
        failures: 1,
        eject_ms: 60_000,
        eject_max_ms: 60_000,
    };
    let channel = channel_to(ChannelConfig { breaker, ..config() }, &[server.address()]);
    assert_eq!(send(&channel, request(WRITE)).await.status(), 502);
    assert_eq!(call(&channel, WRITE).await.1, "ALL_ENDPOINTS_EJECTED");
}

#[tokio::test]
async fn a_stream_is_pending_until_it_ends() {
    let server = Server::start(|_| {
        streamed(stream::iter([Ok(Frame::data(Bytes::from_static(&[0; 5])))]).chain(stream::pending()))
    })
    .await;
    let channel = channel_to(
        ChannelConfig {
            max_in_flight: 1,
            ..config()
        },
        &[server.address()],
    );
    let mut open = send(&channel, request("/grpc.health.v1.Health/Watch")).await;
    assert!(open.body_mut().frame().await.unwrap().is_ok());
    assert_eq!(
        call(&channel, READ).await,
        (Code::ResourceExhausted, "TOO_MANY_IN_FLIGHT".to_owned())
    );
    drop(open);
    let mut next = send(&channel, request("/grpc.health.v1.Health/Watch")).await;
    assert!(next.body_mut().frame().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let first = Server::start(|_| ok()).await;
    let address = first.address();
    let breaker = BreakerConfig {
        failures: 1_000,
        eject_ms: 1,
        eject_max_ms: 1,
    };
    let channel = channel_to(ChannelConfig { breaker, ..config() }, &[address]);
    assert_eq!(call(&channel, WRITE).await.0, Code::Ok);
    first.accepting.drain(Duration::from_secs(5)).await;
    assert_eq!(call(&channel, WRITE).await.0, Code::Unavailable);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let _second = Server::on(socket.listen(16).unwrap(), |_| ok());
    let again = async {
        while call(&channel, WRITE).await.0 != Code::Ok {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();
}

fn local_channel(local: LocalService) -> (Channel, InProcess) {
    let registry = InProcess::default();
    registry.register("auth", local);
    let registries = vec![Arc::new(registry.clone()) as _];
    (
        Channels::new(config(), registries, identity(), Chance::seeded(1)).to("auth"),
        registry,
    )
}

#[tokio::test]
async fn a_service_of_this_process_is_called_without_sockets() {
    let (channel, registry) = local_channel(LocalService::new(|request: Request<Body>| async move {
        assert!(request.headers().contains_key("x-trademesh-service"));
        let is_stream = request.uri().path().ends_with("/Watch");
        assert_ne!(request.headers().contains_key("grpc-timeout"), is_stream);
        ok()
    }));
    assert_eq!(call(&channel, READ).await.0, Code::Ok);
    let stream = send(&channel, request("/grpc.health.v1.Health/Watch"));
    assert_eq!(deadline::with(None, stream).await.status(), 200);
    registry.deregister("auth");
    assert_eq!(call(&channel, READ).await.1, "NO_ENDPOINT");
}

#[tokio::test(start_paused = true)]
async fn a_service_of_this_process_is_held_to_the_deadline_too() {
    let (channel, _registry) = local_channel(LocalService::new(|_| std::future::pending()));
    let started = Instant::now();
    assert_eq!(
        call(&channel, READ).await,
        (Code::DeadlineExceeded, "DEADLINE_PASSED".to_owned())
    );
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    let (channel, _registry) = local_channel(LocalService::new(|_| async { streamed(stream::pending()) }));
    assert_eq!(call(&channel, READ).await.0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn keys_come_from_auth() {
    use crate::pb::auth::auth_service_server::{AuthService, AuthServiceServer};
    use crate::pb::auth::{GetKeysRequest, GetKeysResponse, JsonWebKey};

    struct Auth(&'static str);

    #[tonic::async_trait]
    impl AuthService for Auth {
        async fn get_keys(
            &self,
            _: tonic::Request<GetKeysRequest>,
        ) -> Result<tonic::Response<GetKeysResponse>, Status> {
            let key = JsonWebKey {
                owner: "users".to_owned(),
                x: self.0.to_owned(),
                ..JsonWebKey::default()
            };
            let revoked_token_ids = vec!["t-1".to_owned()];
            Ok(tonic::Response::new(GetKeysResponse {
                keys: vec![key],
                revoked_token_ids,
                time: None,
            }))
        }
    }

    let fetch = async |x: &'static str| {
        let routes = tonic::service::Routes::new(AuthServiceServer::new(Auth(x))).prepare();
        let registry = InProcess::default();
        registry.register(
            "auth",
            LocalService::new(move |request| {
                let routes = routes.clone();
                async move { routes.oneshot(request).await.unwrap() }
            }),
        );
        let channels = Channels::new(config(), vec![Arc::new(registry)], identity(), Chance::seeded(1));
        AuthKeys::new(channels).fetch().await
    };
    let keys = fetch("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").await.unwrap();
    assert_eq!(keys.keys[0].kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(keys.revoked_token_ids.contains("t-1"));
    assert_eq!(fetch("no key").await.unwrap_err().reason(), "KEY_INVALID");
}
