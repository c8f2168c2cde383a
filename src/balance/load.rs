//! The load of an endpoint: the peak-sensitive moving average of its latency, times the calls in flight.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How fast an old latency is forgotten: after this long, 1/e of it is left.
const DECAY: Duration = Duration::from_secs(10);
/// The latency that is assumed before the first one is known, in seconds.
const ASSUMED_S: f64 = 0.001;

/// What is known of an endpoint's load.
pub struct Load {
    pending: AtomicUsize,
    average: Mutex<Average>,
}

#[derive(Clone, Copy)]
struct Average {
    seconds: f64,
    at: Instant,
}

impl Load {
    /// An idle endpoint of unknown latency.
    pub fn new() -> Load {
        Load {
            pending: AtomicUsize::new(0),
            average: Mutex::new(Average {
                seconds: ASSUMED_S,
                at: Instant::now(),
            }),
        }
    }

    /// Calls in flight.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes a latency in. A higher one than the average counts at once, a lower one only by and by.
    pub fn observe(&self, latency: Duration, now: Instant) {
        let observed = latency.as_secs_f64();
        let mut average = self.average.lock();
        let kept = average.seconds * decayed(*average, now);
        average.seconds = if observed > average.seconds {
            observed
        } else {
            kept + observed * (1.0 - decayed(*average, now))
        };
        average.at = now;
    }

    /// What one more call is expected to cost, in seconds of waiting.
    pub fn cost(&self, now: Instant) -> f64 {
        let average = *self.average.lock();
        // A slow endpoint that gets no calls is forgiven by and by, else it would never be tried again.
        average.seconds * decayed(average, now) * (self.pending() + 1) as f64
    }
}

impl Default for Load {
    fn default() -> Self {
        Load::new()
    }
}

fn decayed(average: Average, now: Instant) -> f64 {
    (-(now.saturating_duration_since(average.at).as_secs_f64()) / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Load;

    #[tokio::test(start_paused = true)]
    async fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let load = Load::new();
        let start = Instant::now();
        load.observe(Duration::from_secs(1), start);
        assert_eq!(load.cost(start), 1.0);
        load.observe(Duration::from_millis(1), start + Duration::from_secs(1));
        let after = load.cost(start + Duration::from_secs(1));
        assert!((0.9..0.91).contains(&after), "{after}");
        let forgiven = load.cost(start + Duration::from_secs(60));
        assert!(forgiven < 0.01, "{forgiven}");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_in_flight_multiply_the_cost() {
        let load = Load::default();
        let now = Instant::now();
        load.observe(Duration::from_millis(10), now);
        let idle = load.cost(now);
        load.begin();
        assert_eq!(load.pending(), 1);
        assert_eq!(load.cost(now), 2.0 * idle);
        load.end();
        assert_eq!(load.cost(now), idle);
    }
}
