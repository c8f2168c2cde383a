//! A journal as a source of events: sequence n becomes event n.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::watch;

use super::{Event, Source};
use crate::error::{Error, Result};
use crate::journal::JournalReader;

/// Reads a journal outside the async threads.
#[derive(Clone)]
pub struct JournalSource {
    reader: Arc<dyn JournalReader>,
}

impl JournalSource {
    /// The events of a journal.
    pub fn new(reader: Arc<dyn JournalReader>) -> Self {
        JournalSource { reader }
    }
}

impl Source for JournalSource {
    fn read(&self, from: u64, max: usize) -> BoxFuture<'_, Result<Vec<Event>>> {
        let reader = Arc::clone(&self.reader);
        async move {
            let read = tokio::task::spawn_blocking(move || reader.read(from, max));
            let records = read
                .await
                .map_err(|error| Error::internal("EVENTS_READ", error.to_string()))??;
            Ok(records
                .into_iter()
                .map(|(sequence, record)| (sequence, Bytes::from(record)))
                .collect())
        }
        .boxed()
    }

    fn latest(&self) -> watch::Receiver<u64> {
        self.reader.durable()
    }
}
