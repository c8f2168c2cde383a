//! The decision logic of a shard: pure and synchronous, the same live, in replay and in a backtest.
//!
//! [`Decider::decide`] turns a command into events and an answer and changes nothing; [`State::apply`] folds the events.
//! [`Decider::settle`] does both, and decides what follows for the orders that hang on those that changed.
//! Time, the venue's time and the market are handed in.

mod account;
mod command;
mod decide;
mod entry;
mod event;
mod exposure;
mod external;
mod gate;
mod group;
mod halts;
mod ids;
mod market;
mod refusal;
mod release;
mod replace;
mod report;
mod sessions;
mod settle;
mod state;
mod submit;
mod trigger;

pub use account::{Account, Key, RATE_WINDOW_MICROS, Stored};
pub use command::{
    Adjust, Balances, Cancel, CancelAll, Command, Difference, External, GroupSubmit, Lasts, LiftHalt, ListedOrder,
    ListedTerms, News, Now, OrderMatch, Replace, Report, SessionId, SetHalt, Submit, Trade, VenueState, VenueStatus,
    Wishes,
};
pub use decide::{Alert, Answer, Decider, Decision, order_not_found};
pub use entry::Entry;
pub use event::{
    Accepted, BalancesAdopted, CancelRequested, Changed, Digest, Event, ExternalOrder, ExternalReleased, Filled, Halt,
    HaltLifted, HaltScope, Intent, Refused, Released, Resized, SessionClosed, SessionOpened, TrailMoved, Triggered,
};
pub use gate::{Approved, Limits};
pub use ids::VenueIds;
pub(crate) use ids::{order_id, parse_order_id};
pub use market::{Mark, Market};
pub use refusal::{Refusal, RefusalKind};
pub use state::{ApplyError, Kept, State};

#[cfg(test)]
mod tests;
