//! Ids that sort by the time they were made: monotonic ULIDs.

use std::sync::Arc;

use parking_lot::Mutex;
use ulid::Ulid;

use crate::time::{Chance, Clock};

/// Makes ids. Clones share one sequence, so that each id is greater than every earlier one of the process.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    chance: Chance,
    last: Arc<Mutex<Option<u128>>>,
}

impl Ids {
    /// A maker of ids with an injected clock and randomness.
    pub fn new(clock: Clock, chance: Chance) -> Self {
        Ids {
            clock,
            chance,
            last: Arc::new(Mutex::new(None)),
        }
    }

    /// A new ULID: 26 characters of Crockford's base 32; 48 bits of milliseconds, then 80 random bits.
    ///
    /// Within a millisecond, and while the wall clock stands behind the last id, the next id is the last plus one.
    #[allow(
        clippy::should_implement_trait,
        reason = "a maker of ids is no iterator: it has no end"
    )]
    pub fn next(&self) -> String {
        let mut random = [0; 16];
        self.chance.fill(&mut random[6..]);
        let millis = u64::try_from(self.clock.now_millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, u128::from_be_bytes(random));
        let mut last = self.last.lock();
        let id = match *last {
            Some(last) if last >> Ulid::RAND_BITS >= fresh.0 >> Ulid::RAND_BITS => last + 1,
            _ => fresh.0,
        };
        *last = Some(id);
        Ulid(id).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_goes_back() {
        let (clock, hands) = Clock::manual(1_700_000_000_000_000);
        let ids = Ids::new(clock, Chance::seeded(1));
        let mut made = Vec::new();
        for step in 0..300 {
            made.push(ids.clone().next());
            match step {
                100 => hands.advance(Duration::from_millis(3)),
                200 => hands.set(1_600_000_000_000_000),
                _ => {}
            }
        }
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.len() == 26));
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 300);
        let prefix = |index: usize| &made[index][..10];
        assert_eq!((prefix(0), prefix(101)), (prefix(100), prefix(299)));
        assert_ne!(prefix(100), prefix(101));
    }

    #[test]
    fn two_makers_do_not_agree_and_a_time_before_the_epoch_is_the_epoch() {
        let (clock, _) = Clock::manual(-5);
        let first = Ids::new(clock.clone(), Chance::from_entropy()).next();
        let second = Ids::new(clock, Chance::from_entropy()).next();
        assert_ne!(first, second);
        assert!(first.starts_with("0000000000"));
    }
}
