//! The life of a process: bind every port, build, be ready, serve, drain.
//!
//! ```no_run
//! # async fn example() -> mesh::Result<()> {
//! use mesh::app::{App, AppConfig, Service};
//!
//! let mut app = App::new(AppConfig::default(), mesh::time::Clock::system(), mesh::time::Chance::from_entropy());
//! app.add("risk", |deps| async move { Ok(Service::new("risk", tonic::service::Routes::default())) });
//! let running = app.start().await?;
//! running.ready().await;
//! running.run_until_signal().await
//! # }
//! ```

mod apart;
mod bind;
mod boot;
mod config;
mod readiness;
mod running;
mod service;
mod shutdown;
mod signals;
#[doc(hidden)]
pub mod testing;

pub use bind::bind;
pub use boot::App;
pub use config::AppConfig;
pub use readiness::{Readiness, ReadinessGuard};
pub use running::{Running, exit_code};
pub use service::{Deps, HttpSurface, Service};
pub use shutdown::{Failures, Shutdown, Spawner};
pub use signals::SignalWatch;

#[cfg(test)]
mod tests;
