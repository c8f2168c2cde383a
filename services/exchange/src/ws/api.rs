//! The WebSocket API: requests as over REST, sessions, and user data streams. listenKeys ended in February 2026; an
//! account's events come here.

use super::clients::ClientKind;
use super::connection::{self, Reply, Session, Work};
use super::request::{self, Asked, Desk, Done, Manner};
use crate::error::ApiError;
use crate::faults::End;
use crate::hub::Reader;
use crate::rest::Api;
use crate::rest::params::Params;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{Extensions, StatusCode};
use mesh::server::PeerAddress;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Accounts that one connection may listen to.
const MOST_SUBSCRIPTIONS: usize = 1_000;

pub(super) async fn open(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
    upgrade: WebSocketUpgrade,
) -> Response {
    let peer = extensions.get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(address)| address.ip());
    if let Err(refused) = api.charge(address, request::WEIGHT) {
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
                desk: Desk {
                    api: api.clone(),
                    address,
                },
                api: api.clone(),
                reader: reader.clone(),
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
    desk: Desk,
    connected: i64,
    /// Whether answers tell the limits unless the request says otherwise.
    shows_limits: bool,
    logon: Option<Logon>,
    subscriptions: BTreeMap<u64, Subscription>,
    /// What [`Hub::ended`](crate::hub::Hub::ended) was when they were looked through.
    ended: u64,
    next: u64,
}

impl Requests {
    /// Methods that concern this connection alone.
    async fn session(&mut self, asked: &Asked) -> Result<Value, ApiError> {
        self.desk.charge()?;
        let params = asked.params.as_ref().map_err(ApiError::clone)?;
        self.forget_ended();
        match asked.method.as_deref().map_err(ApiError::clone)? {
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
}

impl Session for Requests {
    async fn request(&mut self, text: &str) -> Work {
        let asked = Asked::read(text);
        let logged_on = self.logon.as_ref();
        let key = asked.api_key.as_deref();
        let key = key
            .or(logged_on.map(|logon| logon.api_key.as_str()))
            .unwrap_or_default();
        let (fate, framing) = self.api.faults.framed_request(asked.scope(), key);
        if fate.end == End::CutBefore {
            return Work::Done(Reply::Cut);
        }
        let manner = Manner {
            id: asked.id.clone(),
            shows_limits: asked.shows_limits.unwrap_or(self.shows_limits),
            fate,
            framing,
        };
        let Some(route) = asked.route() else {
            let result = self.session(&asked).await.map(Done::from);
            return Work::Done(self.desk.reply(manner, result).await);
        };
        let (desk, account) = (self.desk.clone(), logged_on.map(|logon| logon.account.clone()));
        Work::Beside(Box::pin(async move {
            let result = desk.perform(route, asked, account).await;
            desk.reply(manner, result).await
        }))
    }

    fn shutdown(&self) -> String {
        json!({"event": {"e": "serverShutdown", "E": self.api.millis()}}).to_string()
    }

    fn leave(&mut self) {
        self.end(|_| true, false);
    }
}
