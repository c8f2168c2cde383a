//! The body of an answer: its outcome is judged at the trailers, because gRPC fails under HTTP 200.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};

use super::connect::Http2Connector;
use crate::balance::{Lease, Outcome};
use crate::error::Error;

/// Decides what a call says about its endpoint. While it lives, the call is pending.
pub(super) struct Judge {
    lease: Lease<Http2Connector>,
    penalty: Duration,
    started: Instant,
    service: String,
    method: &'static str,
    code: Code,
    has_message: bool,
}

impl Judge {
    pub(super) fn new(lease: Lease<Http2Connector>, service: &str, method: &'static str, penalty: Duration) -> Judge {
        Judge {
            lease,
            penalty,
            started: Instant::now(),
            service: service.to_owned(),
            method,
            code: Code::Cancelled,
            has_message: false,
        }
    }

    /// Whether a code blames the endpoint. A refusal is an answer.
    pub(super) fn outcome(code: Code) -> Outcome {
        match code {
            Code::Unavailable => Outcome::Failure,
            Code::Cancelled => Outcome::Abandoned,
            _ => Outcome::Success,
        }
    }

    pub(super) fn end(mut self, outcome: Outcome, code: Code) {
        self.code = code;
        if outcome == Outcome::Success {
            self.message();
        }
        self.lease.judge(outcome, self.penalty);
    }

    /// The latency of a stream is the time to its first message.
    fn message(&mut self) {
        if !self.has_message {
            self.has_message = true;
            self.lease.first_message();
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let labels = [
            ("service", self.service.clone().into()),
            ("method", metrics::SharedString::const_str(self.method)),
            (
                "code",
                metrics::SharedString::const_str(crate::telemetry::code_name(self.code)),
            ),
        ]
        .map(|(name, value)| metrics::Label::new(name, value));
        metrics::histogram!("rpc_client_duration_seconds", labels.to_vec()).record(self.started.elapsed());
    }
}

/// An answer on its way to the caller: bounded by the deadline, judged when it ends.
pub(super) struct Answer {
    body: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    judge: Option<Judge>,
    is_over: bool,
}

impl Answer {
    pub(super) fn new(body: Body, deadline: Option<Instant>, judge: Option<Judge>) -> Answer {
        let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        Answer {
            body,
            deadline,
            judge,
            is_over: false,
        }
    }

    fn end(&mut self, outcome: Outcome, code: Code) {
        self.is_over = true;
        if let Some(judge) = self.judge.take() {
            judge.end(outcome, code);
        }
    }

    fn see(&mut self, frame: &Frame<Bytes>) {
        if let Some(trailers) = frame.trailers_ref() {
            let code = trailers
                .get("grpc-status")
                .map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()));
            self.end(Judge::outcome(code), code);
        } else if let Some(judge) = &mut self.judge {
            judge.message();
        }
    }

    fn is_too_late(&mut self, context: &mut Context<'_>) -> bool {
        self.deadline
            .as_mut()
            .is_some_and(|deadline| deadline.as_mut().poll(context).is_ready())
    }

    fn too_late(&mut self) -> Frame<Bytes> {
        self.end(Outcome::Failure, Code::DeadlineExceeded);
        let error = Error::deadline("DEADLINE_PASSED", "the answer was not complete in time");
        Frame::trailers(Status::from(error).into_http::<()>().into_parts().0.headers)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.see(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                self.end(Outcome::Failure, status.code());
                Poll::Ready(Some(Err(status)))
            }
            Poll::Ready(None) => {
                self.end(Outcome::Failure, Code::Unknown);
                Poll::Ready(None)
            }
            Poll::Pending if self.is_too_late(context) => Poll::Ready(Some(Ok(self.too_late()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
