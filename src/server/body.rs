//! Bodies that know what surrounds them: a stream outlives the call that opened it, but not its deadline, nor its
//! server.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

/// What a layer does while a body is sent. It is dropped when the body has ended or is no longer wanted.
pub(super) trait Hook: Send + Unpin + 'static {
    /// Polls in the surroundings of the call.
    fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        poll()
    }

    /// Sees the outcome.
    fn outcome(&mut self, _code: Code) {}
}

/// A body with a hook, which may be cut short while it waits.
struct Hooked<H> {
    body: Body,
    hook: Option<H>,
    cut: Option<Cut>,
}

/// Attaches a hook to a response. One without a body is over already.
pub(super) fn hooked<H: Hook>(response: Response<Body>, mut hook: H) -> Response<Body> {
    if let Some(code) = outcome_in_head(&response) {
        hook.outcome(code);
    }
    attach(response, Some(hook), None)
}

/// Decides when a body that waits must end, and with which status; plain HTTP has none.
pub(super) type Cut = BoxFuture<'static, Option<Status>>;

/// Ends a response if it still waits for a message when `cut` is decided.
pub(super) fn cut_by(response: Response<Body>, cut: Cut) -> Response<Body> {
    attach::<Nothing>(response, None, Some(cut))
}

struct Nothing;

impl Hook for Nothing {}

fn attach<H: Hook>(response: Response<Body>, hook: Option<H>, cut: Option<Cut>) -> Response<Body> {
    if response.body().is_end_stream() {
        return response;
    }
    response.map(|body| Body::new(Hooked { body, hook, cut }))
}

fn outcome_in_head(response: &Response<Body>) -> Option<Code> {
    let status = response.headers().get("grpc-status")?;
    Some(Code::from_bytes(status.as_bytes()))
}

impl<H: Hook> Hooked<H> {
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Hooked { body, hook, .. } = self;
        match hook {
            Some(hook) => hook.within(|| Pin::new(body).poll_frame(context)),
            None => Pin::new(body).poll_frame(context),
        }
    }

    fn see(&mut self, frame: &Frame<Bytes>) {
        let Some(trailers) = frame.trailers_ref() else { return };
        let code = trailers
            .get("grpc-status")
            .map_or(Code::Unknown, |status| Code::from_bytes(status.as_bytes()));
        if let Some(hook) = &mut self.hook {
            hook.outcome(code);
        }
    }

    /// Drops the body: what waits for it, waits no longer.
    fn end(&mut self, status: Option<Status>) -> Option<Frame<Bytes>> {
        self.body = Body::empty();
        self.cut = None;
        let frame = Frame::trailers(status?.into_http::<()>().into_parts().0.headers);
        self.see(&frame);
        Some(frame)
    }
}

impl<H: Hook> http_body::Body for Hooked<H> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = self.poll_body(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.see(frame);
        }
        if polled.is_ready() {
            return polled;
        }
        match self.cut.as_mut().map(|cut| cut.poll_unpin(context)) {
            Some(Poll::Ready(status)) => Poll::Ready(self.end(status).map(Ok)),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A cut adds trailers, never data, so the hint of the body holds.
        self.body.size_hint()
    }
}
