//! Who is where. A registry tells a service's endpoints and every change of them.
//!
//! A discovery backend (leases, watches, DNS) is one more [`Registry`]: it feeds the same watch channel.

mod in_process;
mod statics;

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::watch;
use tonic::body::Body;

pub use in_process::InProcess;
pub use statics::Static;

type Serve = dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync;

/// A service of this process with all its layers. It answers failures as gRPC responses. Cheap to clone.
#[derive(Clone)]
pub struct LocalService(Arc<Serve>);

impl LocalService {
    /// A service that a function serves.
    pub fn new<F, R>(serve: F) -> LocalService
    where
        F: Fn(Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        LocalService(Arc::new(move |request| Box::pin(serve(request))))
    }

    /// Serves a request.
    pub fn serve(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        (self.0)(request)
    }
}

/// Where one replica of a service is.
#[derive(Clone)]
pub enum Address {
    /// In this process.
    Local(LocalService),
    /// At `host:port`.
    Tcp(Arc<str>),
}

/// The replicas of a service, empty when none is known.
pub type Endpoints = Arc<[Address]>;

/// Tells where services are.
pub trait Registry: Send + Sync {
    /// The endpoints of a service, now and after every change. A service that is not known has none yet.
    fn watch(&self, service: &str) -> watch::Receiver<Endpoints>;
}
