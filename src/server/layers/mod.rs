//! The layers of every server, one a file. The order and its reasons are in [`super::layered`].

mod authentication;
mod deadline;
mod limits;
mod metrics;
mod trace;

use std::future::Future;

use http::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Layer, Service};

pub use authentication::CallingService;
pub(super) use authentication::authentication;
pub use deadline::SERVER_LEAVING;
pub(super) use deadline::deadline;
pub use limits::Limits;
pub(super) use limits::limits;
pub(super) use metrics::metrics;
pub(super) use trace::trace;

use crate::registry::LocalService;

/// A layer that is a function of the request and of what lies inside.
pub(super) struct Around<F>(F);

fn around<F, R>(serve: F) -> Around<F>
where
    F: Fn(Request<Body>, LocalService) -> R,
    R: Future<Output = Response<Body>>,
{
    Around(serve)
}

impl<F, R> Layer<LocalService> for Around<F>
where
    F: Fn(Request<Body>, LocalService) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    type Service = LocalService;

    fn layer(&self, inner: LocalService) -> LocalService {
        let serve = self.0.clone();
        LocalService::new(move |request| serve(request, inner.clone()))
    }
}

/// The routes of a service, ready to be called often.
pub(super) fn routes(routes: Routes) -> LocalService {
    let routes = routes.prepare();
    LocalService::new(move |request| {
        let answer = routes.clone().call(request);
        async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
}
