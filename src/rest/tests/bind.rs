//! Requests built from path, query and body.

use ::http::Method;
use serde_json::{Value, json};

use super::service::{get, send};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn path_variables_fill_nested_fields_and_other_types() {
    let table = [
        (
            "/v1/shelves/top/shapes/round",
            r#"Some(Place { shelf: "top", name: "shapes/round" })"#,
        ),
        (
            "/v1/shelves/a%20b/shapes/%C3%A4:x",
            r#"Some(Place { shelf: "a b", name: "shapes/ä:x" })"#,
        ),
        ("/v1/shapes/42", "number: 42"),
        ("/v1/files/a/b/c", r#"path: "a/b/c""#),
        ("/v1/colours/COLOUR_RED/solid/true/anything", "colour: Red, solid: true"),
    ];
    for (target, wanted) in table {
        let answer = get(target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let name = answer.json()["name"].as_str().unwrap().to_owned();
        assert!(name.contains(wanted), "{target}: {name}");
        assert_eq!(answer.json()["shelf"], "request-1");
    }
}

#[tokio::test]
async fn the_query_fills_every_kind_of_field() {
    let table = [
        ("text=a+b%26c", json!({"text": "a b&c"})),
        ("big=-9223372036854775808", json!({"big": "-9223372036854775808"})),
        ("ratio=1.5e3", json!({"ratio": 1500.0})),
        ("openOnly=true", json!({"openOnly": true})),
        ("open_only=true&", json!({"openOnly": true})),
        ("colour=COLOUR_BLUE", json!({"colour": "COLOUR_BLUE"})),
        (
            "colours=COLOUR_RED&colours=COLOUR_BLUE",
            json!({"colours": ["COLOUR_RED", "COLOUR_BLUE"]}),
        ),
        (
            "numbers=1&numbers=4294967295",
            json!({"numbers": [1, 4_294_967_295_u32]}),
        ),
        ("limit=0", json!({"limit": 0})),
        (
            "background=COLOUR_UNSPECIFIED",
            json!({"background": "COLOUR_UNSPECIFIED"}),
        ),
        ("wrappedText=", json!({"wrappedText": ""})),
        (
            "wrappedNumber=18446744073709551615",
            json!({"wrappedNumber": "18446744073709551615"}),
        ),
        ("wrappedFlag=false", json!({"wrappedFlag": false})),
        (
            "moments=2024-01-01T00:00:00Z&moments=1970-01-01T01:00:00%2B01:00",
            json!({"moments": ["2024-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]}),
        ),
        (
            "filter.window.startTime=2024-01-01T00:00:00Z&filter.window.length=1.5s&filter.words=a&filter.words=b",
            json!({"filter": {
                "window": {"startTime": "2024-01-01T00:00:00Z", "length": "1.500s"},
                "words": ["a", "b"],
            }}),
        ),
        (
            "filter.window.start_time=1970-01-01T00:00:00Z",
            json!({
                "filter": {"window": {"startTime": "1970-01-01T00:00:00Z"}},
            }),
        ),
        ("", json!({})),
    ];
    for (query, wanted) in table {
        let answer = get(&format!("/v1/shapes?{query}")).await;
        assert_eq!(answer.json()["request"], wanted, "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused_by_name() {
    let many = "numbers=1&".repeat(2049);
    let table = [
        (
            "/v1/shapes?colour=COLOUR_GREEN",
            "INVALID_PARAMETER",
            "'colour' must be the name of a value of its enum",
        ),
        ("/v1/shapes?colour=1", "INVALID_PARAMETER", "'colour'"),
        (
            "/v1/shapes?big=1.5",
            "INVALID_PARAMETER",
            "'big' must be a 64-bit integer",
        ),
        (
            "/v1/shapes?ratio=NaN",
            "INVALID_PARAMETER",
            "'ratio' must be a finite number",
        ),
        ("/v1/shapes?ratio=1e400", "INVALID_PARAMETER", "'ratio'"),
        (
            "/v1/shapes?openOnly=yes",
            "INVALID_PARAMETER",
            "'openOnly' must be true or false",
        ),
        (
            "/v1/shapes?moments=now",
            "INVALID_PARAMETER",
            "'moments' must be a time in RFC 3339",
        ),
        (
            "/v1/shapes?filter.window.length=5",
            "INVALID_PARAMETER",
            "seconds such as 1.5s",
        ),
        (
            "/v1/shapes?big=1&big=2",
            "DUPLICATE_PARAMETER",
            "'big' came more than once",
        ),
        (
            "/v1/shapes?openOnly=true&open_only=true",
            "DUPLICATE_PARAMETER",
            "open_only",
        ),
        ("/v1/shapes?nothing=1", "UNKNOWN_PARAMETER", "'nothing' is no parameter"),
        ("/v1/shapes?filter=1", "UNKNOWN_PARAMETER", "'filter'"),
        ("/v1/shapes?text=%FF", "MALFORMED_QUERY", "not plain text"),
        ("/v1/shapes?text=%00", "MALFORMED_QUERY", "not plain text"),
        (&format!("/v1/shapes?{many}"), "TOO_MANY_PARAMETERS", "at most 2048"),
        (
            "/v1/shapes/many",
            "INVALID_PARAMETER",
            "'number' must be a 32-bit integer",
        ),
        ("/v1/colours/red/solid/true/x", "INVALID_PARAMETER", "'colour'"),
        ("/v1/shelves/a%2Fb/shapes/x", "MALFORMED_PATH", "shape.shelf"),
        ("/v1/shelves/a%FFb/shapes/x", "MALFORMED_PATH", "shape.shelf"),
        ("/v1/shelves/a%0Ab/shapes/x", "MALFORMED_PATH", "shape.shelf"),
    ];
    for (target, reason, text) in table {
        let answer = get(target).await;
        assert_eq!((answer.status, answer.reason().as_str()), (400, reason), "{target}");
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains(text),
            "{target}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_partial_body_fills_one_field_and_the_answer_is_one_field() {
    let target = "/v1/shelves/top/shapes?requestId=r-1";
    let answer = send(Method::POST, target, JSON, r#"{"name": "round", "colour": 1}"#).await;
    let wanted = json!({"name": "round", "shelf": "top", "type": "r-1", "colour": "COLOUR_RED"});
    assert_eq!((answer.status, answer.json()), (200, wanted));
    let answer = send(Method::POST, target, &[], "").await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let answer = send(Method::POST, "/v1/shelves/top/shapes?shape.name=x", JSON, "{}").await;
    assert_eq!(answer.reason(), "UNKNOWN_PARAMETER");
}

#[tokio::test]
async fn a_whole_body_fills_what_the_path_does_not() {
    let target = "/v1/shelves/top/shapes/round";
    let body = r#"{"colour": "COLOUR_BLUE", "count": "3", "side": "1.5", "labels": {"a": "b"}}"#;
    let answer = send(
        Method::PUT,
        target,
        &[("content-type", "application/JSON; charset=UTF-8")],
        body,
    )
    .await;
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    for wanted in [
        r#"shelf: "top", name: "round""#,
        "colour: Blue, count: 3",
        r#"Side("1.5")"#,
    ] {
        assert!(name.contains(wanted), "{name}");
    }
    // The body may say again what the path says.
    assert_eq!(send(Method::PUT, target, JSON, r#"{"shelf": "top"}"#).await.status, 200);
    let answer = send(Method::PUT, target, JSON, r#"{"shelf": "low"}"#).await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "INVALID_PARAMETER"));
    assert_eq!(
        send(Method::PATCH, "/v1/shapes:replace", JSON, r#"{"shelf": "top"}"#)
            .await
            .status,
        200
    );
    assert_eq!(send(Method::PATCH, "/v1/shapes:replace", &[], "").await.status, 200);
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let table = [
        ("{", "MALFORMED_JSON"),
        ("", ""),
        ("{} x", "MALFORMED_JSON"),
        (&deep, "INVALID_FIELD"),
        ("[]", "INVALID_FIELD"),
        ("null", "INVALID_FIELD"),
        (r#"{"nothing": 1}"#, "UNKNOWN_FIELD"),
        (r#"{"count": 1, "count": 1}"#, "DUPLICATE_FIELD"),
        (r#"{"count": 1.5}"#, "INVALID_FIELD"),
        (r#"{"count": 2147483648}"#, "INVALID_FIELD"),
        (r#"{"count": null}"#, "INVALID_FIELD"),
        (r#"{"count": {}}"#, "INVALID_FIELD"),
        (r#"{"colour": "COLOUR_GREEN"}"#, "UNKNOWN_ENUM_VALUE"),
        (r#"{"colour": 99}"#, "INVALID_FIELD"),
        (r#"{"labels": {"a": "b", "a": "c"}}"#, "DUPLICATE_FIELD"),
        (r#"{"side": "1", "radius": "2"}"#, "DUPLICATE_FIELD"),
        (r#"{"everything": null}"#, "INVALID_FIELD"),
        (r#"{"everything": {"doubleValue": 1e400}}"#, "MALFORMED_JSON"),
        (r#"{"everything": {"doubleValue": "1e400"}}"#, "INVALID_FIELD"),
        (r#"{"everything": {"doubleValue": "NaN"}}"#, "INVALID_FIELD"),
        (r#"{"everything": {"doubleValue": NaN}}"#, "MALFORMED_JSON"),
        (r#"{"everything": {"time": "yesterday"}}"#, "INVALID_FIELD"),
        (r#"{"everything": {"chosenInt64": null}}"#, "INVALID_FIELD"),
        (r#"{"everything": {"bytesValue": "*"}}"#, "INVALID_FIELD"),
        (r#"{"side": "\u0000"}"#, "INVALID_FIELD"),
        (r#"{"side": "\\u0000"}"#, ""),
        (r#"{"side": "\ud800"}"#, "MALFORMED_JSON"),
    ];
    for (body, reason) in table {
        let answer = send(Method::PUT, "/v1/shelves/top/shapes/round", JSON, body).await;
        let (status, wanted) = if reason.is_empty() {
            (200, Value::Null)
        } else {
            (400, json!(reason))
        };
        let given = answer.json()["error"]["details"][0]["reason"].clone();
        assert_eq!((answer.status, given), (status, wanted), "{body}: {answer:?}");
    }
    for content_type in ["text/plain", "application/json; charset=latin1", ""] {
        let answer = send(
            Method::PUT,
            "/v1/shelves/top/shapes/x",
            &[("content-type", content_type)],
            "{}",
        )
        .await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{content_type}"
        );
    }
    let answer = send(Method::GET, "/v1/shapes", JSON, "{}").await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "UNEXPECTED_BODY"));
}
