//! What is compared, and what a difference means: tables, without IO.

use crate::core::{Difference, VenueStatus};
use crate::shard::{AccountView, KnownOrder};
use crate::venue::{Holding, OpenOrder, VenueOrder};
use domain::{Asset, Money, OrderStatus, Side, Symbol};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The venue's weight of one symbol's open orders, and of all.
const SYMBOL_WEIGHT: usize = 6;
const ALL_WEIGHT: usize = 80;

/// A difference is adopted when so many looks have seen the same: one sees it, two confirm it.
pub(super) const LOOKS: u32 = 3;

/// Which open orders to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asking {
    /// Those of these symbols, perhaps none.
    Symbols(Vec<Symbol>),
    /// All.
    All,
}

/// The cheapest list that holds every order we know of.
pub(super) fn asking(view: &AccountView) -> Asking {
    let live = view.live.iter().map(|order| &order.symbol);
    let known = live.chain(view.external.iter().map(|order| &order.symbol));
    let symbols: BTreeSet<&Symbol> = known.collect();
    if symbols.len() * SYMBOL_WEIGHT < ALL_WEIGHT {
        Asking::Symbols(symbols.into_iter().cloned().collect())
    } else {
        Asking::All
    }
}

/// Whether the listed orders account for all that the venue has locked: then there is no other open order. `assets` says
/// what a symbol trades, base and quote.
pub(super) fn is_whole(
    holdings: &[Holding],
    listed: &[OpenOrder],
    assets: impl Fn(&Symbol) -> Option<(Asset, Asset)>,
) -> bool {
    let mut locked: BTreeMap<Asset, Money> = BTreeMap::new();
    for open in listed {
        let Some((asset, amount)) = lock(open, &assets) else {
            return false;
        };
        let sum = locked.entry(asset).or_default();
        match sum.checked_add(amount) {
            Ok(more) => *sum = more,
            Err(_) => return false,
        }
    }
    locked.retain(|_, amount| !amount.is_zero());
    let told = holdings.iter().filter(|holding| !holding.locked.is_zero());
    let told: BTreeMap<Asset, Money> = told.map(|holding| (holding.asset.clone(), holding.locked)).collect();
    told == locked
}

fn lock(open: &OpenOrder, assets: impl Fn(&Symbol) -> Option<(Asset, Asset)>) -> Option<(Asset, Money)> {
    let (base, quote) = assets(&open.terms.symbol)?;
    let left = open.terms.quantity.checked_sub(open.order.state.executed).ok()?;
    match open.terms.side {
        Side::Sell => Some((base, left.amount())),
        Side::Buy => Some((quote, open.terms.price?.notional(left).ok()?)),
    }
}

/// Whether the venue's list says of an order what we know: anything else is asked for.
pub(super) fn is_in_step(known: &KnownOrder, listed: Option<&VenueOrder>) -> bool {
    let Some(listed) = listed else { return false };
    // One whose cancel was lost on the way has to be asked for, however well it looks.
    let is_known = matches!(known.status, OrderStatus::Open | OrderStatus::PartiallyFilled);
    is_known
        && !known.cancel_wanted
        && listed.state.status == VenueStatus::Live
        && listed.state.executed == known.filled
}

/// What the venue holds otherwise than we do. Nothing while an order is under way: its fill may be in one sum only.
pub(super) fn differences(view: &AccountView, holdings: &[Holding]) -> Vec<Difference> {
    use OrderStatus::{PendingCancel, PendingNew, Unknown};
    let is_under_way = |order: &KnownOrder| matches!(order.status, PendingNew | Unknown | PendingCancel);
    if view.live.iter().any(is_under_way) {
        return Vec::new();
    }
    let told: BTreeMap<&Asset, Money> = holdings.iter().map(|holding| (&holding.asset, holding.total)).collect();
    let ours = &view.holdings.balances;
    let assets: BTreeSet<&Asset> = ours.keys().chain(told.keys().copied()).collect();
    let compared = assets.into_iter().map(|asset| Difference {
        asset: asset.clone(),
        ours: ours.get(asset).copied().unwrap_or_default(),
        venue: told.get(asset).copied().unwrap_or_default(),
    });
    compared
        .filter(|difference| difference.ours != difference.venue)
        .collect()
}

/// What differs, since when, and how many looks have seen it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Suspicion(BTreeMap<Asset, Seen>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    by: Money,
    looks: u32,
    /// The last look that counted, by the monotonic clock.
    at: Duration,
}

impl Suspicion {
    /// Takes note of a look at `now`. Returns the differences that were seen often enough; another difference than the last
    /// begins anew, and one that is gone is forgotten. Looks that follow each other sooner than `apart` count as one: what is
    /// in flight at the first still is at the second.
    pub(super) fn note(&mut self, differences: &[Difference], now: Duration, apart: Duration) -> Vec<Difference> {
        let mut all = BTreeMap::new();
        let mut confirmed = Vec::new();
        for difference in differences {
            // A sum beyond all numbers is no holding to adopt.
            let Ok(by) = difference.venue.checked_sub(difference.ours) else {
                continue;
            };
            let seen = match self.0.get(&difference.asset) {
                Some(seen) if seen.by == by && now.saturating_sub(seen.at) < apart => *seen,
                Some(seen) if seen.by == by => Seen {
                    by,
                    looks: seen.looks + 1,
                    at: now,
                },
                _ => Seen { by, looks: 1, at: now },
            };
            if seen.looks >= LOOKS {
                confirmed.push(difference.clone());
            }
            all.insert(difference.asset.clone(), seen);
        }
        self.0 = all;
        confirmed
    }

    /// Whether anything is under suspicion.
    pub(super) fn is_open(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The newest orders that are over and could explain a difference: a trade of theirs may be missing.
pub(super) fn suspects<'a>(view: &'a AccountView, differences: &[Difference], most: usize) -> Vec<&'a KnownOrder> {
    let is_about = |asset: &Asset| differences.iter().any(|difference| difference.asset == *asset);
    let over = view.closed.iter().filter(|order| !order.venue_id.is_empty());
    over.filter(|order| is_about(&order.base) || is_about(&order.quote))
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests;
