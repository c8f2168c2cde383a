//! Checks one service again and again.

use std::sync::Arc;
use std::time::Duration;

use mesh::app::{Deps, Shutdown};
use mesh::channel::Channel;
use mesh::time::{Chance, Clock};
use parking_lot::RwLock;

use crate::clients::check;
use crate::config::Config;
use crate::core::{Board, Health};

/// Checks one service and notes the answers on the board.
pub(crate) struct Poller {
    name: &'static str,
    channel: Channel,
    interval: Duration,
    timeout: Duration,
    clock: Clock,
    chance: Chance,
    board: Arc<RwLock<Board>>,
}

impl Poller {
    pub(crate) fn new(name: &'static str, config: &Config, deps: &Deps, board: Arc<RwLock<Board>>) -> Poller {
        Poller {
            name,
            channel: deps.channels.to(name),
            interval: Duration::from_millis(config.interval_ms),
            timeout: Duration::from_millis(config.timeout_ms),
            clock: deps.clock.clone(),
            chance: deps.chance.clone(),
            board,
        }
    }

    /// Checks until the process ends.
    pub(crate) fn start(self, shutdown: &Shutdown) {
        let token = shutdown.token();
        shutdown.spawn(format!("check of {}", self.name), async move {
            tokio::select! {
                () = token.cancelled() => Ok(()),
                () = self.run() => Ok(()),
            }
        });
    }

    async fn run(&self) {
        loop {
            self.check_once().await;
            // A tenth of jitter, so that the checks of many services spread out.
            let pause = self.interval * 9 / 10 + self.chance.jitter(self.interval / 10);
            tokio::time::sleep(pause).await;
        }
    }

    async fn check_once(&self) {
        let check = check(self.channel.clone(), self.timeout, &self.clock).await;
        let (health, detail) = (check.health, check.detail.clone());
        let is_up = if health == Health::Serving { 1.0 } else { 0.0 };
        metrics::gauge!("trademesh_service_up", "service" => self.name).set(is_up);
        if let Some(before) = self.board.write().apply(self.name, check) {
            tracing::info!(service = self.name, ?before, now = ?health, detail, "a service's health changed");
        }
    }
}
