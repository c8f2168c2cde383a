//! Orders that would trade with their own account, and what happens to them instead. Part of the venue.

use super::effects::{Effects, Execution};
use super::ledger::Record;
use super::order::{PreventedMatch, SelfTradePrevention, Status};
use super::trading::{Ending, Taken, Taker};
use super::units::Atoms;
use super::venue::Venue;

impl Venue {
    /// Two orders of an account meet. Returns by how many of its `left` lots the taker has become smaller.
    pub(super) fn prevent(
        &mut self,
        symbol: usize,
        taker: Taker<'_>,
        (maker, left): (u64, i64),
        time: i64,
        effects: &mut Effects,
        taken: &mut Taken,
    ) -> i64 {
        let account = taker.account;
        let maker_left = self.markets[symbol].left_of(maker);
        let lot = self.markets[symbol].listing.lot();
        let (Some(coming), Some(resting)) = (self.open_order(account, taker.id), self.open_order(account, maker))
        else {
            return left;
        };
        let taker_left = (coming.left() / lot) as i64;
        let both = left.min(maker_left);
        let (taker_lots, maker_lots) = match taker.prevention {
            SelfTradePrevention::None => (0, 0),
            SelfTradePrevention::ExpireTaker => (taker_left, 0),
            SelfTradePrevention::ExpireMaker => (0, maker_left),
            SelfTradePrevention::ExpireBoth => (taker_left, maker_left),
            SelfTradePrevention::Decrement => (both, both),
        };
        let (taker_quantity, maker_quantity) = (Atoms::from(taker_lots) * lot, Atoms::from(maker_lots) * lot);
        let taker_unlocked = coming.lock_of(taker_quantity).min(coming.locked);
        // the lock of a pair stays whole, because its other order may need it
        let maker_unlocked = if self.has_rivals(account, maker) {
            0
        } else {
            resting.lock_of(maker_quantity).min(resting.locked)
        };
        let prevented = PreventedMatch {
            id: 0,
            account: account.to_owned(),
            symbol: coming.symbol.clone(),
            taker: taker.id,
            maker,
            mode: taker.prevention,
            price: resting.price,
            taker_quantity,
            maker_quantity,
            time,
        };
        let prevented = PreventedMatch {
            id: self.next_id(),
            ..prevented
        };
        let record = Record::Prevented {
            prevented: prevented.clone(),
            taker_unlocked,
            maker_unlocked,
        };
        self.record(record, effects);
        let ending = || Ending {
            status: Status::ExpiredInMatch,
            execution: Execution::Prevented(prevented.clone()),
        };
        if maker_lots == maker_left {
            self.end(symbol, (account, maker), ending(), time, effects);
        } else if maker_lots > 0 {
            self.markets[symbol].reduce(maker, maker_lots);
            effects.execution(&self.ledger, account, maker, ending().execution, time);
        }
        if taker_lots == taker_left {
            self.end(symbol, (account, taker.id), ending(), time, effects);
            taken.ended = true;
        } else if taker_lots > 0 {
            effects.execution(&self.ledger, account, taker.id, ending().execution, time);
        }
        taken.prevented.push(prevented.clone());
        if taken.ended { left } else { taker_lots }
    }
}
