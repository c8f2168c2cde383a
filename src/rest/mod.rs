//! REST in front of gRPC: matching paths, building typed requests, and answering JSON or server-sent events.
//!
//! The handlers are generated from `google.api.http` (`pb::rest`); what they have in common is here. A request goes
//! [`Router::find`] → [`Matched::call`] → [`respond`]: the caller of these three authenticates, limits and audits between
//! them. Bodies are strict ProtoJSON; errors are `google.rpc.Status` as JSON.

pub mod bind;
mod call;
mod problem;
mod reply;
mod router;

use std::convert::Infallible;

use futures::future::BoxFuture;

use crate::error::Result;
use crate::policy::Method;

pub use call::{Call, Input, Parameter};
pub use problem::{error_response, status_of, status_word};
pub use reply::{Event, Reply, StreamOptions, respond, stream, unary};
pub use router::{Matched, Router};

/// A gRPC service to call, whatever carries it.
pub type Transport =
    tower::util::BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, Infallible>;

/// Whoever knows the way to a service, by the name of its area.
pub trait Caller: Send + Sync {
    /// A transport to the service `area`, for example `trading`.
    fn transport(&self, area: &str) -> Transport;
}

impl Caller for crate::channel::Channels {
    fn transport(&self, area: &str) -> Transport {
        Transport::new(self.to(area))
    }
}

/// What a handler promises.
pub type Answer = BoxFuture<'static, Result<Reply>>;

/// An HTTP method and path, and the handler behind it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path template as the proto states it.
    pub template: &'static str,
    /// The parsed template.
    pub path: Path,
    /// The rpc that it calls.
    pub rpc: &'static Method,
    /// Builds the request, calls, and answers.
    pub handler: fn(Call) -> Answer,
}

/// A parsed path template.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// The segments, in order.
    pub segments: &'static [Segment],
    /// What stands after the last colon.
    pub verb: Option<&'static str>,
    /// The variables, in order.
    pub variables: &'static [Variable],
}

/// One segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text.
    Literal(&'static str),
    /// Any one segment that is not empty.
    One,
    /// The rest of the path, one segment or more.
    Rest,
}

/// A variable of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The request field, as a dotted path.
    pub field: &'static str,
    /// The first segment that it takes.
    pub first: usize,
    /// How many segments of the template it takes.
    pub length: usize,
}

#[cfg(test)]
pub(crate) mod tests;
