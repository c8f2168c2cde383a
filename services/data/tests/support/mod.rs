//! A venue on a real local port, which says what the test tells it to say.
#![allow(dead_code)]

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use mesh::app::testing::Bed;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::time::{Chance, Clock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, watch};

/// What goes to every open stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// A text frame.
    Send(String),
    /// A ping.
    Ping,
    /// A binary frame, which no venue sends.
    Binary,
    /// A close frame.
    Close,
    /// The connection breaks without a word.
    Drop,
}

/// What the venue says.
#[derive(Debug)]
pub struct Script {
    /// `exchangeInfo`.
    pub exchange_info: Mutex<String>,
    /// `depth`, by symbol; a symbol without an answer is refused.
    pub depth: Mutex<BTreeMap<String, String>>,
    /// Whether every symbol traded once a second since ever, one unit at 100; else no klines.
    pub traded: std::sync::atomic::AtomicBool,
    /// Frames of every new stream.
    pub on_connect: Mutex<Vec<String>>,
    /// The next REST calls are refused so: status, `Retry-After`, body.
    pub refusals: Mutex<VecDeque<(u16, Option<u64>, String)>>,
    /// REST calls so far.
    pub calls: watch::Sender<Vec<String>>,
    /// Streams opened so far, with their addresses.
    pub streams: watch::Sender<Vec<String>>,
    commands: broadcast::Sender<Command>,
}

/// The venue.
#[derive(Debug, Clone)]
pub struct Venue {
    /// What it says.
    pub script: Arc<Script>,
    /// `127.0.0.1:port`.
    pub address: String,
}

impl Venue {
    /// A venue of `symbols` with empty books.
    pub async fn start(symbols: &[&str]) -> Venue {
        let script = Arc::new(Script {
            exchange_info: Mutex::new(exchange_info(symbols)),
            depth: Mutex::default(),
            traded: Default::default(),
            on_connect: Mutex::default(),
            refusals: Mutex::default(),
            calls: watch::Sender::default(),
            streams: watch::Sender::default(),
            commands: broadcast::channel(4_096).0,
        });
        let router = Router::new()
            .route("/api/v3/{*call}", get(rest))
            .route("/stream", any(stream))
            .with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Venue { script, address }
    }

    /// Sets the answer to a depth request.
    pub fn depth(&self, symbol: &str, last_id: i64, bids: &str, asks: &str) {
        let answer = format!("{{\"lastUpdateId\":{last_id},\"bids\":{bids},\"asks\":{asks}}}");
        self.script.depth.lock().unwrap().insert(symbol.to_owned(), answer);
    }

    /// Says something on every open stream.
    pub fn say(&self, command: Command) {
        let _ = self.script.commands.send(command);
    }

    /// Sends a text frame on every open stream.
    pub fn send(&self, text: &str) {
        self.say(Command::Send(text.to_owned()));
    }

    /// The configuration that follows this venue.
    pub fn config(&self) -> data::Config {
        data::Config {
            rest_url: format!("http://{}", self.address),
            ws_url: format!("ws://{}", self.address),
            backoff_base_ms: 5,
            backoff_max_ms: 20,
            snapshot_retry_ms: 100,
            ..data::Config::default()
        }
    }

    /// Waits until `count` streams were opened.
    pub async fn opened(&self, count: usize) {
        let mut streams = self.script.streams.subscribe();
        streams.wait_for(|streams| streams.len() >= count).await.unwrap();
    }

    /// Waits until `count` calls began with `prefix`.
    pub async fn called(&self, prefix: &str, count: usize) {
        let mut calls = self.script.calls.subscribe();
        let enough = |calls: &Vec<String>| calls.iter().filter(|call| call.starts_with(prefix)).count() >= count;
        calls.wait_for(enough).await.unwrap();
    }
}

/// `exchangeInfo` of markets with common rules.
pub fn exchange_info(symbols: &[&str]) -> String {
    let symbols: Vec<String> = symbols
        .iter()
        .map(|symbol| {
            format!(
                r#"{{"symbol":"{symbol}","status":"TRADING","baseAsset":"B{}","quoteAsset":"Q","filters":[
                {{"filterType":"PRICE_FILTER","tickSize":"0.00000001","maxPrice":"1000000"}},
                {{"filterType":"LOT_SIZE","stepSize":"0.1","minQty":"0.1","maxQty":"100000"}}]}}"#,
                &symbol[..3]
            )
        })
        .collect();
    format!(
        r#"{{"rateLimits":[{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}}],"symbols":[{}]}}"#,
        symbols.join(",")
    )
}

async fn rest(State(script): State<Arc<Script>>, uri: Uri, Query(query): Query<BTreeMap<String, String>>) -> Response {
    script.calls.send_modify(|calls| calls.push(uri.to_string()));
    let refusal = script.refusals.lock().unwrap().pop_front();
    if let Some((status, retry_after, body)) = refusal {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.into());
        }
        return (StatusCode::from_u16(status).unwrap(), headers, body).into_response();
    }
    let symbol = query.get("symbol").cloned().unwrap_or_default();
    let answer = match uri.path() {
        "/api/v3/exchangeInfo" => Some(script.exchange_info.lock().unwrap().clone()),
        "/api/v3/time" => Some(format!("{{\"serverTime\":{}}}", Clock::system().now_millis())),
        "/api/v3/depth" => script.depth.lock().unwrap().get(&symbol).cloned(),
        "/api/v3/klines" => {
            let is_traded = script.traded.load(std::sync::atomic::Ordering::Relaxed);
            Some(if is_traded { klines(&query) } else { "[]".to_owned() })
        }
        _ => None,
    };
    match answer {
        Some(answer) => ([("x-mbx-used-weight-1m", "7")], answer).into_response(),
        None => (StatusCode::BAD_REQUEST, r#"{"code":-1121,"msg":"Invalid symbol."}"#).into_response(),
    }
}

async fn stream(State(script): State<Arc<Script>>, uri: Uri, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| follow(socket, script, uri))
}

async fn follow(mut socket: WebSocket, script: Arc<Script>, uri: Uri) {
    let mut commands = script.commands.subscribe();
    let frames = script.on_connect.lock().unwrap().clone();
    script.streams.send_modify(|streams| streams.push(uri.to_string()));
    for frame in frames {
        if socket.send(Message::Text(frame.into())).await.is_err() {
            return;
        }
    }
    loop {
        let command = tokio::select! {
            command = commands.recv() => command.unwrap(),
            said = socket.recv() => match said {
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        let message = match command {
            Command::Send(text) => Message::Text(text.into()),
            Command::Ping => Message::Ping(Vec::new().into()),
            Command::Binary => Message::Binary(vec![1].into()),
            Command::Close => Message::Close(None),
            Command::Drop => return,
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The service as others call it.
pub struct Running {
    /// Keeps files.
    pub folder: tempfile::TempDir,
    /// The services.
    pub bed: Bed,
    /// Its readiness.
    pub readiness: mesh::app::Readiness,
    /// A client of it.
    pub client: MarketDataServiceClient<mesh::channel::Channel>,
}

/// Builds and registers the service.
pub async fn run(config: data::Config) -> Running {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder, config).await
}

/// Builds and registers the service in a folder that may hold its files already.
pub async fn run_in(folder: tempfile::TempDir, config: data::Config) -> Running {
    let bed = Bed::new(folder.path(), Clock::system(), Chance::seeded(7));
    let deps = bed.deps("data");
    let readiness = deps.readiness.clone();
    let service = data::build(config, deps).await.unwrap();
    bed.register("data", service.routes);
    let client = MarketDataServiceClient::new(bed.channels("tester").to("data"));
    Running {
        folder,
        bed,
        readiness,
        client,
    }
}

/// Klines of a market that trades once a second.
fn klines(query: &BTreeMap<String, String>) -> String {
    let seconds = match query["interval"].as_str() {
        "1s" => 1,
        "1m" => 60,
        "5m" => 300,
        _ => 3_600,
    };
    let (end, limit): (i64, i64) = (query["endTime"].parse().unwrap(), query["limit"].parse().unwrap());
    let span = seconds * 1_000;
    let last = end - end.rem_euclid(span);
    let row = |back: i64| {
        let open = last - back * span;
        format!(
            r#"[{open},"100","100","100","100","{seconds}",{},"{}",{seconds},"0","0","0"]"#,
            open + span - 1,
            seconds * 100
        )
    };
    let rows: Vec<String> = (0..limit).rev().map(row).collect();
    format!("[{}]", rows.join(","))
}
