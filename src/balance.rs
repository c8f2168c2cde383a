//! Picking an endpoint: the better of two random ones, by measured latency times calls in flight.

mod endpoint;
mod load;

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::time::Instant;

pub use endpoint::{Connect, Connection, Endpoint, Lease, Outcome};
pub use load::Load;

use crate::breaker::Policy;
use crate::error::{Error, Result};
use crate::time::Chance;

/// The TCP endpoints of one service.
pub struct Balancer<C: Connect> {
    service: String,
    connector: C,
    policy: Policy,
    chance: Chance,
    max_in_flight: usize,
    endpoints: RwLock<Arc<[Arc<Endpoint<C>>]>>,
}

impl<C: Connect> Balancer<C> {
    /// A balancer without endpoints.
    pub fn new(service: &str, connector: C, policy: Policy, chance: Chance, max_in_flight: usize) -> Balancer<C> {
        Balancer {
            service: service.to_owned(),
            connector,
            policy,
            chance,
            max_in_flight,
            endpoints: RwLock::new(Arc::new([])),
        }
    }

    /// Takes over the addresses in force. What is known of an address that stays is kept.
    pub fn update(&self, addresses: &[Arc<str>]) {
        let mut endpoints = self.endpoints.write();
        let kept = |address: &Arc<str>| {
            endpoints
                .iter()
                .find(|endpoint| endpoint.address() == &**address)
                .cloned()
        };
        let policy = match addresses {
            [_] => self.policy.alone(),
            _ => self.policy.clone(),
        };
        let updated = addresses
            .iter()
            .map(|address| kept(address).unwrap_or_else(|| Endpoint::new(address.clone(), policy.clone())));
        *endpoints = updated.collect();
    }

    /// A connection to the better of two random endpoints that can be reached.
    ///
    /// # Errors
    /// `Unavailable` when none can be reached now; `Exhausted` when all are at their bound of calls in flight.
    pub async fn lease(&self) -> Result<Lease<C>> {
        let endpoints = self.endpoints.read().clone();
        if endpoints.is_empty() {
            let message = format!("no endpoint of {} is known", self.service);
            return Err(Error::unavailable("NO_ENDPOINT", message).with("service", &self.service));
        }
        let mut failure = None;
        // A connection that fails ejects its endpoint, so each round has one less to try.
        for _ in 0..endpoints.len() {
            let Some(endpoint) = self.pick(&endpoints)? else { break };
            match endpoint.lease(&self.connector).await {
                Ok(lease) => return Ok(lease),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.all_ejected(&endpoints)))
    }

    fn pick(&self, endpoints: &[Arc<Endpoint<C>>]) -> Result<Option<Arc<Endpoint<C>>>> {
        let reachable: Vec<&Arc<Endpoint<C>>> = endpoints.iter().filter(|endpoint| endpoint.is_reachable()).collect();
        if reachable.is_empty() {
            return Ok(None);
        }
        let free: Vec<&Arc<Endpoint<C>>> = reachable
            .into_iter()
            .filter(|endpoint| endpoint.load().pending() < self.max_in_flight)
            .collect();
        match free.as_slice() {
            [] => Err(self.full()),
            [only] => Ok(Some(Arc::clone(only))),
            several => Ok(Some(Arc::clone(self.better_of_two(several)))),
        }
    }

    fn better_of_two<'a>(&self, endpoints: &[&'a Arc<Endpoint<C>>]) -> &'a Arc<Endpoint<C>> {
        let count = endpoints.len() as u64;
        let first = self.chance.below(count);
        let second = (first + 1 + self.chance.below(count - 1)) % count;
        let (first, second) = (endpoints[first as usize], endpoints[second as usize]);
        let now = Instant::now();
        if second.load().cost(now) < first.load().cost(now) {
            second
        } else {
            first
        }
    }

    fn full(&self) -> Error {
        let message = format!("too many calls to {} are in flight", self.service);
        Error::exhausted("TOO_MANY_IN_FLIGHT", message).with("service", &self.service)
    }

    fn all_ejected(&self, endpoints: &[Arc<Endpoint<C>>]) -> Error {
        let message = format!("no endpoint of {} can be reached", self.service);
        let error = Error::unavailable("ALL_ENDPOINTS_EJECTED", message).with("service", &self.service);
        let soonest = endpoints.iter().filter_map(|endpoint| endpoint.ejected_until()).min();
        match soonest {
            Some(until) => error.retry_after(until.saturating_duration_since(Instant::now())),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
