//! What the RPCs read: the portfolios as they are stored, the instruments, and the marks. One lock each; nobody holds one
//! across an await.

use crate::core::{Changes, Mark, Portfolios};
use domain::{Instrument, Symbol};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A mark, and when it was taken on the monotonic clock.
#[derive(Debug, Clone, Copy)]
struct TakenMark {
    mark: Mark,
    taken: Duration,
}

/// What is known now.
#[derive(Clone)]
pub(crate) struct Books {
    inner: Arc<Inner>,
}

struct Inner {
    portfolios: RwLock<Portfolios>,
    instruments: RwLock<Arc<BTreeMap<Symbol, Instrument>>>,
    marks: Mutex<BTreeMap<Symbol, TakenMark>>,
}

impl Books {
    /// Portfolios as they were stored.
    pub(crate) fn new(portfolios: Portfolios) -> Self {
        let inner = Inner {
            portfolios: RwLock::new(portfolios),
            instruments: RwLock::default(),
            marks: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Reads the portfolios.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Portfolios) -> T) -> T {
        read(&self.inner.portfolios.read())
    }

    /// Takes over what was stored.
    pub(crate) fn commit(&self, changes: Changes) {
        self.inner.portfolios.write().commit(changes);
    }

    /// The instruments.
    pub(crate) fn instruments(&self) -> Arc<BTreeMap<Symbol, Instrument>> {
        self.inner.instruments.read().clone()
    }

    /// Replaces the instruments.
    pub(crate) fn set_instruments(&self, instruments: BTreeMap<Symbol, Instrument>) {
        *self.inner.instruments.write() = Arc::new(instruments);
    }

    /// Sets or takes away a mark.
    pub(crate) fn set_mark(&self, symbol: Symbol, mark: Option<Mark>, now: Duration) {
        let mut marks = self.inner.marks.lock();
        match mark {
            Some(mark) => marks.insert(symbol, TakenMark { mark, taken: now }),
            None => marks.remove(&symbol),
        };
    }

    /// The marks with their age at `now` on the monotonic clock.
    pub(crate) fn marks(&self, now: Duration) -> BTreeMap<Symbol, Mark> {
        let aged = |taken: &TakenMark| {
            let since = i64::try_from(now.saturating_sub(taken.taken).as_micros()).unwrap_or(i64::MAX);
            Mark {
                age_us: taken.mark.age_us.saturating_add(since),
                ..taken.mark
            }
        };
        self.inner
            .marks
            .lock()
            .iter()
            .map(|(symbol, taken)| (symbol.clone(), aged(taken)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
