//! One request of the WebSocket API: as it is read, performed beside others, and answered.

use super::connection::Reply;
use super::methods;
use crate::error::ApiError;
use crate::faults::{End, Fate, Framing, Scope};
use crate::limits::OrderCount;
use crate::rest::params::Params;
use crate::rest::{Api, Caller, Route, perform, route};
use crate::wire::{info, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Weight of connecting, and of each method of sessions and subscriptions.
pub(super) const WEIGHT: u32 = 2;

/// One request, as far as it could be read.
pub(super) struct Asked {
    pub(super) id: Value,
    pub(super) method: Result<String, ApiError>,
    pub(super) params: Result<Params, ApiError>,
    pub(super) api_key: Option<String>,
    pub(super) shows_limits: Option<bool>,
}

impl Asked {
    /// Reads a text frame.
    pub(super) fn read(text: &str) -> Self {
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
    pub(super) fn route(&self) -> Option<Route> {
        let (method, path) = methods::route(self.method.as_deref().ok()?)?;
        route(method, path)
    }

    /// The narrowest scope of faults that holds the request.
    pub(super) fn scope(&self) -> Scope {
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
pub(super) struct Done {
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

/// How a request is answered.
pub(super) struct Manner {
    pub(super) id: Value,
    /// Whether with the limits.
    pub(super) shows_limits: bool,
    pub(super) fate: Fate,
    pub(super) framing: Framing,
}

/// Where the requests of a connection are performed and answered.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) api: Arc<Api>,
    /// Whose weight it is.
    pub(super) address: IpAddr,
}

impl Desk {
    /// Charges a request that concerns its connection alone.
    pub(super) fn charge(&self) -> Result<(), ApiError> {
        self.api.charge(self.address, WEIGHT)
    }

    /// Does what a route of the REST surface does; `account` is the one that was logged on.
    pub(super) async fn perform(&self, route: Route, asked: Asked, account: Option<String>) -> Result<Done, ApiError> {
        let caller = match (&asked.api_key, &account) {
            (None, Some(account)) => Caller::LoggedOn(account),
            (key, _) => Caller::Key(key.as_deref()),
        };
        let answer = perform(&self.api, route, self.address, caller, asked.params).await?;
        Ok(Done {
            result: answer.body,
            orders: answer.orders,
        })
    }

    /// The answer to a request that was performed.
    pub(super) async fn reply(&self, manner: Manner, result: Result<Done, ApiError>) -> Reply {
        manner.fate.hold().await;
        let result = match manner.fate.end {
            End::CutAfter => return Reply::Cut,
            End::Unknown => Err(ApiError::unknown_outcome()),
            End::Reply | End::CutBefore => result,
        };
        let (status, orders, body) = match &result {
            Ok(done) => (200, done.orders, format!("\"result\":{}", done.result)),
            Err(error) => (error.status, None, format!("\"error\":{}", self.error(error))),
        };
        let limits = if manner.shows_limits {
            format!(",\"rateLimits\":{}", self.rate_limits(orders))
        } else {
            String::new()
        };
        let answer = format!("{{\"id\":{},\"status\":{status},{body}{limits}}}", manner.id);
        if status == 418 {
            Reply::Last(answer)
        } else {
            Reply::Answer(answer, manner.framing)
        }
    }

    /// The limits that a request counted against.
    fn rate_limits(&self, orders: Option<OrderCount>) -> String {
        let meter = self.api.meter.lock();
        let [weight, ten_seconds, day] = info::rate_limits(&meter.limits());
        let weight = weight.used(meter.weight(self.address, (self.api.now)()));
        drop(meter);
        let limits = match orders {
            Some(count) => vec![ten_seconds.used(count.ten_seconds), day.used(count.day), weight],
            None => vec![weight],
        };
        text(&limits)
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
