//! One service as its callers see it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::ChannelConfig;
use super::connect::Http2Connector;
use crate::balance::Balancer;
use crate::breaker::Policy;
use crate::budget::Budget;
use crate::identity::ServiceIdentity;
use crate::registry::{Address, Endpoints, LocalService};
use crate::time::Chance;

pub(super) struct Peer {
    pub(super) service: String,
    pub(super) config: ChannelConfig,
    pub(super) identity: ServiceIdentity,
    pub(super) chance: Chance,
    pub(super) budget: Budget,
    pub(super) balancer: Balancer<Http2Connector>,
    watches: Vec<watch::Receiver<Endpoints>>,
    balanced: Mutex<Option<Endpoints>>,
}

/// Where a call goes.
pub(super) enum Target {
    Local(LocalService),
    /// To an endpoint of the balancer, if it has one.
    Remote,
}

impl Peer {
    pub(super) fn new(
        service: &str,
        config: &ChannelConfig,
        watches: Vec<watch::Receiver<Endpoints>>,
        identity: ServiceIdentity,
        chance: Chance,
    ) -> Peer {
        let policy = Policy::new(&config.breaker, chance.clone());
        let connector = Http2Connector::new(config);
        Peer {
            service: service.to_owned(),
            config: config.clone(),
            identity,
            budget: Budget::new(config.budget.clone()),
            balancer: Balancer::new(service, connector, policy, chance.clone(), config.max_in_flight),
            chance,
            watches,
            balanced: Mutex::new(None),
        }
    }

    /// Looks the service up, as of now.
    pub(super) fn target(&self) -> Target {
        let known = self
            .watches
            .iter()
            .map(|watch| watch.borrow().clone())
            .find(|endpoints| !endpoints.is_empty());
        let endpoints = known.unwrap_or_default();
        let local = endpoints.iter().find_map(|address| match address {
            Address::Local(local) => Some(local.clone()),
            Address::Tcp(_) => None,
        });
        match local {
            Some(local) => Target::Local(local),
            None => {
                self.balance(endpoints);
                Target::Remote
            }
        }
    }

    fn balance(&self, endpoints: Endpoints) {
        let mut balanced = self.balanced.lock();
        if balanced
            .as_ref()
            .is_some_and(|balanced| Arc::ptr_eq(balanced, &endpoints))
        {
            return;
        }
        let addresses: Vec<Arc<str>> = endpoints
            .iter()
            .filter_map(|address| match address {
                Address::Tcp(address) => Some(address.clone()),
                Address::Local(_) => None,
            })
            .collect();
        self.balancer.update(&addresses);
        *balanced = Some(endpoints);
    }
}
