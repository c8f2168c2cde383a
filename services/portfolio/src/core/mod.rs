//! Positions and cash as a fold of trading's events. Pure: what events change is collected in [`Changes`], written to the
//! store by the caller, and only then [taken over](Portfolios::commit).

mod valuation;

pub use valuation::{Holding, Mark, MarkSource, PositionValue, Valuation, value};

use domain::ledger::{Entry, LedgerError, Owner, Posting};
use domain::position::{Position, PositionError};
use domain::{AccountId, Asset, Fill, IdError, Instrument, Money, NumberError, Symbol, Timestamp};
use std::collections::BTreeMap;

/// The counter account of purchases and sales.
const MARKET: &str = "market";
/// The counter account of fees.
const FEES: &str = "fees";
/// The counter account of what the venue says an account held before it traded here.
const VENUE: &str = "venue";

/// What trading decided, as far as a portfolio is concerned.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An execution.
    Fill(Fill),
    /// The venue's balances were taken over: each asset's total.
    BalancesAdopted {
        /// The account.
        account: AccountId,
        /// What it holds of each asset, free and locked together.
        balances: Vec<(Asset, Money)>,
        /// Why, for example `opening`.
        reason: String,
    },
    /// Nothing that changes a portfolio.
    Other,
}

/// A movement in the ledger; its entries sum to zero in every asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Movement {
    /// The sequence of the event that caused it.
    pub sequence: u64,
    /// The account that it is about.
    pub account: AccountId,
    /// The entries.
    pub entries: Vec<Entry>,
    /// What caused it, for people.
    pub cause: String,
    /// When.
    pub time: Timestamp,
}

/// Why an event cannot be applied: a defect or a damaged journal, never a state of the market.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FoldError {
    /// The fill's instrument is not known.
    #[error("no instrument {0}")]
    UnknownInstrument(Symbol),
    /// The position cannot take the fill.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// The movement does not balance.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A number is out of range.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// A counter account's name is not one.
    #[error(transparent)]
    Name(#[from] IdError),
}

/// Every account's positions and balances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Portfolios {
    accounts: BTreeMap<AccountId, Account>,
}

/// One account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// The positions, by symbol.
    pub positions: BTreeMap<Symbol, Position>,
    /// What it holds, by asset.
    pub balances: BTreeMap<Asset, Money>,
    /// The last event that changed it.
    pub sequence: u64,
}

/// What a batch of events changes.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// The positions as they are afterwards.
    pub positions: BTreeMap<(AccountId, Symbol), Position>,
    /// The balances as they are afterwards.
    pub balances: BTreeMap<AccountId, BTreeMap<Asset, Money>>,
    /// The last event of each account that changed.
    pub sequences: BTreeMap<AccountId, u64>,
    /// The fills, with their sequences.
    pub fills: Vec<(u64, Fill)>,
    /// The movements.
    pub movements: Vec<Movement>,
}

/// Events applied on top of the portfolios, which stay as they are until the changes are committed.
#[derive(Debug)]
struct Batch<'a> {
    base: &'a Portfolios,
    changes: &'a mut Changes,
}

impl Portfolios {
    /// The account, if anything is known of it.
    pub fn account(&self, account: &AccountId) -> Option<&Account> {
        self.accounts.get(account)
    }

    /// The account, made when nothing is known of it; for loading what is stored.
    pub fn account_mut(&mut self, account: &AccountId) -> &mut Account {
        self.accounts.entry(account.clone()).or_default()
    }

    /// Applies one event on top of these and of `changes`, which collects what a batch of events changes. `instrument` is
    /// that of the fill's symbol.
    ///
    /// # Errors
    /// A [`FoldError`]; the changes must then be dropped.
    pub fn apply(
        &self,
        changes: &mut Changes,
        sequence: u64,
        time: Timestamp,
        event: &Event,
        instrument: Option<&Instrument>,
    ) -> Result<(), FoldError> {
        let mut batch = Batch { base: self, changes };
        match event {
            Event::Fill(fill) => {
                let instrument = instrument.ok_or_else(|| FoldError::UnknownInstrument(fill.symbol.clone()))?;
                batch.fill(sequence, fill, instrument)
            }
            Event::BalancesAdopted {
                account,
                balances,
                reason,
            } => batch.adopt(sequence, time, account, balances, reason),
            Event::Other => Ok(()),
        }
    }

    /// Takes over what a batch changed, once it is stored.
    pub fn commit(&mut self, changes: Changes) {
        for ((account, symbol), position) in changes.positions {
            self.account_mut(&account).positions.insert(symbol, position);
        }
        for (account, balances) in changes.balances {
            self.account_mut(&account).balances.extend(balances);
        }
        for (account, sequence) in changes.sequences {
            self.account_mut(&account).sequence = sequence;
        }
    }
}

impl Batch<'_> {
    fn fill(&mut self, sequence: u64, fill: &Fill, instrument: &Instrument) -> Result<(), FoldError> {
        let posting = Posting::of_fill(fill, instrument, &Owner::counter(MARKET)?, &Owner::counter(FEES)?)?;
        let cause = format!("fill {} {}", fill.symbol, fill.trade_id);
        let key = (fill.account.clone(), fill.symbol.clone());
        let known = self
            .base
            .accounts
            .get(&fill.account)
            .and_then(|account| account.positions.get(&fill.symbol));
        let position = self
            .changes
            .positions
            .entry(key)
            .or_insert_with(|| known.cloned().unwrap_or_default());
        position.apply(fill, instrument)?;
        self.post(sequence, fill.time, &fill.account, posting, cause)?;
        self.changes.fills.push((sequence, fill.clone()));
        Ok(())
    }

    fn adopt(
        &mut self,
        sequence: u64,
        time: Timestamp,
        account: &AccountId,
        balances: &[(Asset, Money)],
        reason: &str,
    ) -> Result<(), FoldError> {
        let (venue, owner) = (Owner::counter(VENUE)?, Owner::Account(account.clone()));
        let mut posting = Posting::new();
        for (asset, total) in balances {
            let difference = total.checked_sub(self.balance(account, asset))?;
            if !difference.is_zero() {
                posting = posting.transfer(&venue, &owner, asset, difference);
            }
        }
        self.post(sequence, time, account, posting, format!("balances {reason}"))
    }

    fn post(
        &mut self,
        sequence: u64,
        time: Timestamp,
        account: &AccountId,
        posting: Posting,
        cause: String,
    ) -> Result<(), FoldError> {
        posting.check()?;
        for entry in posting.entries() {
            if let Owner::Account(owner) = &entry.owner {
                let balance = self.balance(owner, &entry.asset).checked_add(entry.amount)?;
                let balances = self.changes.balances.entry(owner.clone()).or_default();
                balances.insert(entry.asset.clone(), balance);
            }
        }
        self.changes.sequences.insert(account.clone(), sequence);
        self.changes.movements.push(Movement {
            sequence,
            account: account.clone(),
            entries: posting.into_entries(),
            cause,
            time,
        });
        Ok(())
    }

    fn balance(&self, account: &AccountId, asset: &Asset) -> Money {
        let staged = self
            .changes
            .balances
            .get(account)
            .and_then(|balances| balances.get(asset));
        let known = || self.base.accounts.get(account)?.balances.get(asset);
        staged.or_else(known).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
