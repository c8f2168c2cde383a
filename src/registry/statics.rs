//! Services at addresses that the config names.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Address, Endpoints, Registry};
use crate::error::{Error, Result};

/// Addresses from config, by service.
pub struct Static {
    services: BTreeMap<String, watch::Sender<Endpoints>>,
    nowhere: watch::Sender<Endpoints>,
}

impl Static {
    /// A registry of `host:port` addresses.
    ///
    /// # Errors
    /// `Invalid` naming the config key `mesh.peers.<service>` whose address is not `host:port`.
    pub fn new(peers: &BTreeMap<String, Vec<String>>) -> Result<Static> {
        let services = peers
            .iter()
            .map(|(service, addresses)| Ok((service.clone(), watch::Sender::new(endpoints(service, addresses)?))))
            .collect::<Result<_>>()?;
        Ok(Static {
            services,
            nowhere: watch::Sender::new(Arc::new([])),
        })
    }
}

fn endpoints(service: &str, addresses: &[String]) -> Result<Endpoints> {
    addresses
        .iter()
        .map(|address| check(service, address).map(|()| Address::Tcp(address.as_str().into())))
        .collect()
}

fn check(service: &str, address: &str) -> Result<()> {
    let well_formed = address
        .parse::<http::uri::Authority>()
        .is_ok_and(|authority| authority.port_u16().is_some() && !authority.as_str().contains('@'));
    if well_formed {
        return Ok(());
    }
    let message = format!("mesh.peers.{service}: '{address}' is not host:port");
    Err(Error::invalid("CONFIG_BAD_ADDRESS", message).with("key", format!("mesh.peers.{service}")))
}

impl Registry for Static {
    fn watch(&self, service: &str) -> watch::Receiver<Endpoints> {
        self.services.get(service).unwrap_or(&self.nowhere).subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Static;
    use crate::registry::{Address, Registry};

    fn peers(address: &str) -> BTreeMap<String, Vec<String>> {
        [("risk".to_owned(), vec![address.to_owned()])].into()
    }

    #[test]
    fn addresses_come_from_config() {
        let registry = Static::new(&peers("127.0.0.1:7105")).unwrap();
        let endpoints = registry.watch("risk").borrow().clone();
        assert!(matches!(&*endpoints, [Address::Tcp(address)] if &**address == "127.0.0.1:7105"));
        assert!(registry.watch("trading").borrow().is_empty());
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_key() {
        for address in [
            "",
            "risk",
            "risk:",
            "risk:port",
            "risk:70000",
            "http://risk:1",
            "me@risk:1",
        ] {
            let refusal = Static::new(&peers(address)).err().unwrap();
            assert_eq!(refusal.context()["key"], "mesh.peers.risk", "{address}");
        }
    }
}
