//! The states that a simulation must reach, by name, and how often it did.

use parking_lot::Mutex;
use std::sync::Arc;

macro_rules! states {
    ($($name:ident $text:literal)*) => {
        /// A state worth counting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum State { $($name),* }

        /// Every state with its name, in the order of [`State`].
        const NAMES: &[&str] = &[$($text),*];
    };
}

states! {
    Acknowledged "order acknowledged"
    Refused "order refused by the risk gate"
    GroupCommit "one commit covers several commands"
    DuplicateAnswered "duplicate key answered as before"
    RefusedRepeated "refused key refused as before"
    KeyConflict "key used for another body refused"
    UnknownToClient "client left without an answer"
    CrashBetweenPolls "process crashed at an await"
    CrashWriteSync "power cut between write and sync"
    CrashElsewhere "power cut at another change of the disk"
    CrashSyncAck "crash between sync and acknowledgement"
    CrashAckSend "crash between acknowledgement and send"
    CrashSendAnswer "crash between send and answer"
    TornBatchCut "torn last batch cut"
    SnapshotTaken "snapshot taken"
    SnapshotStart "start from a snapshot"
    SyncFailed "failed sync ended the shard"
    Takeover "takeover with a frozen owner"
    StaleRefused "stale append refused"
    StaleSend "request of a frozen owner reached the venue"
    ClockJumped "wall clock jumped"
    OutcomeUnknown "unknown outcome"
    AckAfterTimeout "acknowledgement after a timeout"
    AbsentConcluded "absent order concluded"
    WindowPassed "intent not sent within its window"
    Adopted "order taken for absent adopted"
    VenueRejected "order rejected by the venue"
    FillBeforeAck "fill before the acknowledgement"
    CancelCrossedByFill "cancel crossed by a fill"
    CancelRepeated "lost cancel intended again"
    GapFetched "gap of fills fetched"
    Outage "venue out of reach for a while"
    NotSent "request that did not leave sent again"
    Limited "venue limit waited for"
    RequestLost "request lost on its way"
    AnswerLost "answer lost after acceptance"
    EventDropped "user data dropped"
    EventDoubled "user data doubled"
    StreamLost "user data stream lost"
    HaltSurvived "halt survived a restart"
    HaltRefused "order refused by a halt"
    CancelledByClient "order cancelled by its client"
    PostOnlyRested "post-only order rested"
    PostOnlyRefused "post-only order refused, as it would trade"
    ReduceOnlyCut "reduce-only order cut to what is held"
    ReduceOnlyRefused "reduce-only order refused, with nothing to reduce"
    CutAtRelease "waiting order cut when it went"
    ExpiredAtVenue "resting order ended by its time"
    ExpiredHere "waiting order ended by its time"
    ExpiredAtMidnight "order of a day ended at midnight"
    ExpiryCrossedByFill "end by time crossed by a fill"
    ExpiredUnsent "order refused, as its time was over"
    IcebergRested "part of an iceberg shown"
    IcebergRefilled "iceberg traded beyond the part that it showed"
    IcebergRefused "iceberg refused where the venue shows all"
    Replaced "order in another's place sent"
    ReplaceTooLate "replacement too late"
    FillMetReplace "fill met the replacement"
    ReplacedFilled "replacement ended by the old order's fill"
    HeldAgain "order sent by itself held again"
    BatchPartlyRefused "batch partly refused"
    CancelledInBatch "order cancelled in a batch"
    CancelledAll "all orders cancelled"
    StopFired "stop fired"
    ProfitTaken "take-profit fired"
    TrailMoved "trail followed the market"
    FireUncommitted "crash between a trigger's decision and its commit"
    FireUnsent "crash between a trigger's commit and its order"
    FireTakenOver "takeover while a trigger was committed"
    OtherLegCancelled "fired leg had the resting one cancelled"
    EntryCancelled "fired exit had its entry cancelled"
    OtherLegEnded "leg ended with the other one"
    ChildResized "exit grew with its entry"
    ChildSent "child sent for what its entry filled"
    EntryEnded "child ended without an entry"
    SessionHeld "session held"
    SessionClosed "session closed"
    SessionLost "session lost, and live orders with it"
    SessionOutlived "session outlived its process"
    ConsumerCrashed "consumer crashed within its transaction"
    ConsumerCaughtUp "consumer caught up after a crash"
}

/// Counters of the states; clones count together.
#[derive(Clone)]
pub(crate) struct States {
    counts: Arc<Mutex<Vec<u64>>>,
}

impl States {
    pub(crate) fn new() -> States {
        States {
            counts: Arc::new(Mutex::new(vec![0; NAMES.len()])),
        }
    }

    pub(crate) fn note(&self, state: State) {
        self.counts.lock()[state as usize] += 1;
    }

    /// Adds what another run counted.
    pub(crate) fn add(&self, other: &States) {
        let other = other.counts.lock().clone();
        for (count, more) in self.counts.lock().iter_mut().zip(other) {
            *count += more;
        }
    }

    /// The names of the states that were never reached.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let counts = self.counts.lock();
        let missing = NAMES.iter().zip(counts.iter()).filter(|(_, count)| **count == 0);
        missing.map(|(name, _)| *name).collect()
    }

    /// Those of these states that were never reached.
    pub(crate) fn missing_of(&self, states: &[State]) -> Vec<State> {
        let counts = self.counts.lock();
        let is_missing = |state: &State| counts[*state as usize] == 0;
        states.iter().copied().filter(is_missing).collect()
    }

    /// A table of all.
    pub(crate) fn table(&self) -> String {
        let counts = self.counts.lock();
        let lines = NAMES.iter().zip(counts.iter());
        lines.map(|(name, count)| format!("{count:>10}  {name}\n")).collect()
    }
}
