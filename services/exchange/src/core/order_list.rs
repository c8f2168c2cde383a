//! Orders that depend on each other: one cancels the other, or one triggers others.

use serde::{Deserialize, Serialize};

/// How the orders of a list depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Contingency {
    /// Two orders; whichever acts first ends the other.
    Oco,
    /// The first order, once full, brings the second one to life.
    Oto,
    /// The first order, once full, brings to life a pair of which whichever acts first ends the other.
    Otoco,
}

impl Contingency {
    /// Binance's `contingencyType`: a triggered pair counts as a triggered order there.
    pub fn as_str(self) -> &'static str {
        match self {
            Contingency::Oco => "OCO",
            Contingency::Oto | Contingency::Otoco => "OTO",
        }
    }
}

/// An order list of an API account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderList {
    /// The venue's id, never given twice.
    pub id: u64,
    /// Name of the account.
    pub account: String,
    /// Name of the symbol.
    pub symbol: String,
    /// The client's id, unique among the account's open lists.
    pub client_id: String,
    /// How its orders depend on each other.
    pub contingency: Contingency,
    /// Its orders, with their client ids; a working order first.
    pub orders: Vec<(u64, String)>,
    /// Whether an order of it is still open.
    pub open: bool,
    /// Time of acceptance, µs.
    pub created: i64,
    /// Time of the last change, µs.
    pub updated: i64,
}

impl OrderList {
    /// The order that must fill before the others act.
    pub fn working(&self) -> Option<u64> {
        match self.contingency {
            Contingency::Oco => None,
            Contingency::Oto | Contingency::Otoco => self.orders.first().map(|(id, _)| *id),
        }
    }

    /// The orders that the first fill of `order`, or the price that triggers it, ends.
    pub fn rivals(&self, order: u64) -> Vec<u64> {
        let pair = match self.contingency {
            Contingency::Oco => &self.orders[..],
            Contingency::Oto => &[],
            Contingency::Otoco => &self.orders[1..],
        };
        let is_of_pair = pair.iter().any(|(id, _)| *id == order);
        let others = pair.iter().map(|(id, _)| *id).filter(|id| *id != order);
        if is_of_pair { others.collect() } else { Vec::new() }
    }

    /// The orders that act once `order` is full.
    pub fn dependents(&self, order: u64) -> Vec<u64> {
        if self.working() != Some(order) {
            return Vec::new();
        }
        self.orders[1..].iter().map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_depends_on_whom() {
        let list = |contingency, count: u64| OrderList {
            id: 9,
            account: "a".into(),
            symbol: "S".into(),
            client_id: "c".into(),
            contingency,
            orders: (1..=count).map(|id| (id, format!("o{id}"))).collect(),
            open: true,
            created: 0,
            updated: 0,
        };
        let (oco, oto, otoco) = (
            list(Contingency::Oco, 2),
            list(Contingency::Oto, 2),
            list(Contingency::Otoco, 3),
        );
        assert_eq!(
            (oco.rivals(1), oco.rivals(2), oco.dependents(1)),
            (vec![2], vec![1], vec![])
        );
        assert_eq!(
            (oto.rivals(1), oto.rivals(2), oto.dependents(1)),
            (vec![], vec![], vec![2])
        );
        assert_eq!((otoco.rivals(1), otoco.rivals(3)), (vec![], vec![2]));
        assert_eq!((otoco.dependents(1), otoco.dependents(2)), (vec![2, 3], vec![]));
        assert_eq!((oco.working(), otoco.working()), (None, Some(1)));
        assert_eq!((oco.contingency.as_str(), otoco.contingency.as_str()), ("OCO", "OTO"));
    }
}
