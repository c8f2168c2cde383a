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

fn measured() -> MeasureShapeRequest {
    let side = |next| measure_shape_request::Side {
        length: "0.5".into(),
        next,
    };
    MeasureShapeRequest {
        name: "a-square".into(),
        height: "0".into(),
        colour: Colour::Red.into(),
        background: Some(Colour::Blue.into()),
        tags: vec!["square".into(), "round".into()],
        sides: vec![side(Some(Box::new(side(None)))), side(None)],
        count: Some(9),
        note: "größe".into(),
        owner: Some(Owner::default()),
        weight: 1,
        unit: Some("CM".into()),
        secret: "abc".into(),
        mood: String::new(),
        checked: Some(false),
        alias: Some("box".into()),
        shadow: Some(Colour::Blue.into()),
        share: 0.5,
    }
}

#[tokio::test]
async fn a_value_that_its_field_does_not_allow_never_reaches_the_service() {
    let guarded = shape_service(Shapes);
    let asked = async |request| Error::from(guarded.measure_shape(Request::new(request)).await.unwrap_err());
    assert_eq!(asked(measured()).await.reason(), "UNIMPLEMENTED", "a good one does");
    let mut bare = measured();
    (bare.unit, bare.background, bare.weight) = (Some(String::new()), None, 0);
    assert_eq!(
        asked(bare).await.reason(),
        "UNIMPLEMENTED",
        "what is not required may be empty"
    );
    type Edit = fn(&mut MeasureShapeRequest);
    let cases: [(Edit, &str); 28] = [
        (|one| one.name = "A".into(), "name"),
        (|one| one.name.clear(), "name"),
        (|one| one.height = "-1".into(), "height"),
        (|one| one.colour = 0, "colour"),
        (|one| one.colour = 3, "colour"),
        (|one| one.background = Some(7), "background"),
        (|one| one.tags.push("round".into()), "tags"),
        (|one| one.tags[1].clear(), "tags"),
        (|one| one.sides.clear(), "sides"),
        (|one| one.sides = vec![one.sides[0].clone(); 5], "sides"),
        (|one| one.sides[1].length = "0".into(), "sides[1].length"),
        (
            |one| one.sides[0].next.as_mut().unwrap().length.clear(),
            "sides[0].next.length",
        ),
        (|one| one.count = None, "count"),
        (|one| one.count = Some(0), "count"),
        (|one| one.count = Some(10), "count"),
        (|one| one.note = "größer".into(), "note"),
        (|one| one.owner = None, "owner"),
        (|one| one.weight = -1, "weight"),
        (|one| one.unit = Some("cm".into()), "unit"),
        (|one| one.secret = "a".into(), "secret"),
        (|one| one.mood = "bad".into(), "mood"),
        (|one| one.checked = None, "checked"),
        (|one| one.alias = Some(String::new()), "alias"),
        (|one| one.alias = None, "alias"),
        (|one| one.shadow = Some(0), "shadow"),
        (|one| one.share = -0.1, "share"),
        (|one| one.share = 1.1, "share"),
        (|one| one.share = f64::NAN, "share"),
    ];
    for (change, field) in cases {
        let mut request = measured();
        change(&mut request);
        let refusal = asked(request).await;
        let named = (refusal.reason(), refusal.context()["field"].as_str());
        assert_eq!(named, ("INVALID_FIELD", field), "{}", refusal.message());
    }
}
