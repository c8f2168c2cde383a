//! Which commands are refused while the disk is full.
//!
//! New orders need room on the disk beside the journal's reserve; whatever takes risk away, and whatever has happened
//! already, is written into it.

use crate::core::Command;

/// More than the records of one new order ever take in the journal, in bytes: its acceptance and intent, or its refusal.
const ORDER_BYTES: u64 = 4_096;

/// The room that a command may ask for before it is decided; none for what must be written in any case.
pub(super) fn needed(command: &Command) -> u64 {
    match command {
        Command::Submit(_) => ORDER_BYTES,
        // At most three orders; an order and the cancel of the one whose place it takes.
        Command::Group(_) => 3 * ORDER_BYTES,
        Command::Replace(_) => 2 * ORDER_BYTES,
        // Whoever opens a session is about to trade.
        Command::OpenSession(_) => ORDER_BYTES,
        Command::Cancel(_)
        | Command::CancelAll(_)
        | Command::Tick
        | Command::Halt(_)
        | Command::AdoptHalt(_)
        | Command::Resume(_)
        | Command::Report(_)
        | Command::Balances(_)
        | Command::Adjust(_)
        | Command::External(_)
        | Command::StillOpen(_)
        | Command::CloseSession(_)
        | Command::Ready(..)
        | Command::DecisionsLost(_) => 0,
    }
}
