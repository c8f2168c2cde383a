//! Sessions: a client's open orders that are cancelled when the client is lost.

use super::command::Now;
use super::decide::{Answer, Decider, Decision};
use super::event::{Event, SessionClosed, SessionOpened};
use super::refusal::Refusal;

/// Sessions an account.
pub(crate) const MOST_SESSIONS: usize = 16;

impl Decider {
    /// Opens a session. The same one again is open already; with other terms it takes these over.
    pub(super) fn open_session(&self, opened: &SessionOpened) -> Decision {
        let sessions = self.state.account(&opened.account).map(|account| &account.sessions);
        let present = sessions.and_then(|sessions| sessions.get(&opened.session));
        if present == Some(opened) {
            return Decision::answer(Answer::Done);
        }
        if present.is_none() && sessions.is_some_and(|sessions| sessions.len() >= MOST_SESSIONS) {
            let message = format!("the account has {MOST_SESSIONS} open sessions already");
            return Decision::refuse(Refusal::refused("SESSION_LIMIT", message).with("limit", MOST_SESSIONS));
        }
        Decision {
            events: vec![Event::SessionOpened(opened.clone())],
            answer: Answer::Done,
        }
    }

    /// Ends a session; one that is lost takes its orders along, in the same batch.
    pub(super) fn close_session(&self, closed: &SessionClosed, now: Now) -> Decision {
        let account = self.state.account(&closed.account);
        let Some(session) = account.and_then(|account| account.sessions.get(&closed.session)) else {
            return Decision::answer(Answer::Done);
        };
        let mut events = vec![Event::SessionClosed(closed.clone())];
        if closed.lost {
            let request_id = format!("lost session {}", closed.session);
            let is_meant = |terms: &domain::OrderTerms| session.covers.matches(terms);
            events.extend(self.cancels_of(&closed.account, is_meant, &request_id, now).0);
        }
        Decision {
            events,
            answer: Answer::Done,
        }
    }
}
