//! The order path in a simulated world: the real shard loop, group commit, sender, reconciler, journal and takeover, over a
//! simulated disk, clock and network, with the exchange's core as venue and oracle, crashing at every await.
//!
//! `TRADEMESH_SIM_SEEDS=100000` runs as many seeds, `TRADEMESH_SIM_SEED=7` one of them with its trace; with
//! `TRADEMESH_SIM_WORKLOAD=Short` the short workload of it, with `TRADEMESH_SIM_CRASH_AT=35` its first process crashes before
//! that poll, with `TRADEMESH_SIM_CUT_AT=35` the power goes in that change of its disk, with
//! `TRADEMESH_SIM_PLANTED=NoEpochCheck` that bug is built in. How it is built: `docs/simulation.md`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod client;
mod consumer;
mod disk;
mod draw;
mod exchange;
mod executor;
mod instructions;
mod line;
mod process;
mod run;
mod sessions;
mod states;
mod stops;
mod trace;
mod wish;
mod world;

use run::{Choice, Outcome, Workload, run};
use states::{State, States};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use world::Planted;

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 2_000;

/// Within so many seeds every planted bug must be caught.
const SEEDS_TO_CATCH: u64 = 600;

/// Short workloads whose process is crashed at each of its polls, one after the other, and in each change of its disk.
const SWEPT: u64 = 4;

/// What the short workloads must come to, so that crashing them everywhere shows something.
const CRASHED_THROUGH: [State; 11] = [
    State::GroupCommit,
    State::CrashSyncAck,
    State::CrashAckSend,
    State::CrashSendAnswer,
    State::Replaced,
    State::BatchPartlyRefused,
    State::CancelledAll,
    State::StopFired,
    State::FireUncommitted,
    State::FireUnsent,
    State::ChildSent,
];

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// One of these, by its name in the environment.
fn named<T: Debug + Copy>(variable: &str, all: &[T]) -> Option<T> {
    let name = std::env::var(variable).ok()?;
    let found = all.iter().find(|each| format!("{each:?}") == name);
    Some(*found.unwrap_or_else(|| panic!("{variable}={name} is none of {all:?}")))
}

/// The command that runs exactly this choice again.
fn rerun(choice: Choice) -> String {
    let mut variables = format!("TRADEMESH_SIM_SEED={}", choice.seed);
    if choice.workload != Workload::default() {
        variables += &format!(" TRADEMESH_SIM_WORKLOAD={:?}", choice.workload);
    }
    if let Some(poll) = choice.crash_at {
        variables += &format!(" TRADEMESH_SIM_CRASH_AT={poll}");
    }
    if let Some(change) = choice.cut_at {
        variables += &format!(" TRADEMESH_SIM_CUT_AT={change}");
    }
    if let Some(planted) = choice.planted {
        variables += &format!(" TRADEMESH_SIM_PLANTED={planted:?}");
    }
    format!("rerun: {variables} cargo test -p mesh-tests --test simulation one_seed -- --nocapture")
}

/// A choice that did not hold.
struct Failure {
    /// What did not hold.
    violations: String,
    /// The choice, what did not hold, the end of the trace, and how to run it again.
    text: String,
}

/// Runs one choice; a panic is a violation.
fn judge(choice: Choice) -> Result<Outcome, Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(choice)));
    let (violations, last_lines) = match outcome {
        Ok(outcome) if outcome.violations.is_empty() => return Ok(outcome),
        Ok(outcome) => (outcome.violations.join("\n"), outcome.last_lines),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            (format!("panicked: {}", text.unwrap_or_default()), String::new())
        }
    };
    let text = format!("{choice:?}: {violations}\n{last_lines}\n{}", rerun(choice));
    Err(Failure { violations, text })
}

/// As [`judge`]; a choice that does not hold fails the test.
fn holds(choice: Choice) -> Outcome {
    judge(choice).unwrap_or_else(|failure| panic!("{}", failure.text))
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
                        Err(failure) => failures.lock().push(failure.text),
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

/// The short workloads, as nothing happens to their processes.
fn short(seed: u64) -> Choice {
    Choice {
        seed,
        workload: Workload::Short,
        ..Choice::default()
    }
}

#[test]
fn short_workloads_hold_at_whichever_await_their_process_crashes() {
    let (mut swept, all) = (0, States::new());
    for seed in 0..SWEPT {
        let spared = holds(short(seed));
        assert_eq!(spared.deaths, 0);
        let (states, failures) = judge_all(spared.polls_of_last, |poll| Choice {
            crash_at: Some(poll),
            ..short(seed)
        });
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        swept += spared.polls_of_last;
        all.add(&states);
    }
    println!("crashed at each of {swept} polls of {SWEPT} processes\n{}", all.table());
    let missing = all.missing_of(&CRASHED_THROUGH);
    assert!(missing.is_empty(), "never crashed through: {missing:?}");
}

/// A short workload with the power cut in a change of its first process's disk.
fn cut(seed: u64, change: u64) -> Choice {
    Choice {
        cut_at: Some(change as u32),
        ..short(seed)
    }
}

/// How many changes and syncs the first process makes: the power can go in so many.
fn changes_of_disk(seed: u64) -> u64 {
    let is_cut = |change: u64| holds(cut(seed, change)).deaths > 0;
    let mut beyond = 1;
    while is_cut(beyond) {
        beyond *= 2;
    }
    let mut last = beyond / 2;
    while beyond - last > 1 {
        let middle = last.midpoint(beyond);
        match is_cut(middle) {
            true => last = middle,
            false => beyond = middle,
        }
    }
    beyond
}

#[test]
fn short_workloads_hold_in_whichever_change_of_the_disk_the_power_goes() {
    let mut swept = 0;
    for seed in 0..SWEPT {
        let changes = changes_of_disk(seed);
        let (_, failures) = judge_all(changes, |change| cut(seed, change));
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        swept += changes;
    }
    println!("cut the power in each of {swept} changes of {SWEPT} disks");
}

#[test]
fn one_seed() {
    let seed = variable("TRADEMESH_SIM_SEED");
    let choice = Choice {
        seed: seed.unwrap_or(7),
        workload: named("TRADEMESH_SIM_WORKLOAD", &[Workload::Long, Workload::Short]).unwrap_or_default(),
        crash_at: variable("TRADEMESH_SIM_CRASH_AT"),
        cut_at: variable("TRADEMESH_SIM_CUT_AT").map(|change| change as u32),
        planted: named("TRADEMESH_SIM_PLANTED", &Planted::ALL),
        is_shown: seed.is_some(),
    };
    let first = holds(choice);
    let again = holds(Choice {
        is_shown: false,
        ..choice
    });
    assert_eq!(
        (first.hash, first.polls),
        (again.hash, again.polls),
        "the same seed, another trace"
    );
    let other = holds(Choice {
        seed: choice.seed + 1,
        ..Choice::default()
    });
    assert_ne!(first.hash, other.hash);
}

#[test]
fn a_failure_names_the_command_that_runs_it_again() {
    let choice = Choice {
        seed: 1,
        workload: Workload::Short,
        crash_at: Some(35),
        cut_at: Some(7),
        planted: Some(Planted::NoEpochCheck),
        is_shown: false,
    };
    let expected = "TRADEMESH_SIM_SEED=1 TRADEMESH_SIM_WORKLOAD=Short TRADEMESH_SIM_CRASH_AT=35 TRADEMESH_SIM_CUT_AT=7 \
                    TRADEMESH_SIM_PLANTED=NoEpochCheck cargo test";
    assert!(rerun(choice).contains(expected), "{}", rerun(choice));
}

/// Every planted bug breaks, on some seed, what it is expected to break: another failure is another bug.
#[test]
fn every_planted_bug_is_caught_by_what_it_breaks() {
    let table = [
        (Planted::AcknowledgeBeforeSync, "its intent is not durable"),
        (Planted::ResendOnTimeout, " twice"),
        (Planted::FillKeyWithoutSymbol, "filled, at the venue Filled"),
        (Planted::NoEpochCheck, "JOURNAL_DAMAGED"),
        (Planted::CursorOutsideTransaction, "the consumer applied"),
    ];
    assert_eq!(table.map(|(planted, _)| planted), Planted::ALL);
    for (planted, expected) in table {
        let mut others = Vec::new();
        let found = (0..SEEDS_TO_CATCH).find_map(|seed| {
            let choice = Choice {
                seed,
                planted: Some(planted),
                ..Choice::default()
            };
            let failure = judge(choice).err()?;
            let is_expected = failure.violations.contains(expected);
            if !is_expected {
                others.push(failure.text.clone());
            }
            is_expected.then_some((seed, failure))
        });
        match found {
            Some((seed, failure)) => println!("{planted:?}, seed {seed}: {}", failure.violations),
            None => panic!(
                "{planted:?}: '{expected}' was not said within {SEEDS_TO_CATCH} seeds, but\n{}",
                others.join("\n\n")
            ),
        }
    }
}
