//! A process with the gateway on a free port and fakes of two services behind it.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part of the harness"
)]

pub mod fakes;

use futures::{SinkExt, StreamExt};
use gateway::Config;
use http::{HeaderMap, Method};
use mesh::app::testing::Users;
use mesh::app::{App, AppConfig, Running};
use mesh::time::{Chance, Clock, ManualClock};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const QUOTES: &str = "trademesh.data.v1.MarketDataService/StreamQuotes";
pub const ORDERS: &str = "trademesh.trading.v1.TradingService/StreamOrderEvents";

pub struct Platform {
    pub running: Running,
    pub address: SocketAddr,
    pub clock: Clock,
    pub hand: ManualClock,
    users: Users,
    client: reqwest::Client,
    _folder: TempDir,
}

/// A free port, and limits that no test meets by accident.
pub fn config() -> Config {
    Config {
        address: "127.0.0.1:0".to_owned(),
        anonymous_request_burst: 1_000,
        ..Config::default()
    }
}

impl Platform {
    pub async fn start(config: Config) -> Platform {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(1_700_000_000_000_000);
        let app_config = AppConfig {
            data_dir: folder.path().to_owned(),
            drain_ms: 2_000,
            stop_ms: 2_000,
            ..AppConfig::default()
        };
        let mut app = App::new(app_config, clock.clone(), Chance::seeded(1));
        app.add("data", |_| async { Ok(fakes::data()) });
        app.add("trading", |_| async { Ok(fakes::trading()) });
        app.add("auth", |_| async { Ok(fakes::auth()) });
        app.add(gateway::NAME, move |deps| gateway::build(config, deps));
        let running = app.start().await.unwrap();
        running.ready().await;
        let users = Users::seeded(1);
        running.verifier().trust(users.public_key());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Platform {
            address: running.http_address(gateway::NAME).unwrap(),
            running,
            clock,
            hand,
            users,
            client,
            _folder: folder,
        }
    }

    /// A trader on paper-1.
    pub fn ada(&self) -> String {
        self.token("ada", &["trader"], &["paper-1"])
    }

    pub fn token(&self, subject: &str, roles: &[&str], accounts: &[&str]) -> String {
        self.users.token(&self.clock, subject, roles, accounts)
    }

    /// Ada's token, a moment before it expires.
    pub fn expiring(&self) -> String {
        let token = self.ada();
        self.hand.advance(Duration::from_millis(3_599_700));
        token
    }

    pub fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path, Some(&self.ada()))).await
    }

    pub async fn grpc(&self) -> tonic::transport::Channel {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    pub async fn socket(&self, token: &str) -> Socket {
        self.open("/ws", &[("authorization", &format!("Bearer {token}"))])
            .await
            .unwrap()
    }

    /// Opens a WebSocket, or tells the status that it was refused with.
    pub async fn open(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and reason of a refusal, whose body and header must name the same request.
    pub fn refusal(&self) -> (u16, String) {
        let error = &self.json()["error"];
        assert_eq!(error["code"], self.status);
        assert_eq!(error["details"][1]["requestId"], self.header("x-request-id"));
        (self.status, error["details"][0]["reason"].as_str().unwrap().to_owned())
    }
}

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn ask(&mut self, frame: Value) -> Value {
        self.send(&frame.to_string()).await;
        self.next().await
    }

    pub async fn subscribe(&mut self, topic: &str, request: Value) -> Value {
        let subscribe = json!({"topic": topic, "requestJson": request.to_string()});
        self.ask(json!({"id": "1", "subscribe": subscribe})).await
    }

    pub async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code and reason that the gateway closes with.
    pub async fn closed(mut self) -> (u16, String) {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Close(Some(CloseFrame { code, reason })) => return (code.into(), reason.to_string()),
                Message::Close(None) => panic!("closed without a code"),
                _ => {}
            }
        }
    }
}
