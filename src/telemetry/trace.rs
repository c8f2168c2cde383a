//! W3C trace context (<https://www.w3.org/TR/trace-context/>) across REST, gRPC and events.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::error::{Error, Result};
use crate::time::Chance;

/// The header that carries the trace.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The header that carries the request's id, which callers see in errors.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// The longest request id that is taken over from a caller.
const REQUEST_ID_MAX: usize = 64;

/// Which trace and request the running work belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The part of the trace that calls from here belong to.
    pub span_id: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
    /// The request's id.
    pub request_id: Arc<str>,
}

impl TraceContext {
    /// The beginning of a new trace.
    pub fn root(chance: &Chance) -> TraceContext {
        let trace_id = (u128::from(chance.u64()) << 64 | u128::from(chance.u64())).max(1);
        let request_id = format!("{trace_id:032x}").into();
        TraceContext {
            trace_id,
            span_id: chance.u64().max(1),
            sampled: true,
            request_id,
        }
    }

    /// The same trace and request, one step further.
    #[must_use]
    pub fn child(&self, chance: &Chance) -> TraceContext {
        TraceContext {
            span_id: chance.u64().max(1),
            ..self.clone()
        }
    }

    fn to_opentelemetry(&self) -> opentelemetry::Context {
        let flags = if self.sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let trace_id = TraceId::from_bytes(self.trace_id.to_be_bytes());
        let span_id = SpanId::from_bytes(self.span_id.to_be_bytes());
        let span = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
        opentelemetry::Context::new().with_remote_span_context(span)
    }
}

/// Writes a `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

/// Reads a `traceparent`; the request's id is the trace's until another one is known.
impl FromStr for TraceContext {
    type Err = Error;

    fn from_str(text: &str) -> Result<TraceContext> {
        parse(text).ok_or_else(|| Error::invalid("TRACEPARENT_INVALID", "not a traceparent"))
    }
}

fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may have more parts; version 00 has exactly four, and ff is forbidden.
    let version_fits = match hex(version, 2)? {
        0x00 => parts.next().is_none(),
        0xff => false,
        _ => true,
    };
    let (trace_id, span_id, flags) = (hex(trace_id, 32)?, hex(span_id, 16)?, hex(flags, 2)?);
    if !version_fits || trace_id == 0 || span_id == 0 {
        return None;
    }
    let request_id = format!("{trace_id:032x}").into();
    Some(TraceContext {
        trace_id,
        span_id: span_id as u64,
        sampled: flags & 1 == 1,
        request_id,
    })
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let lowercase = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !lowercase {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// The trace of the running task; none outside a call.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Runs a future as part of a trace.
pub fn with<F: Future>(context: Option<TraceContext>, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future)
}

/// Runs a closure as part of a trace.
pub(crate) fn with_sync<T>(context: Option<TraceContext>, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(context, run)
}

/// Makes a span a part of the caller's trace, for the exporter.
pub fn link(span: &Span, caller: &TraceContext) {
    // Without an exporter there is nothing to link, and that is no failure.
    let _ = span.set_parent(caller.to_opentelemetry());
}

/// The caller's trace and request id, if the headers carry them in good form.
pub fn extract(headers: &HeaderMap) -> (Option<TraceContext>, Option<Arc<str>>) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let context = text(TRACEPARENT_HEADER).and_then(|text| text.parse().ok());
    let request_id = text(REQUEST_ID_HEADER).filter(|id| is_request_id(id)).map(Arc::from);
    (context, request_id)
}

fn is_request_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= REQUEST_ID_MAX && id.bytes().all(allowed)
}

/// Puts the trace and request id into the headers of a call. An exported span goes before the context's own.
pub fn inject(context: &TraceContext, headers: &mut HeaderMap) {
    let exported = Span::current().context();
    let exported = exported.span().span_context().clone();
    let traceparent = if exported.is_valid() {
        format!(
            "00-{}-{}-{:02x}",
            exported.trace_id(),
            exported.span_id(),
            exported.trace_flags().to_u8()
        )
    } else {
        context.to_string()
    };
    for (name, value) in [
        (TRACEPARENT_HEADER, traceparent.as_str()),
        (REQUEST_ID_HEADER, &context.request_id),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// The exporter of spans; none without an endpoint.
pub(super) fn provider(endpoint: &str) -> Result<Option<SdkTracerProvider>> {
    if endpoint.is_empty() {
        return Ok(None);
    }
    let bad = |error: &dyn fmt::Display| {
        let message = format!("telemetry.otlp_endpoint: '{endpoint}' cannot be used: {error}");
        Error::invalid("CONFIG_BAD_OTLP_ENDPOINT", message).with("key", "telemetry.otlp_endpoint")
    };
    endpoint.parse::<http::Uri>().map_err(|error| bad(&error))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| bad(&error))?;
    let resource = Resource::builder().with_service_name("trademesh").build();
    Ok(Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build(),
    ))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{TraceContext, current, extract, inject, link, provider, with, with_sync};
    use crate::time::Chance;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_reads_and_writes() {
        let context: TraceContext = EXAMPLE.parse().unwrap();
        assert_eq!(context.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.span_id, 0x00f0_67aa_0ba9_02b7);
        assert!(context.sampled);
        assert_eq!(context.to_string(), EXAMPLE);
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        let cases = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ];
        for text in cases {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
        assert!(!later.parse::<TraceContext>().unwrap().sampled);
    }

    #[test]
    fn headers_carry_trace_and_request() {
        let chance = Chance::seeded(1);
        let root = TraceContext::root(&chance);
        let child = TraceContext {
            request_id: "r-1".into(),
            ..root.child(&chance)
        };
        assert_eq!(child.trace_id, root.trace_id);
        assert_ne!(child.span_id, root.span_id);
        let mut headers = HeaderMap::new();
        inject(&child, &mut headers);
        let (context, request_id) = extract(&headers);
        assert_eq!(context.unwrap().to_string(), child.to_string());
        assert_eq!(request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn a_bad_request_id_is_not_taken_over() {
        for bad in ["", "two words", &"x".repeat(65), "line\tbreak"] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_str(bad).unwrap());
            assert_eq!(extract(&headers), (None, None), "{bad}");
        }
        let mut headers = HeaderMap::new();
        inject(
            &TraceContext {
                request_id: "line\nbreak".into(),
                ..EXAMPLE.parse().unwrap()
            },
            &mut headers,
        );
        assert!(!headers.contains_key("x-request-id"));
    }

    #[tokio::test]
    async fn the_trace_is_known_only_inside_its_scope() {
        let context: Option<TraceContext> = EXAMPLE.parse().ok();
        assert_eq!(current(), None);
        assert_eq!(with(context.clone(), async { current() }).await, context);
        assert_eq!(with_sync(context.clone(), current), context);
    }

    #[tokio::test]
    async fn an_exported_span_joins_the_callers_trace() {
        use opentelemetry::trace::TracerProvider as _;
        use tracing_subscriber::layer::SubscriberExt;
        assert!(provider("").unwrap().is_none());
        let refusal = provider("not a uri").err().unwrap();
        assert_eq!(refusal.context()["key"], "telemetry.otlp_endpoint");
        let provider = provider("http://127.0.0.1:9").unwrap().unwrap();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let caller: TraceContext = EXAMPLE.parse().unwrap();
        let span = tracing::info_span!("call");
        link(&span, &caller);
        let mut headers = HeaderMap::new();
        span.in_scope(|| inject(&caller, &mut headers));
        let sent: TraceContext = headers["traceparent"].to_str().unwrap().parse().unwrap();
        assert_eq!(sent.trace_id, caller.trace_id);
        assert_ne!(sent.span_id, caller.span_id);
    }
}
