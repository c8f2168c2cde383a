//! The table: the platform's submits and cancels, its peer, and how many times as long the platform takes.

use super::run::Run;
use crate::report::{self, verdict};
use bench::orders::{Kind, Measured};

/// The 99th percentile that the platform is held to, in milliseconds.
pub(super) const P99_LIMIT_MS: f64 = 5.0;
/// What the peer is: the least that a durable answer over REST costs.
pub(super) const PEER: &str = "bare axum + group commit";

/// The columns of [`rows`].
pub(super) const HEADER: [&str; 9] = [
    "request",
    "answers a second",
    "p50",
    "p99",
    "p99.9",
    "max",
    "refused or failed",
    "stolen",
    "p99 limit",
];

/// A row a kind of the platform's requests, a row a run of the peer, and a row a kind that compares both.
pub(super) fn rows(ours: &Run, peers: &[(&str, Run)]) -> Vec<[String; 9]> {
    let kinds = [Kind::Submit, Kind::Cancel];
    let mut rows: Vec<[String; 9]> = kinds
        .iter()
        .map(|&kind| row(kind.name(), ours.tally.of(kind), ours))
        .collect();
    if peers.is_empty() {
        return rows;
    }
    let mut measured = Vec::new();
    for (when, run) in peers {
        let all = run.tally.all();
        rows.push(row(&format!("{PEER}, {when}"), &all, run));
        measured.push(all);
    }
    rows.extend(kinds.iter().map(|&kind| ratio(kind, ours.tally.of(kind), &measured)));
    rows
}

fn row(name: &str, measured: &Measured, run: &Run) -> [String; 9] {
    let at = |share: f64| measured.latency_ms(share);
    [
        name.to_owned(),
        format!("{:.1}", report::per_second(measured.answered(), run.took)),
        format!("{:.2}", at(0.5)),
        format!("{:.2}", at(0.99)),
        format!("{:.2}", at(0.999)),
        format!("{:.2}", at(1.0)),
        measured.refused().to_string(),
        format!("{:.1} %", run.stolen),
        verdict(at(0.99) < P99_LIMIT_MS),
    ]
}

/// Against each run of the peer, the least and the most: a machine that others use is not the same twice.
fn ratio(kind: Kind, ours: &Measured, peers: &[Measured]) -> [String; 9] {
    let times = |share: f64| {
        let ratios = peers.iter().map(|peer| ours.latency_ms(share) / peer.latency_ms(share));
        let (least, most) = ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| {
            (f64::min(least, ratio), f64::max(most, ratio))
        });
        format!("{least:.1} to {most:.1} x")
    };
    let mut row: [String; 9] = std::array::from_fn(|_| String::new());
    row[0] = format!("{}: ours / peer", kind.name());
    row[2] = times(0.5);
    row[3] = times(0.99);
    row
}

#[cfg(test)]
mod tests {
    use super::{HEADER, PEER, rows};
    use crate::order_rate::run::Run;
    use bench::orders::{Kind, Tally};
    use std::time::Duration;

    /// A hundred submits, of which two are slow, and as many cancels.
    fn run(submit: (u64, u64), cancel: (u64, u64), stolen: f64) -> Run {
        let mut tally = Tally::new();
        for (kind, (usual, slow)) in [(Kind::Submit, submit), (Kind::Cancel, cancel)] {
            for number in 0..100 {
                let latency = if number < 98 { usual } else { slow };
                tally.record(kind, Duration::from_micros(latency), None);
            }
        }
        Run {
            tally,
            took: Duration::from_secs(2),
            stolen,
        }
    }

    #[test]
    fn the_platform_stands_beside_its_peer() {
        let ours = run((2_000, 8_000), (1_000, 3_000), 1.5);
        let peers = [
            ("before", run((400, 2_000), (400, 2_000), 0.0)),
            ("after", run((500, 4_000), (500, 4_000), 3.0)),
        ];
        let before = format!("{PEER}, before");
        let after = format!("{PEER}, after");
        #[rustfmt::skip]
        let table: [[&str; 9]; 6] = [
            ["submit", "50.0", "2.00", "8.00", "8.00", "8.00", "0", "1.5 %", "MISSED"],
            ["cancel", "50.0", "1.00", "3.00", "3.00", "3.00", "0", "1.5 %", "kept"],
            [&before, "100.0", "0.40", "2.00", "2.00", "2.00", "0", "0.0 %", "kept"],
            [&after, "100.0", "0.50", "4.00", "4.00", "4.00", "0", "3.0 %", "kept"],
            ["submit: ours / peer", "", "4.0 to 5.0 x", "2.0 to 4.0 x", "", "", "", "", ""],
            ["cancel: ours / peer", "", "2.0 to 2.5 x", "0.8 to 1.5 x", "", "", "", "", ""],
        ];
        assert_eq!(rows(&ours, &peers), table);
        assert_eq!(rows(&ours, &[]), table[..2], "without a peer");
        assert_eq!(HEADER[2..4], ["p50", "p99"]);
    }
}
