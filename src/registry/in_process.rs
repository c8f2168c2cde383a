//! The services of this process.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Address, Endpoints, LocalService, Registry};

/// Holds the services that run in this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct InProcess(Arc<Mutex<HashMap<String, watch::Sender<Endpoints>>>>);

impl InProcess {
    /// Registers a service; calls to it stay in this process from now on.
    pub fn register(&self, service: &str, local: LocalService) {
        self.publish(service, Arc::new([Address::Local(local)]));
    }

    /// Removes a service.
    pub fn deregister(&self, service: &str) {
        self.publish(service, Arc::new([]));
    }

    fn publish(&self, service: &str, endpoints: Endpoints) {
        self.sender(service).send_replace(endpoints);
    }

    fn sender(&self, service: &str) -> watch::Sender<Endpoints> {
        let mut services = self.0.lock();
        services
            .entry(service.to_owned())
            .or_insert_with(|| watch::Sender::new(Arc::new([])))
            .clone()
    }
}

impl Registry for InProcess {
    fn watch(&self, service: &str) -> watch::Receiver<Endpoints> {
        self.sender(service).subscribe()
    }
}

#[cfg(test)]
mod tests {
    use tonic::body::Body;

    use super::InProcess;
    use crate::registry::{Address, LocalService, Registry};

    #[test]
    fn a_watcher_sees_a_service_come_and_go() {
        let registry = InProcess::default();
        let mut watcher = registry.watch("risk");
        assert!(watcher.borrow_and_update().is_empty());
        registry.register(
            "risk",
            LocalService::new(|_| async { http::Response::new(Body::empty()) }),
        );
        assert!(watcher.has_changed().unwrap());
        assert!(matches!(*watcher.borrow_and_update().clone(), [Address::Local(_)]));
        registry.deregister("risk");
        assert!(watcher.borrow_and_update().is_empty());
    }
}
