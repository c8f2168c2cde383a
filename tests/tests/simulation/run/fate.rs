//! How the lives of processes end: killed, crashed with their machine, frozen and taken over, at every place.

use super::{MOST_DEATHS, Run};
use crate::disk::Phase;
use crate::executor::Group;
use crate::states::State;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How the life of a process shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is killed before its nth poll; the disk stays as it is.
    Killed(u64),
    /// Its machine dies before its nth poll, and the disk loses what was not synced.
    Crashed(u64),
    /// The power goes at some change of the disk.
    PowerCut,
    /// A sync fails.
    SyncFails,
    /// It is paused before its nth poll, loses its lock, and another takes over.
    Frozen(u64),
    /// It ends while a trigger's decision is at this place of its commit.
    Firing(Phase, Ending),
    /// It lives.
    Spared,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Killed,
    Crashed,
    Frozen,
}

impl Run {
    pub(super) fn draw_fate(&mut self) -> Fate {
        if self.world.is_quiet() || self.deaths >= MOST_DEATHS || !self.choice.workload.has_faults() {
            return Fate::Spared;
        }
        let most = if self.chance.below(4) == 0 { 60 } else { 1_500 };
        let poll = self.chance.below(most);
        match self.chance.below(13) {
            0..2 => Fate::Killed(poll),
            2..4 => Fate::Crashed(poll),
            4..6 => {
                self.disk.cut_power_after(self.chance.below(120) as u32);
                Fate::PowerCut
            }
            6 => {
                self.disk.fail_sync_after(self.chance.below(60) as u32);
                Fate::SyncFails
            }
            7..9 => Fate::Frozen(poll),
            9..12 => {
                let phases = [Phase::Before, Phase::Synced];
                let endings = [Ending::Killed, Ending::Crashed, Ending::Frozen];
                let phase = phases[self.chance.below(2) as usize];
                Fate::Firing(phase, endings[self.chance.below(3) as usize])
            }
            _ => Fate::Spared,
        }
    }

    pub(super) fn meet_fate(&mut self) {
        let Some(process) = &self.process else { return };
        let group = process.group;
        match self.fate {
            Fate::Killed(poll) if self.polls_of_process >= poll => {
                self.world.note(State::CrashBetweenPolls);
                self.die(group, false);
            }
            Fate::Crashed(poll) if self.polls_of_process >= poll => {
                self.world.note(State::CrashBetweenPolls);
                self.die(group, true);
            }
            Fate::Frozen(poll) if self.polls_of_process >= poll => self.freeze(),
            Fate::Firing(phase, ending) if self.is_firing(phase) => match ending {
                Ending::Killed => self.die(group, false),
                Ending::Crashed => self.die(group, true),
                Ending::Frozen => self.freeze(),
            },
            _ if self.disk.is_off() => self.die(group, true),
            _ => {}
        }
    }

    /// Ends the process; with its machine, what the disk has not synced may be gone, and whoever was frozen on it.
    fn die(&mut self, group: Group, is_machine: bool) {
        self.world
            .trace
            .line(format_args!("process {group} dies, machine {is_machine}"));
        self.note_where();
        self.note_fires(State::FireUncommitted, State::FireUnsent);
        self.executor.kill(group);
        self.process = None;
        self.deaths += 1;
        if is_machine {
            self.disk.crash(&self.chance);
            for (process, _) in self.frozen.drain(..) {
                self.executor.kill(process.group);
            }
        }
        self.start_process();
    }

    /// Notes which side of its commit a trigger's decision was on, if one was being committed.
    fn note_fires(&self, before: State, after: State) {
        if self.is_firing(Phase::Before) {
            self.world.note(before);
        }
        if self.is_firing(Phase::Synced) {
            self.world.note(after);
        }
    }

    /// Whether the owner is at this place of the commit of a trigger's decision.
    fn is_firing(&self, phase: Phase) -> bool {
        let is_up = self.world.home_of_owner().is_some();
        is_up && *self.world.phase.lock() == phase && self.world.fires.load(Ordering::Relaxed)
    }

    /// Notes what the crash has cut through.
    fn note_where(&self) {
        if *self.world.phase.lock() == Phase::Synced {
            self.world.note(State::CrashSyncAck);
        }
        let flight = self.world.flight.lock();
        if flight.intended.difference(&flight.sent).next().is_some() {
            self.world.note(State::CrashAckSend);
        }
        if flight.sent.difference(&flight.answered).next().is_some() {
            self.world.note(State::CrashSendAnswer);
        }
    }

    /// Pauses the owner; its lock, a lease, runs out, and another takes over.
    fn freeze(&mut self) {
        let Some(process) = self.process.take() else { return };
        self.world
            .trace
            .line(format_args!("process {} is frozen", process.group));
        self.world.note(State::Takeover);
        self.note_fires(State::FireTakenOver, State::FireTakenOver);
        self.executor.freeze(process.group);
        self.disk.lose_locks();
        self.deaths += 1;
        let until = self.world.clock.monotonic() + Duration::from_micros(self.chance.below(900_000));
        self.frozen.push((process, until));
        self.start_process();
    }

    pub(super) fn thaw(&mut self, now: Duration) {
        for (process, until) in &self.frozen {
            if *until <= now || self.world.is_quiet() {
                self.executor.thaw(process.group);
            }
        }
    }

    /// Buries the processes that ended by themselves.
    pub(super) fn bury(&mut self) {
        let ended = std::mem::take(&mut *self.world.ended.lock());
        for (group, error) in ended {
            self.world.trace.line(format_args!("process {group} ended: {error}"));
            let is_current = self.process.as_ref().is_some_and(|process| process.group == group);
            let is_frozen = self.frozen.iter().any(|(process, _)| process.group == group);
            match error.reason() {
                "JOURNAL_SUPERSEDED" if is_frozen => self.world.note(State::StaleRefused),
                // Whoever was frozen before it had the journal has it now: another lease that runs out.
                "JOURNAL_LOCKED" if is_current && !self.frozen.is_empty() => self.disk.lose_locks(),
                // Its machine has been off, or is going to be.
                _ if is_frozen || self.disk.is_off() => {}
                "JOURNAL_POISONED" | "JOURNAL_IO" if self.fate == Fate::SyncFails => {
                    self.world.note(State::SyncFailed);
                }
                _ if is_current => self.world.violation(format!("process {group} ended: {error:?}")),
                _ => continue,
            }
            self.frozen.retain(|(process, _)| process.group != group);
            self.executor.kill(group);
            if is_current && !self.disk.is_off() {
                self.die(group, false);
            }
        }
    }
}
