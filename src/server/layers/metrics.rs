//! Measures every call: its duration by service, method and code.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Request, Response};
use metrics::{Label, SharedString};
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;

use super::{Around, around};
use crate::channel::method;
use crate::registry::LocalService;
use crate::server::body::{Hook, hooked};
use crate::telemetry::code_name;

pub(in crate::server) fn metrics(
    service: Arc<str>,
) -> Around<impl Fn(Request<Body>, LocalService) -> BoxFuture<'static, Response<Body>> + Clone> {
    around(move |request: Request<Body>, inner: LocalService| {
        let record = Record::begin(service.clone(), method(request.uri().path()).label);
        let serving = inner.serve(request);
        Box::pin(async move { hooked(serving.await, record) }) as BoxFuture<'static, _>
    })
}

/// A call that is recorded when it is over: at its trailers, or when nobody wants them any more.
struct Record {
    service: Arc<str>,
    method: &'static str,
    started: Instant,
    code: Code,
}

impl Record {
    fn begin(service: Arc<str>, method: &'static str) -> Record {
        metrics::gauge!("rpc_server_active_calls", "service" => service.clone()).increment(1);
        Record {
            service,
            method,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

impl Hook for Record {
    fn outcome(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        metrics::gauge!("rpc_server_active_calls", "service" => self.service.clone()).decrement(1);
        let labels = vec![
            Label::new("service", self.service.clone()),
            Label::new("method", SharedString::const_str(self.method)),
            Label::new("code", SharedString::const_str(code_name(self.code))),
        ];
        metrics::histogram!("rpc_server_duration_seconds", labels).record(self.started.elapsed());
    }
}
