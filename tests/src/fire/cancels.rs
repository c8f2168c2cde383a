//! Whether acknowledged cancels come to their end by themselves: once the faults are over, and before the run itself cancels
//! whatever is open, which would hide a cancel that was forgotten.

use super::log::Entry;
use super::oracle::{cancelled, order_of};
use super::venue::Venue;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

/// So long may orders be open whose cancel was acknowledged, once no process is killed and no fault injected any more. It
/// is longer than a request may be under way (the receive window, and the venue's processing bound): an order that is not at
/// the venue by then never will be.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);

/// What an account has open at the venue once nothing is open any more whose cancel was acknowledged, or the time for it is
/// over: the platform's ids, and the venue's words for their status.
///
/// # Errors
/// When the exchange does not answer.
pub async fn left_open(
    venue: &Venue,
    account: u32,
    log: &BTreeMap<String, Entry>,
    begun: Instant,
) -> Result<BTreeMap<String, String>, Box<dyn Error + Send + Sync>> {
    let cancelled = cancelled(log, &format!("paper-{account}"));
    loop {
        let open = venue.open_orders(account).await?.into_iter();
        let open: BTreeMap<String, String> = open.map(|(id, status)| (order_of(&id), status)).collect();
        if begun.elapsed() >= PATIENCE || !open.keys().any(|order| cancelled.contains(order)) {
            return Ok(open);
        }
        tokio::time::sleep(LOOK).await;
    }
}
