//! Binding ports. A port in use is one clear error that names the address and the config key.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::{Error, Result};

/// Binds `host:port` for the config key `key`.
///
/// # Errors
/// `Invalid` naming the address and the key.
pub async fn bind(address: &str, key: &str) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| refused(address, key, &error))
}

/// The address of a listener.
pub(super) fn address_of(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| Error::internal("LISTENER_LOST", format!("a listener is gone: {error}")))
}

fn refused(address: &str, key: &str, error: &io::Error) -> Error {
    let (reason, message) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            "PORT_IN_USE",
            format!("{address} is in use: free it, or set {key} to another"),
        ),
        io::ErrorKind::PermissionDenied => (
            "PORT_DENIED",
            format!("{address} may not be bound: set {key} to another"),
        ),
        _ => (
            "PORT_NOT_BOUND",
            format!("{address} cannot be bound ({error}): set {key} to another"),
        ),
    };
    Error::invalid(reason, message)
        .with("address", address)
        .with("key", key)
}

#[cfg(test)]
mod tests {
    use super::{bind, refused};

    #[tokio::test]
    async fn a_port_in_use_names_its_address_and_key() {
        let taken = bind("127.0.0.1:0", "ports.risk").await.unwrap();
        let address = super::address_of(&taken).unwrap().to_string();
        let error = bind(&address, "ports.risk").await.unwrap_err();
        assert_eq!(error.reason(), "PORT_IN_USE");
        assert!(
            error.message().contains(&address) && error.message().contains("ports.risk"),
            "{}",
            error.message()
        );
    }

    #[tokio::test]
    async fn other_failures_name_them_too() {
        let error = bind("no such host:1", "host").await.unwrap_err();
        assert_eq!(error.reason(), "PORT_NOT_BOUND");
        let denied = refused("0.0.0.0:80", "ports.risk", &std::io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied.reason(), "PORT_DENIED");
        assert_eq!(denied.context()["key"], "ports.risk");
    }
}
