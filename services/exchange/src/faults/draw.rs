//! The decisions: pure functions of the seed, the fault, who it concerns and how many came before.

use super::plan::{Fault, Plan};
use std::time::Duration;

/// Mixes all bits of a word (the finaliser of splitmix64).
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A word that depends on everything that is handed in, and on nothing else.
fn word(parts: [u64; 4]) -> u64 {
    parts.into_iter().fold(0x9e37_79b9_7f4a_7c15, |so_far, part| {
        mix(so_far.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ part)
    })
}

/// A name as a number, the same in every process.
pub(super) fn named(name: &str) -> u64 {
    name.bytes().fold(0, |so_far, byte| mix(so_far ^ u64::from(byte)))
}

/// Whether a fault meets the `n`-th request or frame of `whom`.
pub(super) fn hits(plan: &Plan, fault: Fault, whom: u64, n: u64) -> bool {
    let probability = plan.probability(fault);
    if probability <= 0.0 {
        return false;
    }
    let drawn = word([plan.seed, fault as u64, whom, n]);
    ((drawn >> 11) as f64 / (1_u64 << 53) as f64) < probability
}

/// A number below `most`, for the `n`-th request or frame of `whom`; 0 when `most` is 0.
pub(super) fn below(plan: &Plan, fault: Fault, whom: u64, n: u64, most: u64) -> u64 {
    // the complement keeps this draw apart from the one that decided whether there is a fault
    let drawn = word([!plan.seed, fault as u64, whom, n]);
    ((u128::from(drawn) * u128::from(most)) >> 64) as u64
}

/// How long a fault takes, for the `n`-th request or frame of `whom`.
pub(super) fn time(plan: &Plan, fault: Fault, whom: u64, n: u64) -> Duration {
    let (least, most) = plan.bounds(fault);
    let span = u64::from(most.saturating_sub(least)) + 1;
    Duration::from_millis(u64::from(least) + below(plan, fault, whom, n, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            user_drop: 0.25,
            user_delay: 1.0,
            user_delay_min_ms: 10,
            user_delay_max_ms: 12,
            ..Plan::default()
        }
    }

    #[test]
    fn decisions_are_a_function_of_the_seed() {
        let decide = |seed: u64, whom: u64| -> Vec<bool> {
            (0..2_000)
                .map(|n| hits(&plan(seed), Fault::UserDrop, whom, n))
                .collect()
        };
        assert_eq!(decide(7, 1), decide(7, 1));
        assert_ne!(decide(7, 1), decide(8, 1));
        assert_ne!(decide(7, 1), decide(7, 2));
        let share = decide(7, 1).into_iter().filter(|hit| *hit).count();
        assert!((400..600).contains(&share), "{share} of 2000 at a quarter");
        assert!((0..100).all(|n| hits(&plan(7), Fault::UserDelay, 1, n)));
        assert!(!(0..100).any(|n| hits(&plan(7), Fault::MarketDrop, 1, n)));
    }

    #[test]
    fn times_stay_within_their_bounds_and_reach_them() {
        let times: std::collections::BTreeSet<u128> = (0..100)
            .map(|n| time(&plan(3), Fault::UserDelay, 1, n).as_millis())
            .collect();
        assert_eq!(times.into_iter().collect::<Vec<_>>(), [10, 11, 12]);
        assert_eq!(below(&plan(3), Fault::UserDelay, 1, 1, 0), 0);
        assert_ne!(named("alice"), named("bob"));
        assert_eq!(named("alice"), named("alice"));
    }
}
