//! The standard services of every server: health and reflection.

use std::collections::BTreeSet;

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::error::{Error, Result};
use crate::pb::{FILE_DESCRIPTOR_SET, tables};

/// The service that forwards to all others.
const GATEWAY: &str = "gateway";

/// What a server says about its health (grpc.health.v1). Cheap to clone.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: BTreeSet<&'static str>,
}

impl Health {
    /// Says whether the server serves: as a whole and for each of its services.
    pub async fn set(&self, is_serving: bool) {
        let status = if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.reporter.set_service_status("", status).await;
        for service in &self.services {
            self.reporter.set_service_status(*service, status).await;
        }
    }
}

/// Adds health and reflection to the routes of the service that is called by `name`. It does not serve yet.
///
/// # Errors
/// `Internal` when the descriptor set cannot be read.
pub async fn standard_services(name: &str, routes: Routes) -> Result<(Routes, Health)> {
    let (reporter, health_server) = tonic_health::server::health_reporter();
    let services: BTreeSet<&'static str> = tables::METHODS
        .iter()
        .filter(|method| method.area == name)
        .map(|method| method.service)
        .collect();
    let health = Health { reporter, services };
    health.set(false).await;
    let shown = shown(name, &health.services);
    let v1 = reflection(&shown).build_v1().map_err(|error| bad_descriptors(&error))?;
    // grpcurl and older tools still speak the alpha version.
    let v1alpha = reflection(&shown)
        .build_v1alpha()
        .map_err(|error| bad_descriptors(&error))?;
    Ok((
        routes.add_service(health_server).add_service(v1).add_service(v1alpha),
        health,
    ))
}

/// A server shows its own services; the gateway, which forwards to all, shows all.
fn shown(name: &str, own: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    if name == GATEWAY {
        tables::METHODS.iter().map(|method| method.service).collect()
    } else {
        own.clone()
    }
}

/// Tells of these services only, though the descriptors know all.
fn reflection<'a>(services: &BTreeSet<&'static str>) -> tonic_reflection::server::Builder<'a> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false)
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .with_service_name("grpc.reflection.v1alpha.ServerReflection");
    services
        .iter()
        .fold(builder, |builder, service| builder.with_service_name(*service))
}

fn bad_descriptors(error: &dyn std::fmt::Display) -> Error {
    Error::internal("DESCRIPTORS_INVALID", format!("reflection is not possible: {error}"))
}
