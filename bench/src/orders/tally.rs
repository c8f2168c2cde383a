//! What came back: latencies and errors of submits and of cancels.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest latency told apart, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new order.
    Submit,
    /// A cancel.
    Cancel,
}

impl Kind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Cancel => "cancel",
        }
    }
}

/// Latencies of every answer, good or bad, and of requests that got none.
#[derive(Debug, Clone)]
pub struct Measured {
    latencies: Histogram<u64>,
    refused: u64,
}

impl Measured {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are constants in order");
        Self { latencies, refused: 0 }
    }

    /// A quantile in milliseconds.
    pub fn latency_ms(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1e3
    }

    /// How many requests are done.
    pub fn answered(&self) -> usize {
        usize::try_from(self.latencies.len()).unwrap_or(usize::MAX)
    }

    /// How many of them did not do what was asked.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Both kinds.
#[derive(Debug)]
pub struct Tally {
    submits: Measured,
    cancels: Measured,
    errors: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            submits: Measured::new(),
            cancels: Measured::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Counts one request, with the error when it was not good.
    pub fn record(&mut self, kind: Kind, latency: Duration, error: Option<String>) {
        let measured = match kind {
            Kind::Submit => &mut self.submits,
            Kind::Cancel => &mut self.cancels,
        };
        measured
            .latencies
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US));
        if let Some(error) = error {
            measured.refused += 1;
            *self.errors.entry(format!("{}: {error}", kind.name())).or_default() += 1;
        }
    }

    /// Takes in what another one counted.
    ///
    /// # Errors
    /// Never, since all have the same bounds.
    pub fn add(&mut self, other: &Self) -> Result<(), hdrhistogram::AdditionError> {
        for (mine, yours) in [(&mut self.submits, &other.submits), (&mut self.cancels, &other.cancels)] {
            mine.latencies.add(&yours.latencies)?;
            mine.refused += yours.refused;
        }
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
        Ok(())
    }

    /// The requests of one kind.
    pub fn of(&self, kind: Kind) -> &Measured {
        match kind {
            Kind::Submit => &self.submits,
            Kind::Cancel => &self.cancels,
        }
    }

    /// The requests of both kinds together.
    pub fn all(&self) -> Measured {
        let mut all = self.submits.clone();
        all.latencies
            .add(&self.cancels.latencies)
            .expect("both kinds have the same bounds");
        all.refused += self.cancels.refused;
        all
    }

    /// Errors by kind, status and reason.
    pub fn errors(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.errors.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Tally};
    use std::time::Duration;

    #[test]
    fn tallies_add_up() {
        let (mut total, mut window) = (Tally::new(), Tally::new());
        window.record(Kind::Submit, Duration::from_millis(2), None);
        window.record(
            Kind::Cancel,
            Duration::from_millis(4),
            Some("404 ORDER_UNKNOWN".to_owned()),
        );
        total.add(&window).unwrap();
        total.add(&window).unwrap();
        assert_eq!(
            (total.of(Kind::Submit).answered(), total.of(Kind::Submit).refused()),
            (2, 0)
        );
        assert_eq!(total.of(Kind::Cancel).refused(), 2);
        assert!((total.of(Kind::Cancel).latency_ms(1.0) - 4.0).abs() < 0.01);
        let all = total.all();
        assert_eq!((all.answered(), all.refused()), (4, 2));
        assert!((all.latency_ms(0.5) - 2.0).abs() < 0.01 && (all.latency_ms(1.0) - 4.0).abs() < 0.01);
        assert_eq!(
            total.errors().next(),
            Some((&"cancel: 404 ORDER_UNKNOWN".to_owned(), &2))
        );
    }
}
