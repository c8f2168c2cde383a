//! The life of an endpoint. A state is a type, and a transition consumes the old one.
//!
//! ```text
//! Idle --connect--> Connecting --connected--> Ready --lost--> Idle
//!   ^                    |failed                |too many failures in a row
//!   '---time is over-- Ejected <----------------'
//! ```

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::load::Load;
use crate::breaker::{Closed, Open, Policy};
use crate::error::{Error, Result};

/// An established connection that many calls share.
pub trait Connection: Clone + Send + Sync + 'static {
    /// Whether calls can still be made on it.
    fn is_open(&self) -> bool;
}

/// Makes connections.
pub trait Connect: Send + Sync + 'static {
    /// What it makes.
    type Connection: Connection;

    /// Connects to `host:port`.
    fn connect(&self, address: &str) -> impl Future<Output = Result<Self::Connection>> + Send + 'static;
}

type Attempt<C> = Shared<BoxFuture<'static, Result<C>>>;

struct Idle {
    breaker: Closed,
}

struct Connecting<C> {
    breaker: Closed,
    attempt: Attempt<C>,
}

struct Ready<C> {
    breaker: Closed,
    connection: C,
}

struct Ejected {
    breaker: Open,
}

enum State<C> {
    Idle(Idle),
    Connecting(Connecting<C>),
    Ready(Ready<C>),
    Ejected(Ejected),
}

impl Idle {
    fn connect<C: Connection>(self, attempt: Attempt<C>) -> Connecting<C> {
        Connecting {
            breaker: self.breaker,
            attempt,
        }
    }
}

impl<C> Connecting<C> {
    fn connected(self, connection: C) -> Ready<C> {
        Ready {
            breaker: self.breaker,
            connection,
        }
    }

    fn failed(self, policy: &Policy) -> Ejected {
        Ejected {
            breaker: self.breaker.trip(policy),
        }
    }
}

impl<C> Ready<C> {
    fn succeeded(self) -> Ready<C> {
        Ready {
            breaker: self.breaker.succeeded(),
            ..self
        }
    }

    fn failed(self, policy: &Policy) -> std::result::Result<Ready<C>, Ejected> {
        match self.breaker.failed(policy) {
            Ok(breaker) => Ok(Ready { breaker, ..self }),
            Err(breaker) => Err(Ejected { breaker }),
        }
    }

    fn lost(self) -> Idle {
        Idle { breaker: self.breaker }
    }
}

impl Ejected {
    fn elapsed(self, policy: &Policy) -> std::result::Result<Idle, Ejected> {
        match self.breaker.elapsed(policy) {
            Ok(breaker) => Ok(Idle { breaker }),
            Err(breaker) => Err(Ejected { breaker }),
        }
    }
}

/// One replica of a service at an address.
pub struct Endpoint<C: Connect> {
    address: Arc<str>,
    policy: Policy,
    load: Load,
    /// `None` only while a transition runs, under the lock.
    state: Mutex<Option<State<C::Connection>>>,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered; the answer may be a refusal.
    Success,
    /// The endpoint did not answer, or said that it cannot.
    Failure,
    /// The caller lost interest first: this says nothing about the endpoint.
    Abandoned,
}

/// A connection for one call, which counts as pending until this is dropped.
pub struct Lease<C: Connect> {
    endpoint: Arc<Endpoint<C>>,
    connection: C::Connection,
    started: Instant,
}

enum Step<C> {
    Have(C),
    Wait(Attempt<C>),
    Refuse(Instant),
}

impl<C: Connect> Endpoint<C> {
    pub(super) fn new(address: Arc<str>, policy: Policy) -> Arc<Endpoint<C>> {
        let idle = State::Idle(Idle { breaker: Closed::new() });
        Arc::new(Endpoint {
            address,
            policy,
            load: Load::new(),
            state: Mutex::new(Some(idle)),
        })
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its load.
    pub fn load(&self) -> &Load {
        &self.load
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.ejected_until().is_none_or(|until| until <= Instant::now())
    }

    pub(super) fn ejected_until(&self) -> Option<Instant> {
        match &*self.state.lock() {
            Some(State::Ejected(ejected)) => Some(ejected.breaker.until()),
            _ => None,
        }
    }

    pub(super) async fn lease(self: &Arc<Self>, connector: &C) -> Result<Lease<C>> {
        // Pending from here, so that callers who come meanwhile see the load.
        let started = Instant::now();
        let pending = PendingCall::begin(self.clone());
        let connection = match self.step(connector) {
            Step::Have(connection) => connection,
            Step::Wait(attempt) => self.connected(attempt.clone().await, &attempt)?,
            Step::Refuse(until) => return Err(self.ejected(until)),
        };
        pending.keep();
        Ok(Lease {
            endpoint: self.clone(),
            connection,
            started,
        })
    }

    fn step(&self, connector: &C) -> Step<C::Connection> {
        self.transition(|state| match self.revived(state) {
            State::Idle(idle) => {
                let attempt = connector.connect(&self.address).boxed().shared();
                (State::Connecting(idle.connect(attempt.clone())), Step::Wait(attempt))
            }
            State::Connecting(connecting) => {
                let attempt = connecting.attempt.clone();
                (State::Connecting(connecting), Step::Wait(attempt))
            }
            State::Ready(ready) => {
                let connection = ready.connection.clone();
                (State::Ready(ready), Step::Have(connection))
            }
            State::Ejected(ejected) => {
                let until = ejected.breaker.until();
                (State::Ejected(ejected), Step::Refuse(until))
            }
        })
    }

    /// A closed connection and an ejection that is over both lead back to idle.
    fn revived(&self, state: State<C::Connection>) -> State<C::Connection> {
        match state {
            State::Ready(ready) if !ready.connection.is_open() => State::Idle(ready.lost()),
            State::Ejected(ejected) => ejected.elapsed(&self.policy).map_or_else(State::Ejected, State::Idle),
            state => state,
        }
    }

    /// The first of those who waited for an attempt moves the state on; for the others it already has moved.
    fn connected(&self, outcome: Result<C::Connection>, attempt: &Attempt<C::Connection>) -> Result<C::Connection> {
        self.transition(|state| match state {
            State::Connecting(connecting) if connecting.attempt.ptr_eq(attempt) => match &outcome {
                Ok(connection) => (State::Ready(connecting.connected(connection.clone())), ()),
                Err(_) => (State::Ejected(connecting.failed(&self.policy)), ()),
            },
            other => (other, ()),
        });
        outcome
    }

    fn judge(&self, outcome: Outcome) {
        self.transition(|state| match (state, outcome) {
            (State::Ready(ready), Outcome::Success) => (State::Ready(ready.succeeded()), ()),
            (State::Ready(ready), Outcome::Failure) => match ready.failed(&self.policy) {
                Ok(ready) => (State::Ready(ready), ()),
                Err(ejected) => (State::Ejected(ejected), ()),
            },
            (state, _) => (state, ()),
        });
    }

    fn transition<T>(&self, next: impl FnOnce(State<C::Connection>) -> (State<C::Connection>, T)) -> T {
        let mut slot = self.state.lock();
        let state = slot.take().expect("the state is taken and put back under one lock");
        let (state, answer) = next(state);
        *slot = Some(state);
        answer
    }

    fn ejected(&self, until: Instant) -> Error {
        let message = format!("{} is left alone after failures", self.address);
        Error::unavailable("ENDPOINT_EJECTED", message)
            .with("address", &self.address)
            .retry_after(until.saturating_duration_since(Instant::now()))
    }
}

impl<C: Connect> Lease<C> {
    /// The connection.
    pub fn connection(&self) -> &C::Connection {
        &self.connection
    }

    /// The endpoint's address.
    pub fn address(&self) -> &str {
        self.endpoint.address()
    }

    /// The first message arrived: this is the call's latency.
    pub fn first_message(&self) {
        let now = Instant::now();
        self.endpoint.load.observe(now - self.started, now);
    }

    /// The call is over. A failure also counts as a latency, at least `penalty`, so that a fast failure attracts nobody.
    pub fn judge(&self, outcome: Outcome, penalty: Duration) {
        if outcome == Outcome::Failure {
            let now = Instant::now();
            self.endpoint.load.observe((now - self.started).max(penalty), now);
        }
        self.endpoint.judge(outcome);
    }
}

impl<C: Connect> Drop for Lease<C> {
    fn drop(&mut self) {
        self.endpoint.load.end();
    }
}

/// Counts a call as pending until it is dropped, or handed over to a lease.
struct PendingCall<C: Connect>(Option<Arc<Endpoint<C>>>);

impl<C: Connect> PendingCall<C> {
    fn begin(endpoint: Arc<Endpoint<C>>) -> PendingCall<C> {
        endpoint.load.begin();
        PendingCall(Some(endpoint))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl<C: Connect> Drop for PendingCall<C> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.0.take() {
            endpoint.load.end();
        }
    }
}
