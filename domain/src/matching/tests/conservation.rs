//! What is bought is sold: trades of the book, posted with fees, leave every asset as it was to the last unit.

use crate::matching::{Effects, Execution, MatchingBook, NewOrder};
use crate::testing::{btc_usdt, fill};
use crate::{
    AccountId, Fill, Instrument, Ledger, Liquidity, Money, Owner, Position, Posting, Price, Quantity, Rate, Side,
    TimeInForce,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn account(id: u64) -> AccountId {
    AccountId::parse(&format!("trader-{}", id % 5)).unwrap()
}

/// Both sides of an execution, each with its fee: buyers pay in base, sellers in quote, as on Binance.
fn fills(execution: &Execution, instrument: &Instrument) -> [Fill; 2] {
    let price = Price::from_ticks(execution.tick, instrument.tick_size).unwrap();
    let quantity = Quantity::from_lots(execution.lots, instrument.lot_size).unwrap();
    let rates = [(Liquidity::Maker, "0.00075"), (Liquidity::Taker, "0.001")];
    rates.map(|(liquidity, rate)| {
        let (id, side) = match liquidity {
            Liquidity::Maker => (execution.maker_id, execution.taker_side.opposite()),
            Liquidity::Taker => (execution.taker_id, execution.taker_side),
        };
        let (charged, fee_asset) = match side {
            Side::Buy => (quantity.amount(), &instrument.base),
            Side::Sell => (price.notional(quantity).unwrap(), &instrument.quote),
        };
        let fee = Money::fee(charged, rate.parse::<Rate>().unwrap()).unwrap();
        let mut fill = fill(
            side,
            &price.to_string(),
            &quantity.to_string(),
            &format!("{fee} {fee_asset}"),
        );
        (fill.account, fill.liquidity) = (account(id), liquidity);
        fill
    })
}

proptest! {
    #[test]
    fn cash_and_assets_balance(orders in prop::collection::vec((any::<bool>(), 4_990_000i64..5_010_000, 100u64..90_000), 1..120)) {
        let instrument = btc_usdt();
        let (market, fees) = (Owner::counter("market").unwrap(), Owner::counter("fees").unwrap());
        let (mut book, mut effects, mut ledger) = (MatchingBook::new(), Effects::new(), Ledger::new());
        let (mut submitted, mut resting, mut positions) = (0, 0, BTreeMap::<AccountId, Position>::new());
        for (id, (buys, tick, lots)) in orders.into_iter().enumerate() {
            let side = if buys { Side::Buy } else { Side::Sell };
            book.submit(NewOrder::limit(id as u64, side, TimeInForce::Gtc, tick, lots), &mut effects).unwrap();
            submitted += lots;
        }
        for execution in &effects.executions {
            for fill in fills(execution, &instrument) {
                ledger.post(&Posting::of_fill(&fill, &instrument, &market, &fees).unwrap()).unwrap();
                positions.entry(fill.account.clone()).or_default().apply(&fill, &instrument).unwrap();
            }
        }
        for side in [Side::Buy, Side::Sell] {
            resting += book.orders(side).map(|order| order.lots).sum::<u64>();
        }
        let traded: u64 = effects.executions.iter().map(|trade| trade.lots).sum();
        prop_assert_eq!(submitted, resting + 2 * traded, "every lot rests, or was bought and sold");
        prop_assert!(ledger.totals().unwrap().values().all(|total| total.is_zero()));
        for asset in [&instrument.base, &instrument.quote] {
            prop_assert!(ledger.balance(&market, asset).is_zero(), "between traders nothing is left over");
        }
        for (account, position) in &positions {
            let owner = Owner::Account(account.clone());
            let cash = position.realised_average().checked_sub(position.cost()).unwrap()
                .checked_sub(position.fee(&instrument.quote)).unwrap();
            prop_assert_eq!(ledger.balance(&owner, &instrument.base), position.quantity());
            prop_assert_eq!(ledger.balance(&owner, &instrument.quote), cash);
        }
    }
}
