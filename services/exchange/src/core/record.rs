//! What the venue journals: decisions, each with everything that its replay needs.

use super::order::{Amendment, Fill, Order, PreventedMatch, Stage, Status};
use super::order_list::OrderList;
use super::units::Atoms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One journalled decision of the venue. Variants and fields are added, never changed: old journals are replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The venue started; everything before is from an earlier life.
    Started,
    /// Ids up to here may be given out: after a restart the next ids are beyond it.
    Ids {
        /// The largest id of any kind.
        ceiling: u64,
    },
    /// Where the crowd's idea of value stood, by symbol, so that a restart does not jump.
    Values {
        /// USDT.
        values: BTreeMap<String, f64>,
    },
    /// An account was opened with what it owns.
    Opened {
        /// Its name.
        account: String,
        /// Amounts by asset.
        balances: BTreeMap<String, Atoms>,
    },
    /// An account chose whether its commissions come from the fee asset.
    FeeAsset {
        /// The account.
        account: String,
        /// What it chose.
        pays: bool,
        /// µs.
        time: i64,
    },
    /// An order was accepted, and its `locked` moved from free to locked.
    Accepted {
        /// As accepted: nothing filled yet.
        order: Order,
    },
    /// An order list was accepted; its orders follow.
    Listed {
        /// As accepted: open.
        list: OrderList,
    },
    /// An order moved on: its price triggered it, its turn in its list came, or it became the one of its pair that acts.
    Progressed {
        /// The account.
        account: String,
        /// The order.
        order: u64,
        /// What it does from now on.
        stage: Stage,
        /// Where it stands from now on.
        status: Status,
        /// What it locks from now on; the difference moves between free and locked.
        locked: Atoms,
        /// µs.
        time: i64,
    },
    /// A trailing order saw a better price.
    Trailed {
        /// The account.
        account: String,
        /// The order.
        order: u64,
        /// The price.
        best: Atoms,
        /// µs.
        time: i64,
    },
    /// An order of an account filled.
    Filled {
        /// The execution.
        fill: Fill,
        /// The part of the order's lock that this execution used up.
        unlocked: Atoms,
    },
    /// Two orders of an account met, and did not trade.
    Prevented {
        /// What did not happen.
        prevented: PreventedMatch,
        /// The part of the taker's lock that is free again.
        taker_unlocked: Atoms,
        /// The part of the maker's lock that is free again.
        maker_unlocked: Atoms,
    },
    /// An order's quantity was reduced.
    Amended {
        /// The account.
        account: String,
        /// The change.
        amendment: Amendment,
        /// The part of the order's lock that is free again.
        unlocked: Atoms,
    },
    /// An order ended without filling further; the rest of its lock is free again.
    Closed {
        /// The account.
        account: String,
        /// The order.
        order: u64,
        /// A status that is not open.
        status: Status,
        /// µs.
        time: i64,
    },
}
