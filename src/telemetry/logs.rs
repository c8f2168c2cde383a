//! Structured logs on stderr: lowercase, one line a fact.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::{LogFormat, TelemetryConfig};
use crate::error::{Error, Result};

/// Builds the layer that writes logs.
fn writer(config: &TelemetryConfig) -> Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| {
        let message = format!("telemetry.log: '{}' is not a filter: {error}", config.log);
        Error::invalid("CONFIG_BAD_LOG_FILTER", message).with("key", "telemetry.log")
    })?;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    Ok(match config.format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    })
}

/// Installs logs, and spans when there is somewhere to send them.
pub(super) fn install(config: &TelemetryConfig, provider: Option<&SdkTracerProvider>) -> Result<()> {
    let spans = provider.map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("trademesh")));
    let subscriber = tracing_subscriber::registry().with(writer(config)?).with(spans);
    if subscriber.try_init().is_err() {
        tracing::debug!("another subscriber is installed already, logs go there");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{install, writer};
    use crate::telemetry::{LogFormat, TelemetryConfig};

    #[test]
    fn a_bad_filter_is_refused_by_its_key() {
        let config = TelemetryConfig {
            log: "mesh=loudly".to_owned(),
            ..TelemetryConfig::default()
        };
        assert_eq!(writer(&config).err().unwrap().context()["key"], "telemetry.log");
    }

    #[test]
    fn both_formats_install_and_a_second_subscriber_is_no_error() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let config = TelemetryConfig {
                log: "off".to_owned(),
                format,
                ..TelemetryConfig::default()
            };
            install(&config, None).unwrap();
        }
    }
}
