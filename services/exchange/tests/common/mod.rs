//! A venue on a port of its own, with a manual clock, and a client that signs.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part of the harness"
)]

use async_trait::async_trait;
use exchange::Config;
use exchange::actor::Disk;
use exchange::core::ledger::Ledger;
use exchange::surface;
use futures::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const START: i64 = 1_700_000_000_000_000;
pub const SECRET: &str = "secret";

/// Records in memory; it can be told to fail.
#[derive(Clone, Default)]
pub struct Memory {
    pub records: Arc<Mutex<Vec<Vec<u8>>>>,
    pub broken: Arc<AtomicBool>,
}

#[async_trait]
impl Disk for Memory {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<(), String> {
        if self.broken.load(Ordering::Acquire) {
            return Err("disk gone".to_owned());
        }
        self.records.lock().extend(records);
        Ok(())
    }
}

pub struct TestVenue {
    pub address: SocketAddr,
    pub memory: Memory,
    pub clock: Arc<AtomicI64>,
    pub folder: PathBuf,
    pub api: Arc<exchange::rest::Api>,
    stop: Option<oneshot::Sender<()>>,
    pub actor: tokio::task::JoinHandle<Result<(), String>>,
}

pub fn config() -> Config {
    Config {
        symbols: 3,
        step_ms: 1,
        ..Config::default()
    }
}

pub fn accounts(folder: &Path) {
    for name in ["alice", "bob"] {
        let file = serde_json::json!({"account": name, "api_key": format!("key-{name}"), "secret": SECRET});
        std::fs::write(folder.join(format!("{name}.json")), file.to_string()).unwrap();
    }
}

impl TestVenue {
    pub async fn start(config: Config, folder: &Path) -> Self {
        accounts(folder);
        Self::over(config, folder, Memory::default(), START).await
    }

    pub async fn over(config: Config, folder: &Path, memory: Memory, time: i64) -> Self {
        let ledger = surface::replay(&config, memory.records.lock().clone()).unwrap();
        let disk = Box::new(memory.clone());
        let venue = Self::on(config, folder, (disk, ledger), time).await;
        Self { memory, ..venue }
    }

    /// On a disk that holds what the ledger says.
    pub async fn on(config: Config, folder: &Path, (disk, ledger): (Box<dyn Disk>, Ledger), time: i64) -> Self {
        let clock = Arc::new(AtomicI64::new(time));
        let now = {
            let clock = clock.clone();
            Arc::new(move || clock.load(Ordering::Acquire))
        };
        let surface = surface::open(&config, ledger, disk, folder.to_owned(), now)
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let actor = tokio::spawn(surface.actor.run(async move {
            let _ = stopped.await;
        }));
        let api = surface.api.clone();
        api.accounts.scan().await.unwrap();
        tokio::spawn(async move { axum::serve(listener, surface.router).await });
        Self {
            address,
            memory: Memory::default(),
            clock,
            folder: folder.to_owned(),
            api,
            stop: Some(stop),
            actor,
        }
    }

    pub fn advance(&self, micros: i64) {
        self.clock.fetch_add(micros, Ordering::AcqRel);
    }

    pub fn millis(&self) -> i64 {
        self.clock.load(Ordering::Acquire) / 1000
    }

    pub async fn stop(mut self) -> Memory {
        let _ = self.stop.take().unwrap().send(());
        self.actor.await.unwrap().unwrap();
        self.memory
    }

    pub async fn send(&self, method: Method, path: &str, key: Option<&str>, query: &str) -> Reply {
        let client = client();
        let url = format!("http://{}{path}?{query}", self.address);
        let mut request = client.request(method, url);
        if let Some(key) = key {
            request = request.header("X-MBX-APIKEY", key);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Reply {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    pub async fn get(&self, path: &str, query: &str) -> Reply {
        self.send(Method::GET, path, None, query).await
    }

    /// Signs `query` with a time for `account`.
    pub fn sign(&self, query: &str) -> String {
        let separator = if query.is_empty() { "" } else { "&" };
        let payload = format!("{query}{separator}timestamp={}", self.millis());
        format!("{payload}&signature={}", hmac(&payload))
    }

    pub async fn signed(&self, method: Method, path: &str, account: &str, query: &str) -> Reply {
        let signed = self.sign(query);
        self.send(method, path, Some(&format!("key-{account}")), &signed).await
    }

    /// As [`TestVenue::signed`]; `None` when the connection ended without an answer.
    pub async fn try_signed(&self, method: Method, path: &str, account: &str, query: &str) -> Option<Reply> {
        let url = format!("http://{}{path}?{}", self.address, self.sign(query));
        let request = client()
            .request(method, url)
            .header("X-MBX-APIKEY", format!("key-{account}"));
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.json().await.ok()?;
        Some(Reply { status, headers, body })
    }

    /// Best bid and ask of a symbol, as sent.
    pub async fn best(&self, symbol: &str) -> (String, String) {
        let book = self
            .get("/api/v3/ticker/bookTicker", &format!("symbol={symbol}"))
            .await
            .body;
        (
            book["bidPrice"].as_str().unwrap().to_owned(),
            book["askPrice"].as_str().unwrap().to_owned(),
        )
    }

    /// Moves the clock on until a frame comes.
    pub async fn next_frame(&self, socket: &mut Socket) -> Value {
        loop {
            self.advance(50_000);
            let soon = std::time::Duration::from_millis(5);
            if let Ok(frame) = tokio::time::timeout(soon, socket.next()).await {
                return frame;
            }
        }
    }

    pub async fn socket(&self, path: &str) -> Socket {
        let (stream, _) = tokio_tungstenite::connect_async(format!("ws://{}{path}", self.address))
            .await
            .unwrap();
        Socket(stream)
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub fn hmac(payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(payload.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.body
    }

    /// That this is the answer to a route that does not exist: a page, not a JSON error.
    pub fn is_of_no_route(&self) {
        let page = "<html><body><h2>404 Not found</h2></body></html>";
        assert_eq!((self.status, self.body.as_str()), (404, Some(page)));
        assert_eq!(self.headers["content-type"], "text/html");
    }

    pub fn code(&self) -> (u16, i64) {
        (self.status, self.body["code"].as_i64().unwrap_or_default())
    }
}

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn send(&mut self, value: Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
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

    /// Waits until the other side has ended the connection.
    pub async fn ended(&mut self) {
        while let Some(Ok(message)) = self.0.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    }

    pub async fn ask(&mut self, value: Value) -> Value {
        self.send(value).await;
        loop {
            let answer = self.next().await;
            if answer.get("id").is_some() {
                return answer;
            }
        }
    }
}

/// A decimal as a whole number of 10⁻⁸.
pub fn atoms(value: &Value) -> i128 {
    exchange::core::units::parse(value.as_str().unwrap()).unwrap()
}
