//! Batches, and cancel on disconnect over each of the gateway's ways, with the real binary.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use futures::{SinkExt, StreamExt};
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh_tests::client::Rest;
use mesh_tests::process::{Platform, folder, tool};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const ORDERS: &str = "/v1/accounts/paper-1/orders";

struct Desk {
    platform: Platform,
    admin: Rest,
    token: String,
    price: String,
}

impl Desk {
    /// An order that rests.
    async fn rest(&self, id: &str) -> String {
        let order = json!({
            "clientOrderId": id, "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_LIMIT",
            "quantity": "0.01", "price": self.price,
        });
        let accepted = self.admin.post(ORDERS, &order).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        let path = format!("{ORDERS}/{}", accepted.body["order"]["orderId"].as_str().unwrap());
        self.admin
            .get_until(&path, |body| body["order"]["status"] == "ORDER_STATUS_OPEN")
            .await;
        path
    }

    async fn cancelled(&self, path: &str) {
        self.admin
            .get_until(path, |body| body["order"]["status"] == "ORDER_STATUS_CANCELLED")
            .await;
    }

    /// A session over server-sent events.
    async fn over_sse(&self) -> reqwest::Response {
        let url = format!("{}/v1/accounts/paper-1/sessions/sse:open", self.platform.gateway());
        let request = reqwest::Client::new().post(url).bearer_auth(&self.token);
        let request = request
            .header("content-type", "application/json")
            .body(r#"{"graceMs": 1}"#);
        let mut stream = request.send().await.unwrap();
        assert_eq!(stream.status(), 200);
        let first = stream.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(b"data: "), "{first:?}");
        stream
    }

    /// A session over the WebSocket.
    async fn over_websocket(&self) -> impl Sized {
        let url = format!("{}/ws", self.platform.gateway().replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.token);
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let open = json!({"accountId": "paper-1", "sessionId": "ws", "graceMs": 1}).to_string();
        let topic = "trademesh.trading.v1.TradingService/OpenSession";
        let frame = json!({"id": "1", "subscribe": {"topic": topic, "requestJson": open}});
        socket.send(Message::text(frame.to_string())).await.unwrap();
        loop {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            assert!(frame["error"].is_null(), "{frame}");
            if frame["messageJson"].is_string() {
                return socket;
            }
        }
    }

    /// A session over gRPC.
    async fn over_grpc(&self) -> impl Sized {
        let channel = tonic::transport::Endpoint::from_shared(self.platform.gateway()).unwrap();
        let mut client = TradingServiceClient::new(channel.connect().await.unwrap());
        let open = pb::OpenSessionRequest {
            account_id: "paper-1".into(),
            session_id: "grpc".into(),
            grace_ms: 1,
            ..Default::default()
        };
        let mut request = tonic::Request::new(open);
        let bearer = format!("Bearer {}", self.token);
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let mut stream = client.open_session(request).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();
        (client, stream)
    }
}

#[tokio::test]
async fn a_client_that_is_lost_loses_its_orders_whichever_way_it_came() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let settings = [
        "--set",
        "exchange.symbols=12",
        "--set",
        "trading.limits.duplicate_window_ms=0",
    ];
    let platform = Platform::up(&binary, folder.path(), &settings);
    let nobody = Rest::new(&platform.gateway());
    let password = platform.admin_password();
    let login = json!({"userName": "admin", "password": password});
    let login = nobody.post("/v1/auth/login", &login).await.body;
    let token = login["tokens"]["accessToken"].as_str().unwrap().to_owned();
    let admin = nobody.with_token(&token);
    let bid = mesh_tests::market::known(&admin, "paper-1", "BTCUSDT").await;
    let price = (bid * Decimal::new(97, 2)).round_dp(2).to_string();
    let desk = Desk {
        platform,
        admin,
        token,
        price,
    };

    let order = desk.rest("sse").await;
    drop(desk.over_sse().await);
    desk.cancelled(&order).await;
    let order = desk.rest("ws").await;
    drop(desk.over_websocket().await);
    desk.cancelled(&order).await;
    let order = desk.rest("grpc").await;
    drop(desk.over_grpc().await);
    desk.cancelled(&order).await;

    // A goodbye leaves the orders, over REST as well.
    let order = desk.rest("goodbye").await;
    let stream = desk.over_sse().await;
    let goodbye = desk
        .admin
        .post("/v1/accounts/paper-1/sessions/sse:close", &json!({}))
        .await;
    assert_eq!(goodbye.status, 200, "{}", goodbye.body);
    drop(stream);
    batches(&desk, &order).await;
}

/// Entries of a batch are answered one by one; the order that was left stands until it is cancelled by one.
async fn batches(desk: &Desk, order: &str) {
    let entry = |id: &str, quantity: &str| {
        json!({
            "clientOrderId": id, "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_LIMIT",
            "quantity": quantity, "price": desk.price,
        })
    };
    // One that is no order refuses them all; one whose fields do not go together is answered as itself.
    let batch = json!({"orders": [entry("b-1", "0.01"), entry("b-2", "much")]});
    let refused = desk.admin.post(&format!("{ORDERS}:batchSubmit"), &batch).await;
    assert_eq!(
        (refused.status, refused.reason()),
        (400, "INVALID_FIELD"),
        "{}",
        refused.body
    );
    let batch = json!({"orders": [entry("b-1", "0.01"), entry("b-2", ""), entry("b-3", "0.01")]});
    let answer = desk.admin.post(&format!("{ORDERS}:batchSubmit"), &batch).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.body["results"].as_array().unwrap();
    assert_eq!(results[0]["order"]["clientOrderId"], "b-1");
    assert_eq!(results[1]["refusal"]["reason"], "FIELD_COMBINATION");
    assert_eq!(results[2]["order"]["clientOrderId"], "b-3");
    let left = desk.admin.get(order).await.body;
    assert_eq!(left["order"]["status"], "ORDER_STATUS_OPEN");
    let ids = [
        &results[0]["order"]["orderId"],
        &results[2]["order"]["orderId"],
        &left["order"]["orderId"],
    ];
    let cancels = json!({"cancels": ids.map(|id| json!({"orderId": id}))});
    let answer = desk.admin.post(&format!("{ORDERS}:batchCancel"), &cancels).await;
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 3, "{}", answer.body);
    for id in ids {
        desk.cancelled(&format!("{ORDERS}/{}", id.as_str().unwrap())).await;
    }
    let empty = desk
        .admin
        .post(&format!("{ORDERS}:batchSubmit"), &json!({"orders": []}))
        .await;
    assert_eq!((empty.status, empty.reason()), (400, "INVALID_FIELD"));
}
