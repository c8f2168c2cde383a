//! The platform under load, seen from outside: its backlog, memory and processor time.

use crate::platform::Platform;
use crate::process;
use bench::orders::{Kind, Tally};
use std::time::Duration;

/// The columns of [`Watch::rows`].
pub(crate) const HEADER: [&str; 7] = [
    "after s",
    "intents to the venue",
    "requests in flight",
    "submit p99 ms",
    "max ms",
    "resident MiB",
    "CPU, of one core",
];

/// Metrics shown at the end.
const SHOWN: [&str; 6] = [
    "trading_intent_backlog",
    "trading_journal_batches_total",
    "trading_journal_records_total",
    "trading_submit_seconds",
    "trading_unknown_outcomes_total",
    "trading_refusals_total",
];

/// Looks at a platform from time to time.
#[derive(Debug)]
pub(crate) struct Watch {
    metrics: String,
    http: reqwest::Client,
    id: u32,
    last: (Duration, Duration),
    rows: Vec<[String; 7]>,
}

impl Watch {
    /// Has not looked yet.
    pub(crate) fn new(platform: &Platform) -> Self {
        let id = platform.id();
        Self {
            metrics: format!("{}/metrics", platform.url("trading")),
            http: reqwest::Client::new(),
            id,
            last: (Duration::ZERO, process::processor_time(id)),
            rows: Vec::new(),
        }
    }

    /// Looks, `at` so long after the start of the load, with what was counted since the last look.
    pub(crate) async fn look(&mut self, at: Duration, window: &Tally, in_flight: u64) {
        let text = self.read().await;
        let backlog = text.lines().filter(|line| line.starts_with("trading_intent_backlog"));
        let backlog: f64 = backlog
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum();
        let backlog = if text.contains("trading_intent_backlog") {
            format!("{backlog:.0}")
        } else {
            "unknown".to_owned()
        };
        let used = process::processor_time(self.id);
        let share = used.saturating_sub(self.last.1).as_secs_f64() / (at - self.last.0).as_secs_f64().max(1e-9);
        self.last = (at, used);
        let submits = window.of(Kind::Submit);
        self.rows.push([
            format!("{:.1}", at.as_secs_f64()),
            backlog,
            in_flight.to_string(),
            format!("{:.2}", submits.latency_ms(0.99)),
            format!("{:.2}", submits.latency_ms(1.0)),
            format!("{:.1}", process::resident_mib(self.id)),
            format!("{:.0} %", share * 100.0),
        ]);
    }

    /// What was seen.
    pub(crate) fn rows(&self) -> Vec<[String; 7]> {
        self.rows.clone()
    }

    /// What trading itself counted.
    pub(crate) async fn insides(&self) -> String {
        let text = self.read().await;
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| SHOWN.iter().any(|name| line.starts_with(name)))
            .collect();
        format!("trading's own metrics, warm-up included:\n{}", lines.join("\n"))
    }

    async fn read(&self) -> String {
        match self.http.get(&self.metrics).send().await {
            Ok(response) => response.text().await.unwrap_or_default(),
            Err(error) => {
                eprintln!("no metrics: {error}");
                String::new()
            }
        }
    }
}
