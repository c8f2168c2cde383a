//! Walks the descriptors, checks every rule, and reads the API that they describe.

use prost_reflect::MethodDescriptor;

use crate::model::{Api, Rpc, Service};
use crate::{Descriptors, Result, http, policy, rules};

/// The API, once every rule holds.
pub(crate) fn read(descriptors: &Descriptors) -> Result<Api> {
    rules::check(descriptors)?;
    let mut services = Vec::new();
    for file in descriptors.files() {
        for descriptor in file.services() {
            let rpcs = descriptor
                .methods()
                .map(|method| read_rpc(descriptors, method))
                .collect::<Result<_>>()?;
            services.push(Service { descriptor, rpcs });
        }
    }
    services.sort_by(|a: &Service, b: &Service| a.descriptor.full_name().cmp(b.descriptor.full_name()));
    let permissions = policy::permissions(&services)?;
    http::check_conflicts(&services)?;
    Ok(Api { services, permissions })
}

fn read_rpc(descriptors: &Descriptors, descriptor: MethodDescriptor) -> Result<Rpc> {
    let policy = policy::read(descriptors, &descriptor)?;
    let bindings = http::read(descriptors, &descriptor)?;
    Ok(Rpc {
        descriptor,
        policy,
        bindings,
    })
}
