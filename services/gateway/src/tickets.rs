//! Tickets that open a WebSocket: a browser cannot send a token when it opens one, and a token does not belong in a URL.

use mesh::error::{Error, Result};
use mesh::identity::Caller;
use mesh::time::{Chance, Clock};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How long a ticket waits, in seconds.
pub(crate) const LIFETIME_S: i64 = 30;

/// The tickets that wait to be used.
pub(crate) struct Tickets {
    waiting: Mutex<BTreeMap<String, Ticket>>,
    bound: usize,
    clock: Clock,
    chance: Chance,
}

struct Ticket {
    caller: Caller,
    expires_at_micros: i64,
}

impl Tickets {
    /// No tickets yet; at most `bound` wait at once.
    pub(crate) fn new(bound: usize, clock: Clock, chance: Chance) -> Self {
        Self {
            waiting: Mutex::new(BTreeMap::new()),
            bound,
            clock,
            chance,
        }
    }

    /// Makes a ticket for the caller.
    ///
    /// # Errors
    /// `Exhausted` when too many wait.
    pub(crate) fn issue(&self, caller: Caller) -> Result<String> {
        let now = self.clock.now_micros();
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.bound {
            waiting.retain(|_, ticket| ticket.expires_at_micros > now);
        }
        if waiting.len() >= self.bound {
            return Err(Error::exhausted(
                "TOO_MANY_TICKETS",
                "too many tickets wait: try again in a moment",
            ));
        }
        let mut secret = [0; 32];
        self.chance.fill(&mut secret);
        let ticket: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        waiting.insert(
            ticket.clone(),
            Ticket {
                caller,
                expires_at_micros: now + LIFETIME_S * 1_000_000,
            },
        );
        Ok(ticket)
    }

    /// Takes a ticket: it works once, until it expires.
    ///
    /// # Errors
    /// `Unauthenticated` when it is unknown, used or expired.
    pub(crate) fn take(&self, ticket: &str) -> Result<Caller> {
        let found = self.waiting.lock().remove(ticket);
        found
            .filter(|ticket| ticket.expires_at_micros > self.clock.now_micros())
            .map(|ticket| ticket.caller)
            .ok_or_else(|| Error::unauthenticated("TICKET_INVALID", "the ticket is unknown, used or expired"))
    }
}

#[cfg(test)]
mod tests {
    use super::Tickets;
    use mesh::identity::{Caller, Grants, Principal};
    use mesh::time::{Chance, Clock};
    use std::sync::Arc;
    use std::time::Duration;

    fn caller() -> Caller {
        let principal = Principal {
            subject: "ada".into(),
            roles: [].into(),
            grants: Grants::All,
            token_id: "1".into(),
            expires_at_micros: 0,
        };
        Caller {
            principal: Arc::new(principal),
            token: "token".into(),
        }
    }

    #[test]
    fn a_ticket_works_once_and_not_for_long() {
        let (clock, hand) = Clock::manual(0);
        let tickets = Tickets::new(2, clock, Chance::seeded(1));
        let first = tickets.issue(caller()).unwrap();
        assert_eq!(tickets.take(&first).unwrap().principal.subject, "ada");
        assert_eq!(tickets.take(&first).unwrap_err().reason(), "TICKET_INVALID");
        let second = tickets.issue(caller()).unwrap();
        hand.advance(Duration::from_secs(30));
        assert!(tickets.take(&second).is_err());
    }

    #[test]
    fn tickets_are_bounded_and_the_expired_make_room() {
        let (clock, hand) = Clock::manual(0);
        let tickets = Tickets::new(2, clock, Chance::seeded(1));
        let (one, two) = (tickets.issue(caller()).unwrap(), tickets.issue(caller()).unwrap());
        assert_ne!(one, two);
        assert_eq!(tickets.issue(caller()).unwrap_err().reason(), "TOO_MANY_TICKETS");
        hand.advance(Duration::from_secs(31));
        assert!(tickets.issue(caller()).is_ok());
    }
}
