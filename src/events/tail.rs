//! History, then live, without a gap between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Event, Source};
use crate::error::{Error, Result};

/// Events read at once. A slow reader holds this many and no more: the rest waits in the source.
const PAGE: usize = 256;
/// The least time from one reading to the next, for whoever is not behind: a steady flow of events is read several at a time.
/// A single one is read at once.
const SPACING: Duration = Duration::from_millis(10);

struct Tail {
    source: Arc<dyn Source>,
    latest: watch::Receiver<u64>,
    next: u64,
    page: VecDeque<Event>,
    /// Not read again before.
    due: Instant,
}

/// Every event from sequence `from` on (0 means 1), and then each new one. Ends when the source ends, and after an error.
pub fn tail(source: Arc<dyn Source>, from: u64) -> impl Stream<Item = Result<Event>> + Send + 'static {
    let tail = Tail {
        latest: source.latest(),
        source,
        next: from.max(1),
        page: VecDeque::new(),
        due: Instant::now(),
    };
    stream::unfold(Some(tail), |tail| async move {
        let mut tail = tail?;
        match tail.next_event().await {
            Ok(Some(event)) => Some((Ok(event), Some(tail))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

impl Tail {
    async fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.next = event.0 + 1;
                return Ok(Some(event));
            }
            let latest = *self.latest.borrow_and_update();
            if latest >= self.next {
                if latest - self.next < PAGE as u64 {
                    sleep_until(self.due).await;
                }
                let page = self.source.read(self.next, PAGE).await?;
                self.due = Instant::now() + SPACING;
                check_dense(&page, self.next)?;
                self.page = page.into();
            } else if self.latest.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// A source that announced an event has it, and the next ones follow one by one.
fn check_dense(page: &[Event], from: u64) -> Result<()> {
    let is_dense = page
        .iter()
        .zip(from..)
        .all(|((sequence, _), expected)| *sequence == expected);
    if page.is_empty() || !is_dense {
        return Err(Error::internal(
            "EVENTS_GAP",
            format!("the source has a gap at or after sequence {from}"),
        ));
    }
    Ok(())
}
