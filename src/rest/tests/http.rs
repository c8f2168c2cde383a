//! Answers and errors over HTTP.

use ::http::Method;
use serde_json::json;

use super::service::{get, send};
use crate::error::{Error, Kind};
use crate::rest::{error_response, status_of};

#[tokio::test]
async fn answers_are_json() {
    let answer = get("/v1/shapes:bare").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    // The second has a colour that this build does not know.
    assert_eq!(answer.json(), json!([{"name": "a"}, {"name": "b", "colour": 77}]));
    let answer = send(Method::DELETE, "/v1/shapes/round:purge", &[], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
}

#[tokio::test]
async fn a_refusal_of_the_service_is_a_status_with_its_reason() {
    let answer = get("/v1/files/missing").await;
    let wanted = json!({"error": {
        "code": 404,
        "status": "NOT_FOUND",
        "message": "no such shape",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "SHAPE_NOT_FOUND",
                "domain": "trademesh",
                "metadata": {"name": "missing"},
            },
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "request-1"},
        ],
    }});
    assert_eq!((answer.status, answer.json()), (404, wanted));
    let answer = get("/v1/files/busy").await;
    assert_eq!(
        (answer.status, answer.headers["retry-after"].to_str().unwrap()),
        (429, "2")
    );
}

#[tokio::test]
async fn an_unknown_path_is_not_found_and_a_known_one_names_its_methods() {
    for target in [
        "/",
        "/v1",
        "/v1/",
        "/v1//shapes",
        "/v2/shapes",
        "/v1/shapes/1/2",
        "nothing",
    ] {
        let answer = get(target).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (404, "ROUTE_NOT_FOUND"),
            "{target}"
        );
    }
    let answer = send(Method::POST, "/v1/shapes", &[], "").await;
    assert_eq!((answer.status, answer.reason().as_str()), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.headers["allow"], "GET");
    let answer = send(Method::HEAD, "/v1/shelves/a/shapes/b", &[], "").await;
    assert_eq!(answer.headers["allow"], "GET, PUT");
}

#[test]
fn every_kind_has_its_status_and_word() {
    let table = [
        (Kind::Invalid, 400, "INVALID_ARGUMENT"),
        (Kind::Unauthenticated, 401, "UNAUTHENTICATED"),
        (Kind::Denied, 403, "PERMISSION_DENIED"),
        (Kind::NotFound, 404, "NOT_FOUND"),
        (Kind::Conflict, 409, "ALREADY_EXISTS"),
        (Kind::Refused, 422, "FAILED_PRECONDITION"),
        (Kind::Exhausted, 429, "RESOURCE_EXHAUSTED"),
        (Kind::Unavailable, 503, "UNAVAILABLE"),
        (Kind::Deadline, 504, "DEADLINE_EXCEEDED"),
        (Kind::Internal, 500, "INTERNAL"),
        (Kind::Unimplemented, 501, "UNIMPLEMENTED"),
    ];
    assert_eq!(table.map(|(kind, ..)| kind).len(), Kind::ALL.len());
    for (kind, status, word) in table {
        let error = Error::new(kind, "REASON", "message");
        assert_eq!(status_of(&error).as_u16(), status);
        assert_eq!(crate::rest::problem::error_json(&error, "r")["error"]["status"], word);
    }
    assert_eq!(status_of(&Error::invalid("BODY_TOO_LARGE", "m")).as_u16(), 413);
    let response = error_response(&Error::unauthenticated("UNAUTHENTICATED", "m"), "r");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[test]
fn a_message_without_json_is_a_defect_of_ours() {
    let late = crate::protojson::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    };
    assert_eq!(crate::rest::unary(&late).unwrap_err().reason(), "UNENCODABLE_ANSWER");
}
