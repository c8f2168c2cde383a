//! What comes out of the venue: records to make durable, and what to tell whom afterwards.

use super::ledger::{Balance, Ledger, Record};
use super::listing::{FEE_ASSET, Listing, QUOTE};
use super::market::MarketEvent;
use super::order::{Amendment, Fill, Order, PreventedMatch};
use super::order_list::OrderList;

/// What happened to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Execution {
    /// Accepted; or triggered, and now in the book.
    New,
    /// Filled, in part or whole.
    Trade(Fill),
    /// Cancelled by its owner.
    Canceled {
        /// The id of the cancel request.
        client_id: String,
    },
    /// Reduced, in its place.
    Replaced(Amendment),
    /// Refused when its turn in its list came.
    Rejected,
    /// Ended by its own rules.
    Expired,
    /// Would have traded with its own account.
    Prevented(PreventedMatch),
}

/// What an account is told.
#[derive(Clone, Debug, PartialEq)]
pub enum UserEventKind {
    /// One of its orders changed.
    Execution {
        /// The order after the change.
        order: Box<Order>,
        /// The change.
        execution: Execution,
    },
    /// An order list began or ended.
    List(OrderList),
    /// Balances changed: both assets of the symbol, and the fee asset of an account that pays in it.
    Position(Vec<(String, Balance)>),
}

/// A private event.
#[derive(Clone, Debug, PartialEq)]
pub struct UserEvent {
    /// Whose.
    pub account: String,
    /// µs.
    pub time: i64,
    /// What.
    pub kind: UserEventKind,
}

/// Everything that one input caused.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be durable before anything else is told.
    pub records: Vec<Record>,
    /// Symbol, time in µs, and what everyone may see.
    pub market: Vec<(usize, i64, MarketEvent)>,
    /// What accounts may see.
    pub user: Vec<UserEvent>,
}

impl Effects {
    pub(super) fn report<T>(&mut self, symbol: usize, time: i64, report: impl FnOnce(&mut Vec<MarketEvent>) -> T) -> T {
        let mut events = Vec::new();
        let result = report(&mut events);
        self.market
            .extend(events.into_iter().map(|event| (symbol, time, event)));
        result
    }

    pub(super) fn execution(&mut self, ledger: &Ledger, account: &str, id: u64, execution: Execution, time: i64) {
        if let Some(order) = ledger.account(account).and_then(|state| state.orders.get(&id)) {
            let order = Box::new(order.clone());
            self.tell(account, time, UserEventKind::Execution { order, execution });
        }
    }

    pub(super) fn list(&mut self, ledger: &Ledger, account: &str, id: u64, time: i64) {
        if let Some(list) = ledger.account(account).and_then(|state| state.lists.get(&id)) {
            self.tell(account, time, UserEventKind::List(list.clone()));
        }
    }

    pub(super) fn position(&mut self, ledger: &Ledger, account: &str, listing: &Listing, time: i64) {
        if let Some(state) = ledger.account(account) {
            let fee_asset = (state.pays_in_fee_asset && listing.base != FEE_ASSET).then_some(FEE_ASSET);
            let assets = [listing.base.as_str(), QUOTE].into_iter().chain(fee_asset);
            let balances = assets.map(|asset| (asset.to_owned(), state.balance(asset))).collect();
            self.tell(account, time, UserEventKind::Position(balances));
        }
    }

    fn tell(&mut self, account: &str, time: i64, kind: UserEventKind) {
        let account = account.to_owned();
        self.user.push(UserEvent { account, time, kind });
    }
}
