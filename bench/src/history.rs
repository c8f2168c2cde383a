//! A long past, there before a platform starts: orders that are over, written into the journals of trading and of the
//! exchange as both would have written them, so that they are in step. Of six orders four are cancelled, one is bought and
//! one is sold: what the account holds is what it held before.

use crate::resting::atoms;
use domain::{
    Conditions, Fill, Liquidity, Money, OrderId, OrderStatus, OrderTerms, OrderType, Price, Quantity, Side,
    TimeInForce, Timestamp, TradeId,
};
use exchange::core::order::{self, SelfTradePrevention, Stage, Status};
use exchange::core::record::Record as VenueRecord;
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use std::path::{Path, PathBuf};
use trading::codec::{Record, encode};
use trading::core::{Accepted, CancelRequested, Changed, Event, Filled, Intent, VenueIds};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Trading's records a batch.
const BATCH: u64 = 60;
/// Records of the exchange that are read at once.
const PAGE: usize = 8_192;
/// Microseconds since the Unix epoch, when all of it began.
const BEGAN: i64 = 1_700_000_000_000_000;
/// Microseconds from one of trading's records to the next.
const APART: i64 = 1_000;
/// Whose orders they are.
const ACCOUNT: &str = "paper-1";
const SYMBOL: &str = "BTCUSDT";
const PRICE: &str = "60000.00";
const QUANTITY: &str = "0.00100";
/// What the exchange locks for one that buys.
const VALUE: &str = "60.00";
/// The same with the commission that trading allows for.
const VALUE_AND_FEE: &str = "60.06";

/// How much of a past there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Orders, all of them over.
    pub(crate) orders: u64,
    /// Records of them in trading's journal.
    pub(crate) trading: u64,
    /// Records of them in the exchange's journal.
    pub(crate) exchange: u64,
}

/// The journal of trading's only shard.
pub(crate) fn of_trading(data: &Path) -> PathBuf {
    data.join("trading").join("shard-0")
}

/// The journal of the exchange.
pub(crate) fn of_exchange(data: &Path) -> PathBuf {
    data.join("exchange").join("journal")
}

/// Extends both journals by orders that are over, until trading's is so many records longer; by up to a batch more.
///
/// # Errors
/// When a journal cannot be read or written.
pub(crate) fn extend(data: &Path, records: u64) -> Result<Written, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut ours, _) = FileJournal::open(&of_trading(data), FileJournalOptions::default())?;
    let (mut theirs, _) = FileJournal::open(&of_exchange(data), FileJournalOptions::default())?;
    let ids = VenueIds::new(ours.id(), 0, ours.epoch());
    // What the exchange gave out in its last life is below its ceiling. An order takes a number, and its trade one.
    let mut number = id_ceiling(&theirs)? + 1;
    let ceiling = number + 2 * records;
    runtime.block_on(theirs.append(vec![exchange::codec::encode(&VenueRecord::Ids { ceiling })]))?;
    let (first, first_of_theirs) = (ours.next_sequence(), theirs.next_sequence());
    let mut orders = 0;
    while ours.next_sequence() < first + records {
        let mut sequence = ours.next_sequence();
        let (mut batch, mut batch_of_theirs) = (Vec::new(), Vec::new());
        while (batch.len() as u64) < BATCH {
            let past = Past {
                accepted: sequence,
                venue_id: ids.make(sequence),
                venue_order: number,
                trade: number + 1,
                side: match orders % 2 {
                    0 => Side::Buy,
                    _ => Side::Sell,
                },
                is_filled: orders % 6 < 2,
            };
            for event in past.at_trading()? {
                let time = time_of(sequence);
                batch.push(encode(0, &Record { sequence, time, event }));
                sequence += 1;
            }
            batch_of_theirs.extend(past.at_exchange()?.iter().map(exchange::codec::encode));
            number += 2;
            orders += 1;
        }
        runtime.block_on(theirs.append(batch_of_theirs))?;
        runtime.block_on(ours.append(batch))?;
    }
    Ok(Written {
        orders,
        trading: ours.next_sequence() - first,
        exchange: theirs.next_sequence() - first_of_theirs,
    })
}

/// The largest number that the exchange may have given out.
fn id_ceiling(journal: &FileJournal) -> Result<u64, Failure> {
    let reader = journal.reader();
    let (mut next, mut ceiling) = (1, 0);
    while next < journal.next_sequence() {
        for (sequence, bytes) in reader.read(next, PAGE)? {
            if let VenueRecord::Ids { ceiling: known } = exchange::codec::decode(&bytes)? {
                ceiling = ceiling.max(known);
            }
            next = sequence + 1;
        }
    }
    Ok(ceiling)
}

fn time_of(sequence: u64) -> Timestamp {
    Timestamp::from_micros(BEGAN + sequence as i64 * APART)
}

/// An order that is over.
struct Past {
    /// The sequence of its acceptance in trading's journal.
    accepted: u64,
    /// Its id at the venue, made by us.
    venue_id: String,
    /// The venue's number of it.
    venue_order: u64,
    /// The number of its trade, if it is filled.
    trade: u64,
    side: Side,
    /// Or else it is cancelled.
    is_filled: bool,
}

impl Past {
    /// What trading has recorded of it, from its acceptance on.
    fn at_trading(&self) -> Result<Vec<Event>, Failure> {
        let order = self.accepted;
        let (price, quantity): (Price, Quantity) = (PRICE.parse()?, QUANTITY.parse()?);
        let reserved: Money = match self.side {
            Side::Buy => VALUE_AND_FEE.parse()?,
            Side::Sell => QUANTITY.parse()?,
        };
        let terms = OrderTerms {
            order_id: OrderId::parse(&format!("0-{}", base32(order)))?,
            client_order_id: format!("client-order-{order}").parse()?,
            account: ACCOUNT.parse()?,
            venue: "exchange".parse()?,
            symbol: SYMBOL.parse()?,
            side: self.side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Some(price),
            collar: None,
            quantity,
            strategy: None,
            conditions: Conditions::default(),
        };
        let changed = |status, reserved| {
            Event::Changed(Changed {
                order,
                status,
                reason: String::new(),
                reserved,
            })
        };
        let intent = |cancel| {
            Event::Intent(Intent {
                order,
                venue_id: self.venue_id.clone(),
                signed: Timestamp::from_millis(time_of(order).as_millis()),
                cancel,
            })
        };
        let accepted = Accepted {
            terms: terms.clone(),
            base: "BTC".parse()?,
            quote: "USDT".parse()?,
            limit_revision: 1,
            digest: [order as u8; 32],
            reserved,
            held: None,
            reason: String::new(),
        };
        let mut events = vec![
            Event::Accepted(Box::new(accepted)),
            intent(false),
            changed(OrderStatus::Open, reserved),
        ];
        if self.is_filled {
            events.push(Event::Filled(Box::new(Filled {
                order,
                fill: Fill {
                    account: terms.account,
                    venue: terms.venue,
                    symbol: terms.symbol,
                    trade_id: TradeId::new(self.trade),
                    order_id: terms.order_id,
                    side: self.side,
                    price,
                    quantity,
                    fee: Money::ZERO,
                    fee_asset: "USDT".parse()?,
                    liquidity: Liquidity::Maker,
                    time: time_of(order),
                },
                venue_order: self.venue_order.to_string(),
                status: OrderStatus::Filled,
                reserved: Money::ZERO,
            })));
        } else {
            events.push(Event::CancelRequested(CancelRequested {
                order,
                request_id: String::new(),
                reason: String::new(),
            }));
            events.push(intent(true));
            events.push(changed(OrderStatus::Cancelled, Money::ZERO));
        }
        Ok(events)
    }

    /// What the exchange has recorded of it.
    fn at_exchange(&self) -> Result<Vec<VenueRecord>, Failure> {
        let (price, quantity, value) = (atoms(PRICE)?, atoms(QUANTITY)?, atoms(VALUE)?);
        let locked = match self.side {
            Side::Buy => value,
            Side::Sell => quantity,
        };
        let time = time_of(self.accepted).as_micros();
        let accepted = order::Order {
            id: self.venue_order,
            account: ACCOUNT.to_owned(),
            symbol: SYMBOL.to_owned(),
            client_id: self.venue_id.clone(),
            side: self.side,
            kind: order::OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            quantity,
            quote_quantity: 0,
            executed: 0,
            executed_value: 0,
            locked,
            status: Status::New,
            created: time,
            updated: time,
            stage: Stage::Working,
            working_since: 0,
            stop_price: 0,
            trailing_delta: 0,
            trail: 0,
            trailing_since: 0,
            iceberg: 0,
            list: None,
            prevention: SelfTradePrevention::None,
            prevented: 0,
            amends: 0,
        };
        let mut records = vec![VenueRecord::Accepted { order: accepted }];
        if self.is_filled {
            let fill = order::Fill {
                account: ACCOUNT.to_owned(),
                symbol: SYMBOL.to_owned(),
                order: self.venue_order,
                trade: self.trade,
                side: self.side,
                price,
                quantity,
                value,
                fee: 0,
                maker: true,
                time,
                fee_asset: Some("USDT".to_owned()),
                list: None,
            };
            records.push(VenueRecord::Filled { fill, unlocked: locked });
        }
        records.push(VenueRecord::Closed {
            account: ACCOUNT.to_owned(),
            order: self.venue_order,
            status: match self.is_filled {
                true => Status::Filled,
                false => Status::Canceled,
            },
            time,
        });
        Ok(records)
    }
}

/// A sequence as order ids write it.
fn base32(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghjkmnpqrstvwxyz"[(number % 32) as usize] as char);
        number /= 32;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Written, extend, id_ceiling, of_exchange, of_trading};
    use domain::OrderStatus;
    use exchange::core::order::Status;
    use exchange::core::units::show;
    use mesh::journal::{FileJournal, FileJournalOptions, Journal};
    use std::path::Path;
    use trading::core::{State, VenueIds};

    fn open(folder: &Path) -> FileJournal {
        FileJournal::open(folder, FileJournalOptions::default()).unwrap().0
    }

    #[test]
    fn both_journals_tell_the_same_of_every_order() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let written = Written {
            orders: 24,
            trading: 128,
            exchange: 56,
        };
        assert_eq!(extend(data, 100).unwrap(), written);
        assert_eq!(extend(data, 100).unwrap(), written, "a second time goes on from there");

        let ours = open(&of_trading(data));
        let state = trading::restore(&ours, State::new(0, trading::Config::default().kept())).unwrap();
        let (theirs, ledger) = exchange::journal::open(&of_exchange(data), &exchange::Config::default()).unwrap();
        drop(theirs);
        let (here, there) = (
            state.account(&"paper-1".parse().unwrap()).unwrap(),
            ledger.account("paper-1").unwrap(),
        );
        let ids = VenueIds::new(ours.id(), 0, ours.epoch());
        assert_eq!((state.orders().count(), there.orders.len()), (48, 48));
        for order in there.orders.values() {
            let entry = state.order(ids.sequence_of(&order.client_id).unwrap()).unwrap();
            let status = match order.status {
                Status::Filled => OrderStatus::Filled,
                Status::Canceled => OrderStatus::Cancelled,
                other => panic!("an order of the past is {other:?}"),
            };
            assert_eq!((entry.order.status(), &entry.venue_id), (status, &order.client_id));
            assert_eq!(entry.order.filled(), show(order.executed).parse().unwrap());
        }
        assert_eq!(there.fills.len(), 16);
        for asset in ["BTC", "USDT"] {
            let (ours, theirs) = (here.balance(&asset.parse().unwrap()), there.balance(asset));
            assert_eq!((theirs.free, theirs.locked), (0, 0), "as much as before");
            assert!(ours.is_zero());
        }
        assert!(ledger.imbalance().values().all(|&amount| amount == 0));
        let numbers = there
            .orders
            .keys()
            .copied()
            .chain(there.fills.iter().map(|fill| fill.trade));
        assert!(numbers.max() <= Some(id_ceiling(&open(&of_exchange(data))).unwrap()));
    }
}
