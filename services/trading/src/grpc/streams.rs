//! Streams of events: history from the journal, then live, without a gap between.

use super::fields::invalid;
use crate::codec;
use crate::core::{Event, Kept, State};
use crate::shard::{Ask, Reply, ShardHandle, Update};
use domain::AccountId;
use futures::StreamExt;
use mesh::events::{JournalSource, Source, tail};
use mesh::pb::trading as pb;
use mesh::{Error, Result};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::codegen::BoxStream;

/// Messages that a reader may be behind before its stream waits for it.
const READER: usize = 64;

/// Records of history read at once.
const PAGE: usize = 1_024;

/// The journal of a shard from a sequence on.
pub(super) fn shard_events(shard: &ShardHandle, from: i64) -> Result<BoxStream<pb::StreamShardEventsResponse>> {
    let from = sequence(from)?;
    let source = Arc::new(JournalSource::new(shard.reader()));
    let events = tail(source, from.max(1)).map(|record| {
        let (sequence, bytes) = record?;
        let event = codec::message(&bytes).map_err(|error| error.with("sequence", sequence))?;
        Ok(pb::StreamShardEventsResponse { event: Some(event) })
    });
    Ok(Box::pin(events.map(|event: Result<_>| event.map_err(Status::from))))
}

/// What happens to the orders of an account, from a sequence on; 0 is from now on.
pub(super) async fn order_events(
    shard: ShardHandle,
    account: AccountId,
    from: i64,
) -> Result<BoxStream<pb::StreamOrderEventsResponse>> {
    let from = sequence(from)?;
    let live = shard.subscribe();
    // Asked after subscribing: every batch after this sequence reaches us.
    let Reply::Sequence(now) = shard.ask(Ask::Sequence).await? else {
        return Err(Error::internal("SHARD_ANSWER", "an answer to another question"));
    };
    let (sink, reader) = mpsc::channel(READER);
    let follower = Follower {
        shard,
        account,
        sink,
        now,
    };
    tokio::spawn(async move {
        let sink = follower.sink.clone();
        tokio::select! {
            ended = follower.run(from, live) => {
                if let Err(error) = ended {
                    let _ = sink.send(Err(error.into())).await;
                }
            }
            () = sink.closed() => {}
        }
    });
    Ok(Box::pin(ReceiverStream::new(reader)))
}

fn sequence(from: i64) -> Result<u64> {
    u64::try_from(from).map_err(|_| invalid("from_sequence", "must not be negative"))
}

struct Follower {
    shard: ShardHandle,
    account: AccountId,
    sink: mpsc::Sender<Result<pb::StreamOrderEventsResponse, Status>>,
    /// The last sequence that is history.
    now: u64,
}

impl Follower {
    async fn run(&self, from: u64, mut live: broadcast::Receiver<Arc<Vec<Update>>>) -> Result<()> {
        if from > 0 && from <= self.now {
            self.history(from).await?;
        }
        let from = from.max(self.now + 1);
        let mut last = self.now;
        loop {
            let batch = match live.recv().await {
                Ok(batch) => batch,
                Err(broadcast::error::RecvError::Closed) => return Err(crate::error::stopped()),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let message = "the reader is too slow: resume from the sequence after the last one received";
                    return Err(Error::unavailable("STREAM_LAGGED", message).with("last_sequence", last));
                }
            };
            for update in batch
                .iter()
                .filter(|update| update.account == self.account && update.sequence >= from)
            {
                last = update.sequence;
                if !self.send(update.message.clone()).await {
                    return Ok(());
                }
            }
        }
    }

    /// Folds the journal over this account alone: each event is told with the order as it was after it.
    async fn history(&self, from: u64) -> Result<()> {
        let source = JournalSource::new(self.shard.reader());
        let kept = Kept {
            closed_orders: usize::MAX,
            refusals: 0,
        };
        let mut state = State::new(self.shard.shard(), kept);
        while state.sequence() < self.now {
            let page = source.read(state.sequence() + 1, PAGE).await?;
            if page.is_empty() {
                return Err(Error::internal(
                    "EVENTS_GAP",
                    "the journal ends before its last sequence",
                ));
            }
            for (sequence, bytes) in page.into_iter().take_while(|(sequence, _)| *sequence <= self.now) {
                let record = codec::decode(&bytes)?;
                if !self.is_ours(&state, &record.event) {
                    state.skip(sequence);
                    continue;
                }
                state
                    .apply(sequence, record.time, &record.event)
                    .map_err(|error| Error::internal("JOURNAL_INCONSISTENT", error.to_string()))?;
                let update = Update::of(&state, &record).filter(|_| sequence >= from);
                if let Some(update) = update
                    && !self.send(update.message).await
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_ours(&self, state: &State, event: &Event) -> bool {
        match event {
            Event::Accepted(accepted) => accepted.terms.account == self.account,
            Event::Filled(filled) => filled.fill.account == self.account,
            other => other.order(0).is_some_and(|order| state.order(order).is_some()),
        }
    }

    async fn send(&self, message: pb::StreamOrderEventsResponse) -> bool {
        self.sink.send(Ok(message)).await.is_ok()
    }
}
