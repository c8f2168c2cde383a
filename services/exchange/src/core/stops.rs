//! The orders of one market that wait for a price. What happens to them is decided elsewhere; here is when.

use super::order::{Order, Side};
use super::units::Atoms;
use std::collections::BTreeMap;

/// The whole, in hundredths of a per cent.
const WHOLE: Atoms = 10_000;

/// An order, by account and id.
pub type Name = (String, u64);

/// A trailing order.
#[derive(Clone, Debug)]
struct Trailing {
    account: String,
    side: Side,
    delta: Atoms,
    /// From where it trails, and whether the price must rise to there.
    from: Option<(Atoms, bool)>,
    /// The best price since it trails.
    best: Option<Atoms>,
}

/// What a price did to the waiting orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Orders that it triggered; they wait no longer.
    pub triggered: Vec<Name>,
    /// Trailing orders for which it is the best price so far.
    pub trailed: Vec<Name>,
}

/// Orders that wait for a price.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// Act once the price is so high.
    rising: BTreeMap<(Atoms, u64), String>,
    /// Act once the price is so low; by the negative price, so that the first one acts first.
    falling: BTreeMap<(Atoms, u64), String>,
    trailing: BTreeMap<u64, Trailing>,
}

/// Whether an order waits for the price to rise to its stop price.
pub fn waits_for_rise(order: &Order) -> bool {
    (order.side == Side::Buy) == order.kind.is_stop_loss()
}

impl Stops {
    /// Whether no order waits.
    pub fn is_empty(&self) -> bool {
        self.rising.is_empty() && self.falling.is_empty() && self.trailing.is_empty()
    }

    /// Adds a waiting order.
    pub fn add(&mut self, order: &Order) {
        let rises = waits_for_rise(order);
        let account = order.account.clone();
        if order.trailing_delta == 0 {
            if rises {
                self.rising.insert((order.stop_price, order.id), account);
            } else {
                self.falling.insert((-order.stop_price, order.id), account);
            }
            return;
        }
        let trailing = Trailing {
            account,
            side: order.side,
            delta: Atoms::from(order.trailing_delta),
            from: (order.stop_price > 0).then_some((order.stop_price, rises)),
            best: (order.trail > 0).then_some(order.trail),
        };
        self.trailing.insert(order.id, trailing);
    }

    /// Removes a waiting order; nothing happens when it waits no longer.
    pub fn remove(&mut self, order: &Order) {
        self.rising.remove(&(order.stop_price, order.id));
        self.falling.remove(&(-order.stop_price, order.id));
        self.trailing.remove(&order.id);
    }

    /// Looks at the price of a trade.
    pub fn see(&mut self, price: Atoms) -> Seen {
        let mut seen = Seen::default();
        while let Some(first) = self.rising.first_entry().filter(|first| first.key().0 <= price) {
            let ((_, id), account) = first.remove_entry();
            seen.triggered.push((account, id));
        }
        while let Some(first) = self.falling.first_entry().filter(|first| -first.key().0 >= price) {
            let ((_, id), account) = first.remove_entry();
            seen.triggered.push((account, id));
        }
        self.trailing.retain(|id, order| {
            let reached = order
                .from
                .is_none_or(|(from, rises)| if rises { price >= from } else { price <= from });
            let best = match (order.best, order.side) {
                (None, _) if !reached => return true,
                (None, _) => price,
                (Some(best), Side::Sell) => best.max(price),
                (Some(best), Side::Buy) => best.min(price),
            };
            if order.best != Some(best) {
                order.best = Some(best);
                seen.trailed.push((order.account.clone(), *id));
            }
            let turned = match order.side {
                Side::Sell => price * WHOLE <= best * (WHOLE - order.delta),
                Side::Buy => price * WHOLE >= best * (WHOLE + order.delta),
            };
            if turned {
                seen.triggered.push((order.account.clone(), *id));
            }
            !turned
        });
        seen
    }
}
