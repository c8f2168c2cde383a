//! What an account holds, and what trading costs it.

use super::millis;
use crate::core::fees::DISCOUNT;
use crate::core::ledger::Account;
use crate::core::listing::FEE_ASSET;
use crate::core::units::{Atoms, Decimal, ONE};
use serde::Serialize;

/// Maker and taker commission of the kinds that nobody pays here, in hundredths of a per cent.
const NO_FEES: (u32, u32) = (0, 0);

/// Maker and taker commission, as parts of what is received.
#[derive(Serialize)]
struct Rates {
    maker: Decimal,
    taker: Decimal,
}

impl Rates {
    fn of((maker, taker): (u32, u32)) -> Rates {
        let rate = |bps: u32| Decimal(Atoms::from(bps) * ONE / 10_000);
        Rates {
            maker: rate(maker),
            taker: rate(taker),
        }
    }
}

/// And what buyers and sellers pay beside it: nothing.
#[derive(Serialize)]
struct AllRates {
    #[serde(flatten)]
    rates: Rates,
    buyer: Decimal,
    seller: Decimal,
}

impl AllRates {
    fn of(fees_bps: (u32, u32)) -> AllRates {
        AllRates {
            rates: Rates::of(fees_bps),
            buyer: Decimal(0),
            seller: Decimal(0),
        }
    }
}

#[derive(Serialize)]
struct Held<'a> {
    asset: &'a str,
    free: Decimal,
    locked: Decimal,
}

/// `GET /api/v3/account`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings<'a> {
    maker_commission: u32,
    taker_commission: u32,
    buyer_commission: u32,
    seller_commission: u32,
    commission_rates: AllRates,
    can_trade: bool,
    can_withdraw: bool,
    can_deposit: bool,
    brokered: bool,
    require_self_trade_prevention: bool,
    prevent_sor: bool,
    update_time: i64,
    account_type: &'static str,
    balances: Vec<Held<'a>>,
    permissions: [&'static str; 1],
    uid: usize,
}

/// What an account holds; `omit_zero` leaves out the assets of which it has none.
pub fn holdings(account: &Account, fees_bps: (u32, u32), omit_zero: bool) -> Holdings<'_> {
    let shown = account
        .balances
        .iter()
        .filter(|(_, held)| !omit_zero || held.free + held.locked != 0);
    let balances = shown.map(|(asset, held)| Held {
        asset,
        free: Decimal(held.free),
        locked: Decimal(held.locked),
    });
    Holdings {
        maker_commission: fees_bps.0,
        taker_commission: fees_bps.1,
        buyer_commission: 0,
        seller_commission: 0,
        commission_rates: AllRates::of(fees_bps),
        can_trade: true,
        can_withdraw: false,
        can_deposit: false,
        brokered: false,
        require_self_trade_prevention: false,
        prevent_sor: false,
        update_time: millis(account.updated),
        account_type: "SPOT",
        balances: balances.collect(),
        permissions: ["SPOT"],
        uid: account.number,
    }
}

/// What a commission in the fee asset is worth to an account.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discount {
    enabled_for_account: bool,
    enabled_for_symbol: bool,
    discount_asset: &'static str,
    discount: Decimal,
}

impl Discount {
    fn of(account: &Account, is_listed: bool) -> Discount {
        Discount {
            enabled_for_account: account.pays_in_fee_asset,
            enabled_for_symbol: is_listed,
            discount_asset: FEE_ASSET,
            discount: Decimal(DISCOUNT * ONE / 100),
        }
    }
}

/// `GET /api/v3/account/commission`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Commission<'a> {
    symbol: &'a str,
    standard_commission: AllRates,
    special_commission: AllRates,
    tax_commission: AllRates,
    discount: Discount,
}

/// What an account pays; `is_listed` says whether the fee asset is.
pub fn commission<'a>(symbol: &'a str, account: &Account, fees_bps: (u32, u32), is_listed: bool) -> Commission<'a> {
    Commission {
        symbol,
        standard_commission: AllRates::of(fees_bps),
        special_commission: AllRates::of(NO_FEES),
        tax_commission: AllRates::of(NO_FEES),
        discount: Discount::of(account, is_listed),
    }
}

/// The answer of `POST /api/v3/order/test` that was asked for commissions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommissionForOrder {
    standard_commission_for_order: Rates,
    special_commission_for_order: Rates,
    tax_commission_for_order: Rates,
    discount: Discount,
}

/// What an account would pay for an order; `is_listed` says whether the fee asset is.
pub fn commission_for_order(account: &Account, fees_bps: (u32, u32), is_listed: bool) -> CommissionForOrder {
    CommissionForOrder {
        standard_commission_for_order: Rates::of(fees_bps),
        special_commission_for_order: Rates::of(NO_FEES),
        tax_commission_for_order: Rates::of(NO_FEES),
        discount: Discount::of(account, is_listed),
    }
}
