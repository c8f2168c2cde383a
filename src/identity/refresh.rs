//! Keeping keys and revocations fresh, and the last good ones when `auth` does not answer.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};

use super::keys::Keys;
use super::verifier::Verifier;
use crate::error::{Error, Result};

/// Where keys and revocations come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The keys and revocations in force.
    async fn fetch(&self) -> Result<Keys>;
}

/// The time between two fetches before the first success, if they are not allowed more often.
const EAGER: Duration = Duration::from_millis(100);

/// How keys are kept fresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RefreshConfig {
    /// The time between two fetches, in milliseconds: how late a revocation may arrive.
    pub interval_ms: u64,
    /// The least time between two fetches, in milliseconds, however many tokens name an unknown key.
    pub least_interval_ms: u64,
    /// The time that one fetch may take, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for RefreshConfig {
    fn default() -> Self {
        RefreshConfig {
            interval_ms: 30_000,
            least_interval_ms: 1_000,
            timeout_ms: 5_000,
        }
    }
}

/// Fetches at once, then periodically, and early when a token names an unknown key. Never returns.
pub async fn refresh(verifier: Verifier, source: impl KeySource, config: RefreshConfig) {
    let mut available = true;
    loop {
        let started = Instant::now();
        // Tokens that came before are answered by this fetch.
        let _ = verifier.unknown_key().now_or_never();
        let fetched = fetch(&verifier, &source, &config).await;
        available = report(available, fetched, &verifier);
        // `auth` may start after its callers, and until the first success nothing can be verified: every request waits.
        if verifier.keys_age().is_none() {
            sleep_until(started + EAGER.min(Duration::from_millis(config.least_interval_ms))).await;
            continue;
        }
        tokio::select! {
            () = sleep_until(started + Duration::from_millis(config.interval_ms)) => {}
            () = verifier.unknown_key() => {}
        }
        sleep_until(started + Duration::from_millis(config.least_interval_ms)).await;
    }
}

async fn fetch(verifier: &Verifier, source: &impl KeySource, config: &RefreshConfig) -> Result<()> {
    let keys = timeout(Duration::from_millis(config.timeout_ms), source.fetch())
        .await
        .map_err(|_| Error::deadline("KEYS_TIMEOUT", "the keys did not arrive in time"))??;
    verifier.replace(keys);
    Ok(())
}

/// Logs changes of state only: an outage is one line, not one a fetch.
fn report(was_available: bool, fetched: Result<()>, verifier: &Verifier) -> bool {
    let age_s = verifier.keys_age().map(|age| age.as_secs());
    match fetched {
        Ok(()) => {
            if !was_available {
                tracing::info!("keys are fresh again");
            }
            true
        }
        Err(error) => {
            if was_available {
                tracing::warn!(
                    reason = error.reason(),
                    age_s,
                    "keys could not be fetched, keeping the last ones"
                );
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use parking_lot::Mutex;
    use tokio::time::{Instant, sleep, sleep_until};

    use super::{KeySource, RefreshConfig, refresh};
    use crate::error::{Error, Result};
    use crate::identity::{Keys, Verifier, VerifierConfig};
    use crate::time::Clock;

    #[derive(Clone, Default)]
    struct Source {
        down: Arc<Mutex<bool>>,
        slow: Arc<Mutex<bool>>,
        fetches: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl KeySource for Source {
        async fn fetch(&self) -> Result<Keys> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            if *self.slow.lock() {
                std::future::pending::<()>().await;
            }
            if *self.down.lock() {
                Err(Error::unavailable("DOWN", "down"))
            } else {
                Ok(Keys::default())
            }
        }
    }

    fn start(source: &Source) -> Verifier {
        let (clock, _) = Clock::manual(0);
        let verifier = Verifier::new(VerifierConfig::default(), clock);
        tokio::spawn(refresh(verifier.clone(), source.clone(), RefreshConfig::default()));
        verifier
    }

    #[tokio::test(start_paused = true)]
    async fn it_fetches_at_once_and_periodically() {
        let source = Source::default();
        let started = Instant::now();
        start(&source);
        for (millis, fetches) in [(1, 1), (29_999, 1), (30_001, 2), (60_002, 3)] {
            sleep_until(started + Duration::from_millis(millis)).await;
            assert_eq!(source.fetches.load(Ordering::SeqCst), fetches, "after {millis} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_keys_fetch_early_but_at_most_once_a_second() {
        let source = Source::default();
        let verifier = start(&source);
        sleep(Duration::from_millis(10)).await;
        let token = "eyJhbGciOiJFZERTQSIsImtpZCI6Im5vYm9keSJ9.e30.AAAA";
        for _ in 0..100 {
            assert_eq!(verifier.verify(token).unwrap_err().reason(), "TOKEN_KEY_UNKNOWN");
        }
        sleep(Duration::from_millis(980)).await;
        assert_eq!(source.fetches.load(Ordering::SeqCst), 1);
        sleep(Duration::from_millis(20)).await;
        assert_eq!(source.fetches.load(Ordering::SeqCst), 2);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(source.fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_keeps_the_last_keys_and_ends_by_itself() {
        let source = Source::default();
        *source.down.lock() = true;
        let verifier = start(&source);
        sleep(Duration::from_millis(250)).await;
        assert_eq!(
            source.fetches.load(Ordering::SeqCst),
            3,
            "the first keys are asked for eagerly"
        );
        assert_eq!(verifier.keys_age(), None);
        *source.down.lock() = false;
        sleep(Duration::from_secs(1)).await;
        assert!(verifier.keys_age().is_some());
        *source.slow.lock() = true;
        sleep(Duration::from_secs(60)).await;
        assert!(verifier.keys_age().is_some());
        assert!(source.fetches.load(Ordering::SeqCst) > 4);
    }
}
