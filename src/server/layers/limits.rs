//! Bounds the calls that a service works on at the same time. One more is refused, never queued.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use super::{Around, around};
use crate::channel::{is_standard, method};
use crate::error::Error;
use crate::registry::LocalService;
use crate::server::body::{Hook, hooked};

/// Calls that a service works on at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most unary calls.
    pub max_calls: usize,
    /// The most open streams.
    pub max_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_calls: 1_024,
            max_streams: 4_096,
        }
    }
}

pub(in crate::server) fn limits(
    service: Arc<str>,
    limits: Limits,
) -> Around<impl Fn(Request<Body>, LocalService) -> BoxFuture<'static, Response<Body>> + Clone> {
    let calls = Arc::new(Semaphore::new(limits.max_calls.min(Semaphore::MAX_PERMITS)));
    let streams = Arc::new(Semaphore::new(limits.max_streams.min(Semaphore::MAX_PERMITS)));
    around(move |request: Request<Body>, inner: LocalService| {
        let path = request.uri().path();
        if is_standard(path) {
            // An overloaded service is not a dead one: whoever asks for its health must be answered.
            return inner.serve(request);
        }
        let permits = if method(path).streaming { &streams } else { &calls };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => Box::pin(async move { hooked(inner.serve(request).await, Permitted(permit)) }),
            Err(_) => {
                let refusal = Status::from(too_many(&service)).into_http();
                Box::pin(async move { refusal }) as BoxFuture<'static, _>
            }
        }
    })
}

fn too_many(service: &str) -> Error {
    Error::exhausted("TOO_MANY_CALLS", format!("{service} works on as many calls as it may"))
        .with("service", service)
        .retry_after(Duration::from_millis(100))
}

struct Permitted(#[expect(dead_code, reason = "held until the body has ended")] OwnedSemaphorePermit);

impl Hook for Permitted {}
