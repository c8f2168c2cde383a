//! A double-entry ledger: every posting sums to zero in every asset, so that the whole does too.

use crate::{AccountId, Asset, CounterAccount, Fill, IdError, Instrument, Money, NumberError, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who holds a balance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A platform account.
    Account(AccountId),
    /// The other side of its postings, by name: the market, the fees, the funding. May be negative.
    Counter(CounterAccount),
}

impl Owner {
    /// The counter account `name`, such as `market`.
    pub fn counter(name: &str) -> Result<Owner, IdError> {
        CounterAccount::parse(name).map(Owner::Counter)
    }
}

/// Why a posting was refused; the ledger is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The amounts of one asset do not sum to zero.
    #[error("posting is out of balance by {difference} {asset}")]
    Unbalanced {
        /// The asset.
        asset: Asset,
        /// What is too much.
        difference: Money,
    },
    /// An amount cannot be held exactly.
    #[error("ledger: {0}")]
    Number(#[from] NumberError),
}

impl LedgerError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            LedgerError::Unbalanced { .. } => "LEDGER_UNBALANCED",
            LedgerError::Number(number) => number.reason(),
        }
    }
}

/// One line of a posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose balance changes.
    pub owner: Owner,
    /// In which asset.
    pub asset: Asset,
    /// By how much.
    pub amount: Money,
}

/// Changes that belong together: all of them happen, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Posting {
    entries: Vec<Entry>,
}

impl Posting {
    /// Nothing yet.
    pub fn new() -> Self {
        Posting::default()
    }

    /// Adds a movement of `amount` from one owner to another, which balances by itself.
    pub fn transfer(mut self, from: &Owner, to: &Owner, asset: &Asset, amount: Money) -> Self {
        self.entries.push(Entry {
            owner: from.clone(),
            asset: asset.clone(),
            amount: amount.negated(),
        });
        self.entries.push(Entry {
            owner: to.clone(),
            asset: asset.clone(),
            amount,
        });
        self
    }

    /// Adds one line; [`Ledger::post`] checks the sum.
    pub fn entry(mut self, owner: Owner, asset: Asset, amount: Money) -> Self {
        self.entries.push(Entry { owner, asset, amount });
        self
    }

    /// What a fill moves: base and quote between the account and `market`, the fee to `fees`.
    pub fn of_fill(fill: &Fill, instrument: &Instrument, market: &Owner, fees: &Owner) -> Result<Self, NumberError> {
        let account = Owner::Account(fill.account.clone());
        let (base, quote) = (fill.quantity.amount(), fill.notional()?);
        let (payer, payee) = match fill.side {
            Side::Buy => (&account, market),
            Side::Sell => (market, &account),
        };
        let trade = Posting::new().transfer(payee, payer, &instrument.base, base).transfer(
            payer,
            payee,
            &instrument.quote,
            quote,
        );
        if fill.fee.is_zero() {
            return Ok(trade);
        }
        Ok(trade.transfer(&account, fees, &fill.fee_asset, fill.fee))
    }

    /// Its lines.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Its lines, for whoever keeps them.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Refuses one whose amounts of an asset do not sum to zero.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] naming the asset, [`LedgerError::Number`] for a sum that cannot be held.
    pub fn check(&self) -> Result<(), LedgerError> {
        let mut sums: BTreeMap<&Asset, Money> = BTreeMap::new();
        for Entry { asset, amount, .. } in &self.entries {
            let sum = sums.entry(asset).or_default();
            *sum = sum.checked_add(*amount)?;
        }
        match sums.into_iter().find(|(_, sum)| !sum.is_zero()) {
            None => Ok(()),
            Some((asset, difference)) => Err(LedgerError::Unbalanced {
                asset: asset.clone(),
                difference,
            }),
        }
    }
}

/// Balances by owner and asset. Whatever is in it came by balanced postings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    balances: BTreeMap<(Owner, Asset), Money>,
}

impl Ledger {
    /// No balances.
    pub fn new() -> Self {
        Ledger::default()
    }

    /// Applies a posting, or refuses it and changes nothing.
    pub fn post(&mut self, posting: &Posting) -> Result<(), LedgerError> {
        posting.check()?;
        let mut changed: BTreeMap<(Owner, Asset), Money> = BTreeMap::new();
        for Entry { owner, asset, amount } in &posting.entries {
            let balance = changed
                .entry((owner.clone(), asset.clone()))
                .or_insert_with(|| self.balance(owner, asset));
            *balance = balance.checked_add(*amount)?;
        }
        self.balances.extend(changed);
        Ok(())
    }

    /// What an owner has of an asset; zero where nothing was ever posted.
    pub fn balance(&self, owner: &Owner, asset: &Asset) -> Money {
        self.balances
            .get(&(owner.clone(), asset.clone()))
            .copied()
            .unwrap_or_default()
    }

    /// Every balance ever touched, in order of owner and asset.
    pub fn balances(&self) -> impl Iterator<Item = (&Owner, &Asset, Money)> {
        self.balances
            .iter()
            .map(|((owner, asset), amount)| (owner, asset, *amount))
    }

    /// The sum over all owners of each asset: zero, always. For audits.
    pub fn totals(&self) -> Result<BTreeMap<Asset, Money>, NumberError> {
        let mut totals: BTreeMap<Asset, Money> = BTreeMap::new();
        for ((_, asset), amount) in &self.balances {
            let total = totals.entry(asset.clone()).or_default();
            *total = total.checked_add(*amount)?;
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests;
