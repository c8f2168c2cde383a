//! Joins the caller's trace, or begins one, and names the request.

use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tracing::{Instrument, Span};

use super::{Around, around};
use crate::registry::LocalService;
use crate::server::body::{Hook, hooked};
use crate::telemetry::{self, REQUEST_ID_HEADER, TraceContext};
use crate::time::Chance;

pub(in crate::server) fn trace(
    service: Arc<str>,
    chance: Chance,
) -> Around<impl Fn(Request<Body>, LocalService) -> futures::future::BoxFuture<'static, Response<Body>> + Clone> {
    around(move |request, inner| {
        let context = joined(&request, &chance);
        let span = span(&service, &request, &context);
        Box::pin(traced(request, inner, context, span)) as futures::future::BoxFuture<'static, _>
    })
}

fn joined(request: &Request<Body>, chance: &Chance) -> TraceContext {
    let (caller, request_id) = telemetry::extract(request.headers());
    let context = caller.map_or_else(|| TraceContext::root(chance), |caller| caller.child(chance));
    match request_id {
        Some(request_id) => TraceContext { request_id, ..context },
        None => context,
    }
}

fn span(service: &str, request: &Request<Body>, context: &TraceContext) -> Span {
    let path = request.uri().path();
    // The name that OpenTelemetry gives to an rpc: its path without the first slash.
    let name = path.trim_start_matches('/');
    let span = tracing::info_span!(
        "rpc",
        otel.kind = "server",
        otel.name = name,
        rpc.system = "grpc",
        service,
        path,
        trace_id = format_args!("{:032x}", context.trace_id),
        request_id = &*context.request_id,
    );
    if let (Some(caller), _) = telemetry::extract(request.headers()) {
        telemetry::link(&span, &caller);
    }
    span
}

async fn traced(request: Request<Body>, inner: LocalService, context: TraceContext, span: Span) -> Response<Body> {
    let serving = telemetry::with(Some(context.clone()), inner.serve(request));
    let mut response = serving.instrument(span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, id);
    }
    hooked(response, Traced { context, span })
}

struct Traced {
    context: TraceContext,
    span: Span,
}

impl Hook for Traced {
    fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.span
            .in_scope(|| telemetry::with_sync(Some(self.context.clone()), poll))
    }
}
