//! The order path in a simulated world: the real shard loop, group commit, sender, reconciler, journal and takeover, over a
//! simulated disk, clock and network, with the exchange's core as venue and oracle, crashing at every await.
//!
//! `TRADEMESH_SIM_SEEDS=100000` runs as many seeds, `TRADEMESH_SIM_SEED=7` one of them with its trace. How it is built:
//! `docs/simulation.md`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod client;
mod consumer;
mod disk;
mod exchange;
mod executor;
mod line;
mod process;
mod run;
mod states;
mod trace;
mod world;

use run::{Choice, Outcome, run};
use states::States;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use world::Planted;

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 2_000;

/// Within so many seeds every planted bug must be caught.
const SEEDS_TO_CATCH: u64 = 150;

/// Polls of a process at which it is crashed, one after the other, and how far they lie apart.
const SWEPT: u64 = 150;
const SWEEP_STEP: u64 = 5;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one choice; a panic is a violation.
fn judge(choice: Choice) -> Result<Outcome, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(choice)));
    let rerun = format!(
        "rerun: TRADEMESH_SIM_SEED={} cargo test -p mesh-tests --test simulation one_seed",
        choice.seed
    );
    match outcome {
        Ok(outcome) if outcome.violations.is_empty() => Ok(outcome),
        Ok(outcome) => Err(format!(
            "{choice:?}: {}\n{}\n{rerun}",
            outcome.violations.join("\n"),
            outcome.last_lines
        )),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("{choice:?}: panicked: {}\n{rerun}", text.unwrap_or_default()))
        }
    }
}

/// Judges many choices on all cores.
fn judge_all(count: u64, choice_of: impl Fn(u64) -> Choice + Sync) -> (States, Vec<String>) {
    let (next, states) = (AtomicU64::new(0), States::new());
    let failures = parking_lot::Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || failures.lock().len() >= 3 {
                        return;
                    }
                    match judge(choice_of(index)) {
                        Ok(outcome) => states.add(&outcome.states),
                        Err(failure) => failures.lock().push(failure),
                    }
                }
            });
        }
    });
    (states, failures.into_inner())
}

#[test]
fn every_seed_holds_and_every_state_is_reached() {
    let count = variable("TRADEMESH_SIM_SEEDS").unwrap_or(SEEDS);
    let (states, failures) = judge_all(count, |seed| Choice {
        seed,
        ..Choice::default()
    });
    println!("{count} seeds\n{}", states.table());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let missing = states.missing();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}

#[test]
fn one_workload_holds_wherever_its_process_crashes() {
    let (_, failures) = judge_all(SWEPT, |poll| Choice {
        seed: 1,
        crash_at: Some(poll * SWEEP_STEP),
        ..Choice::default()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn one_seed() {
    let seed = variable("TRADEMESH_SIM_SEED");
    let choice = Choice {
        seed: seed.unwrap_or(7),
        is_shown: seed.is_some(),
        ..Choice::default()
    };
    let first = judge(choice).unwrap_or_else(|failure| panic!("{failure}"));
    let again = judge(Choice {
        is_shown: false,
        ..choice
    });
    let again = again.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(
        (first.hash, first.polls),
        (again.hash, again.polls),
        "the same seed, another trace"
    );
    let other = judge(Choice {
        seed: choice.seed + 1,
        is_shown: false,
        ..choice
    });
    assert_ne!(first.hash, other.unwrap_or_else(|failure| panic!("{failure}")).hash);
}

/// The first seed that catches the bug, and what it says.
fn caught(planted: Planted) -> String {
    let failure = (0..SEEDS_TO_CATCH).find_map(|seed| {
        let choice = Choice {
            seed,
            planted: Some(planted),
            ..Choice::default()
        };
        judge(choice).err()
    });
    let failure = failure.unwrap_or_else(|| panic!("{planted:?} was not caught within {SEEDS_TO_CATCH} seeds"));
    println!("{}", failure.lines().next().unwrap_or_default());
    failure
}

#[test]
fn an_acknowledgement_before_the_sync_is_caught() {
    caught(Planted::AcknowledgeBeforeSync);
}

#[test]
fn a_resend_on_timeout_is_caught() {
    caught(Planted::ResendOnTimeout);
}

#[test]
fn a_fill_key_without_symbol_is_caught() {
    caught(Planted::FillKeyWithoutSymbol);
}

#[test]
fn a_journal_without_epoch_check_is_caught() {
    caught(Planted::NoEpochCheck);
}

#[test]
fn a_cursor_outside_the_transaction_is_caught() {
    caught(Planted::CursorOutsideTransaction);
}
