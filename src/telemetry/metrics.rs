//! The Prometheus recorder.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tonic::Code;

/// The upper bounds of latency histograms, in seconds: 0.1 ms to 10 s.
pub const LATENCY_BUCKETS_S: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

static METRICS: OnceLock<Metrics> = OnceLock::new();

/// What this process has measured.
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The page in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was measured since the last time into the histograms; without it they grow.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// The metrics of this process. The first call installs the recorder.
pub fn metrics() -> &'static Metrics {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets(&LATENCY_BUCKETS_S)
            .expect("the buckets are a constant that is not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed already, the metrics page stays empty");
        }
        Metrics(handle)
    })
}

/// The name of a gRPC code as a bounded label, as OpenTelemetry spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::{code_name, metrics};

    #[test]
    fn every_code_has_the_name_of_the_protocol() {
        let names: std::collections::BTreeSet<_> = (0..17).map(|code| code_name(Code::from_i32(code))).collect();
        assert_eq!(names.len(), 17);
        assert_eq!(code_name(Code::from_i32(14)), "UNAVAILABLE");
    }

    #[test]
    fn what_is_measured_is_on_the_page() {
        let page = metrics();
        metrics::histogram!("telemetry_test_seconds").record(0.003);
        page.upkeep();
        let text = page.render();
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(
            text.contains("telemetry_test_seconds_bucket{le=\"0.0025\"} 0"),
            "{text}"
        );
    }
}
