//! An order: its terms, which never change, and its life, which changes by reports alone.

mod life;
mod status;
mod terms;

pub use life::{Order, OrderError, OrderEvent, OrderReport};
pub use status::{IllegalTransition, OrderEventKind, OrderStatus};
pub(crate) use terms::words;
pub use terms::{OrderTerms, OrderType, ParseTermError, Side, TimeInForce};

#[cfg(test)]
mod tests;
