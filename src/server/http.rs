//! Plain HTTP on the same accept loop.

use futures::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt;

use super::Closing;
use super::body::cut_by;
use crate::registry::LocalService;

/// A router as the accept loop serves it. An answer that still waits for something to send when the server drains, or
/// its connection is old, ends there: event streams come back elsewhere.
pub fn http_service(router: axum::Router, draining: CancellationToken) -> LocalService {
    LocalService::new(move |request: Request<Body>| {
        let closing = request.extensions().get::<Closing>().map(|closing| closing.0.clone());
        let draining = draining.clone();
        let answer = router.clone().oneshot(request.map(axum::body::Body::new));
        async move {
            let response = match answer.await {
                Ok(response) => response.map(plain),
                Err(never) => match never {},
            };
            cut_by(response, leave(draining, closing).map(|()| None).boxed())
        }
    })
}

fn plain(body: axum::body::Body) -> Body {
    Body::new(body.map_err(|error| Status::internal(error.to_string())))
}

async fn leave(draining: CancellationToken, closing: Option<CancellationToken>) {
    match closing {
        Some(closing) => tokio::select! {
            () = draining.cancelled() => {}
            () = closing.cancelled() => {}
        },
        None => draining.cancelled().await,
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures::stream;
    use http::Request;
    use http_body_util::BodyExt;
    use tokio_util::sync::CancellationToken;
    use tonic::body::Body;

    use super::http_service;
    use crate::server::Closing;

    fn endless() -> axum::Router {
        let body = || async {
            let waits: stream::Pending<Result<&'static str, std::io::Error>> = stream::pending();
            axum::body::Body::from_stream(waits)
        };
        let broken =
            || async { axum::body::Body::from_stream(stream::iter([Err::<&str, _>(std::io::Error::other("gone"))])) };
        axum::Router::new()
            .route("/stream", get(body))
            .route("/broken", get(broken))
            .route("/", get(|| async { "whole" }))
    }

    fn request(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn waiting_streams_end_when_the_server_drains() {
        let draining = CancellationToken::new();
        let service = http_service(endless(), draining.clone());
        let response = service.serve(request("/stream")).await;
        draining.cancel();
        assert!(response.into_body().frame().await.is_none());
        let whole = service.serve(request("/")).await.into_body().collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "whole", "what is there is still sent");
        assert!(
            service
                .serve(request("/broken"))
                .await
                .into_body()
                .frame()
                .await
                .unwrap()
                .is_err()
        );
    }

    #[tokio::test]
    async fn and_when_their_connection_is_old() {
        let closing = CancellationToken::new();
        let service = http_service(endless(), CancellationToken::new());
        let mut asked = request("/stream");
        asked.extensions_mut().insert(Closing(closing.clone()));
        let response = service.serve(asked).await;
        closing.cancel();
        assert!(response.into_body().frame().await.is_none());
    }
}
