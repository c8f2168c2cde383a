//! What reconciliation finds: orders of somebody else at the venue, holdings that differ, orders that live on.

use super::command::{Adjust, External, ListedOrder, Now};
use super::decide::{Alert, Answer, Decider, Decision};
use super::event::{BalancesAdopted, Event, ExternalOrder, ExternalReleased};
use super::market::Market;
use domain::{Asset, Money, Side};
use std::collections::{BTreeMap, BTreeSet};

/// Orders of somebody else that are kept, an account: more than a venue lets rest.
pub(crate) const MOST_EXTERNAL: usize = 10_000;

impl Decider {
    /// Takes over what differs. A holding that has changed since the venue was asked is left for the next look.
    pub(super) fn adjust(&self, adjust: &Adjust) -> Decision {
        let Some(account) = self.state.account(&adjust.account).filter(|account| account.opened) else {
            return Decision::answer(Answer::Done);
        };
        let mut balances: BTreeMap<Asset, Money> = account.balances.clone();
        let mut alerts = Vec::new();
        for difference in &adjust.differences {
            let ours = account.balance(&difference.asset);
            if ours != difference.ours || ours == difference.venue {
                continue;
            }
            balances.insert(difference.asset.clone(), difference.venue);
            let message = format!(
                "account {}: {} {} here, {} at the venue; adopted",
                adjust.account, difference.asset, ours, difference.venue
            );
            alerts.push(Alert {
                reason: "BALANCE_ADJUSTED",
                message,
            });
        }
        if alerts.is_empty() {
            return Decision::answer(Answer::Done);
        }
        Decision {
            events: vec![Event::BalancesAdopted(BalancesAdopted {
                account: adjust.account.clone(),
                balances: balances.into_iter().collect(),
                reason: "adjustment".to_owned(),
            })],
            answer: Answer::Alerts(alerts),
        }
    }

    /// Adopts what is new or changed, and releases what is gone from among what was asked for.
    pub(super) fn external(&self, external: &External, now: Now, market: &Market) -> Decision {
        let known = self.state.account(&external.account).map(|account| &account.external);
        let listed: BTreeSet<&str> = external.orders.iter().map(|order| order.venue_order.as_str()).collect();
        let mut events = Vec::new();
        let mut alerts = Vec::new();
        let was_asked = |order: &ExternalOrder| match &external.symbols {
            Some(symbols) => symbols.contains(&order.symbol),
            None => true,
        };
        for order in known.into_iter().flatten().map(|(_, order)| order) {
            if was_asked(order) && !listed.contains(order.venue_order.as_str()) {
                events.push(Event::ExternalReleased(ExternalReleased {
                    account: external.account.clone(),
                    venue_order: order.venue_order.clone(),
                }));
            }
        }
        for order in external.orders.iter().take(MOST_EXTERNAL) {
            let present = known.and_then(|known| known.get(&order.venue_order));
            if present.is_some_and(|present| present.executed == order.executed) {
                continue;
            }
            if present.is_none() {
                let message = format!(
                    "account {}: order {} ({}) on {} was not placed here",
                    external.account, order.venue_order, order.client_id, order.terms.symbol
                );
                alerts.push(Alert {
                    reason: "EXTERNAL_ORDER",
                    message,
                });
            }
            events.push(Event::ExternalAdopted(Box::new(ExternalOrder {
                account: external.account.clone(),
                venue_order: order.venue_order.clone(),
                client_id: order.client_id.clone(),
                symbol: order.terms.symbol.clone(),
                side: order.terms.side,
                price: order.terms.price,
                quantity: order.terms.quantity,
                executed: order.executed,
                reserved: set_aside(order, market),
                seen: present.map_or(now.here, |present| present.seen),
            })));
        }
        Decision {
            events,
            answer: Answer::Alerts(alerts),
        }
    }

    /// The venue lists an order as open that is over here: it is asked for, and cancelled if that is confirmed.
    pub(super) fn still_open(&self, order: u64) -> Decision {
        let is_over = |status: domain::OrderStatus| !status.is_live();
        match self.state.order(order) {
            Some(entry) if is_over(entry.order.status()) => Decision::answer(Answer::Ask(order)),
            _ => Decision::answer(Answer::Done),
        }
    }
}

/// What an order of somebody else sets aside: base of a sell, quote of a buy at its price. A buy without a price, or of a
/// symbol that is not known here, sets aside what cannot be told.
pub(super) fn set_aside(order: &ListedOrder, market: &Market) -> Option<(Asset, Money)> {
    let instrument = market.instruments.get(&order.terms.symbol)?;
    let left = order.terms.quantity.checked_sub(order.executed).ok()?;
    match order.terms.side {
        Side::Sell => Some((instrument.base.clone(), left.amount())),
        Side::Buy => Some((instrument.quote.clone(), order.terms.price?.notional(left).ok()?)),
    }
}
