//! What comes out of the venue: records to make durable, and what to tell whom afterwards.

use super::ledger::{Balance, Ledger, Record};
use super::listing::Listing;
use super::market::MarketEvent;
use super::order::{Fill, Order};

/// What happened to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Execution {
    /// Accepted.
    New,
    /// Filled, in part or whole.
    Trade(Fill),
    /// Cancelled by its owner.
    Canceled {
        /// The id of the cancel request.
        client_id: String,
    },
    /// Ended by its own rules.
    Expired,
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
    /// Balances changed: both assets of the symbol.
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
            let kind = UserEventKind::Execution {
                order: Box::new(order.clone()),
                execution,
            };
            self.user.push(UserEvent {
                account: account.to_owned(),
                time,
                kind,
            });
        }
    }

    pub(super) fn position(&mut self, ledger: &Ledger, account: &str, listing: &Listing, time: i64) {
        if let Some(state) = ledger.account(account) {
            let assets = [listing.base.as_str(), super::listing::QUOTE];
            let balances = assets.map(|asset| (asset.to_owned(), state.balance(asset))).to_vec();
            self.user.push(UserEvent {
                account: account.to_owned(),
                time,
                kind: UserEventKind::Position(balances),
            });
        }
    }
}
