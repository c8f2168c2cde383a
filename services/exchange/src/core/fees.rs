//! What trading costs: a rate on what is received, or less of it in the fee asset.

use super::account::Account;
use super::listing::FEE_ASSET;
use super::order::Side;
use super::record::Record;
use super::units::{Atoms, ONE};
use super::venue::{Effects, Venue};

/// What is left of a commission that is paid in the fee asset, in per cent.
pub const DISCOUNT: Atoms = 75;

/// One execution, as far as its commission depends on it.
pub(super) struct Charged {
    pub(super) symbol: usize,
    pub(super) side: Side,
    pub(super) quantity: Atoms,
    pub(super) value: Atoms,
    pub(super) maker: bool,
}

impl Venue {
    /// The commission of an execution, and its asset when that is not the received one. Rounded down, in the account's
    /// favour. An account that holds too little of the fee asset pays the whole commission in what it receives.
    pub(super) fn commission(&self, account: &Account, charged: &Charged) -> (Atoms, Option<String>) {
        let options = &self.options;
        let rate = Atoms::from(if charged.maker {
            options.maker_fee_bps
        } else {
            options.taker_fee_bps
        });
        let (received, base) = match charged.side {
            Side::Buy => (charged.quantity, self.markets[charged.symbol].listing.base.as_str()),
            Side::Sell => (charged.value, super::listing::QUOTE),
        };
        let in_received = (received * rate / 10_000, None);
        let Some(price) = self.fee_asset_price().filter(|_| account.pays_in_fee_asset) else {
            return in_received;
        };
        let fee = charged.value * rate * DISCOUNT * ONE / (price * 10_000 * 100);
        let received_now = if base == FEE_ASSET { received } else { 0 };
        if account.balance(FEE_ASSET).free + received_now < fee {
            return in_received;
        }
        (fee, Some(FEE_ASSET.to_owned()))
    }

    /// The last price of the fee asset, when it is listed.
    pub fn fee_asset_price(&self) -> Option<Atoms> {
        let market = self.markets.iter().find(|market| market.listing.base == FEE_ASSET)?;
        Some(Atoms::from(market.last_ticks()) * market.listing.tick())
    }

    /// Lets an account pay its commissions in the fee asset, or no longer; false when there is no such account.
    pub fn pay_in_fee_asset(&mut self, account: &str, pays: bool, now: i64, effects: &mut Effects) -> bool {
        let Some(state) = self.ledger.account(account) else {
            return false;
        };
        if state.pays_in_fee_asset != pays {
            let (account, time) = (account.to_owned(), now.max(self.now));
            self.record(Record::FeeAsset { account, pays, time }, effects);
        }
        true
    }
}
