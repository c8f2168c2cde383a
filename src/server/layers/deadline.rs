//! Holds a call to its caller's deadline, and ends streams that would keep a draining server alive.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, select_all};
use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

use super::{Around, around};
use crate::channel::method;
use crate::deadline::{self, DeadlineConfig, TIMEOUT_HEADER};
use crate::error::{Error, Result};
use crate::registry::LocalService;
use crate::server::Closing;
use crate::server::body::{Cut, Hook, cut_by, hooked};

/// The reason of an error that ends a stream as it was to be expected: its server drains, or closes an old connection.
pub const SERVER_LEAVING: &str = "SERVER_LEAVING";

pub(in crate::server) fn deadline(
    config: DeadlineConfig,
    draining: CancellationToken,
) -> Around<impl Fn(Request<Body>, LocalService) -> BoxFuture<'static, Response<Body>> + Clone> {
    around(move |request: Request<Body>, inner: LocalService| {
        let (config, draining) = (config.clone(), draining.clone());
        Box::pin(async move {
            held(request, inner, &config, draining)
                .await
                .unwrap_or_else(|error| Status::from(error).into_http())
        }) as BoxFuture<'static, _>
    })
}

async fn held(
    request: Request<Body>,
    inner: LocalService,
    config: &DeadlineConfig,
    draining: CancellationToken,
) -> Result<Response<Body>> {
    let allowed = config.allowed(stated(request.headers())?, method(request.uri().path()).streaming);
    if allowed == Some(Duration::ZERO) {
        return Err(passed());
    }
    // A time beyond what the clock can say is no deadline.
    let deadline = allowed.and_then(|allowed| Instant::now().checked_add(allowed));
    let closing = request.extensions().get::<Closing>().map(|closing| closing.0.clone());
    let serving = deadline::with(deadline, inner.serve(request));
    let response = match deadline {
        Some(deadline) => timeout_at(deadline, serving).await.map_err(|_| passed())?,
        None => serving.await,
    };
    Ok(hooked(
        cut_by(response, cut(deadline, draining, closing)),
        Held(deadline),
    ))
}

fn stated(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(None);
    };
    let stated = value.to_str().ok().and_then(deadline::parse);
    let malformed = || Error::invalid("TIMEOUT_MALFORMED", "grpc-timeout is not a number and a unit");
    stated.map(Some).ok_or_else(malformed)
}

/// The first reason why a response that still waits must end.
fn cut(deadline: Option<Instant>, draining: CancellationToken, closing: Option<CancellationToken>) -> Cut {
    let leave = |token: CancellationToken| async move { token.cancelled_owned().map(|()| leaving()).await }.boxed();
    let mut reasons = vec![leave(draining)];
    reasons.extend(closing.map(leave));
    reasons.extend(deadline.map(|deadline| sleep_until(deadline).map(|()| passed()).boxed()));
    select_all(reasons)
        .map(|(error, _, _)| Some(Status::from(error)))
        .boxed()
}

fn passed() -> Error {
    Error::deadline("DEADLINE_PASSED", "the caller's deadline has passed")
}

fn leaving() -> Error {
    Error::unavailable(
        SERVER_LEAVING,
        "the stream ends because its server leaves; open it again from where it was",
    )
}

struct Held(Option<Instant>);

impl Hook for Held {
    fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        deadline::with_sync(self.0, poll)
    }
}
