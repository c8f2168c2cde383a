//! Users, service accounts, tokens and keys: who somebody is and what they may do.
//!
//! A login opens a session: an access token of minutes, which everybody verifies alone with the published keys, and a
//! refresh token that works once. Access that is taken away is published as revoked token ids until those tokens have
//! expired. When `auth` is gone, logins and refreshes stop, and nothing else.
//!
//! While a user has to change the password, its tokens carry the role `viewer` and no account: enough for
//! `ChangePassword`, `GetCurrentUser` and `Logout`, and for what every user may see of the platform.

mod config;
mod core;
mod error;
mod grpc;
mod keys;
mod office;
mod passwords;
mod people;
mod secrets;
mod sessions;
mod store;

use mesh::app::{Deps, Service};
use mesh::pb::auth::auth_service_server::AuthServiceServer;
use mesh::pb::guard;
use tonic::service::Routes;

pub use config::{Argon2Config, Config, ThrottleConfig};
use grpc::AuthGrpc;
use office::Office;

/// The service's name.
pub const NAME: &str = "auth";

/// Builds the service. The first boot creates the user `admin`, whose password is in `admin-password` in the service's
/// folder until it is changed.
///
/// # Errors
/// An option out of its bounds, a store that cannot be opened, or a key file that cannot be read or written.
pub async fn build(config: Config, deps: Deps) -> mesh::Result<Service> {
    let office = Office::open(config, &deps).await?;
    let (token, housekeeping) = (deps.shutdown.token(), office.clone().housekeeping());
    deps.shutdown.spawn("auth housekeeping", async move {
        tokio::select! {
            () = token.cancelled() => Ok(()),
            () = housekeeping => Ok(()),
        }
    });
    let server = AuthServiceServer::new(guard::auth_service(AuthGrpc { office }));
    Ok(Service::new(NAME, Routes::new(server)))
}
