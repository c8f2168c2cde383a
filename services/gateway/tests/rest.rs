//! REST through the gateway.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod common;

use common::{Answer, Platform, answer, config};
use gateway::Config;
use http::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends text as it is, and reads until the answer holds `until`.
async fn raw(platform: &Platform, text: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(platform.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut read = String::new();
    while !read.contains(until) {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        assert_ne!(length, 0, "{until} is not in {read}");
        read.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    read
}

fn submit(platform: &Platform, account: &str, body: &serde_json::Value) -> reqwest::RequestBuilder {
    let path = format!("/v1/accounts/{account}/orders");
    let mut order = json!({
        "clientOrderId": "1", "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_LIMIT", "quantity": "1",
    });
    let fields = body.as_object().unwrap().clone();
    order.as_object_mut().unwrap().extend(fields);
    platform
        .request(Method::POST, &path, Some(&platform.ada()))
        .header("content-type", "application/json")
        .body(order.to_string())
}

#[tokio::test]
async fn a_call_reaches_the_service_on_behalf_of_its_caller() {
    let platform = Platform::start(config()).await;
    let order = answer(submit(&platform, "paper-1", &json!({"symbol": "BTCUSDT"}))).await;
    assert_eq!(order.status, 200, "{order:?}");
    assert_eq!(
        order.json(),
        json!({"order": {"orderId": "ada", "clientOrderId": "gateway", "accountId": "paper-1"}})
    );
    assert_eq!(order.header("content-type"), "application/json");
    assert_eq!(order.header("x-content-type-options"), "nosniff");
    assert_eq!(order.header("x-frame-options"), "DENY");
    assert_eq!(order.header("referrer-policy"), "no-referrer");
    assert_eq!(order.header("cache-control"), "no-store");
    assert!(order.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(order.header("x-ratelimit-limit"), "2000");
    assert_eq!(order.header("x-ratelimit-remaining"), "1999");
    let refused = answer(submit(&platform, "paper-1", &json!({"symbol": "CLOSED"}))).await;
    assert_eq!(refused.refusal(), (422, "MARKET_CLOSED".to_owned()));
}

#[tokio::test]
async fn nobody_outside_speaks_as_a_service() {
    let platform = Platform::start(config()).await;
    let request = platform
        .request(Method::GET, "/v1/accounts/paper-1/orders/1", Some(&platform.ada()))
        .header("x-trademesh-service", "forged");
    let order = answer(request).await;
    assert_eq!(order.json()["order"]["clientOrderId"], "gateway");
}

#[tokio::test]
async fn a_request_has_one_id_from_the_client_to_the_service() {
    let platform = Platform::start(config()).await;
    let instrument = async |id: &'static str| {
        let request = platform.request(Method::GET, "/v1/instruments/BTCUSDT", Some(&platform.ada()));
        let answered = answer(request.header("x-request-id", id)).await;
        let seen = answered.json()["instrument"]["venue"].as_str().unwrap().to_owned();
        (answered.header("x-request-id").to_owned(), seen)
    };
    assert_eq!(instrument("mine-1").await, ("mine-1".to_owned(), "mine-1".to_owned()));
    for bad in ["", "not one", "a/b", &"x".repeat(65)] {
        let id: &'static str = bad.to_owned().leak();
        let (answered, seen) = instrument(id).await;
        assert_eq!(answered, seen);
        assert_eq!(answered.len(), 26, "{answered} is no new id");
    }
    let missing = platform
        .request(Method::GET, "/v1/instruments/MISSING", Some(&platform.ada()))
        .header("x-request-id", "mine-2");
    let missing = answer(missing).await;
    assert_eq!(missing.refusal(), (404, "UNKNOWN_SYMBOL".to_owned()));
    assert_eq!(missing.header("x-request-id"), "mine-2");
}

#[tokio::test]
async fn a_trace_goes_on_behind_the_gateway() {
    let platform = Platform::start(config()).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = platform
        .request(Method::GET, "/v1/instruments/BTCUSDT", Some(&platform.ada()))
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let seen = answer(request).await.json()["instrument"]["baseAsset"].to_string();
    assert!(seen.contains(trace), "{seen}");
}

#[tokio::test]
async fn whoever_may_not_is_refused() {
    let platform = Platform::start(config()).await;
    let with = async |token: Option<&str>, path: &str| answer(platform.request(Method::GET, path, token)).await;
    let orders = "/v1/accounts/paper-1/orders/1";
    let nobody = with(None, orders).await;
    assert_eq!(nobody.refusal(), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    assert_eq!(with(Some("forged"), orders).await.status, 401);
    let basic = platform
        .request(Method::GET, orders, None)
        .basic_auth("ada", Some("secret"));
    assert_eq!(answer(basic).await.refusal(), (401, "TOKEN_INVALID".to_owned()));
    let other = with(Some(&platform.ada()), "/v1/accounts/paper-2/orders/1").await;
    assert_eq!(other.refusal(), (403, "ACCOUNT_NOT_GRANTED".to_owned()));
    let viewer = platform.token("vera", &["viewer"], &["*"]);
    let order = platform
        .request(Method::POST, "/v1/accounts/paper-1/orders", Some(&viewer))
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(answer(order).await.refusal(), (403, "PERMISSION_DENIED".to_owned()));
}

#[tokio::test]
async fn an_expired_token_does_not_keep_anybody_from_logging_in() {
    let platform = Platform::start(config()).await;
    let token = platform.ada();
    platform.hand.advance(Duration::from_secs(4_000));
    let login = platform
        .request(Method::POST, "/v1/auth/login", Some(&token))
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(answer(login).await.status, 200);
    let instrument = answer(platform.request(Method::GET, "/v1/instruments/BTCUSDT", Some(&token))).await;
    assert_eq!(instrument.refusal(), (401, "TOKEN_EXPIRED".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_or_not_understood_is_refused() {
    let platform = Platform::start(Config {
        max_body_bytes: 300,
        ..config()
    })
    .await;
    assert_eq!(
        platform.get("/v1/nothing").await.refusal(),
        (404, "ROUTE_NOT_FOUND".to_owned())
    );
    for (path, method) in [("/v1/instruments", Method::DELETE), ("/openapi.json", Method::POST)] {
        let wrong = answer(platform.request(method, path, Some(&platform.ada()))).await;
        assert_eq!(wrong.refusal(), (405, "METHOD_NOT_ALLOWED".to_owned()));
        assert!(wrong.header("allow").starts_with("GET"), "{wrong:?}");
    }
    let long = answer(submit(&platform, "paper-1", &json!({"symbol": "X".repeat(300)}))).await;
    assert_eq!(long.refusal(), (413, "BODY_TOO_LARGE".to_owned()));
    let typo = answer(submit(&platform, "paper-1", &json!({"symbl": "X"}))).await;
    assert_eq!(typo.refusal(), (400, "UNKNOWN_FIELD".to_owned()));
    let parameter = platform.get("/v1/instruments?size=1").await;
    assert_eq!(parameter.refusal(), (400, "UNKNOWN_PARAMETER".to_owned()));
    let stub = platform.get("/v1/feed").await;
    assert_eq!(stub.status, 501, "{stub:?}");
    let away = platform.get("/v1/accounts/paper-1/positions").await;
    assert_eq!(away.status, 503, "{away:?}");
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let platform = Platform::start(Config {
        requests_per_second: 1,
        request_burst: 2,
        anonymous_requests_per_second: 1,
        anonymous_request_burst: 1,
        ..config()
    })
    .await;
    let limited = |answer: Answer, limit: &str| {
        assert_eq!(answer.refusal(), (429, "RATE_LIMITED".to_owned()));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("x-ratelimit-limit"), limit);
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
        assert_eq!(answer.header("x-ratelimit-reset"), "1");
    };
    for _ in 0..2 {
        assert_eq!(platform.get("/v1/instruments/BTCUSDT").await.status, 200);
    }
    limited(platform.get("/v1/instruments/BTCUSDT").await, "2");
    // Tokens that do not verify are tried on the address's account.
    let forged = || answer(platform.request(Method::GET, "/v1/instruments/BTCUSDT", Some("forged")));
    assert_eq!(forged().await.status, 401);
    limited(forged().await, "1");
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let platform = Platform::start(Config {
        request_timeout_ms: 100,
        ..config()
    })
    .await;
    assert_eq!(platform.get("/v1/instruments/SLOW").await.status, 504);
    let head = format!(
        "POST /v1/accounts/paper-1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n",
        platform.ada()
    );
    raw(&platform, &format!("{head}content-length: 10\r\n\r\n"), "BODY_TOO_SLOW").await;
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\nno length\r\n");
    let broken = raw(&platform, &chunked, "BODY_BROKEN").await;
    assert!(broken.starts_with("HTTP/1.1 400"), "{broken}");
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_asks() {
    let platform = Platform::start(config()).await;
    let plain = platform.get("/v1/instruments").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.json()["instruments"].as_array().unwrap().len(), 200);
    let request = platform
        .request(Method::GET, "/v1/instruments", Some(&platform.ada()))
        .header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < plain.text.len() / 4);
}

#[tokio::test]
async fn pages_are_served_from_the_binary() {
    let platform = Platform::start(config()).await;
    let page = async |path: &str| answer(platform.request(Method::GET, path, None)).await;
    let root = page("/").await;
    assert_eq!((root.status, root.header("location")), (307, "/docs/"));
    let openapi = page("/openapi.json").await;
    assert_eq!(openapi.header("content-type"), "application/json");
    assert!(openapi.json()["paths"]["/v1/instruments"].is_object());
    let docs = page("/docs/").await;
    assert_eq!(docs.status, 200);
    assert!(docs.header("content-security-policy").contains("default-src 'self'"));
    assert!(
        !docs.text.contains("http://") && !docs.text.contains("https://"),
        "{}",
        docs.text
    );
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(docs.text.contains(file), "{}", docs.text);
        assert_eq!(page(&format!("/docs/{file}")).await.status, 200, "{file}");
    }
    assert!(
        page("/docs/swagger-initializer.js")
            .await
            .text
            .contains("/openapi.json")
    );
}

#[tokio::test]
async fn a_wrong_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _hand) = mesh::time::Clock::manual(0);
    let bed = mesh::app::testing::Bed::new(folder.path(), clock, mesh::time::Chance::seeded(1));
    let config = Config {
        address: "nowhere".to_owned(),
        ..Config::default()
    };
    let error = gateway::build(config, bed.deps(gateway::NAME)).await.err().unwrap();
    assert_eq!(error.reason(), "CONFIG_INVALID");
    assert_eq!(error.context()["key"], "gateway.address");
    let config = Config {
        request_burst: 0,
        ..Config::default()
    };
    let error = gateway::build(config, bed.deps(gateway::NAME)).await.err().unwrap();
    assert_eq!(error.reason(), "CONFIG_OUT_OF_BOUNDS");
    assert_eq!(error.message(), "gateway.request_burst must be 1 to 10000000, not 0");
}
