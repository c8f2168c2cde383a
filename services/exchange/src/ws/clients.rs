//! Who is connected: a bounded number of WebSockets, which an operator can cut.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, watch};

/// What a WebSocket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Market streams.
    Market,
    /// The WebSocket API, which carries the user data.
    Api,
}

/// The open WebSockets.
#[derive(Debug)]
pub struct Clients {
    most: usize,
    open: Mutex<BTreeMap<u64, Arc<Notify>>>,
    next: [AtomicU64; 2],
    closing: watch::Sender<bool>,
}

impl Clients {
    /// Nobody yet, and at most this many.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            open: Mutex::default(),
            next: [AtomicU64::new(0), AtomicU64::new(0)],
            closing: watch::Sender::new(false),
        }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.lock().len()
    }

    /// A place, unless all are taken.
    pub fn take(self: &Arc<Self>, kind: ClientKind) -> Option<Place> {
        let mut open = self.open.lock();
        if open.len() >= self.most {
            return None;
        }
        // numbers tell the kinds apart, so that the n-th connection of a kind has the same number in every run
        let number = self.next[kind as usize].fetch_add(1, Ordering::Relaxed) * 2 + kind as u64;
        let told = Arc::new(Notify::new());
        open.insert(number, told.clone());
        Some(Place {
            clients: self.clone(),
            number,
            told,
        })
    }

    /// Tells everyone that the venue shuts down, and ends their connections.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Cuts those of a kind, or all; returns how many.
    pub fn disconnect(&self, kind: Option<ClientKind>) -> usize {
        let open = self.open.lock();
        let chosen = open
            .iter()
            .filter(|(number, _)| kind.is_none_or(|kind| **number % 2 == kind as u64));
        chosen.map(|(_, told)| told.notify_one()).count()
    }
}

/// A place among the open WebSockets; dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    clients: Arc<Clients>,
    /// The number of the connection.
    pub number: u64,
    told: Arc<Notify>,
}

impl Place {
    /// Resolves when the venue shuts down.
    pub async fn closing(&self) {
        let mut closing = self.clients.closing.subscribe();
        // the sender lives in `clients`, which this place holds
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Resolves when the connection is to be cut.
    pub async fn cut(&self) {
        self.told.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clients.open.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_numbered_by_kind_and_cut_by_kind() {
        let clients = Arc::new(Clients::new(3));
        let first = clients.take(ClientKind::Market).unwrap();
        let api = clients.take(ClientKind::Api).unwrap();
        let second = clients.take(ClientKind::Market).unwrap();
        assert_eq!((first.number, second.number, api.number), (0, 2, 1));
        assert!(clients.take(ClientKind::Api).is_none());
        assert_eq!(clients.disconnect(Some(ClientKind::Market)), 2);
        first.cut().await;
        second.cut().await;
        drop(first);
        assert_eq!((clients.open(), clients.disconnect(None)), (2, 2));
        api.cut().await;
        clients.close();
        api.closing().await;
    }
}
