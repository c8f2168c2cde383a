//! The WebSocket API: requests as over REST, sessions, and user data streams. listenKeys ended in February 2026; an
//! account's events come here.

use super::clients::ClientKind;
use super::connection::{self, Reply, Session};
use super::methods;
use crate::error::ApiError;
use crate::faults::{End, Scope};
use crate::hub::Reader;
use crate::limits::OrderCount;
use crate::rest::params::Params;
use crate::rest::{Api, Caller, Route, perform, route};
use crate::wire::info;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, StatusCode};
use mesh::server::PeerAddress;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Accounts that one connection may listen to.
const MOST_SUBSCRIPTIONS: usize = 1_000;

/// Weight of connecting, and of each method of sessions and subscriptions.
const WEIGHT: u32 = 2;

pub(super) async fn open(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
    upgrade: WebSocketUpgrade,
) -> Response {
    let peer = extensions.get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(address)| address.ip());
    if let Err(refused) = api.charge(address, WEIGHT) {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
        return (status, refused.message).into_response();
    }
    let Some(place) = api.clients.take(ClientKind::Api) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections").into_response();
    };
    let shows_limits = !query.is_some_and(|query| query.split('&').any(|pair| pair == "returnRateLimits=false"));
    upgrade
        .max_message_size(connection::MOST_BYTES)
        .on_upgrade(async move |socket| {
            let (reader, frames) = api.hub.reader(false);
            let session = Requests {
                connected: api.millis(),
                api: api.clone(),
                reader: reader.clone(),
                address,
                shows_limits,
                logon: None,
                subscriptions: BTreeMap::new(),
                ended: api.hub.ended(),
                next: 0,
            };
            connection::serve(socket, &api, place, reader, frames, session).await;
        })
}

struct Logon {
    api_key: String,
    account: String,
    since: i64,
}

struct Subscription {
    account: String,
    by_logon: bool,
}

struct Requests {
    api: Arc<Api>,
    reader: Arc<Reader>,
    address: IpAddr,
    connected: i64,
    /// Whether answers tell the limits unless the request says otherwise.
    shows_limits: bool,
    logon: Option<Logon>,
    subscriptions: BTreeMap<u64, Subscription>,
    /// What [`Hub::ended`](crate::hub::Hub::ended) was when they were looked through.
    ended: u64,
    next: u64,
}

/// One request, as far as it could be read.
struct Asked {
    id: Value,
    method: Result<String, ApiError>,
    params: Result<Params, ApiError>,
    api_key: Option<String>,
    shows_limits: Option<bool>,
}

impl Asked {
    fn read(text: &str) -> Self {
        let request = serde_json::from_str::<Value>(text).ok();
        let Some(request) = request.as_ref().and_then(Value::as_object) else {
            return Self {
                id: Value::Null,
                method: Err(ApiError::bad(-1135, "Invalid JSON Request")),
                params: Ok(Params::default()),
                api_key: None,
                shows_limits: None,
            };
        };
        let none = Map::new();
        let params = request.get("params").and_then(Value::as_object).unwrap_or(&none);
        let method = request.get("method").and_then(Value::as_str);
        Self {
            id: request.get("id").cloned().unwrap_or(Value::Null),
            method: method
                .map(|name| name.strip_prefix("v3/").unwrap_or(name).to_owned())
                .ok_or_else(|| ApiError::missing("method")),
            api_key: params.get("apiKey").and_then(Value::as_str).map(str::to_owned),
            shows_limits: params.get("returnRateLimits").and_then(Value::as_bool),
            params: texts(params).map(Params::sorted),
        }
    }

    /// The route of the REST surface that does the same.
    fn route(&self) -> Option<Route> {
        let (method, path) = methods::route(self.method.as_deref().ok()?)?;
        route(method, path)
    }

    /// The narrowest scope of faults that holds the request.
    fn scope(&self) -> Scope {
        match (self.route(), self.method.as_deref()) {
            (Some((endpoint, _)), _) => endpoint.scope(),
            (None, Ok(name)) if name.starts_with("session.") || name.starts_with("userDataStream.") => Scope::Signed,
            _ => Scope::All,
        }
    }
}

/// Parameters as text: strings as they are, numbers, booleans and lists as JSON writes them.
fn texts(params: &Map<String, Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            Ok((name.clone(), value.to_string()))
        }
        _ => Err(ApiError::bad(
            -1130,
            format!("Data sent for parameter '{name:.40}' is not valid."),
        )),
    };
    params.iter().map(text).collect()
}

/// What is answered: JSON text, and the account whose order limits go with it.
struct Done {
    result: String,
    orders: Option<OrderCount>,
}

impl From<Value> for Done {
    fn from(result: Value) -> Self {
        Self {
            result: result.to_string(),
            orders: None,
        }
    }
}

impl Requests {
    async fn perform(&mut self, asked: Asked) -> Result<Done, ApiError> {
        let method = match &asked.method {
            Ok(method) => method.clone(),
            Err(error) => {
                self.api.charge(self.address, WEIGHT)?;
                return Err(error.clone());
            }
        };
        if let Some(route) = asked.route() {
            let caller = match (&asked.api_key, &self.logon) {
                (None, Some(logon)) => Caller::LoggedOn(&logon.account),
                (key, _) => Caller::Key(key.as_deref()),
            };
            let answer = perform(&self.api, route, self.address, caller, asked.params).await?;
            return Ok(Done {
                result: answer.body,
                orders: answer.orders,
            });
        }
        self.api.charge(self.address, WEIGHT)?;
        self.session(&method, &asked.params?).await.map(Done::from)
    }

    /// Methods that concern this connection alone.
    async fn session(&mut self, method: &str, params: &Params) -> Result<Value, ApiError> {
        self.forget_ended();
        match method {
            "session.logon" => self.log_on(params).await,
            "session.status" => Ok(self.status()),
            "session.logout" => {
                self.logon = None;
                self.end(|subscription| subscription.by_logon, true);
                Ok(self.status())
            }
            "session.subscriptions" => Ok(self
                .subscriptions
                .keys()
                .map(|id| json!({"subscriptionId": id}))
                .collect()),
            "userDataStream.subscribe" => {
                let logon = self.logon.as_ref().ok_or_else(ApiError::key)?;
                let account = logon.account.clone();
                self.subscribe(account, true)
            }
            "userDataStream.subscribe.signature" => {
                let api_key = params.required("apiKey")?;
                let account = self.api.accounts.authenticate(Some(api_key), params).await?.account;
                self.subscribe(account, false)
            }
            "userDataStream.unsubscribe" => self.unsubscribe(params),
            _ => Err(ApiError::bad(-1020, "This operation is not supported.")),
        }
    }

    async fn log_on(&mut self, params: &Params) -> Result<Value, ApiError> {
        let api_key = params.required("apiKey")?;
        let key = self.api.accounts.authenticate(Some(api_key), params).await?;
        if !key.may_log_on() {
            return Err(ApiError {
                status: 401,
                ..ApiError::bad(-4056, "HMAC_SHA256 API key is not supported.")
            });
        }
        self.logon = Some(Logon {
            api_key: api_key.to_owned(),
            account: key.account,
            since: self.api.millis(),
        });
        Ok(self.status())
    }

    fn status(&self) -> Value {
        json!({
            "apiKey": self.logon.as_ref().map(|logon| &logon.api_key),
            "authorizedSince": self.logon.as_ref().map(|logon| logon.since),
            "connectedSince": self.connected,
            "returnRateLimits": self.shows_limits,
            "serverTime": self.api.millis(),
            "userDataStream": !self.subscriptions.is_empty(),
        })
    }

    fn subscribe(&mut self, account: String, by_logon: bool) -> Result<Value, ApiError> {
        if self.subscriptions.values().any(|other| other.account == account) {
            return Err(ApiError::bad(-2035, "User Data Stream subscription already active."));
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            return Err(ApiError::bad(
                -1191,
                format!(
                    "Too many subscriptions. Connection may create up to '{MOST_SUBSCRIPTIONS}' subscriptions at a time."
                ),
            ));
        }
        let id = self.next;
        self.next += 1;
        self.api.hub.subscribe_account(&account, id, &self.reader);
        self.subscriptions.insert(id, Subscription { account, by_logon });
        Ok(json!({"subscriptionId": id}))
    }

    fn unsubscribe(&mut self, params: &Params) -> Result<Value, ApiError> {
        match params.number("subscriptionId")? {
            None => self.end(|_| true, true),
            Some(id) => {
                let id = id.unsigned_abs();
                let subscription = self.subscriptions.remove(&id);
                let subscription =
                    subscription.ok_or_else(|| ApiError::bad(-2036, "User Data Stream subscription not active."))?;
                self.api.hub.unsubscribe_account(&subscription.account, &self.reader);
                self.api.hub.end_subscription(id, &self.reader, self.api.millis());
            }
        }
        Ok(json!({}))
    }

    /// Forgets the subscriptions that the venue has ended.
    fn forget_ended(&mut self) {
        let (api, reader) = (&self.api, &self.reader);
        let ended = api.hub.ended();
        if std::mem::replace(&mut self.ended, ended) == ended {
            return;
        }
        self.subscriptions
            .retain(|id, subscription| api.hub.listens(&subscription.account, *id, reader));
    }

    /// Ends subscriptions, and says so on each when `told`.
    fn end(&mut self, which: impl Fn(&Subscription) -> bool, told: bool) {
        let (api, reader) = (&self.api, &self.reader);
        self.subscriptions.retain(|id, subscription| {
            let ends = which(subscription);
            if ends {
                api.hub.unsubscribe_account(&subscription.account, reader);
            }
            if ends && told {
                api.hub.end_subscription(*id, reader, api.millis());
            }
            !ends
        });
    }

    /// The limits that a request counted against.
    fn rate_limits(&self, orders: Option<OrderCount>) -> Value {
        let meter = self.api.meter.lock();
        let mut limits = info::rate_limits(&meter.limits());
        limits[0]["count"] = meter.weight(self.address, (self.api.now)()).into();
        match orders {
            Some(count) => {
                limits[1]["count"] = count.ten_seconds.into();
                limits[2]["count"] = count.day.into();
                json!([limits[1].take(), limits[2].take(), limits[0].take()])
            }
            None => json!([limits[0].take()]),
        }
    }

    /// The error of an answer; one that is to wait learns until when.
    fn error(&self, error: &ApiError) -> Value {
        let mut stated = json!({"code": error.code, "msg": error.message});
        if let Some(data) = &error.data {
            stated["data"] = data.clone();
        }
        if let Some(seconds) = error.retry_after {
            let now = self.api.millis();
            stated["data"] = json!({"serverTime": now, "retryAfter": now + seconds as i64 * 1_000});
        }
        stated
    }
}

impl Session for Requests {
    async fn request(&mut self, text: &str) -> Reply {
        let asked = Asked::read(text);
        let (id, shows_limits) = (asked.id.clone(), asked.shows_limits.unwrap_or(self.shows_limits));
        let logged_on = self.logon.as_ref().map(|logon| logon.api_key.as_str());
        let key = asked.api_key.as_deref().or(logged_on).unwrap_or_default();
        let (fate, framing) = self.api.faults.framed_request(asked.scope(), key);
        if fate.end == End::CutBefore {
            return Reply::Cut;
        }
        let result = self.perform(asked).await;
        tokio::time::sleep(fate.delay).await;
        let result = match fate.end {
            End::CutAfter => return Reply::Cut,
            End::Unknown => Err(ApiError::unknown_outcome()),
            End::Reply | End::CutBefore => result,
        };
        let (status, orders, body) = match &result {
            Ok(done) => (200, done.orders, format!("\"result\":{}", done.result)),
            Err(error) => (error.status, None, format!("\"error\":{}", self.error(error))),
        };
        let limits = if shows_limits {
            format!(",\"rateLimits\":{}", self.rate_limits(orders))
        } else {
            String::new()
        };
        let answer = format!("{{\"id\":{id},\"status\":{status},{body}{limits}}}");
        if status == 418 {
            Reply::Last(answer)
        } else {
            Reply::Answer(answer, framing)
        }
    }

    fn shutdown(&self) -> String {
        json!({"event": {"e": "serverShutdown", "E": self.api.millis()}}).to_string()
    }

    fn leave(&mut self) {
        self.end(|_| true, false);
    }
}
