//! The health of another service, by the standard protocol.

use std::time::Duration;

use mesh::channel::Channel;
use mesh::time::Clock;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::core::{Check, Health};

/// Asks for the health of a server as a whole; no answer within `timeout` is an answer too.
pub(crate) async fn check(channel: Channel, timeout: Duration, clock: &Clock) -> Check {
    let mut client = HealthClient::new(channel);
    let started = clock.monotonic();
    let request = HealthCheckRequest { service: String::new() };
    let (health, detail) = match tokio::time::timeout(timeout, client.check(request)).await {
        Err(_) => (
            Health::Unreachable,
            format!("no answer within {} ms", timeout.as_millis()),
        ),
        Ok(Err(status)) => (Health::Unreachable, status.message().to_owned()),
        Ok(Ok(answer)) => match answer.into_inner().status() {
            ServingStatus::Serving => (Health::Serving, String::new()),
            other => (Health::NotServing, format!("it says {}", other.as_str_name())),
        },
    };
    let latency = clock.monotonic().saturating_sub(started);
    Check {
        health,
        detail,
        latency,
        at_micros: clock.now_micros(),
    }
}
