//! The log's line for calls that leave an audit record.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod common;

use common::{Platform, answer, config, fakes};
use http::Method;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Subject, method, status, reason and request of each line.
    fn lines(&self) -> Vec<[String; 5]> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let fields = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            ["subject", "method", "status", "reason", "request_id"]
                .map(|name| line["fields"][name].as_str().unwrap().to_owned())
        };
        text.lines().map(fields).collect()
    }
}

#[tokio::test]
async fn calls_that_matter_are_logged_with_who_made_them() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter("audit=info")
        .with_writer(move || writer.clone())
        .init();
    let platform = Platform::start(config()).await;
    let submit = |account: &str, token: Option<&str>, id: &str| {
        let path = format!("/v1/accounts/{account}/orders");
        let request = platform.request(Method::POST, &path, token);
        let request = request
            .header("content-type", "application/json")
            .header("x-request-id", id);
        let order =
            r#"{"clientOrderId":"1","symbol":"BTCUSDT","side":"SIDE_BUY","type":"ORDER_TYPE_LIMIT","quantity":"1"}"#;
        answer(request.body(order))
    };
    submit("paper-1", Some(&platform.ada()), "a").await;
    submit("paper-2", Some(&platform.ada()), "b").await;
    submit("paper-1", None, "c").await;
    submit("paper-1", Some("forged"), "d").await;
    platform.get("/v1/instruments").await;
    let mut trading = TradingServiceClient::new(platform.grpc().await);
    for (symbol, id) in [("BTCUSDT", "e"), ("CLOSED", "f")] {
        let mut request = tonic::Request::new(fakes::order(symbol));
        let bearer = format!("Bearer {}", platform.ada());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        let _ = trading.submit_order(request).await;
    }
    let lines = log.lines();
    let method = "/trademesh.trading.v1.TradingService/SubmitOrder";
    assert!(lines.iter().all(|line| line[1] == method), "{lines:?}");
    let told: Vec<[&str; 4]> = lines
        .iter()
        .map(|[subject, _, status, reason, id]| [subject.as_str(), status, reason, id])
        .collect();
    assert_eq!(
        told[..3],
        [
            ["ada", "ok", "", "a"],
            ["ada", "denied", "ACCOUNT_NOT_GRANTED", "b"],
            ["nobody", "unauthenticated", "UNAUTHENTICATED", "c"],
        ]
    );
    assert_eq!((told[3][0], told[3][1], told[3][3]), ("nobody", "unauthenticated", "d"));
    assert_eq!(
        told[4..],
        [["ada", "ok", "", "e"], ["ada", "refused", "MARKET_CLOSED", "f"]]
    );
}
