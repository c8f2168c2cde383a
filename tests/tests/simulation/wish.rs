//! What clients want and what they were told: the log that the checks hold the journal to.

use domain::{AccountId, ClientOrderId, OrderId, Side, Symbol};
use std::collections::{BTreeMap, BTreeSet};
use trading::Reply;
use trading::core::{Command, GroupSubmit, HaltScope, Replace, Submit};

/// Whose key, and which.
pub(crate) type Key = (AccountId, ClientOrderId);

/// What is asked for under a key.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// A new order.
    Order(Submit),
    /// An order in place of another.
    Replace(Replace),
    /// New orders that hang together.
    Group(GroupSubmit),
}

impl Wish {
    pub(crate) fn account(&self) -> &AccountId {
        match self {
            Wish::Order(submit) => &submit.account,
            Wish::Replace(replace) => &replace.account,
            Wish::Group(group) => &group.orders[0].account,
        }
    }

    /// The keys of the orders that it makes; it is answered under the first.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let ids = match self {
            Wish::Order(submit) => vec![&submit.client_order_id],
            Wish::Replace(replace) => vec![&replace.client_order_id],
            Wish::Group(group) => group.orders.iter().map(|order| &order.client_order_id).collect(),
        };
        let key = |id: &ClientOrderId| (self.account().clone(), id.clone());
        ids.into_iter().map(key).collect()
    }

    /// The key that it is answered under.
    pub(crate) fn key(&self) -> Key {
        self.keys().swap_remove(0)
    }

    pub(crate) fn command(&self) -> Command {
        match self.clone() {
            Wish::Order(submit) => Command::Submit(submit),
            Wish::Replace(replace) => Command::Replace(replace),
            Wish::Group(group) => Command::Group(group),
        }
    }
}

/// An answer to keep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    /// Accepted, as this order was then.
    Accepted(Box<Reply>),
    /// Accepted, as these orders, which may have changed since.
    Linked(Vec<OrderId>),
    /// Refused for good.
    Refused(String),
    /// Refused for how an order stood, and nothing was kept under the key.
    Passing(String),
}

/// Refusals of a replacement for how the old order stands: they are not kept, and another time may have another answer.
const PASSING: [&str; 7] = [
    "ORDER_CLOSED",
    "ORDER_BEING_CANCELLED",
    "ORDER_IN_GROUP",
    "ORDER_NOT_REPLACEABLE",
    "REPLACE_STOP_UNEXPECTED",
    "REPLACE_PRICE_UNEXPECTED",
    "REPLACE_BELOW_FILLED",
];

impl Said {
    /// What a reply to a wish says.
    pub(crate) fn accepted(reply: Reply) -> Said {
        match &reply {
            Reply::Orders(orders) => {
                let ids = orders.iter().map(|order| OrderId::parse(&order.order_id).unwrap());
                Said::Linked(ids.collect())
            }
            _ => Said::Accepted(Box::new(reply)),
        }
    }

    pub(crate) fn refused(reason: &str) -> Said {
        match PASSING.contains(&reason) {
            true => Said::Passing(reason.to_owned()),
            false => Said::Refused(reason.to_owned()),
        }
    }

    /// The orders of an acknowledgement; of a replacement the new one and then the old one.
    pub(crate) fn orders(&self) -> Vec<OrderId> {
        match self {
            Said::Accepted(reply) => match &**reply {
                Reply::Order(order) => OrderId::parse(&order.order_id).into_iter().collect(),
                _ => Vec::new(),
            },
            Said::Linked(orders) => orders.clone(),
            Said::Refused(_) | Said::Passing(_) => Vec::new(),
        }
    }

    /// In a word.
    pub(crate) fn word(&self) -> String {
        match self {
            Said::Refused(reason) | Said::Passing(reason) => reason.clone(),
            Said::Accepted(_) | Said::Linked(_) => {
                let orders: Vec<String> = self.orders().iter().map(ToString::to_string).collect();
                orders.join(" ")
            }
        }
    }
}

/// One key of a client.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) wish: Wish,
    /// What its orders trade, and which way.
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    /// How many were asked before.
    pub(crate) made: usize,
    pub(crate) said: Option<Said>,
}

impl Asked {
    /// A wish that nobody has answered.
    pub(crate) fn order(submit: Submit) -> Asked {
        Asked {
            symbol: submit.symbol.clone(),
            side: submit.side,
            wish: Wish::Order(submit),
            made: 0,
            said: None,
        }
    }

    /// The orders that it was acknowledged to be, as many as it has keys.
    pub(crate) fn orders(&self) -> Vec<OrderId> {
        let mut orders = self.said.as_ref().map(Said::orders).unwrap_or_default();
        orders.truncate(self.wish.keys().len());
        orders
    }
}

/// All clients' log.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) asked: BTreeMap<Key, Asked>,
    /// The orders that somebody was told are being cancelled.
    pub(crate) cancelled: BTreeSet<OrderId>,
    /// The halts that a client was told are in force.
    pub(crate) halts: BTreeSet<(HaltScope, String)>,
    /// The sessions that a client was told are held.
    pub(crate) sessions: BTreeSet<Key>,
    /// Clients that still want something.
    pub(crate) busy: usize,
}

impl Log {
    /// Writes down what is asked for; what is known already stays as it is.
    pub(crate) fn ask(&mut self, asked: &Asked) {
        let made = self.asked.len();
        let fresh = Asked { made, ..asked.clone() };
        self.asked.entry(asked.wish.key()).or_insert(fresh);
    }

    /// Everything that was answered, oldest first; the refusals that pass are left out.
    pub(crate) fn answered(&self) -> Vec<&Asked> {
        let is_kept = |asked: &&Asked| !matches!(asked.said, None | Some(Said::Passing(_)));
        let mut answered: Vec<&Asked> = self.asked.values().filter(is_kept).collect();
        answered.sort_by_key(|asked| asked.made);
        answered
    }
}
