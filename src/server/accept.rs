//! The accept loop: how many connections there are, and what becomes of them when the server drains.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection;
use crate::registry::LocalService;
use crate::time::Chance;

/// The bounds of a server's connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcceptConfig {
    /// The most connections.
    pub max_connections: usize,
    /// The most connections from one address.
    pub max_connections_per_address: usize,
    /// The time that a client has for the head of a request, in milliseconds.
    pub header_timeout_ms: u64,
    /// The most requests at the same time on one HTTP/2 connection.
    pub max_streams_per_connection: u32,
    /// The most bytes of a request's head.
    pub max_header_bytes: u32,
    /// The time between two HTTP/2 pings, in milliseconds.
    pub keepalive_interval_ms: u64,
    /// The time that a ping may take, in milliseconds.
    pub keepalive_timeout_ms: u64,
    /// The age at which a connection is asked to end, in seconds, so that clients find new servers; 0: never.
    pub max_connection_age_s: u64,
    /// The time that its requests then have, in seconds.
    pub max_connection_age_grace_s: u64,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        AcceptConfig {
            max_connections: 10_000,
            max_connections_per_address: 2_000,
            header_timeout_ms: 10_000,
            max_streams_per_connection: 1_000,
            max_header_bytes: 16_384,
            keepalive_interval_ms: 20_000,
            keepalive_timeout_ms: 10_000,
            max_connection_age_s: 1_800,
            max_connection_age_grace_s: 30,
        }
    }
}

/// A running accept loop.
pub struct Accepting {
    address: SocketAddr,
    closing: CancellationToken,
    task: JoinHandle<JoinSet<()>>,
}

/// Serves the connections that arrive at a listener.
///
/// # Errors
/// When the listener has no address any more.
pub fn accept(
    listener: TcpListener,
    service: LocalService,
    config: AcceptConfig,
    chance: Chance,
) -> io::Result<Accepting> {
    let address = listener.local_addr()?;
    let closing = CancellationToken::new();
    let gate = Gate::new(&config);
    let connections = connection::Connections::new(service, config, chance, closing.clone());
    let task = tokio::spawn(accept_until_closed(
        listener,
        Arc::new(connections),
        gate,
        closing.clone(),
    ));
    Ok(Accepting { address, closing, task })
}

impl Accepting {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets running requests end, and closes what is left once `within` is over. Returns how many
    /// connections were closed by force.
    pub async fn drain(self, within: Duration) -> usize {
        self.closing.cancel();
        // The loop only accepts, so it does not panic; without it there is nothing to wait for.
        let Ok(mut connections) = self.task.await else { return 0 };
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(within, ended).await.is_ok() {
            return 0;
        }
        let forced = connections.len();
        connections.shutdown().await;
        forced
    }
}

async fn accept_until_closed(
    listener: TcpListener,
    connections: Arc<connection::Connections>,
    gate: Gate,
    closing: CancellationToken,
) -> JoinSet<()> {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            () = closing.cancelled() => return running,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => admit(stream, address, &connections, &gate, &mut running),
                Err(error) => pause_after(&error).await,
            },
            Some(_ended) = running.join_next() => {}
        }
    }
}

fn admit(
    stream: TcpStream,
    address: SocketAddr,
    connections: &Arc<connection::Connections>,
    gate: &Gate,
    running: &mut JoinSet<()>,
) {
    let Some(pass) = gate.admit(address.ip()) else {
        metrics::counter!("server_connections_refused_total").increment(1);
        return;
    };
    let connections = connections.clone();
    running.spawn(async move {
        connections.serve(stream, address).await;
        drop(pass);
    });
}

/// A client that gave up is nothing; too many open files pass only with time.
async fn pause_after(error: &io::Error) {
    let is_clients = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_clients {
        tracing::warn!(error = %error, "connection could not be accepted");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Counts connections, in all and by address.
#[derive(Clone)]
struct Gate(Arc<Counts>);

struct Counts {
    most: usize,
    most_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

struct Pass {
    gate: Gate,
    address: IpAddr,
}

impl Gate {
    fn new(config: &AcceptConfig) -> Gate {
        Gate(Arc::new(Counts {
            most: config.max_connections,
            most_per_address: config.max_connections_per_address,
            open: Mutex::default(),
        }))
    }

    fn admit(&self, address: IpAddr) -> Option<Pass> {
        let mut open = self.0.open.lock();
        let all: usize = open.values().sum();
        let of_address = open.get(&address).copied().unwrap_or_default();
        if all >= self.0.most || of_address >= self.0.most_per_address {
            return None;
        }
        open.insert(address, of_address + 1);
        Some(Pass {
            gate: self.clone(),
            address,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut open = self.gate.0.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{AcceptConfig, Gate, pause_after};

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let address = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let gate = Gate::new(&AcceptConfig {
            max_connections: 3,
            max_connections_per_address: 2,
            ..AcceptConfig::default()
        });
        let first = gate.admit(address(1)).unwrap();
        let _second = gate.admit(address(1)).unwrap();
        assert!(gate.admit(address(1)).is_none(), "two from one address");
        let _third = gate.admit(address(2)).unwrap();
        assert!(gate.admit(address(3)).is_none(), "three in all");
        drop(first);
        let _fourth = gate.admit(address(3)).unwrap();
        assert_eq!(gate.0.open.lock().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_failure_of_our_own_pauses() {
        let started = tokio::time::Instant::now();
        pause_after(&std::io::ErrorKind::ConnectionReset.into()).await;
        assert!(started.elapsed().is_zero());
        pause_after(&std::io::Error::other("too many open files")).await;
        assert!(!started.elapsed().is_zero());
    }
}
