//! A load at a fixed rate, and what came of it.

use crate::Orders;
use crate::machine::Ticks;
use bench::orders::{Load, Tally};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a run is looked at.
const WINDOW: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What came back in a span of time.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) tally: Tally,
    pub(super) took: Duration,
    /// What the hypervisor gave to others meanwhile, in per cent of all processors.
    pub(super) stolen: f64,
}

/// Sends at the same rate before, and counts nothing of it.
///
/// # Errors
/// When the generator dies.
pub(super) async fn warm_up(load: &Arc<Load>, options: &Orders) -> Result<(), Failure> {
    let span = Duration::from_secs(options.warm_up.into());
    load.clone().send_all(span).await?;
    drop(load.take_tally());
    Ok(())
}

impl Run {
    /// Sends for `span`. Each window is handed to `look`, with how long after the start it ended.
    ///
    /// # Errors
    /// When the generator dies.
    pub(super) async fn of(
        load: &Arc<Load>,
        span: Duration,
        mut look: impl AsyncFnMut(Duration, &Tally),
    ) -> Result<Self, Failure> {
        let mut tally = Tally::new();
        let ticks = Ticks::now();
        let begun = Instant::now();
        let mut sending = tokio::spawn(load.clone().send_all(span));
        loop {
            tokio::select! {
                sent = &mut sending => { sent??; break; }
                () = tokio::time::sleep(WINDOW) => {
                    let window = load.take_tally();
                    look(begun.elapsed(), &window).await;
                    tally.add(&window)?;
                }
            }
        }
        let took = begun.elapsed();
        let stolen = Ticks::now().stolen_since(ticks);
        let window = load.take_tally();
        tally.add(&window)?;
        look(took, &window).await;
        Ok(Self { tally, took, stolen })
    }
}
