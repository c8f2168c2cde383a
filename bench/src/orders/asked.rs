//! A request that is due: what is asked for, of which account, and since when.

use super::tally::Kind;
use serde_json::Value;
use std::time::Instant;

/// A request that is due.
#[derive(Debug)]
pub struct Asked {
    /// What it asks for.
    pub kind: Kind,
    /// Its id: the client's order id of a submit, the request id of a cancel.
    pub id: String,
    /// The account.
    pub account: String,
    /// What is posted.
    pub body: Value,
    /// The platform's id of the order that a cancel is about; empty for a submit.
    pub order: String,
    /// When it is due: its latency counts from then on.
    pub(super) at: Instant,
    /// Whether it submits an order that rests, and may be cancelled later.
    pub(super) rests: bool,
}
