//! The generated wrappers refuse before the service sees a request.

use std::collections::BTreeSet;
use std::sync::Arc;

use tonic::{Code, Request};

use super::fixture::guard::shape_service;
use super::fixture::shapes::shape_service_server::ShapeService;
use super::fixture::shapes::*;
use super::service::Shapes;
use crate::error::Error;
use crate::identity::{Grants, Principal, Role};

fn as_trader<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Arc::new(Principal {
        subject: "ada".into(),
        roles: BTreeSet::from([Role::Trader]),
        grants: Grants::from_names(["mine"]),
        token_id: "t".into(),
        expires_at_micros: i64::MAX,
    }));
    request
}

fn create(account: &str) -> CreateShapeRequest {
    let owner = Some(Owner {
        account_id: account.into(),
    });
    CreateShapeRequest {
        shape: Some(Shape {
            owner,
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_account_of_a_nested_field_needs_a_grant() {
    let guarded = shape_service(Shapes);
    assert!(guarded.create_shape(as_trader(create("mine"))).await.is_ok());
    for request in [create("other"), CreateShapeRequest::default()] {
        let refusal = Error::from(guarded.create_shape(as_trader(request)).await.unwrap_err());
        assert_eq!(refusal.reason(), "ACCOUNT_NOT_GRANTED");
    }
    let refusal = guarded.create_shape(Request::new(create("mine"))).await.unwrap_err();
    assert_eq!(
        (refusal.code(), Error::from(refusal).reason()),
        (Code::Unauthenticated, "UNAUTHENTICATED")
    );
}

#[tokio::test]
async fn the_permission_is_needed_and_public_calls_need_nothing() {
    let guarded = shape_service(Shapes);
    let refusal = guarded
        .purge_shape(as_trader(PurgeShapeRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code(), Error::from(refusal).reason()),
        (Code::PermissionDenied, "PERMISSION_DENIED")
    );
    assert!(
        guarded
            .watch_shapes(as_trader(WatchShapesRequest::default()))
            .await
            .is_err()
    );
    assert!(
        guarded
            .list_bare_shapes(Request::new(ListBareShapesRequest {}))
            .await
            .is_ok()
    );
    assert!(
        guarded
            .watch_bare_shapes(Request::new(WatchShapesRequest::default()))
            .await
            .is_ok()
    );
}
