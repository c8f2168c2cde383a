//! What a shard is asked to decide.

use super::event::{Digest, Halt, HaltScope, SessionClosed, SessionOpened};
use domain::{
    AccountId, Asset, ClientOrderId, Fill, GroupKind, Money, OrderId, OrderTerms, OrderType, Price, Quantity, Side,
    StrategyId, Symbol, TimeInForce, Timestamp, Trail, Trigger,
};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fmt::Write;

/// The two clocks of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Ours.
    pub here: Timestamp,
    /// The venue's, as far as we know it; whole milliseconds.
    pub venue: Timestamp,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A new order.
    Submit(Submit),
    /// New orders that hang together.
    Group(GroupSubmit),
    /// An order in place of another.
    Replace(Replace),
    /// Time has passed, or the market has moved: what is due is decided.
    Tick,
    /// Cancel one order.
    Cancel(Cancel),
    /// Cancel all open orders of an account.
    CancelAll(CancelAll),
    /// Stop new orders.
    Halt(SetHalt),
    /// Take over a halt that another shard holds.
    AdoptHalt(Halt),
    /// Lift a halt.
    Resume(LiftHalt),
    /// Something was learned of an order at the venue.
    Report(Report),
    /// The venue states an account's balances.
    Balances(Balances),
    /// The venue holds something else than we do, beyond doubt.
    Adjust(Adjust),
    /// The open orders at the venue that are not ours, or may be forgotten here.
    External(External),
    /// Look after an order that the venue lists as open and that is over here.
    StillOpen(u64),
    /// Open a session.
    OpenSession(SessionOpened),
    /// A session is over: closed, or lost.
    CloseSession(SessionClosed),
    /// The account has been reconciled with the venue, or no longer is.
    Ready(AccountId, bool),
    /// The venue knows an id of ours that the journal does not.
    DecisionsLost(String),
}

/// A new order, its fields already checked one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// Whose.
    pub account: AccountId,
    /// The client's id.
    pub client_order_id: ClientOrderId,
    /// What it trades.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// How it meets the book.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// How much.
    pub quantity: Quantity,
    /// The limit; absent for a market order.
    pub price: Option<Price>,
    /// What it is traded for.
    pub strategy: Option<StrategyId>,
    /// What it asks for beyond meeting the book.
    pub wishes: Wishes,
}

/// What a new order asks for beyond meeting the book; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The price that it waits for.
    pub trigger: Option<Trigger>,
    /// How long it rests at most.
    pub lasts: Lasts,
    /// Whether it may only lessen what is held.
    pub reduce_only: bool,
    /// How much of it the book shows.
    pub display_quantity: Option<Quantity>,
}

impl Wishes {
    /// Continues the text of an order's terms. These words are part of digests in journals: they never change.
    fn write(&self, text: &mut String) {
        let _ = match self.trigger {
            None => Ok(()),
            Some(Trigger::Stop(price)) => write!(text, "|stop={price}"),
            Some(Trigger::TakeProfit(price)) => write!(text, "|take_profit={price}"),
            Some(Trigger::Trailing(Trail::Amount(amount))) => write!(text, "|trail={amount}"),
            Some(Trigger::Trailing(Trail::BasisPoints(points))) => write!(text, "|trail={points}bp"),
        };
        let _ = match self.lasts {
            Lasts::Unbounded => Ok(()),
            Lasts::Day => write!(text, "|day"),
            Lasts::Until(time) => write!(text, "|until={}", time.as_micros()),
        };
        if self.reduce_only {
            text.push_str("|reduce_only");
        }
        if let Some(shown) = self.display_quantity {
            let _ = write!(text, "|shown={shown}");
        }
    }
}

/// How long an order rests at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lasts {
    /// As long as its time in force says.
    #[default]
    Unbounded,
    /// Until the end of the day (UTC).
    Day,
    /// Until this time.
    Until(Timestamp),
}

impl Submit {
    /// The terms as one text: equal orders have equal texts, however their numbers were written. The text of an order
    /// without strategy and wishes is that of the first version, so that keys of old journals answer as before.
    pub fn terms_text(&self) -> String {
        let price = self.price.map(|price| price.to_string()).unwrap_or_default();
        let mut text = format!(
            "{}|{}|{}|{}|{}|{price}",
            self.symbol, self.side, self.order_type, self.time_in_force, self.quantity
        );
        if let Some(strategy) = &self.strategy {
            let _ = write!(text, "|strategy={strategy}");
        }
        if self.wishes != Wishes::default() {
            self.wishes.write(&mut text);
        }
        text
    }

    /// The digest of the canonical body.
    pub fn digest(&self) -> Digest {
        sha2::Sha256::digest(self.terms_text()).into()
    }
}

/// New orders that hang together, their fields already checked. Of an OCO group both are legs; of the others the first is
/// the entry and the rest are its children, each with the entry's quantity as the most that it can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSubmit {
    /// How they hang together.
    pub kind: GroupKind,
    /// The orders, all of one account and symbol.
    pub orders: Vec<Submit>,
}

/// An order in place of another. What is not stated stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// Whose order it has to be.
    pub account: AccountId,
    /// Which.
    pub order_id: OrderId,
    /// The client's id of the new order.
    pub client_order_id: ClientOrderId,
    /// The new quantity, what the old order has filled included.
    pub quantity: Option<Quantity>,
    /// The new limit.
    pub price: Option<Price>,
    /// The new price to wait for.
    pub stop_price: Option<Price>,
}

/// Cancel one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Whose order it has to be.
    pub account: AccountId,
    /// Which.
    pub order_id: OrderId,
    /// The client-made id of the request; may be empty.
    pub request_id: String,
}

/// Cancel all open orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelAll {
    /// Whose.
    pub account: AccountId,
    /// Which of them.
    pub which: OrderMatch,
    /// The client-made id of the request; may be empty.
    pub request_id: String,
}

/// Which orders of an account are meant. Nothing stated means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderMatch {
    /// Of one symbol only.
    pub symbol: Option<Symbol>,
    /// With this label only.
    pub strategy: Option<StrategyId>,
}

impl OrderMatch {
    /// Whether an order with these terms is meant.
    pub fn matches(&self, terms: &OrderTerms) -> bool {
        self.symbol.as_ref().is_none_or(|symbol| *symbol == terms.symbol)
            && (self.strategy.is_none() || self.strategy == terms.strategy)
    }
}

/// The id that a client has chosen for a session: the alphabet of client order ids.
pub type SessionId = ClientOrderId;

/// Stop new orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHalt {
    /// What to cover.
    pub scope: HaltScope,
    /// The account, symbol, venue or strategy; empty for a global halt.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub subject: String,
    /// Whether the open orders that it covers are cancelled too.
    pub cancel_orders: bool,
}

/// Lift a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiftHalt {
    /// What it covered.
    pub scope: HaltScope,
    /// The account, symbol, venue or strategy; empty for a global halt.
    pub target: String,
    /// Who.
    pub subject: String,
}

/// What was learned of one order at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The sequence of the order's acceptance.
    pub order: u64,
    /// What was learned.
    pub news: News,
}

/// What can be learned of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The venue told its state, with executions where they are known.
    State(Box<VenueState>),
    /// The venue was asked, and answered with its state and all its executions.
    Found(Box<VenueState>),
    /// The venue refused it; it never was on the book.
    Rejected(String),
    /// It was not answered within its bound.
    Unknown,
    /// It is certain that it never arrived, and never will: the stable code says why.
    Absent(&'static str),
    /// The cancel may or may not have arrived, or was was refused: only asking tells.
    CancelUnsure,
}

/// Where the venue says that an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VenueStatus {
    /// On the book, or on its way there.
    Live,
    /// Wholly filled.
    Filled,
    /// Cancelled.
    Cancelled,
    /// Refused.
    Rejected,
    /// Ended by its time in force.
    Expired,
}

/// An order as the venue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueState {
    /// Where it is.
    pub status: VenueStatus,
    /// How much has traded since its beginning.
    pub executed: Quantity,
    /// Executions, each perhaps known already.
    pub trades: Vec<Trade>,
    /// The venue's own number of the order.
    pub venue_order: String,
    /// Why it ended, where the venue says so.
    pub reason: String,
}

/// One execution as the venue reports it; which order it belongs to is said by the report around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// The venue's number of the trade.
    pub trade_id: domain::TradeId,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// The fee.
    pub fee: Money,
    /// In what.
    pub fee_asset: Asset,
    /// Maker or taker.
    pub liquidity: domain::Liquidity,
    /// When, by the venue's clock.
    pub time: Timestamp,
}

impl Trade {
    /// The fill that this trade is for an order with these terms.
    pub fn fill(&self, terms: &domain::OrderTerms) -> Fill {
        Fill {
            account: terms.account.clone(),
            venue: terms.venue.clone(),
            symbol: terms.symbol.clone(),
            trade_id: self.trade_id,
            order_id: terms.order_id.clone(),
            side: terms.side,
            price: self.price,
            quantity: self.quantity,
            fee: self.fee,
            fee_asset: self.fee_asset.clone(),
            liquidity: self.liquidity,
            time: self.time,
        }
    }
}

/// An account's balances as the venue states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balances {
    /// Whose.
    pub account: AccountId,
    /// Free and locked together, an asset each.
    pub balances: Vec<(Asset, Money)>,
}

/// Holdings that differ from ours, seen the same at two looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjust {
    /// Whose.
    pub account: AccountId,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// One holding that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub asset: Asset,
    /// What we held when the venue was asked. Where we hold something else by now, nothing is concluded.
    pub ours: Money,
    /// What the venue holds.
    pub venue: Money,
}

/// The open orders at the venue that are not ours, or may be forgotten here: all of them, or all of some symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Whose.
    pub account: AccountId,
    /// The symbols that were asked for; none is all.
    pub symbols: Option<Vec<Symbol>>,
    /// What the venue lists of them.
    pub orders: Vec<ListedOrder>,
}

/// An order as the venue lists it among the open ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOrder {
    /// The venue's own number.
    pub venue_order: String,
    /// The id that whoever placed it has chosen.
    pub client_id: String,
    /// The sequence of its acceptance, where its id is one that this journal made.
    pub accepted: Option<u64>,
    /// Its terms.
    pub terms: ListedTerms,
    /// How much of it has traded.
    pub executed: Quantity,
}

/// The terms of an order at the venue, as far as they matter to somebody who did not place it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTerms {
    /// What it trades.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// At which price; none where the venue states none.
    pub price: Option<Price>,
    /// How much.
    pub quantity: Quantity,
}
