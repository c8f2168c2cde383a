//! The oracle: the generator's log against the exchange's ledger, and then what trading and portfolio say against both.

use super::log::{Answered, Entry};
use super::venue::{Book, Trade, TradeKey};
use bench::orders::Kind;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// An order as trading tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderTold {
    /// The platform's id.
    pub order_id: String,
    /// The client's key.
    pub key: String,
    /// The status, without its prefix: `FILLED`.
    pub status: String,
    /// Why it ended.
    pub reason: String,
    /// What is filled.
    pub filled: Decimal,
}

/// What the platform says of one account.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Trading's orders.
    pub orders: Vec<OrderTold>,
    /// The portfolio's fills.
    pub fills: BTreeMap<TradeKey, Trade>,
    /// How many fills the portfolio listed; more than `fills` holds when it lists one twice.
    pub fill_count: usize,
    /// The portfolio's holdings by asset; no zeros.
    pub holdings: BTreeMap<String, Decimal>,
    /// The portfolio's positions by symbol; no zeros.
    pub positions: BTreeMap<String, Decimal>,
}

/// Everything about one account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What it held at the venue before the load.
    pub opening: BTreeMap<String, Decimal>,
    /// What was still open at the venue when the cancels had had their time, before all else was cancelled: the
    /// platform's id of each order, and the venue's word for its status.
    pub left_open: BTreeMap<String, String>,
    /// What it has at the venue now.
    pub book: Book,
    /// What the platform says.
    pub told: Told,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Keys that were acknowledged and whose order is nowhere.
    pub lost: Vec<String>,
    /// Orders beyond one for a key.
    pub doubled: Vec<String>,
    /// Whatever else does not agree.
    pub different: Vec<String>,
    /// Orders that were acknowledged.
    pub acknowledged: usize,
    /// Cancels that were acknowledged.
    pub cancels: usize,
    /// Acknowledged orders that never reached the venue, and of which trading says so.
    pub never_sent: usize,
    /// Orders that the venue refused, and of which trading says so.
    pub rejected: usize,
    /// Trades at the venue.
    pub trades: usize,
}

impl Verdict {
    /// Whether everything agrees.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.different.is_empty()
    }

    /// What does not agree, at most `most` lines of each kind.
    pub fn findings(&self, most: usize) -> String {
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("different", &self.different),
        ];
        let lines = kinds.iter().flat_map(|(name, list)| {
            let first = list.iter().take(most).map(move |line| format!("  {name}: {line}"));
            std::iter::once(format!("{}: {}", name, list.len())).chain(first)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Statuses that say that an order never was at the venue's book.
const REJECTED: &str = "REJECTED";
/// Trading's reasons for an order that it is certain never arrived.
const NEVER_SENT: [&str; 2] = ["NEVER_REACHED_VENUE", "SEND_WINDOW_PASSED"];

/// Judges every account. `symbols` names the base and quote asset of each symbol.
pub fn judge(
    log: &BTreeMap<String, Entry>,
    accounts: &BTreeMap<String, Account>,
    symbols: &BTreeMap<String, (String, String)>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut keys_of: BTreeMap<&str, Vec<(&str, &Answered)>> = BTreeMap::new();
    let mut refused: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, entry) in log {
        match (&entry.answer, entry.kind) {
            (None, _) => verdict.different.push(format!("{key} was never answered")),
            (Some(answer), Kind::Submit) if answer.status == 200 => {
                keys_of.entry(&entry.account).or_default().push((key, answer));
            }
            (Some(_), Kind::Submit) => {
                refused.entry(&entry.account).or_default().insert(key);
            }
            (Some(answer), Kind::Cancel) => {
                cancel(key, entry, answer, &mut verdict);
                if let Some(status) = open_in_spite_of(entry, accounts) {
                    let (account, order) = (&entry.account, &entry.cancels);
                    let line =
                        format!("{account}: cancel {key} was acknowledged, and {order} stays {status} at the venue");
                    verdict.lost.push(line);
                }
            }
        }
    }
    for name in keys_of.keys() {
        if !accounts.contains_key(*name) {
            verdict.different.push(format!("account {name} is not known"));
        }
    }
    for (name, account) in accounts {
        let keys = keys_of.remove(name.as_str()).unwrap_or_default();
        orders(name, &keys, account, &mut verdict);
        let no = refused.remove(name.as_str()).unwrap_or_default();
        for order in account
            .told
            .orders
            .iter()
            .filter(|order| no.contains(order.key.as_str()))
        {
            let line = format!(
                "{name}: {} was refused, and trading has it as {}",
                order.key, order.order_id
            );
            verdict.doubled.push(line);
        }
        money(name, account, symbols, &mut verdict);
    }
    verdict
}

/// The orders of an account whose cancel was acknowledged.
pub fn cancelled(log: &BTreeMap<String, Entry>, account: &str) -> BTreeSet<String> {
    let of_account = log.values().filter(|entry| entry.account == account);
    let acknowledged = of_account.filter(|entry| is_acknowledged_cancel(entry));
    acknowledged.map(|entry| entry.cancels.clone()).collect()
}

fn is_acknowledged_cancel(entry: &Entry) -> bool {
    entry.kind == Kind::Cancel && entry.answer.as_ref().is_some_and(|answer| answer.status == 200)
}

/// The venue's word for an order that is open although its cancel was acknowledged.
fn open_in_spite_of<'a>(entry: &Entry, accounts: &'a BTreeMap<String, Account>) -> Option<&'a String> {
    let left_open = &accounts.get(&entry.account)?.left_open;
    left_open.get(&entry.cancels).filter(|_| is_acknowledged_cancel(entry))
}

/// An order that was acknowledged can always be cancelled, or is at its end.
fn cancel(key: &str, entry: &Entry, answer: &Answered, verdict: &mut Verdict) {
    match answer.status {
        200 => verdict.cancels += 1,
        422 if answer.reason == "ORDER_CLOSED" => {}
        404 => {
            let line = format!(
                "{}: order {} is gone when {key} cancels it",
                entry.account, entry.cancels
            );
            verdict.lost.push(line);
        }
        status => {
            let line = format!(
                "{}: cancel {key} was answered {status} {}",
                entry.account, answer.reason
            );
            verdict.different.push(line);
        }
    }
}

/// Every acknowledged key has one order here and one at the venue, in the same state, and the venue has no other.
fn orders(name: &str, keys: &[(&str, &Answered)], account: &Account, verdict: &mut Verdict) {
    let mut told: BTreeMap<&str, Vec<&OrderTold>> = BTreeMap::new();
    for order in &account.told.orders {
        told.entry(&order.key).or_default().push(order);
    }
    let mut at_venue: BTreeMap<String, Vec<(u64, &super::venue::Order)>> = BTreeMap::new();
    for (id, order) in &account.book.orders {
        at_venue
            .entry(order_of(&order.client_id))
            .or_default()
            .push((*id, order));
    }
    for (order, several) in at_venue.iter().filter(|(_, orders)| orders.len() > 1) {
        let ids: Vec<&str> = several.iter().map(|(_, order)| order.client_id.as_str()).collect();
        verdict
            .doubled
            .push(format!("{name}: the venue has order {order} as {}", ids.join(" and ")));
    }
    let mut expected = BTreeSet::new();
    for (key, answer) in keys {
        verdict.acknowledged += 1;
        if !expected.insert(answer.order_id.as_str()) {
            verdict
                .doubled
                .push(format!("{name}: {key} has the order of another key"));
        }
        let mine = match told.get(key).map(Vec::as_slice) {
            None | Some([]) => {
                verdict.lost.push(format!(
                    "{name}: trading does not know {key}, acknowledged as {}",
                    answer.order_id
                ));
                continue;
            }
            Some([one]) => *one,
            Some(several) => {
                verdict
                    .doubled
                    .push(format!("{name}: trading has {} orders {key}", several.len()));
                continue;
            }
        };
        if mine.order_id != answer.order_id {
            let line = format!(
                "{name}: {key} was acknowledged as {} and is {}",
                answer.order_id, mine.order_id
            );
            verdict.different.push(line);
        }
        match at_venue.get(answer.order_id.as_str()).and_then(|orders| orders.first()) {
            None if mine.status == REJECTED && NEVER_SENT.contains(&mine.reason.as_str()) => verdict.never_sent += 1,
            None if mine.status == REJECTED => verdict.rejected += 1,
            None => {
                let line = format!(
                    "{name}: {key} is {} here, and the venue has no {}",
                    mine.status, answer.order_id
                );
                verdict.lost.push(line);
            }
            Some((_, theirs)) if is_same(mine, theirs) => {}
            Some((id, theirs)) => {
                let line = format!(
                    "{name}: {key} is {} with {} filled ({}), the venue's {id} is {} with {}",
                    mine.status, mine.filled, mine.reason, theirs.status, theirs.executed
                );
                verdict.different.push(line);
            }
        }
    }
    for order in at_venue.keys().filter(|order| !expected.contains(order.as_str())) {
        let line = format!("{name}: the venue has {order}, which no key was acknowledged as");
        verdict.doubled.push(line);
    }
}

/// The order that an id at the venue is of. Ours are made of the journal, the shard, the epoch and the sequence; shard and
/// sequence are the order's own id. Whatever else is left as it is, and belongs to nobody.
pub fn order_of(client_id: &str) -> String {
    match client_id.split('-').collect::<Vec<_>>().as_slice() {
        [_, shard, _, sequence] => format!("{shard}-{sequence}"),
        _ => client_id.to_owned(),
    }
}

fn is_same(mine: &OrderTold, theirs: &super::venue::Order) -> bool {
    let status = match mine.status.as_str() {
        "OPEN" => "NEW",
        "CANCELLED" => "CANCELED",
        same => same,
    };
    status == theirs.status && mine.filled == theirs.executed
}

/// Fills, cash and positions are the fold of the exchange's fills, at the exchange, and in the portfolio.
fn money(name: &str, account: &Account, symbols: &BTreeMap<String, (String, String)>, verdict: &mut Verdict) {
    let (book, told) = (&account.book, &account.told);
    verdict.trades += book.trades.len();
    if told.fill_count != told.fills.len() {
        let line = format!(
            "{name}: the portfolio lists {} fills, {} apart",
            told.fill_count,
            told.fills.len()
        );
        verdict.doubled.push(line);
    }
    for (key, theirs) in &book.trades {
        let is_same = |mine: &Trade| {
            let same_terms = (mine.is_buy, mine.price, mine.quantity) == (theirs.is_buy, theirs.price, theirs.quantity);
            same_terms && (mine.fee, &mine.fee_asset) == (theirs.fee, &theirs.fee_asset)
        };
        match told.fills.get(key) {
            Some(mine) if is_same(mine) => {}
            Some(mine) => verdict
                .different
                .push(format!("{name}: fill {key:?} is {mine:?}, at the venue {theirs:?}")),
            None => verdict
                .lost
                .push(format!("{name}: the portfolio has no fill {key:?}: {theirs:?}")),
        }
    }
    for key in told.fills.keys().filter(|key| !book.trades.contains_key(*key)) {
        verdict.doubled.push(format!(
            "{name}: the portfolio has fill {key:?}, and the venue does not"
        ));
    }
    let (cash, positions) = fold(account, symbols);
    compare(name, "exchange", &book.balances, "fold of its fills", &cash, verdict);
    compare(
        name,
        "portfolio",
        &told.holdings,
        "fold of the venue's fills",
        &cash,
        verdict,
    );
    compare(
        name,
        "portfolio's positions",
        &told.positions,
        "fold of the venue's fills",
        &positions,
        verdict,
    );
}

/// What the opening balances and the venue's trades come to: holdings by asset, and positions by symbol.
fn fold(
    account: &Account,
    symbols: &BTreeMap<String, (String, String)>,
) -> (BTreeMap<String, Decimal>, BTreeMap<String, Decimal>) {
    let (mut cash, mut positions) = (account.opening.clone(), BTreeMap::<String, Decimal>::new());
    for ((symbol, _), trade) in &account.book.trades {
        let Some((base, quote)) = symbols.get(symbol) else {
            continue;
        };
        let sign = if trade.is_buy {
            Decimal::ONE
        } else {
            Decimal::NEGATIVE_ONE
        };
        *cash.entry(base.clone()).or_default() += sign * trade.quantity;
        *cash.entry(quote.clone()).or_default() -= sign * trade.quantity * trade.price;
        *cash.entry(trade.fee_asset.clone()).or_default() -= trade.fee;
        let position = positions.entry(symbol.clone()).or_default();
        *position += sign * trade.quantity;
        if trade.fee_asset == *base {
            *position -= trade.fee;
        }
    }
    cash.retain(|_, amount| !amount.is_zero());
    positions.retain(|_, amount| !amount.is_zero());
    (cash, positions)
}

fn compare(
    name: &str,
    one: &str,
    left: &BTreeMap<String, Decimal>,
    other: &str,
    right: &BTreeMap<String, Decimal>,
    verdict: &mut Verdict,
) {
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for asset in names {
        let (left, right) = (left.get(asset).copied(), right.get(asset).copied());
        if left.unwrap_or_default() != right.unwrap_or_default() {
            let line = format!("{name} {asset}: {one} {left:?}, {other} {right:?}");
            verdict.different.push(line);
        }
    }
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
