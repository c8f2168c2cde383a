//! Spans of the real binary at a collector: an OTLP receiver over gRPC, as Jaeger has one.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::process::{Platform, folder, tool};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Exports come every few seconds; a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Passes on the spans that it is sent, with the name of the service that made them.
struct Collector(mpsc::UnboundedSender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let name = resource
                .resource
                .iter()
                .flat_map(|resource| &resource.attributes)
                .find(|attribute| attribute.key == "service.name")
                .map(|attribute| format!("{:?}", attribute.value))
                .unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                // Who listens may have seen enough.
                let _ = self.0.send((name.clone(), span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn a_collector_sees_every_step_of_a_callers_trace() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sender, mut spans) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("telemetry.otlp_endpoint=http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);

    let folder = folder();
    let path = folder.path().to_path_buf();
    let start = move || Platform::up(&binary, &path, &["--set", "exchange.symbols=12", "--set", &endpoint]);
    let platform = tokio::task::spawn_blocking(start).await.unwrap();
    let login = serde_json::json!({"userName": "admin", "password": platform.admin_password()});
    let (trace_id, span_id) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/auth/login", platform.gateway()))
        .header("traceparent", format!("00-{trace_id}-{span_id}-01"))
        .header("content-type", "application/json")
        .body(login.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);

    // The gateway's span is a child of the caller's, and auth's hangs on it.
    let mut ours: Vec<Span> = Vec::new();
    let complete = async {
        loop {
            let (service, span) = spans.recv().await.unwrap();
            if hex(&span.trace_id) != trace_id {
                continue;
            }
            assert!(service.contains("trademesh"), "{service}");
            ours.push(span);
            let known: BTreeSet<String> = ours.iter().map(|span| hex(&span.span_id)).collect();
            let has_root = ours.iter().any(|span| hex(&span.parent_span_id) == span_id);
            let has_inner = ours.iter().any(|span| known.contains(&hex(&span.parent_span_id)));
            if has_root && has_inner {
                break;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, complete).await;
    assert!(waited.is_ok(), "{ours:#?}\n{}", platform.log());
    assert!(
        ours.iter().any(|span| span.name.contains("Login")),
        "{:?}",
        ours.iter().map(|span| &span.name).collect::<Vec<_>>()
    );
    assert!(
        ours.iter()
            .all(|span| span.end_time_unix_nano >= span.start_time_unix_nano)
    );
    server.abort();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
