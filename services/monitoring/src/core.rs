//! What is known of every service, as a fold of the answers to its checks.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It was not checked yet.
    Unknown,
    /// It serves.
    Serving,
    /// It answers that it does not serve.
    NotServing,
    /// It does not answer.
    Unreachable,
}

/// The answer to one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How the service is.
    pub health: Health,
    /// What went wrong; empty when it serves.
    pub detail: String,
    /// How long the check took.
    pub latency: Duration,
    /// When it ended, in µs since the Unix epoch.
    pub at_micros: i64,
}

/// What is known of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The last check; none before the first.
    pub last: Option<Check>,
    /// When the health last changed, in µs since the Unix epoch.
    pub changed_at_micros: Option<i64>,
}

impl Known {
    /// How the service is.
    pub fn health(&self) -> Health {
        self.last.as_ref().map_or(Health::Unknown, |check| check.health)
    }
}

/// Every service and what is known of it, by name.
#[derive(Debug, Clone)]
pub struct Board(BTreeMap<&'static str, Known>);

impl Board {
    /// A board on which nothing is known yet.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Board {
        let unknown = Known {
            last: None,
            changed_at_micros: None,
        };
        Board(names.into_iter().map(|name| (name, unknown.clone())).collect())
    }

    /// Takes in the answer to a check. Returns the health before when this one differs. A service that is not on the
    /// board is not put on it.
    pub fn apply(&mut self, name: &str, check: Check) -> Option<Health> {
        let known = self.0.get_mut(name)?;
        let before = known.health();
        let changed = before != check.health;
        if changed {
            known.changed_at_micros = Some(check.at_micros);
        }
        known.last = Some(check);
        changed.then_some(before)
    }

    /// The services, ordered by name.
    pub fn services(&self) -> impl Iterator<Item = (&'static str, &Known)> {
        self.0.iter().map(|(name, known)| (*name, known))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Board, Check, Health};

    fn check(health: Health, at_micros: i64) -> Check {
        Check {
            health,
            detail: String::new(),
            latency: Duration::from_millis(1),
            at_micros,
        }
    }

    #[test]
    fn a_change_is_the_time_of_its_first_check() {
        let mut board = Board::new(["risk"]);
        // health of the check, its time → health before if it changed, time of the last change
        let table = [
            (Health::Unreachable, 1, Some(Health::Unknown), 1),
            (Health::Unreachable, 2, None, 1),
            (Health::NotServing, 3, Some(Health::Unreachable), 3),
            (Health::Serving, 4, Some(Health::NotServing), 4),
            (Health::Serving, 5, None, 4),
            (Health::Unreachable, 6, Some(Health::Serving), 6),
        ];
        for (health, at, before, changed_at) in table {
            assert_eq!(board.apply("risk", check(health, at)), before, "at {at}");
            let (_, known) = board.services().next().unwrap();
            assert_eq!(
                (known.health(), known.changed_at_micros),
                (health, Some(changed_at)),
                "at {at}"
            );
            assert_eq!(known.last.as_ref().unwrap().at_micros, at);
        }
    }

    #[test]
    fn services_are_listed_by_name_and_strangers_are_not() {
        let mut board = Board::new(["risk", "auth"]);
        assert_eq!(board.apply("stranger", check(Health::Serving, 1)), None);
        let names: Vec<_> = board.services().map(|(name, known)| (name, known.health())).collect();
        assert_eq!(names, [("auth", Health::Unknown), ("risk", Health::Unknown)]);
    }
}
