//! A venue as the shards need it. The one adapter is [`crate::binance`]; [`fake`] stands in for it in tests.

#[cfg(test)]
pub(crate) mod fake;

use crate::core::{ListedTerms, Trade, VenueState};
use async_trait::async_trait;
use domain::{AccountId, Asset, Money, Price, Quantity, Side, Symbol, TimeInForce, Timestamp, Venue as VenueName};
use mesh::time::Clock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// The venue's time: what it said last, carried on by our monotonic clock. A jump of our wall clock changes nothing, or
/// an order in flight could count as absent an hour early.
#[derive(Debug)]
pub struct VenueClock {
    clock: Clock,
    /// The venue's time less our monotonic one, in microseconds.
    ahead: AtomicI64,
}

impl VenueClock {
    /// Until the venue is heard, our own wall clock stands for its.
    pub fn new(clock: Clock) -> VenueClock {
        let ahead = AtomicI64::new(clock.now_micros() - monotonic_micros(clock.monotonic()));
        VenueClock { clock, ahead }
    }

    /// The venue's time, as far as we know it.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(monotonic_micros(self.clock.monotonic())).plus_micros(self.ahead.load(Ordering::Relaxed))
    }

    /// Takes over the time that the venue answered just now to a question asked at `asked` on our monotonic clock.
    pub fn heard(&self, venue: Timestamp, asked: Duration) {
        // It read its clock about half way.
        let here = monotonic_micros(asked + self.clock.monotonic().saturating_sub(asked) / 2);
        self.ahead.store(venue.as_micros() - here, Ordering::Relaxed);
    }
}

fn monotonic_micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// How an order goes to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementKind {
    /// A limit order.
    Limit(TimeInForce),
    /// A limit order that must rest.
    LimitMaker,
}

/// An order as it is sent. A market order of ours goes as IOC at its collar: the venue itself then keeps to the collar,
/// and the reservation is exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Whose.
    pub account: AccountId,
    /// What.
    pub symbol: Symbol,
    /// Our id for it at the venue.
    pub venue_id: String,
    /// Which way.
    pub side: Side,
    /// How.
    pub kind: PlacementKind,
    /// At which price or better.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// How much of it the book shows; none is all.
    pub display_quantity: Option<Quantity>,
    /// The venue's time that the request is signed with.
    pub signed: Timestamp,
}

/// Names one order at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Whose.
    pub account: AccountId,
    /// What.
    pub symbol: Symbol,
    /// Our id for it at the venue.
    pub venue_id: String,
}

/// Why the venue did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// It answered no; nothing was done. The stable code says why.
    #[error("refused: {reason} ({message})")]
    Rejected {
        /// A stable code.
        reason: String,
        /// The venue's words.
        message: String,
    },
    /// It does not know such an order now.
    #[error("no such order")]
    NotFound,
    /// Its limits are used up; nothing was done.
    #[error("limited for {0:?}")]
    Limited(Duration),
    /// The request certainly did not leave, or certainly was not taken.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request may or may not have been carried out.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// An order of an account, with our id for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrder {
    /// Our id for it at the venue, or whatever somebody else chose.
    pub venue_id: String,
    /// What the venue says of it.
    pub state: VenueState,
}

/// An open order of an account, whoever placed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its id and what the venue says of it.
    pub order: VenueOrder,
    /// What it is.
    pub terms: ListedTerms,
}

/// What an account holds of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Of what.
    pub asset: Asset,
    /// All of it, whether an order sets it aside or not.
    pub total: Money,
    /// What open orders set aside.
    pub locked: Money,
}

/// How much of the venue's limits a look at an account may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// An account waits for it: all but what is kept for cancels and queries.
    Now,
    /// It can wait: the share of reconciliation alone.
    Background,
}

/// What the user data stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserData {
    /// From now on every change is told: reconcile what was missed before.
    Subscribed(AccountId),
    /// An order changed.
    Order(AccountId, Box<VenueOrder>),
    /// Nothing is told any more until the next [`UserData::Subscribed`].
    Lost(AccountId),
}

/// A venue.
#[async_trait]
pub trait Venue: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &VenueName;

    /// The time by its clock, as far as we know it.
    fn now(&self) -> Timestamp;

    /// Asks for its clock and what it offers; [`Venue::now`] and [`Venue::icebergs`] are right afterwards.
    async fn synchronise(&self) -> Result<(), VenueError>;

    /// The symbols of which it shows a part of an order when asked to, each with how many such parts an order may have. None,
    /// where it does not say.
    fn icebergs(&self) -> BTreeMap<Symbol, u64> {
        BTreeMap::new()
    }

    /// Places an order.
    async fn place(&self, placement: &Placement) -> Result<VenueState, VenueError>;

    /// Cancels an order.
    async fn cancel(&self, subject: &Subject, signed: Timestamp) -> Result<VenueState, VenueError>;

    /// One order, without its executions.
    async fn order(&self, subject: &Subject) -> Result<VenueState, VenueError>;

    /// All executions of one order, by the venue's own number of it.
    async fn trades(&self, subject: &Subject, venue_order: &str) -> Result<Vec<Trade>, VenueError>;

    /// The open orders of an account, of one symbol or of all, without their executions.
    async fn open_orders(
        &self,
        account: &AccountId,
        symbol: Option<&Symbol>,
        pace: Pace,
    ) -> Result<Vec<OpenOrder>, VenueError>;

    /// What an account holds.
    async fn balances(&self, account: &AccountId, pace: Pace) -> Result<Vec<Holding>, VenueError>;

    /// Follows what happens to the accounts, for ever: reconnects by itself.
    async fn follow(&self, accounts: Vec<AccountId>, sink: mpsc::Sender<UserData>);
}

#[cfg(test)]
mod tests {
    use super::VenueClock;
    use domain::Timestamp;
    use mesh::time::Clock;
    use std::time::Duration;

    #[test]
    fn the_venues_time_goes_on_by_our_monotonic_clock_alone() {
        let (clock, hands) = Clock::manual(5_000);
        let venue = VenueClock::new(clock.clone());
        assert_eq!(venue.now().as_micros(), 5_000);
        let asked = clock.monotonic();
        hands.advance(Duration::from_micros(200));
        venue.heard(Timestamp::from_micros(90_000), asked);
        assert_eq!(venue.now().as_micros(), 90_100);
        hands.set(3_600_000_000);
        assert_eq!(venue.now().as_micros(), 90_100, "our clock jumped, the venue's did not");
        hands.advance(Duration::from_micros(1));
        assert_eq!(venue.now().as_micros(), 90_101);
    }
}
