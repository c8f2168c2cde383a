//! What a shard answers from its durable state.

use super::handle::{AccountView, Ask, Holdings, KnownOrder, OrderFilter, Reply};
use crate::codec;
use crate::core::{Entry, State, order_not_found, parse_order_id};
use crate::error;
use domain::{AccountId, OrderStatus};
use mesh::{Error, Result};

/// Orders that are over in the view of an account.
const RECENT: usize = 20;

pub(super) fn order_reply(state: &State, order: u64, encode: fn(&Entry) -> codec::OrderMessage) -> Result<Reply> {
    let entry = state.order(order);
    let entry = entry.ok_or_else(|| Error::not_found("ORDER_NOT_FOUND", "the order is over and no longer kept"))?;
    Ok(Reply::Order(Box::new(encode(entry))))
}

/// Answers from durable state.
pub(super) fn answer(state: &State, ask: &Ask) -> Result<Reply> {
    match ask {
        Ask::Decide(_) | Ask::DecideEach(_) => Ok(Reply::Done),
        Ask::Order(account, order_id) => {
            let entry = parse_order_id(order_id)
                .filter(|(shard, _)| *shard == state.shard())
                .and_then(|(_, accepted)| state.order(accepted))
                .filter(|entry| entry.order.terms().account == *account)
                .ok_or_else(|| error::of_refusal(&order_not_found(order_id)))?;
            Ok(Reply::Order(Box::new(codec::order_to_pb(entry))))
        }
        Ask::Orders(filter) => Ok(Reply::Orders(page(state, filter))),
        Ask::Halts => Ok(Reply::Halts(state.halts().map(codec::halt_to_pb).collect())),
        Ask::Account(account) => Ok(Reply::Account(Box::new(view(state, account)))),
        Ask::Holdings(account) => Ok(Reply::Holdings(holdings(state, account))),
        Ask::External(account) => {
            let external = state.account(account).map(|account| account.external.values());
            Ok(Reply::External(external.into_iter().flatten().cloned().collect()))
        }
        Ask::LiveOrders(account) => {
            let account = state.account(account);
            Ok(Reply::Count(account.map_or(0, |account| account.live.len())))
        }
        Ask::Unsure => Ok(Reply::Count(unsure(state).count())),
        Ask::Sessions => {
            let sessions = state.accounts().flat_map(|(_, account)| account.sessions.values());
            Ok(Reply::Sessions(sessions.cloned().collect()))
        }
        Ask::Sequence => Ok(Reply::Sequence(state.sequence())),
        Ask::State => Ok(Reply::State(Box::new(state.clone()))),
    }
}

/// Orders at the venue of which it is not known what became of the last request.
pub(super) fn unsure(state: &State) -> impl Iterator<Item = &Entry> {
    let is_known = |status| matches!(status, OrderStatus::Open | OrderStatus::PartiallyFilled);
    state.live_orders().filter(move |entry| {
        let status = entry.order.status();
        status.is_at_venue() && !is_known(status) && !entry.venue_id.is_empty()
    })
}

fn view(state: &State, id: &AccountId) -> AccountView {
    let Some(account) = state.account(id) else {
        return AccountView::default();
    };
    // What is held here is not the venue's to know.
    let live = account.live.iter().filter_map(|order| state.order(*order));
    let at_venue = live.filter(|entry| entry.order.status().is_at_venue());
    let closed = account
        .orders
        .iter()
        .rev()
        .filter(|order| !account.live.contains(order))
        .take(RECENT)
        .filter_map(|order| state.order(*order));
    AccountView {
        opened: account.opened,
        holdings: holdings(state, id),
        live: at_venue.map(KnownOrder::from).collect(),
        closed: closed.map(KnownOrder::from).collect(),
        external: account.external.values().cloned().collect(),
    }
}

/// Whether they are in doubt is the shard's to know.
fn holdings(state: &State, account: &AccountId) -> Holdings {
    let balances = state.account(account).map(|account| account.balances.clone());
    Holdings {
        balances: balances.unwrap_or_default(),
        is_in_doubt: false,
    }
}

fn page(state: &State, filter: &OrderFilter) -> Vec<codec::OrderMessage> {
    let Some(account) = state.account(&filter.account) else {
        return Vec::new();
    };
    let orders = if filter.open_only {
        &account.live
    } else {
        &account.orders
    };
    orders
        .range(..filter.before)
        .rev()
        .filter_map(|order| state.order(*order))
        .filter(|entry| {
            filter
                .symbol
                .as_ref()
                .is_none_or(|symbol| *symbol == entry.order.terms().symbol)
        })
        .take(filter.limit)
        .map(codec::order_to_pb)
        .collect()
}
