//! What a shard decides: the records of its journal, in the words of the domain.

use super::command::{OrderMatch, SessionId};
use super::refusal::Refusal;
use domain::{
    AccountId, Asset, ClientOrderId, Fill, Money, OrderStatus, OrderTerms, Price, Quantity, Side, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};

/// A SHA-256 over the canonical body of a request.
pub type Digest = [u8; 32];

/// One decision. Facts only: whoever applies it decides nothing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// All checks passed, the exposure is reserved.
    Accepted(Box<Accepted>),
    /// The risk gate said no; the answer is kept under its key.
    Refused(Box<Refused>),
    /// The venue will be asked to act.
    Intent(Intent),
    /// An order changed its status.
    Changed(Changed),
    /// An execution was applied.
    Filled(Box<Filled>),
    /// Somebody wants an order cancelled.
    CancelRequested(CancelRequested),
    /// The venue's balances were taken over.
    BalancesAdopted(BalancesAdopted),
    /// New orders are stopped.
    HaltSet(Halt),
    /// A halt is over.
    HaltLifted(HaltLifted),
    /// A held order's price was met.
    Triggered(Triggered),
    /// A held order goes to the venue.
    Released(Released),
    /// More or less of a held order is wanted.
    Resized(Resized),
    /// A trailing stop follows the best price.
    TrailMoved(TrailMoved),
    /// An order of somebody else is open at the venue, or has changed there.
    ExternalAdopted(Box<ExternalOrder>),
    /// An order of somebody else is at its end.
    ExternalReleased(ExternalReleased),
    /// A session was opened: its orders are cancelled when it is lost.
    SessionOpened(SessionOpened),
    /// A session is over.
    SessionClosed(SessionClosed),
}

impl Event {
    /// The order that the event is about, by the sequence of its acceptance; `sequence` is the event's own.
    pub fn order(&self, sequence: u64) -> Option<u64> {
        match self {
            Event::Accepted(_) => Some(sequence),
            Event::Intent(intent) => Some(intent.order),
            Event::Changed(changed) => Some(changed.order),
            Event::Filled(filled) => Some(filled.order),
            Event::CancelRequested(request) => Some(request.order),
            Event::Triggered(triggered) => Some(triggered.order),
            Event::Released(released) => Some(released.order),
            Event::Resized(resized) => Some(resized.order),
            Event::TrailMoved(moved) => Some(moved.order),
            Event::Refused(_)
            | Event::BalancesAdopted(_)
            | Event::HaltSet(_)
            | Event::HaltLifted(_)
            | Event::ExternalAdopted(_)
            | Event::ExternalReleased(_)
            | Event::SessionOpened(_)
            | Event::SessionClosed(_) => None,
        }
    }
}

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who and what.
    pub terms: OrderTerms,
    /// The asset bought and sold.
    pub base: Asset,
    /// The asset paid with.
    pub quote: Asset,
    /// The revision of the limits that it was checked against.
    pub limit_revision: i64,
    /// The digest of the request.
    pub digest: Digest,
    /// What it sets aside: base of a sell, quote of a buy.
    pub reserved: Money,
    /// Held here, with so much of it wanted for now; none goes to the venue at once.
    pub held: Option<Quantity>,
    /// What was changed of it, a stable code; empty when nothing was.
    pub reason: String,
}

/// A held order's price was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggered {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The price that met it.
    pub price: Price,
}

/// A held order goes to the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// How much of it.
    pub quantity: Quantity,
    /// The worst price of a market order, as of now.
    pub collar: Option<Price>,
    /// What it sets aside now.
    pub reserved: Money,
}

/// More or less of a held order is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resized {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// How much.
    pub quantity: Quantity,
    /// What it sets aside now.
    pub reserved: Money,
    /// Why, a stable code.
    pub reason: String,
}

/// A trailing stop follows the best price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailMoved {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The best price so far.
    pub extreme: Price,
}

/// A refused order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whose.
    pub account: AccountId,
    /// The client's id.
    pub client_order_id: ClientOrderId,
    /// Why.
    pub refusal: Refusal,
    /// The digest of the request.
    pub digest: Digest,
}

/// An intent to act at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The order's id at the venue.
    pub venue_id: String,
    /// The venue's time that the request is signed with, whole milliseconds.
    pub signed: Timestamp,
    /// A cancel, or else the order itself.
    pub cancel: bool,
}

/// A new status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The status after it.
    pub status: OrderStatus,
    /// Why, a stable code; empty when nothing is to say.
    pub reason: String,
    /// What the order still sets aside.
    pub reserved: Money,
}

/// An applied fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The execution.
    pub fill: Fill,
    /// The venue's own number of the order.
    pub venue_order: String,
    /// The order's status after it.
    pub status: OrderStatus,
    /// What the order still sets aside.
    pub reserved: Money,
}

/// A wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequested {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// The client-made id of the request; may be empty.
    pub request_id: String,
    /// Why, a stable code, where nobody asked; empty otherwise.
    pub reason: String,
}

/// Balances as the venue states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancesAdopted {
    /// Whose.
    pub account: AccountId,
    /// Free and locked together, an asset each.
    pub balances: Vec<(Asset, Money)>,
    /// `opening` at first sight.
    pub reason: String,
}

/// What a halt covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HaltScope {
    /// Everything.
    Global,
    /// One account.
    Account,
    /// One symbol.
    Symbol,
    /// One venue.
    Venue,
    /// The orders with one strategy label.
    Strategy,
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// What it covers.
    pub scope: HaltScope,
    /// The account, symbol, venue or strategy; empty for a global halt.
    pub target: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who.
    pub subject: String,
    /// Since when.
    pub time: Timestamp,
    /// Whether the open orders that it covers are cancelled too.
    pub cancel_orders: bool,
}

/// The end of a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltLifted {
    /// What it covered.
    pub scope: HaltScope,
    /// The account, symbol, venue or strategy; empty for a global halt.
    pub target: String,
    /// Who.
    pub subject: String,
}

/// An order at the venue that was not placed through this journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalOrder {
    /// Whose.
    pub account: AccountId,
    /// The venue's own number of it, by which it is known here.
    pub venue_order: String,
    /// The id that whoever placed it has chosen.
    pub client_id: String,
    /// What it trades.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// At which price; none where the venue states none.
    pub price: Option<Price>,
    /// How much.
    pub quantity: Quantity,
    /// How much of it has traded.
    pub executed: Quantity,
    /// What it sets aside, as far as that can be told.
    pub reserved: Option<(Asset, Money)>,
    /// When it was seen first.
    pub seen: Timestamp,
}

/// The end of an order that was not placed through this journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalReleased {
    /// Whose.
    pub account: AccountId,
    /// The venue's own number of it.
    pub venue_order: String,
}

/// A session and what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpened {
    /// Whose.
    pub account: AccountId,
    /// The client-made id.
    pub session: SessionId,
    /// How long it may be without its stream, in microseconds.
    pub grace_micros: i64,
    /// Which of the account's orders it covers.
    pub covers: OrderMatch,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClosed {
    /// Whose.
    pub account: AccountId,
    /// The client-made id.
    pub session: SessionId,
    /// Whether it was lost, and so its orders are cancelled.
    pub lost: bool,
}
