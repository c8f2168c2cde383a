//! Tells a shard that time has passed: what waits for a price or a time is then decided by its core.

use crate::core::Command;
use crate::shard::ShardHandle;
use mesh::app::Shutdown;
use mesh::time::Clock;
use std::time::Duration;

/// Tells one shard at this interval, until the shutdown. A shard that is behind is told again only once it has decided,
/// so that ticks never queue.
pub(crate) fn start(shard: ShardHandle, interval: Duration, clock: Clock, shutdown: &Shutdown) {
    let stop = shutdown.token();
    shutdown.spawn(format!("ticker of shard {}", shard.shard()), async move {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = clock.sleep(interval) => {}
            }
            if shard.urgent(Command::Tick).await.is_err() {
                // The shard has ended, and says why itself.
                return Ok(());
            }
        }
    });
}
