//! What reconciliation finds: orders of somebody else at the venue, or of ours that are forgotten here, holdings that
//! differ, orders that live on.

use super::command::{Adjust, External, ListedOrder, News, Now, Report, VenueState, VenueStatus};
use super::decide::{Alert, Answer, Decider, Decision};
use super::event::{BalancesAdopted, Event, ExternalOrder, ExternalReleased};
use super::ids;
use super::market::Market;
use domain::{AccountId, Asset, Money, Quantity, Side};
use std::collections::{BTreeMap, BTreeSet};

/// The reason of alerts about orders of ours that the venue knows and the shard does not any more.
const ORDER_FORGOTTEN: &str = "ORDER_FORGOTTEN";

/// Orders of somebody else that are kept, an account: more than a venue lets rest.
pub(crate) const MOST_EXTERNAL: usize = 10_000;

/// Forgotten orders of which is remembered what people were told, a shard.
const MOST_TOLD: usize = 1_000;

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

    /// Adopts what is new or changed, and releases what is gone from among what was asked for. An order of ours that is
    /// kept here is none of these; one that was forgotten is taken over as one of somebody else, since nothing is left that
    /// its fills could be applied to.
    pub(super) fn external(&self, external: &External, now: Now, market: &Market) -> Decision {
        let known = self.state.account(&external.account).map(|account| &account.external);
        let is_kept = |order: &&ListedOrder| order.accepted.is_some_and(|ours| self.state.order(ours).is_some());
        let foreign: Vec<&ListedOrder> = external.orders.iter().filter(|order| !is_kept(order)).collect();
        let listed: BTreeSet<&str> = foreign.iter().map(|order| order.venue_order.as_str()).collect();
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
        for order in foreign.into_iter().take(MOST_EXTERNAL) {
            let present = known.and_then(|known| known.get(&order.venue_order));
            if present.is_some_and(|present| present.executed == order.executed) {
                continue;
            }
            if present.is_none() {
                alerts.push(self.found_open(&external.account, order));
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

    fn found_open(&self, account: &AccountId, order: &ListedOrder) -> Alert {
        let place = format!("{} on {}", order.venue_order, order.terms.symbol);
        match order.accepted {
            None => Alert {
                reason: "EXTERNAL_ORDER",
                message: format!(
                    "account {account}: order {place} ({}) was not placed here",
                    order.client_id
                ),
            },
            Some(accepted) => Alert {
                reason: ORDER_FORGOTTEN,
                message: format!(
                    "account {account}: order {} is forgotten here and open at the venue as {place}; it is kept as an \
                     order of somebody else",
                    ids::order_id(self.state.shard(), accepted)
                ),
            },
        }
    }

    /// A report about an order that is not kept here any more. What is new of it cannot be applied: the holdings that it
    /// changed are found by a look, and people are told, once. Nothing is to tell where the report is only late: it says no
    /// more than was known when the order was forgotten, or that it is open, which is known already.
    pub(super) fn forgotten(&mut self, report: &Report) -> Decision {
        let (News::State(venue) | News::Found(venue)) = &report.news else {
            return Decision::answer(Answer::Done);
        };
        let before = self.state.had_traded(report.order).unwrap_or(Quantity::ZERO);
        let told = self.told.get(&report.order).copied();
        let known = told.unwrap_or(before);
        let is_open = venue.status == VenueStatus::Live && told.is_none() && venue.executed == known;
        let order_id = ids::order_id(self.state.shard(), report.order);
        let message = if venue.executed > known {
            format!(
                "order {order_id} is forgotten here with {before} traded, and the venue reports its trades up to {}: what \
                 is new shows as a holding that differs",
                venue.executed
            )
        } else if is_open && !self.is_adopted(report.order, venue) {
            format!("order {order_id} is forgotten here and open at the venue")
        } else {
            return Decision::answer(Answer::Done);
        };
        self.told.insert(report.order, venue.executed);
        if self.told.len() > MOST_TOLD {
            self.told.pop_first();
        }
        Decision::answer(Answer::Alert(Alert {
            reason: ORDER_FORGOTTEN,
            message,
        }))
    }

    /// Whether an order of ours that was forgotten is kept as one of somebody else.
    fn is_adopted(&self, accepted: u64, venue: &VenueState) -> bool {
        let mut kept = self
            .state
            .accounts()
            .filter_map(|(_, account)| account.external.get(&venue.venue_order));
        kept.any(|order| self.ids.sequence_of(&order.client_id) == Some(accepted))
    }

    /// The venue lists an order as open that is over here: it is asked for, and cancelled if that is confirmed. One that is
    /// forgotten here has been taken over by [`Decider::external`].
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
