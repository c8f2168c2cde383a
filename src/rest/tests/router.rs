//! Path matching.

use ::http::Method;

use super::fixture::rest::routes;
use crate::rest::Router;

#[test]
fn two_routes_of_one_shape_conflict() {
    let error = Router::new(routes().into_iter().chain(routes().into_iter().take(1))).unwrap_err();
    assert_eq!(error.reason(), "ROUTE_CONFLICT");
}

#[test]
fn literals_win_over_variables_and_verbs_over_colons_in_values() {
    let router = Router::new(routes()).unwrap();
    let table = [
        (Method::GET, "/v1/shapes:bare", "/v1/shapes:bare"),
        (Method::GET, "/v1/%73hapes", "/v1/shapes"),
        (Method::DELETE, "/v1/shapes/a:b:purge", "/v1/shapes/{name}:purge"),
        (Method::GET, "/v1/shapes/a:b", "/v1/shapes/{number}"),
        (Method::GET, "/v1/files/shapes/x:y", "/v1/files/{path=**}"),
        (
            Method::GET,
            "/v1/shelves/s/shapes/x",
            "/v1/shelves/{shape.shelf}/{shape.name=shapes/*}",
        ),
        (
            Method::PUT,
            "/v1/shelves/s/shapes/x",
            "/v1/shelves/{shelf}/shapes/{name}",
        ),
    ];
    for (method, path, template) in table {
        assert_eq!(router.find(&method, path).unwrap().route.template, template, "{path}");
    }
    let purge = router.find(&Method::DELETE, "/v1/shapes/a:b:purge").unwrap();
    assert_eq!(
        (purge.variable("name"), purge.variable("nothing"), purge.account()),
        (Some("a:b"), None, None)
    );
    let replace = router.find(&Method::PUT, "/v1/shelves/s/shapes/x").unwrap();
    assert_eq!(replace.account(), Some("s"));
}

#[test]
fn the_routes_of_the_platform_do_not_conflict_and_know_their_rpcs() {
    let routes = crate::pb::rest::routes();
    Router::new(routes.clone()).unwrap();
    for route in &routes {
        assert!(
            route
                .rpc
                .http
                .iter()
                .any(|http| http.template == route.template && http.method == route.method)
        );
    }
    let router = Router::new(routes).unwrap();
    let cancel = router
        .find(&Method::POST, "/v1/accounts/paper-1/orders/o-7:cancel")
        .unwrap();
    assert_eq!(
        (cancel.route.rpc.name, cancel.account()),
        ("CancelOrder", Some("paper-1"))
    );
    assert_eq!(cancel.variable("order_id"), Some("o-7"));
}
