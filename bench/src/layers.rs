//! Where the time of an order goes: spans of the platform, collected as Jaeger would, and the time that each spends outside
//! of the spans below it.

use crate::report;
use crate::session::{self, Session};
use crate::{Layers, Outcome};
use hdrhistogram::Histogram;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

const CONNECTIONS: u32 = 64;
const ACCOUNTS: u32 = 100;
/// Spans are exported in batches, a few seconds after they end.
const EXPORTED: Duration = Duration::from_secs(8);
/// The longest span told apart, in microseconds.
const LONGEST_US: u64 = 60_000_000;

/// Keeps the spans that it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        self.0.lock().expect("no holder panics").extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Spans of one name.
struct Layer {
    whole_us: Histogram<u64>,
    own_us: Histogram<u64>,
}

/// Measures and prints.
///
/// # Errors
/// When the platform does not start, or does not answer at all.
pub(crate) fn run(binary: &Path, options: &Layers) -> Outcome {
    let runtime = session::client_runtime()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let endpoint = format!("telemetry.otlp_endpoint=http://{}", listener.local_addr()?);
    let collector = Collector::default();
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let _server = runtime.spawn(server);
    let platform = session::platform(binary, ACCOUNTS, &[endpoint])?;
    runtime.block_on(async {
        let session = Session::open(&platform, false, ACCOUNTS, CONNECTIONS).await?;
        let load = session.load(options.rate, CONNECTIONS, 1, "traced-");
        load.send_all(Duration::from_secs(options.seconds.into())).await?;
        tokio::time::sleep(EXPORTED).await;
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    let spans = std::mem::take(&mut *collector.0.lock().expect("no holder panics"));
    let rows = layers(&spans)?
        .into_iter()
        .map(|(name, layer)| {
            let ms = |times: &Histogram<u64>, share: f64| format!("{:.2}", times.value_at_quantile(share) as f64 / 1e3);
            [
                name,
                report::count(layer.whole_us.len()),
                ms(&layer.own_us, 0.5),
                ms(&layer.own_us, 0.99),
                ms(&layer.whole_us, 0.5),
                ms(&layer.whole_us, 0.99),
            ]
        })
        .collect();
    report::print(
        &format!(
            "layers: {} requests a second for {} s over REST, every one traced; milliseconds.\n\
             Own time is a span's time outside of the spans below it. Commits serve many orders, and are not below theirs.",
            options.rate, options.seconds
        ),
        ["span", "count", "own p50", "own p99", "whole p50", "whole p99"],
        rows,
    );
    Ok(())
}

/// The spans of the order path by name.
fn layers(spans: &[Span]) -> Result<BTreeMap<String, Layer>, hdrhistogram::CreationError> {
    let mut below: HashMap<&[u8], u64> = HashMap::new();
    for span in spans {
        *below.entry(&span.parent_span_id).or_default() += length_us(span);
    }
    let mut layers = BTreeMap::new();
    for span in spans {
        let Some(name) = name_of(span) else { continue };
        let layer = match layers.entry(name) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(Layer {
                whole_us: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
                own_us: Histogram::new_with_bounds(1, LONGEST_US, 3)?,
            }),
        };
        let whole = length_us(span);
        let inside = below.get(span.span_id.as_slice()).copied().unwrap_or_default();
        layer.whole_us.saturating_record(whole);
        layer.own_us.saturating_record(whole.saturating_sub(inside));
    }
    Ok(layers)
}

fn length_us(span: &Span) -> u64 {
    span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1_000
}

/// The layer that a span belongs to: requests that are no orders are none.
fn name_of(span: &Span) -> Option<String> {
    let path = span.attributes.iter().find(|attribute| attribute.key == "url.path");
    let path = path.map(|attribute| format!("{:?}", attribute.value));
    match span.name.as_str() {
        "POST" if path.is_some_and(|path| path.contains("/orders\"")) => Some("gateway: POST orders".to_owned()),
        name if name.ends_with("/SubmitOrder") => Some("trading: SubmitOrder".to_owned()),
        name if name.starts_with("shard.") || name.starts_with("journal.") || name.starts_with("venue.") => {
            Some(format!("trading: {name}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Span, layers};

    fn span(id: u8, parent: u8, name: &str, micros: u64) -> Span {
        Span {
            span_id: vec![id],
            parent_span_id: vec![parent],
            name: name.to_owned(),
            start_time_unix_nano: 1_000,
            end_time_unix_nano: 1_000 + micros * 1_000,
            ..Span::default()
        }
    }

    #[test]
    fn own_time_is_outside_of_the_spans_below() {
        let spans = [
            span(1, 0, "trademesh.trading.v1.TradingService/SubmitOrder", 900),
            span(2, 1, "shard.submit", 600),
            span(3, 9, "somebody else's", 5),
        ];
        let layers = layers(&spans).unwrap();
        let own: Vec<(&str, u64)> = layers
            .iter()
            .map(|(name, layer)| (name.as_str(), layer.own_us.max()))
            .collect();
        assert_eq!(own, [("trading: SubmitOrder", 300), ("trading: shard.submit", 600)]);
    }
}
