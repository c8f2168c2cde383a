//! The WebSocket API: sessions and user data streams. listenKeys ended in February 2026; an account's events come here.

use super::clients::ClientKind;
use super::connection::{self, Session};
use crate::error::ApiError;
use crate::faults::{End, Scope};
use crate::hub::Reader;
use crate::rest::Api;
use crate::rest::params::Params;
use crate::wire::info;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use http::{Extensions, StatusCode};
use mesh::server::PeerAddress;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Accounts that one connection may listen to.
const MOST_SUBSCRIPTIONS: usize = 1_000;

/// Weight of each method.
const WEIGHT: u32 = 2;

pub(super) async fn open(State(api): State<Arc<Api>>, extensions: Extensions, upgrade: WebSocketUpgrade) -> Response {
    let Some(place) = api.clients.take(ClientKind::Api) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections").into_response();
    };
    let peer = extensions.get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(address)| address.ip());
    upgrade
        .max_message_size(connection::MOST_BYTES)
        .on_upgrade(async move |socket| {
            let (reader, frames) = api.hub.reader(false);
            let session = Requests {
                connected: api.millis(),
                api: api.clone(),
                reader: reader.clone(),
                address,
                logon: None,
                subscriptions: BTreeMap::new(),
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
    logon: Option<Logon>,
    subscriptions: BTreeMap<u64, Subscription>,
    next: u64,
}

/// Parameters as text: strings as they are, numbers and booleans as JSON writes them.
fn texts(params: &Map<String, Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
        _ => Err(ApiError::bad(
            -1130,
            format!("Data sent for parameter '{name:.40}' is not valid."),
        )),
    };
    params.iter().map(text).collect()
}

impl Requests {
    async fn perform(&mut self, method: &str, params: &Params) -> Result<Value, ApiError> {
        self.api.meter.lock().weigh(self.address, WEIGHT, (self.api.now)())?;
        match method {
            "ping" => Ok(json!({})),
            "time" => Ok(json!({"serverTime": self.api.millis()})),
            "session.logon" => self.log_on(params).await,
            "session.status" => Ok(self.status()),
            "session.logout" => {
                self.logon = None;
                self.end(|subscription| subscription.by_logon);
                Ok(self.status())
            }
            "session.subscriptions" => Ok(self
                .subscriptions
                .keys()
                .map(|id| json!({"subscriptionId": id}))
                .collect()),
            "userDataStream.subscribe" => {
                let logon = self.logon.as_ref().ok_or_else(not_logged_on)?;
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
            "returnRateLimits": true,
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
            None => self.end(|_| true),
            Some(id) => {
                let id = id.unsigned_abs();
                let subscription = self.subscriptions.remove(&id);
                let subscription =
                    subscription.ok_or_else(|| ApiError::bad(-2036, "User Data Stream subscription not active."))?;
                self.api.hub.unsubscribe_account(&subscription.account, &self.reader);
            }
        }
        Ok(json!({}))
    }

    fn end(&mut self, which: impl Fn(&Subscription) -> bool) {
        let (api, reader) = (&self.api, &self.reader);
        self.subscriptions.retain(|_, subscription| {
            let ends = which(subscription);
            if ends {
                api.hub.unsubscribe_account(&subscription.account, reader);
            }
            !ends
        });
    }

    fn rate_limits(&self) -> Value {
        let meter = self.api.meter.lock();
        let mut weight = info::rate_limits(&meter.limits())[0].take();
        weight["count"] = meter.weight(self.address, (self.api.now)()).into();
        json!([weight])
    }
}

/// The narrowest scope of faults that holds a method.
fn scope(method: Option<&str>) -> Scope {
    match method {
        Some(name) if name.starts_with("session.") || name.starts_with("userDataStream.") => Scope::Signed,
        _ => Scope::All,
    }
}

fn not_logged_on() -> ApiError {
    ApiError {
        status: 401,
        ..ApiError::bad(-2015, "Invalid API-key, IP, or permissions for action.")
    }
}

impl Session for Requests {
    async fn request(&mut self, text: &str) -> Option<String> {
        let request = serde_json::from_str::<Value>(text).ok();
        let id = request.as_ref().map_or(Value::Null, |request| request["id"].clone());
        let fate = {
            let method = request.as_ref().and_then(|request| request["method"].as_str());
            let key = request
                .as_ref()
                .and_then(|request| request["params"]["apiKey"].as_str());
            let key = key.or(self.logon.as_ref().map(|logon| logon.api_key.as_str()));
            self.api.faults.request(scope(method), key.unwrap_or_default())
        };
        if fate.end == End::CutBefore {
            return None;
        }
        let result = match request.as_ref().and_then(Value::as_object) {
            None => Err(ApiError::bad(-1135, "Invalid JSON Request")),
            Some(request) => {
                let none = Map::new();
                let params = request.get("params").and_then(Value::as_object).unwrap_or(&none);
                match (request.get("method").and_then(Value::as_str), texts(params)) {
                    (None, _) => Err(ApiError::missing("method")),
                    (_, Err(error)) => Err(error),
                    (Some(method), Ok(values)) => self.perform(method, &Params::sorted(values)).await,
                }
            }
        };
        tokio::time::sleep(fate.delay).await;
        let result = match fate.end {
            End::CutAfter => return None,
            End::Unknown => Err(ApiError::unknown_outcome()),
            End::Reply | End::CutBefore => result,
        };
        let answer = match result {
            Ok(result) => json!({"id": id, "status": 200, "result": result, "rateLimits": self.rate_limits()}),
            Err(error) => json!({
                "id": id, "status": error.status,
                "error": {"code": error.code, "msg": error.message},
                "rateLimits": self.rate_limits(),
            }),
        };
        Some(answer.to_string())
    }

    fn leave(&mut self) {
        self.end(|_| true);
    }
}
