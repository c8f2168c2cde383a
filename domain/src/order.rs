//! An order: its terms, which never change, and its life, which changes by reports alone.

mod conditions;
mod life;
mod status;
mod terms;
mod trigger;

pub use conditions::{Conditions, Expiry, GroupKind, Membership};
pub use life::{Order, OrderError, OrderEvent, OrderReport};
pub use status::{IllegalTransition, OrderEventKind, OrderStatus};
pub(crate) use terms::words;
pub use terms::{OrderTerms, OrderType, ParseTermError, Side, TimeInForce};
pub use trigger::{Trail, Trigger};

#[cfg(test)]
mod tests;
