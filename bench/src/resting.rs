//! Very many open orders, there before a platform starts: each decided by the cores that the services run (the risk gate, the
//! venue's filters and its book), and written into both journals as they write it. Only the requests between them are left
//! out: of a million orders they would take most of an hour. The platform that starts reads both, and compares each account
//! with the venue before it takes an order of it.

use domain::{
    AccountId, Instrument, InstrumentStatus, OrderType, Price, Quantity, Side, Symbol, TimeInForce, Timestamp, Venue,
};
use exchange::actor::Disk;
use exchange::core::effects::Effects;
use exchange::core::order::{SelfTradePrevention, Status};
use exchange::core::request::{NewOrder, Terms};
use exchange::core::units::{Atoms, parse, show};
use exchange::core::venue::Venue as Exchange;
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::path::Path;
use trading::codec::{Record, encode};
use trading::core::{
    Answer, ApplyError, Command, Decider, Mark, Market, News, Now, Report, State, Submit, VenueIds, VenueState,
    VenueStatus, Wishes,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Orders whose records are appended at once.
const BATCH: u32 = 2_000;
/// How far from the last price they are, in hundredths of a per cent: as the orders of the load are.
const AWAY: std::ops::RangeInclusive<i64> = 200..=400;
/// An order's worth, as a multiple of the least that the venue takes.
const WORTH: Atoms = 2;
const SEED: u64 = 3;
/// Microseconds from one order to the next: as many a second as a busy platform takes.
const APART: i64 = 1_000;

/// Where the orders go, and how many of them.
pub(crate) struct Resting<'a> {
    /// The folder of a platform that has been ready, and has ended.
    pub(crate) data: &'a Path,
    /// The accounts, used in turn.
    pub(crate) accounts: u32,
    /// Symbols of the exchange.
    pub(crate) symbols: u32,
    /// How many orders.
    pub(crate) count: u32,
    /// What the platform answered to a list of its instruments.
    pub(crate) instruments: &'a Value,
    /// The time of the last of them, in microseconds since the Unix epoch.
    pub(crate) now: i64,
}

/// Lets the orders rest, an account and a random symbol after the other.
///
/// # Errors
/// When an order is refused or would trade, or a journal cannot be read or written.
pub(crate) fn write(resting: &Resting<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut floor = Floor::open(resting)?;
    let mut desks = Desk::open_all(resting)?;
    let mut market = Market::default();
    for instrument in instruments(resting.instruments)? {
        market
            .marks
            .insert(instrument.symbol.clone(), floor.mark(&instrument.symbol)?);
        market.instruments.insert(instrument.symbol.clone(), instrument);
    }
    let instruments: Vec<Instrument> = market.instruments.values().cloned().collect();
    let accounts: Vec<AccountId> = (1..=resting.accounts)
        .map(|number| format!("paper-{number}").parse())
        .collect::<Result<_, _>>()?;
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    for number in 0..resting.count {
        market.heard = resting.time_of(number);
        let account = &accounts[number as usize % accounts.len()];
        let instrument = &instruments[chance.random_range(0..instruments.len())];
        let submit = floor.order(number, account, instrument, &mut chance)?;
        let desk = desks
            .iter_mut()
            .find(|desk| desk.decider.state.account(account).is_some())
            .ok_or_else(|| format!("no shard knows account {account}"))?;
        desk.now = now_at(market.heard);
        let (accepted, venue_id) = desk.submit(submit.clone(), &market)?;
        let venue_order = floor.place(&submit, venue_id)?;
        desk.rests(accepted, venue_order, &market)?;
        if (number + 1) % BATCH == 0 || number + 1 == resting.count {
            runtime.block_on(floor.append())?;
            for desk in &mut desks {
                runtime.block_on(desk.append())?;
            }
        }
    }
    desks.into_iter().try_for_each(Desk::end)
}

/// The exchange.
struct Floor {
    venue: Exchange,
    disk: Box<dyn Disk>,
    now: i64,
    effects: Effects,
}

impl Floor {
    fn open(resting: &Resting<'_>) -> Result<Self, Failure> {
        let config = exchange::Config {
            symbols: resting.symbols as usize,
            max_open_orders: crate::session::MAX_OPEN_ORDERS,
            ..exchange::Config::default()
        };
        let (disk, ledger) = exchange::journal::open(&resting.data.join("exchange").join("journal"), &config)?;
        let mut effects = Effects::default();
        Ok(Self {
            venue: Exchange::open(config.options(), ledger, resting.now, &mut effects),
            disk: Box::new(disk),
            now: resting.now,
            effects,
        })
    }

    fn symbol(&self, symbol: &Symbol) -> Result<usize, Failure> {
        let place = self.venue.symbol(symbol.as_str());
        Ok(place.ok_or_else(|| format!("the exchange has no {symbol}"))?)
    }

    fn mark(&self, symbol: &Symbol) -> Result<Mark, Failure> {
        let market = &self.venue.markets()[self.symbol(symbol)?];
        let price = Atoms::from(market.last_ticks()) * market.listing.tick();
        Ok(Mark {
            price: show(price).parse()?,
            live: true,
        })
    }

    /// A small limit order that rests.
    fn order(
        &self,
        number: u32,
        account: &AccountId,
        instrument: &Instrument,
        chance: &mut ChaCha8Rng,
    ) -> Result<Submit, Failure> {
        let market = &self.venue.markets()[self.symbol(&instrument.symbol)?];
        let away = chance.random_range(AWAY);
        let (side, away) = match chance.random_range(0..2) {
            0 => (Side::Buy, -away),
            _ => (Side::Sell, away),
        };
        let ticks = market.last_ticks() * (10_000 + away) / 10_000;
        let worth = atoms(&instrument.min_notional.to_string())? * WORTH;
        let lots = worth / market.listing.value(ticks, 1) + 1;
        let quantity: Quantity = show(lots * market.listing.lot()).parse()?;
        Ok(Submit {
            account: account.clone(),
            client_order_id: format!("open-{number}").parse()?,
            symbol: instrument.symbol.clone(),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            quantity: quantity.max(instrument.min_quantity),
            price: Some(show(Atoms::from(ticks) * market.listing.tick()).parse::<Price>()?),
            strategy: None,
            wishes: Wishes::default(),
        })
    }

    /// Places an order under our id; returns the venue's number of it.
    fn place(&mut self, submit: &Submit, venue_id: String) -> Result<String, Failure> {
        let price = submit.price.ok_or("a limit order has a price")?;
        let order = NewOrder {
            account: submit.account.to_string(),
            symbol: self.symbol(&submit.symbol)?,
            client_id: Some(venue_id),
            side: submit.side,
            terms: Terms::Limit {
                price: atoms(&price.to_string())?,
                quantity: atoms(&submit.quantity.to_string())?,
                time_in_force: TimeInForce::Gtc,
                iceberg: None,
            },
            prevention: SelfTradePrevention::default(),
        };
        let placed = self.venue.place(&order, self.now, &mut self.effects);
        let placed = placed.map_err(|refusal| format!("the exchange refused {order:?}: {refusal:?}"))?;
        if placed.order.status != Status::New {
            return Err(format!("an order does not rest: {:?}", placed.order).into());
        }
        Ok(placed.order.id.to_string())
    }

    async fn append(&mut self) -> Result<(), Failure> {
        let effects = std::mem::take(&mut self.effects);
        let records = effects.records.iter().map(exchange::codec::encode).collect();
        Ok(self.disk.append(records).await?)
    }
}

/// A shard of trading.
struct Desk {
    decider: Decider,
    journal: FileJournal,
    records: Vec<Vec<u8>>,
    now: Now,
}

impl Desk {
    /// The desk of each shard that there is, ready for its accounts.
    fn open_all(resting: &Resting<'_>) -> Result<Vec<Self>, Failure> {
        let config = trading::Config {
            limits: trading::LimitOptions {
                duplicate_window_ms: 0,
                max_orders_per_second: crate::session::MAX_ORDERS_PER_SECOND,
                max_open_orders: crate::session::MAX_OPEN_ORDERS,
                ..trading::LimitOptions::default()
            },
            ..trading::Config::default()
        };
        let venue: Venue = config.venue.parse()?;
        let now = now_at(resting.time_of(0));
        let folder = |number| resting.data.join("trading").join(format!("shard-{number}"));
        let mut desks = Vec::new();
        for number in (0..).take_while(|number| folder(*number).exists()) {
            let (journal, _) = FileJournal::open(&folder(number), FileJournalOptions::default())?;
            let state = trading::restore(&journal, State::new(number, config.kept()))?;
            let ids = VenueIds::new(journal.id(), number, journal.epoch());
            let accounts: Vec<AccountId> = state.accounts().map(|(account, _)| account.clone()).collect();
            let mut desk = Self {
                decider: Decider::new(state, ids, config.risk_limits()?, venue.clone()),
                journal,
                records: Vec::new(),
                now,
            };
            for account in accounts {
                desk.settle(&Command::Ready(account, true), &Market::default())?;
            }
            desks.push(desk);
        }
        Ok(desks)
    }

    /// Decides as the shard does, and keeps what it would append.
    fn settle(&mut self, command: &Command, market: &Market) -> Result<Answer, ApplyError> {
        let (records, time) = (&mut self.records, self.now.here);
        self.decider.settle(command, self.now, market, |state, event| {
            let sequence = state.sequence() + 1;
            state.apply(sequence, time, &event)?;
            records.push(encode(state.shard(), &Record { sequence, time, event }));
            Ok(())
        })
    }

    /// Accepts an order; returns the sequence of it, and its id at the venue.
    fn submit(&mut self, submit: Submit, market: &Market) -> Result<(u64, String), Failure> {
        match self.settle(&Command::Submit(submit), market)? {
            Answer::Accepted(accepted) => {
                let entry = self.decider.state.order(accepted).ok_or("an accepted order is kept")?;
                Ok((accepted, entry.venue_id.clone()))
            }
            other => Err(format!("an order was not accepted: {other:?}").into()),
        }
    }

    /// Takes note that the venue has answered.
    fn rests(&mut self, order: u64, venue_order: String, market: &Market) -> Result<(), Failure> {
        let state = VenueState {
            status: VenueStatus::Live,
            executed: Quantity::ZERO,
            trades: Vec::new(),
            venue_order,
            reason: String::new(),
        };
        let news = News::State(Box::new(state));
        match self.settle(&Command::Report(Report { order, news }), market)? {
            Answer::Done => Ok(()),
            other => Err(format!("an order does not rest: {other:?}").into()),
        }
    }

    async fn append(&mut self) -> Result<(), Failure> {
        let records = std::mem::take(&mut self.records);
        if !records.is_empty() {
            self.journal.append(records).await?;
        }
        Ok(())
    }

    /// Leaves the snapshot of a clean end.
    fn end(self) -> Result<(), Failure> {
        let state = &self.decider.state;
        let snapshots = self.journal.snapshots().ok_or("a journal on files has snapshots")?;
        Ok(snapshots.write(state.sequence(), &trading::snapshot::encode(state)?)?)
    }
}

impl Resting<'_> {
    /// When the order of this number is decided.
    fn time_of(&self, number: u32) -> Timestamp {
        Timestamp::from_micros(self.now - i64::from(self.count - number) * APART)
    }
}

/// A time by both clocks.
fn now_at(here: Timestamp) -> Now {
    Now {
        here,
        venue: Timestamp::from_millis(here.as_millis()),
    }
}

/// An amount as the exchange counts it.
///
/// # Errors
/// When it is no decimal, or has too many.
pub(crate) fn atoms(text: &str) -> Result<Atoms, Failure> {
    parse(text).map_err(|fault| format!("{text}: {fault:?}").into())
}

fn instruments(answer: &Value) -> Result<Vec<Instrument>, Failure> {
    let list = answer["instruments"].as_array().ok_or("no instruments")?;
    list.iter().map(instrument).collect()
}

fn instrument(value: &Value) -> Result<Instrument, Failure> {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    Ok(Instrument {
        symbol: text("symbol").parse()?,
        base: text("baseAsset").parse()?,
        quote: text("quoteAsset").parse()?,
        tick_size: text("tickSize").parse()?,
        max_price: text("maxPrice").parse()?,
        lot_size: text("lotSize").parse()?,
        min_quantity: text("minQuantity").parse()?,
        max_quantity: text("maxQuantity").parse()?,
        min_notional: text("minNotional").parse()?,
        status: InstrumentStatus::Trading,
    })
}
