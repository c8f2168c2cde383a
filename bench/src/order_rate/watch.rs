//! The platform under load, seen from outside: its backlog, memory and processor time.

use crate::platform::Platform;
use crate::{process, report};
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

/// Counts shown at the end.
const COUNTED: [&str; 6] = [
    "trading_intent_backlog",
    "trading_journal_batches_total",
    "trading_journal_records_total",
    "trading_order_entry_requests_total",
    "trading_unknown_outcomes_total",
    "trading_refusals_total",
];

/// Histograms shown at the end, and what they measure.
const SPANS: [(&str, &str); 4] = [
    ("trading_submit_seconds", "a submit's arrival to its answer"),
    ("trading_commit_seconds", "a batch to its being durable"),
    ("trading_venue_answer_seconds", "a durable intent to the venue's answer"),
    (
        "trading_first_fill_seconds",
        "a market order's acceptance to its first fill",
    ),
];

/// Looks at a platform from time to time.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    platform: &'a Platform,
    id: u32,
    last: (Duration, Duration),
    rows: Vec<[String; 7]>,
}

impl<'a> Watch<'a> {
    /// Has not looked yet.
    pub(crate) fn new(platform: &'a Platform) -> Self {
        let id = platform.id();
        Self {
            platform,
            id,
            last: (Duration::ZERO, process::processor_time(id)),
            rows: Vec::new(),
        }
    }

    /// Looks, `at` so long after the start of the load, with what was counted since the last look.
    pub(crate) async fn look(&mut self, at: Duration, window: &Tally, in_flight: u64) {
        let backlog = self.platform.metrics("trading").await.sum("trading_intent_backlog");
        let used = process::processor_time(self.id);
        let share = used.saturating_sub(self.last.1).as_secs_f64() / (at - self.last.0).as_secs_f64().max(1e-9);
        self.last = (at, used);
        let submits = window.of(Kind::Submit);
        self.rows.push([
            format!("{:.1}", at.as_secs_f64()),
            format!("{backlog:.0}"),
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
        let metrics = self.platform.metrics("trading").await;
        let lines: Vec<&str> = metrics.lines_of(&COUNTED).collect();
        let spans = SPANS.map(|(name, what)| {
            let mean = metrics.sum(&format!("{name}_sum")) / metrics.sum(&format!("{name}_count")).max(1.0);
            let within = |share: f64| match metrics.bound(name, share) {
                Some(bound) => format!("{:.2}", bound * 1e3),
                None => "none".to_owned(),
            };
            [what.to_owned(), format!("{:.2}", mean * 1e3), within(0.5), within(0.99)]
        });
        report::print(
            "orders: what trading itself measured, warm-up included, in milliseconds",
            ["from, to", "mean", "half within", "99 % within"],
            spans.to_vec(),
        );
        lines.join("\n")
    }
}
