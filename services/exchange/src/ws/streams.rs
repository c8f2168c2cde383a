//! Market streams: `/ws/<stream>`, `/stream?streams=<a>/<b>`, and SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS.

use super::clients::ClientKind;
use super::connection::{self, Reply, Session, Work};
use crate::faults::Framing;
use crate::hub::{Reader, Topic};
use crate::rest::Api;
use crate::rest::params::Params;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) async fn plain(
    State(api): State<Arc<Api>>,
    streams: Option<Path<String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(
        api,
        upgrade,
        streams.map(|Path(streams)| streams).unwrap_or_default(),
        false,
    )
}

pub(super) async fn combined(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let params = Params::read(query.as_deref().unwrap_or_default(), "");
    let streams = params
        .ok()
        .and_then(|params| params.text("streams").ok().flatten().map(str::to_owned));
    open(api, upgrade, streams.unwrap_or_default(), true)
}

fn open(api: Arc<Api>, upgrade: WebSocketUpgrade, streams: String, combined: bool) -> Response {
    let names: Vec<&str> = streams.split('/').filter(|name| !name.is_empty()).collect();
    let topics: Option<BTreeSet<Topic>> = names.iter().map(|name| api.hub.topic(name)).collect();
    let Some(topics) = topics.filter(|topics| topics.len() <= api.streams.max_streams) else {
        return (StatusCode::BAD_REQUEST, "unknown stream, or too many").into_response();
    };
    let Some(place) = api.clients.take(ClientKind::Market) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections").into_response();
    };
    upgrade
        .max_message_size(connection::MOST_BYTES)
        .on_upgrade(async move |socket| {
            let (reader, frames) = api.hub.reader(combined);
            topics.iter().for_each(|topic| api.hub.subscribe(*topic, &reader));
            let session = Streams {
                api: api.clone(),
                reader: reader.clone(),
                topics,
            };
            connection::serve(socket, &api, place, reader, frames, session).await;
        })
}

struct Streams {
    api: Arc<Api>,
    reader: Arc<Reader>,
    topics: BTreeSet<Topic>,
}

/// A refusal of a stream request.
struct Fault(u8, String);

impl Streams {
    fn topics_of(&self, request: &Value) -> Result<Vec<Topic>, Fault> {
        let invalid = |reason: &str| Fault(2, format!("Invalid request: {reason}"));
        let names = request["params"]
            .as_array()
            .ok_or_else(|| invalid("params must be an array of strings"))?;
        let topic = |name: &Value| {
            let name = name
                .as_str()
                .ok_or_else(|| invalid("params must be an array of strings"))?;
            self.api.hub.topic(name).ok_or_else(|| invalid("unknown stream"))
        };
        names.iter().map(topic).collect()
    }

    fn perform(&mut self, request: &Value) -> Result<Value, Fault> {
        match request["method"].as_str() {
            Some("SUBSCRIBE") => {
                let topics = self.topics_of(request)?;
                let mut wanted = self.topics.clone();
                wanted.extend(&topics);
                if wanted.len() > self.api.streams.max_streams {
                    return Err(Fault(2, "Invalid request: too many streams".to_owned()));
                }
                topics
                    .into_iter()
                    .for_each(|topic| self.api.hub.subscribe(topic, &self.reader));
                self.topics = wanted;
                Ok(Value::Null)
            }
            Some("UNSUBSCRIBE") => {
                for topic in self.topics_of(request)? {
                    self.api.hub.unsubscribe(topic, &self.reader);
                    self.topics.remove(&topic);
                }
                Ok(Value::Null)
            }
            Some("LIST_SUBSCRIPTIONS") => Ok(self.topics.iter().map(|topic| self.api.hub.name(*topic)).collect()),
            Some("GET_PROPERTY") => match request["params"].as_array().map(Vec::as_slice) {
                None | Some([]) => Ok(json!(self.reader.is_combined())),
                Some([Value::String(name)]) if name == "combined" => Ok(json!(self.reader.is_combined())),
                Some(_) => Err(unknown_property()),
            },
            Some("SET_PROPERTY") => match request["params"].as_array().map(Vec::as_slice) {
                Some([Value::String(name), Value::Bool(combined)]) if name == "combined" => {
                    self.reader.set_combined(*combined);
                    Ok(Value::Null)
                }
                _ => Err(unknown_property()),
            },
            Some(other) => Err(Fault(2, format!("Invalid request: unknown method {other:.40}"))),
            None => Err(Fault(2, "Invalid request: method must be a string".to_owned())),
        }
    }
}

fn unknown_property() -> Fault {
    Fault(0, "Unknown property".to_owned())
}

impl Session for Streams {
    async fn request(&mut self, text: &str) -> Work {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            let answer = json!({"error": {"code": 3, "msg": "Invalid JSON"}});
            return Work::Done(Reply::Answer(answer.to_string(), Framing::default()));
        };
        let id = request["id"].clone();
        let answer = match self.perform(&request) {
            Ok(result) => json!({"result": result, "id": id}),
            Err(Fault(code, message)) => json!({"error": {"code": code, "msg": message}, "id": id}),
        };
        Work::Done(Reply::Answer(answer.to_string(), Framing::default()))
    }

    fn shutdown(&self) -> String {
        let event = json!({"e": "serverShutdown", "E": self.api.millis()});
        if self.reader.is_combined() {
            json!({"stream": "!serverShutdown", "data": event}).to_string()
        } else {
            event.to_string()
        }
    }

    fn leave(&mut self) {
        self.topics
            .iter()
            .for_each(|topic| self.api.hub.unsubscribe(*topic, &self.reader));
    }
}
