//! Refusals of the core as errors of the kit.

use crate::core::{Refusal, RefusalKind};
use mesh::Error;
use mesh::error::Kind;
use std::time::Duration;

/// After this long a client whose request was refused as overload may try again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The error that a refusal is answered with.
pub(crate) fn of_refusal(refusal: &Refusal) -> Error {
    let kind = match refusal.kind {
        RefusalKind::Refused => Kind::Refused,
        RefusalKind::Conflict => Kind::Conflict,
        RefusalKind::NotFound => Kind::NotFound,
        RefusalKind::Unavailable => Kind::Unavailable,
    };
    let mut error = Error::new(kind, refusal.reason.clone(), refusal.message.clone());
    for (key, value) in &refusal.context {
        error = match CONTEXT_KEYS.iter().find(|known| *known == key) {
            Some(known) => error.with(known, value),
            None => error,
        };
    }
    if refusal.kind == RefusalKind::Unavailable {
        error.retry_after(RETRY_AFTER)
    } else {
        error
    }
}

/// Every key that a refusal carries: contexts read from a journal are not trusted to name others.
const CONTEXT_KEYS: &[&str] = &[
    "asset",
    "bound",
    "cause",
    "client_order_id",
    "free",
    "limit",
    "lot_size",
    "mark",
    "max_price",
    "max_quantity",
    "min_notional",
    "min_quantity",
    "needed",
    "notional",
    "order_id",
    "position",
    "price",
    "quantity",
    "since",
    "status",
    "symbol",
    "target",
    "tick_size",
];

/// The service has too much to do.
pub(crate) fn overloaded() -> Error {
    Error::exhausted("SHARD_OVERLOADED", "too many commands wait in front of the shard").retry_after(RETRY_AFTER)
}

/// Too many orders wait for the venue.
pub(crate) fn backlog_full() -> Error {
    Error::exhausted("VENUE_BACKLOG_FULL", "too many orders wait for the venue").retry_after(RETRY_AFTER)
}

/// There is no room on the disk for new orders. Nothing was decided, and nothing written.
pub(crate) fn disk_full() -> Error {
    let message = "the disk is full: no new orders are taken; cancels, halts and fills are";
    Error::exhausted(mesh::journal::DISK_FULL, message).retry_after(RETRY_AFTER)
}

/// The decision was written, and whether it is durable is not known. Internal, so that no layer between repeats it by
/// itself: the shard is ending, and only its successor can tell.
pub(crate) fn outcome_unknown() -> Error {
    let message = "whether this was done is not known: ask again under the same key once the service is back";
    Error::internal("OUTCOME_UNKNOWN", message)
}

/// A shard answered another question than it was asked.
pub(crate) fn other_answer() -> Error {
    Error::internal("SHARD_ANSWER", "the shard answered another question")
}

/// The journals are not replayed yet: halts are taken, and nothing else.
pub(crate) fn replaying() -> Error {
    Error::unavailable("REPLAYING", "the journals are still being replayed").retry_after(RETRY_AFTER)
}

/// The shard has ended, or is ending.
pub(crate) fn stopped() -> Error {
    Error::unavailable("SHARD_STOPPED", "the shard of this account is not running").retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::of_refusal;
    use crate::core::{Refusal, RefusalKind};
    use mesh::error::Kind;

    #[test]
    fn each_kind_has_its_error() {
        for (ours, theirs) in [
            (RefusalKind::Refused, Kind::Refused),
            (RefusalKind::Conflict, Kind::Conflict),
            (RefusalKind::NotFound, Kind::NotFound),
            (RefusalKind::Unavailable, Kind::Unavailable),
        ] {
            let error = of_refusal(&Refusal::new(ours, "WHY", "because").with("limit", 5).with("odd", 6));
            assert_eq!(
                (error.kind(), error.reason(), error.message()),
                (theirs, "WHY", "because")
            );
            assert_eq!(error.context().len(), 1);
            assert_eq!(error.retry_delay().is_some(), ours == RefusalKind::Unavailable);
        }
    }
}
