//! Logs, metrics and traces.

mod logs;
mod metrics;
mod trace;

use std::sync::OnceLock;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub(crate) use self::metrics::code_name;
pub use self::metrics::{LATENCY_BUCKETS_S, Metrics, metrics};
pub(crate) use self::trace::with_sync;
pub use self::trace::{REQUEST_ID_HEADER, TRACEPARENT_HEADER, TraceContext, current, extract, inject, link, with};
use crate::error::Result;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is logged, measured and traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The filter of the logs, for example `info,mesh=debug`.
    pub log: String,
    /// How logs look.
    pub format: LogFormat,
    /// Where traces go by OTLP over gRPC, for example `http://127.0.0.1:4317`; empty: nowhere.
    pub otlp_endpoint: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        TelemetryConfig {
            log: "info".to_owned(),
            format: LogFormat::Text,
            otlp_endpoint: String::new(),
        }
    }
}

/// Flushes what is not exported yet when it is dropped.
#[must_use = "traces are flushed when this is dropped"]
pub struct Telemetry(Option<opentelemetry_sdk::trace::SdkTracerProvider>);

static INITIALISED: OnceLock<()> = OnceLock::new();
static INITIALISING: Mutex<()> = Mutex::new(());

/// Starts telemetry for the process. Only the first call has an effect, so tests may call it freely. Must be called
/// within a tokio runtime when an OTLP endpoint is configured.
///
/// # Errors
/// `Invalid` naming the config key that does not parse.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry> {
    let _initialising = INITIALISING.lock();
    if INITIALISED.get().is_some() {
        return Ok(Telemetry(None));
    }
    let provider = trace::provider(&config.otlp_endpoint)?;
    logs::install(config, provider.as_ref())?;
    metrics();
    let _ = INITIALISED.set(());
    Ok(Telemetry(provider))
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // There is nobody left to tell when the last spans cannot be exported.
            let _ = provider.shutdown();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TelemetryConfig, init};

    #[test]
    fn a_second_start_changes_nothing() {
        let quiet = TelemetryConfig {
            log: "off".to_owned(),
            ..TelemetryConfig::default()
        };
        let _first = init(&quiet).unwrap();
        let _second = init(&TelemetryConfig {
            log: "not=a=filter".to_owned(),
            ..quiet
        })
        .unwrap();
    }
}
