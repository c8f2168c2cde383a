//! The user data stream: `userDataStream.subscribe.signature` over the WebSocket API, an account a subscription and many
//! of them a connection.

use super::Binance;
use super::params::Params;
use super::wire::{EventName, ExecutionReport, Frame, Subscribed};
use crate::metrics;
use crate::sender::FIRST_BACKOFF;
use crate::venue::{UserData, Venue};
use domain::AccountId;
use futures::{SinkExt, StreamExt};
use mesh::retry::Backoff;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Without a frame for so long (Binance pings every 20 s) the connection counts as lost.
pub(super) const SILENCE: Duration = Duration::from_secs(90);

/// The venue's code for a request whose time it does not take.
const BAD_TIME: i64 = -1021;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Follows these accounts over one connection, for ever.
pub(super) async fn follow(binance: &Binance, accounts: &[AccountId], sink: mpsc::Sender<UserData>) {
    let backoff = Backoff::new(FIRST_BACKOFF, binance.max_backoff);
    let mut round = 0;
    while !sink.is_closed() {
        let mut connection = Connection {
            binance,
            sink: &sink,
            subscribed: BTreeMap::new(),
            answered: BTreeSet::new(),
        };
        let ended = connection.run(accounts).await;
        tracing::warn!(why = ended, "the user data stream ended");
        if !connection.subscribed.is_empty() {
            round = 0;
        }
        for account in connection.subscribed.into_values() {
            let _ = sink.send(UserData::Lost(account)).await;
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.half_jitter(round, &binance.chance)) => {}
            () = sink.closed() => {}
        }
        round += 1;
    }
}

struct Connection<'a> {
    binance: &'a Binance,
    sink: &'a mpsc::Sender<UserData>,
    /// Accounts by the subscription's id.
    subscribed: BTreeMap<u64, AccountId>,
    /// Requests that were answered, one an account.
    answered: BTreeSet<usize>,
}

impl Connection<'_> {
    /// Works until the connection ends, and says why it did.
    async fn run(&mut self, accounts: &[AccountId]) -> String {
        let connecting = tokio_tungstenite::connect_async(self.binance.ws_api_url.as_str());
        let mut socket = match tokio::time::timeout(self.binance.request_timeout, connecting).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return "no connection in time".to_owned(),
        };
        metrics::reconnected();
        for (id, account) in accounts.iter().enumerate() {
            let Some(request) = self.subscription(id, account) else {
                self.answered.insert(id);
                continue;
            };
            if let Err(error) = socket.send(Message::text(request)).await {
                return error.to_string();
            }
        }
        let due = tokio::time::Instant::now() + self.binance.request_timeout;
        loop {
            let message = tokio::select! {
                () = tokio::time::sleep_until(due), if self.answered.len() < accounts.len() => {
                    return "a subscription was not answered in time".to_owned();
                }
                message = tokio::time::timeout(SILENCE, socket.next()) => message,
                () = self.sink.closed() => return "nobody listens any more".to_owned(),
            };
            let text = match message {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(_))) | None) => return "closed by the venue".to_owned(),
                // tungstenite answers pings by itself when it is polled again.
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(error))) => return error.to_string(),
                Err(_) => return "silent for too long".to_owned(),
            };
            if let Err(why) = self.receive(&mut socket, accounts, &text).await {
                return why;
            }
        }
    }

    fn subscription(&self, id: usize, account: &AccountId) -> Option<String> {
        let key = self.binance.key(account).ok()?;
        let params = Params::default().timed(self.binance.now(), self.binance.recv_window_ms);
        Some(format!(
            "{{\"id\":{id},\"method\":\"userDataStream.subscribe.signature\",\"params\":{}}}",
            params.signed_json(key)
        ))
    }

    async fn receive(&mut self, socket: &mut Socket, accounts: &[AccountId], text: &str) -> Result<(), String> {
        let frame: Frame = serde_json::from_str(text).map_err(|error| format!("unreadable frame: {error}"))?;
        if let Some(event) = frame.event {
            return self.event(frame.subscription_id, event.get()).await;
        }
        let Some((id, account)) = frame.id.and_then(|id| Some((id, accounts.get(id)?))) else {
            return Ok(());
        };
        self.answered.insert(id);
        match frame.result {
            Some(Subscribed {
                subscription_id: Some(subscription),
            }) => {
                self.subscribed.insert(subscription, account.clone());
                self.tell(UserData::Subscribed(account.clone())).await
            }
            _ => {
                // One account's bad key must not silence the others: this one stays without a stream, and not ready.
                let error = frame.error.unwrap_or_default();
                tracing::error!(%account, code = error.code, error = error.msg, "the venue refused a user data subscription");
                let waits = matches!(frame.status, Some(418 | 429 | 500..));
                if error.code == BAD_TIME {
                    self.binance.doubt_clock().await;
                    return Err("the venue refused the time of a subscription".to_owned());
                }
                if waits {
                    let _ = socket.close(None).await;
                    return Err("the venue is limiting subscriptions".to_owned());
                }
                Ok(())
            }
        }
    }

    async fn event(&mut self, subscription: Option<u64>, event: &str) -> Result<(), String> {
        let unreadable = |error: serde_json::Error| format!("unreadable event: {error}");
        let EventName { name } = serde_json::from_str(event).map_err(unreadable)?;
        let account = subscription.and_then(|id| self.subscribed.get(&id)).cloned();
        match (name, account) {
            (Some("executionReport"), Some(account)) => {
                let report: ExecutionReport = serde_json::from_str(event).map_err(unreadable)?;
                let order = report.order().map_err(|error| error.to_string())?;
                self.tell(UserData::Order(account, Box::new(order))).await
            }
            // The subscription is over: all of them are made again.
            (Some("eventStreamTerminated" | "serverShutdown"), _) => Err("ended by the venue".to_owned()),
            _ => Ok(()),
        }
    }

    async fn tell(&self, news: UserData) -> Result<(), String> {
        self.sink
            .send(news)
            .await
            .map_err(|_| "nobody listens any more".to_owned())
    }
}
