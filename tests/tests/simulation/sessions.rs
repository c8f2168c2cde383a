//! Clients that hold sessions, and say goodbye or are lost: whoever is lost loses the orders that its session covers.

use super::client::Client;
use super::process::accounts;
use super::states::State;
use domain::Symbol;
use std::time::Duration;
use trading::Held;
use trading::core::{OrderMatch, SessionOpened};

/// Sessions that a client opens one after the other.
const SESSIONS: usize = 2;

impl Client {
    /// Opens sessions as long as it is not quiet, and ends each.
    pub(crate) async fn keep_sessions(self) {
        self.log.lock().busy += 1;
        for number in 0..SESSIONS {
            self.rest(150_000).await;
            if self.world.is_quiet() {
                break;
            }
            let opened = self.new_session(number);
            let held = self.hold(&opened).await;
            self.rest(200_000).await;
            match self.chance.below(3) {
                0 => self.say_goodbye(&opened, held).await,
                1 => {
                    // Its stream is lost, and it comes back, perhaps in time.
                    drop(held);
                    self.rest(2 * opened.grace_micros.unsigned_abs()).await;
                    drop(self.hold(&opened).await);
                }
                _ => drop(held),
            }
        }
        self.log.lock().busy -= 1;
    }

    async fn rest(&self, most_micros: u64) {
        let pause = Duration::from_micros(self.chance.below(most_micros));
        self.world.clock.sleep(pause).await;
    }

    fn new_session(&self, number: usize) -> SessionOpened {
        let symbols = [None, Some("SOLUSDT"), Some("SOLUSDT"), Some("BTCUSDT")];
        SessionOpened {
            account: self.pick(&accounts()).clone(),
            session: self.id(number),
            grace_micros: 10_000 + self.chance.below(120_000) as i64,
            covers: OrderMatch {
                symbol: self.pick(&symbols).map(|symbol| Symbol::parse(symbol).unwrap()),
                strategy: None,
            },
        }
    }

    /// Asks until a stream holds the session.
    async fn hold(&self, opened: &SessionOpened) -> Held {
        loop {
            let (home, sessions) = self.owner().await;
            if let Some(Ok(held)) = self.patient(sessions.hold(&home.shard, opened.clone())).await {
                self.world.note(State::SessionHeld);
                let key = (opened.account.clone(), opened.session.clone());
                self.log.lock().sessions.insert(key);
                return held;
            }
            self.pause().await;
        }
    }

    async fn say_goodbye(&self, opened: &SessionOpened, held: Held) {
        loop {
            let (home, sessions) = self.owner().await;
            let (account, session) = (opened.account.clone(), opened.session.clone());
            if let Some(Ok(())) = self.patient(sessions.close(&home.shard, account, session)).await {
                break;
            }
            self.pause().await;
        }
        drop(held);
    }
}
