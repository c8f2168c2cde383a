//! A service that answers what it understood, and a way to call it over HTTP.

use ::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tonic::codegen::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::fixture::rest::routes;
use super::fixture::shapes::shape_service_server::{ShapeService, ShapeServiceServer};
use super::fixture::shapes::*;
use crate::error::{Error, Result};
use crate::rest::{Caller, Input, Router, StreamOptions, Transport, respond};

pub(super) struct Shapes;

fn shape(name: impl Into<String>) -> Shape {
    Shape {
        name: name.into(),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl ShapeService for Shapes {
    async fn get_shape(&self, request: Request<GetShapeRequest>) -> Result<Response<Shape>, Status> {
        let id = request
            .metadata()
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default();
        let shelf = id.to_owned();
        let name = format!("{:?}", request.get_ref());
        if name.contains("missing") {
            return Err(Error::not_found("SHAPE_NOT_FOUND", "no such shape")
                .with("name", "missing")
                .into());
        }
        if name.contains("busy") {
            return Err(Error::exhausted("BUSY", "later")
                .retry_after(Duration::from_millis(1500))
                .into());
        }
        Ok(Response::new(Shape { shelf, ..shape(name) }))
    }

    async fn list_shapes(&self, request: Request<ListShapesRequest>) -> Result<Response<ListShapesResponse>, Status> {
        Ok(Response::new(ListShapesResponse {
            shapes: Vec::new(),
            request: Some(request.into_inner()),
        }))
    }

    async fn list_bare_shapes(
        &self,
        _: Request<ListBareShapesRequest>,
    ) -> Result<Response<ListShapesResponse>, Status> {
        let unknown = Shape {
            colour: 77,
            ..shape("b")
        };
        Ok(Response::new(ListShapesResponse {
            shapes: vec![shape("a"), unknown],
            request: None,
        }))
    }

    async fn create_shape(
        &self,
        request: Request<CreateShapeRequest>,
    ) -> Result<Response<CreateShapeResponse>, Status> {
        let CreateShapeRequest {
            shelf,
            shape,
            request_id,
        } = request.into_inner();
        let shape = shape.map(|shape| Shape {
            shelf,
            r#type: request_id,
            ..shape
        });
        Ok(Response::new(CreateShapeResponse { shape }))
    }

    async fn replace_shape(&self, request: Request<ReplaceShapeRequest>) -> Result<Response<Shape>, Status> {
        Ok(Response::new(shape(format!("{:?}", request.into_inner()))))
    }

    async fn purge_shape(&self, _: Request<PurgeShapeRequest>) -> Result<Response<pbjson_types::Empty>, Status> {
        Ok(Response::new(pbjson_types::Empty {}))
    }

    async fn watch_shapes(
        &self,
        request: Request<WatchShapesRequest>,
    ) -> Result<Response<BoxStream<WatchShapesResponse>>, Status> {
        let from = request.into_inner().from_sequence;
        if from < 0 {
            return Err(Error::invalid("SEQUENCE_NEGATIVE", "sequences start at 1").into());
        }
        let event = |sequence| Ok(WatchShapesResponse { sequence, shape: None });
        let lost = Err(Error::unavailable("FEED_LOST", "the feed is gone").into());
        Ok(Response::new(
            stream::iter([event(from), event(from + 1), lost]).boxed(),
        ))
    }

    async fn watch_bare_shapes(
        &self,
        request: Request<WatchShapesRequest>,
    ) -> Result<Response<BoxStream<Shape>>, Status> {
        let endless = request.into_inner().from_sequence == 1;
        let one = stream::iter([Ok(shape("only"))]);
        Ok(Response::new(if endless {
            one.chain(stream::pending()).boxed()
        } else {
            one.boxed()
        }))
    }
}

/// Takes every call to the one service.
pub(super) struct Direct;

impl Caller for Direct {
    fn transport(&self, area: &str) -> Transport {
        assert_eq!(area, "shapes");
        Transport::new(ShapeServiceServer::new(Shapes))
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn reason(&self) -> String {
        self.json()["error"]["details"][0]["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub(super) const STREAMS: StreamOptions = StreamOptions {
    heartbeat: Duration::from_secs(10),
};

/// The whole way of a request, as a gateway goes it.
pub(super) async fn send(method: Method, target: &str, headers: &[(&'static str, &str)], body: &str) -> Answered {
    let router = Router::new(routes()).unwrap();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let mut metadata = MetadataMap::new();
    metadata.insert("x-request-id", "request-1".parse().unwrap());
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
    let input = Input {
        query: query.map(str::to_owned),
        headers: headers.collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        metadata,
    };
    let answer = match router.find(&method, path) {
        Ok(matched) => matched.call(input, &Direct).await,
        Err(error) => Err(error),
    };
    let response = respond(answer, "request-1", STREAMS);
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answered {
        status,
        headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(super) async fn get(target: &str) -> Answered {
    send(Method::GET, target, &[], "").await
}
