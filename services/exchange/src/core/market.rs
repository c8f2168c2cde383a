//! One symbol's market: its book, tape and candles, and what changed since the last look.

use super::bars::{Bar, Series};
use super::book::{Book, Match, Quote};
use super::iceberg::Icebergs;
use super::interval::Interval;
use super::listing::Listing;
use super::order::Side;
use super::past::Past;
use super::stops::Stops;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many of the latest trades a market remembers.
pub const TAPE: usize = 1_000;

/// Who stands behind a resting order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An API account, by name.
    Account(String),
    /// A market maker of the crowd, and the slot of its ladder.
    Maker {
        /// Which maker.
        maker: usize,
        /// Which slot of the side.
        slot: usize,
    },
    /// A passer-by of the crowd.
    Passer,
}

/// One trade of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// Trade id of the symbol.
    pub id: u64,
    /// Price.
    pub ticks: i64,
    /// Quantity.
    pub lots: i64,
    /// µs.
    pub time: i64,
    /// Whether the buyer's order was resting.
    pub buyer_made: bool,
}

/// Trades of one taker at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Id of the aggregate.
    pub id: u64,
    /// First trade id.
    pub first: u64,
    /// Last trade id.
    pub last: u64,
    /// Price.
    pub ticks: i64,
    /// Quantity.
    pub lots: i64,
    /// µs.
    pub time: i64,
    /// Whether the buyer's order was resting.
    pub buyer_made: bool,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Best {
    /// Highest bid.
    pub bid: Option<Quote>,
    /// Lowest ask.
    pub ask: Option<Quote>,
}

/// What everyone may see of a market.
#[derive(Clone, Debug, PartialEq)]
pub enum MarketEvent {
    /// A trade.
    Trade(Print),
    /// Trades of one taker at one price.
    Aggregate(Aggregate),
    /// The best bid or ask changed.
    Best {
        /// Update id of the book.
        update: u64,
        /// The new best.
        best: Best,
    },
    /// Levels that changed since the last such event, with their quantities now; zero means gone.
    Depth {
        /// First update id covered.
        first: u64,
        /// Last update id covered.
        last: u64,
        /// Highest first.
        bids: Vec<Quote>,
        /// Lowest first.
        asks: Vec<Quote>,
    },
    /// A candle changed or closed.
    Kline {
        /// Its interval.
        interval: Interval,
        /// The candle.
        bar: Bar,
        /// Whether it is final.
        closed: bool,
    },
}

/// A match with who was resting and the trade that it made.
#[derive(Clone, Debug)]
pub struct Trade {
    /// The taker's counterpart.
    pub owner: Owner,
    /// Its order.
    pub maker: u64,
    /// What is left of it.
    pub left: i64,
    /// The trade.
    pub print: Print,
}

/// One symbol's market.
#[derive(Clone, Debug)]
pub struct Market {
    /// What is traded.
    pub listing: Listing,
    pub(super) book: Book,
    pub(super) icebergs: Icebergs,
    /// The orders that wait for a price.
    pub(super) stops: Stops,
    pub(super) owners: BTreeMap<u64, Owner>,
    update: u64,
    flushed: u64,
    dirty: BTreeSet<(Side, i64)>,
    best: Best,
    tape: VecDeque<Print>,
    aggregates: VecDeque<Aggregate>,
    next_trade: u64,
    next_aggregate: u64,
    last_ticks: i64,
    series: Vec<Series>,
    /// Level changes in this life.
    pub level_changes: u64,
    /// Trades in this life.
    pub trades: u64,
}

impl Market {
    /// An empty market whose ids begin at `first_id` and whose candles begin with `past`.
    pub fn new(listing: Listing, first_id: u64, now: i64, ticks: i64, past: &Past) -> Self {
        let mut series: Vec<Series> = Interval::ALL
            .iter()
            .map(|each| Series::new(*each, now, ticks))
            .collect();
        for each in &mut series {
            past.of(each.interval()).for_each(|bar| each.absorb(bar));
            each.roll(now, |_| ());
        }
        Self {
            listing,
            book: Book::default(),
            icebergs: Icebergs::default(),
            stops: Stops::default(),
            owners: BTreeMap::new(),
            update: first_id,
            flushed: first_id,
            dirty: BTreeSet::new(),
            best: Best::default(),
            tape: VecDeque::with_capacity(TAPE),
            aggregates: VecDeque::with_capacity(TAPE),
            next_trade: first_id,
            next_aggregate: first_id,
            last_ticks: ticks,
            series,
            level_changes: 0,
            trades: 0,
        }
    }

    /// The resting orders.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The update id of the book as it is now.
    pub fn update_id(&self) -> u64 {
        self.update
    }

    /// The largest id that this market has given out.
    pub fn highest_id(&self) -> u64 {
        self.update.max(self.next_trade)
    }

    /// The price of the last trade, or where the market started.
    pub fn last_ticks(&self) -> i64 {
        self.last_ticks
    }

    /// The middle of the best bid and ask, or the last price while a side is empty, in USDT.
    pub fn mid(&self) -> f64 {
        match (self.book.best(Side::Buy), self.book.best(Side::Sell)) {
            (Some((bid, _)), Some((ask, _))) => (self.listing.price_of(bid) + self.listing.price_of(ask)) / 2.0,
            _ => self.listing.price_of(self.last_ticks),
        }
    }

    /// The latest trades, oldest first.
    pub fn tape(&self) -> &VecDeque<Print> {
        &self.tape
    }

    /// The latest aggregates, oldest first.
    pub fn aggregates(&self) -> &VecDeque<Aggregate> {
        &self.aggregates
    }

    /// Candles of an interval that is kept, oldest first, the running one last.
    pub fn bars(&self, interval: Interval) -> impl DoubleEndedIterator<Item = &Bar> {
        self.series[interval as usize].all()
    }

    /// Mean price of the last five minutes by volume, in ticks; the last price when nothing traded.
    pub fn average_ticks(&self) -> i64 {
        let recent = self.bars(Interval::M1).rev().take(5);
        let (turnover, volume) = recent.fold((0, 0), |(t, v), bar| (t + bar.turnover, v + i128::from(bar.volume)));
        if volume == 0 {
            self.last_ticks
        } else {
            (turnover / volume) as i64
        }
    }

    /// Takes up to `lots` at `limit` or better.
    pub fn take(&mut self, side: Side, limit: i64, lots: i64, time: i64, events: &mut Vec<MarketEvent>) -> Vec<Trade> {
        let mut trades = Vec::new();
        let mut running: Option<Aggregate> = None;
        let mut left = lots;
        while left > 0 {
            let once = self.until_refill(side, limit, left);
            let nothing_hidden = once == left;
            for matched in self.book.take(side, limit, once) {
                left -= matched.lots;
                let trade = self.trade(matched, side, time, events);
                self.extend(&mut running, &trade.print, events);
                trades.push(trade);
            }
            if nothing_hidden {
                break;
            }
        }
        self.aggregate(running, events);
        trades
    }

    /// One match becomes a trade, and an iceberg shows its next part behind everyone at its price.
    fn trade(&mut self, matched: Match, taker: Side, time: i64, events: &mut Vec<MarketEvent>) -> Trade {
        let print = self.print(matched.ticks, matched.lots, taker, time);
        events.push(MarketEvent::Trade(print));
        self.changed(taker.opposite(), matched.ticks);
        let refilled = matched.left == 0 && self.refill(matched.maker, taker.opposite(), matched.ticks);
        let owner = if matched.left == 0 && !refilled {
            self.owners.remove(&matched.maker)
        } else {
            self.owners.get(&matched.maker).cloned()
        };
        Trade {
            owner: owner.expect("every resting order has an owner"),
            maker: matched.maker,
            left: matched.left,
            print,
        }
    }

    /// Adds a print to the aggregate of the running taker, or ends that and begins another.
    fn extend(&mut self, running: &mut Option<Aggregate>, print: &Print, events: &mut Vec<MarketEvent>) {
        match running {
            Some(aggregate) if aggregate.ticks == print.ticks => {
                aggregate.last = print.id;
                aggregate.lots += print.lots;
            }
            _ => {
                self.aggregate(running.take(), events);
                *running = Some(Aggregate {
                    id: 0,
                    first: print.id,
                    last: print.id,
                    ticks: print.ticks,
                    lots: print.lots,
                    time: print.time,
                    buyer_made: print.buyer_made,
                });
            }
        }
    }

    fn print(&mut self, ticks: i64, lots: i64, taker: Side, time: i64) -> Print {
        self.next_trade += 1;
        self.trades += 1;
        self.last_ticks = ticks;
        let print = Print {
            id: self.next_trade,
            ticks,
            lots,
            time,
            buyer_made: taker == Side::Sell,
        };
        for series in &mut self.series {
            series.trade(print.id, ticks, lots, taker == Side::Buy);
        }
        if self.tape.len() == TAPE {
            self.tape.pop_front();
        }
        self.tape.push_back(print);
        print
    }

    fn aggregate(&mut self, aggregate: Option<Aggregate>, events: &mut Vec<MarketEvent>) {
        let Some(mut aggregate) = aggregate else { return };
        self.next_aggregate += 1;
        aggregate.id = self.next_aggregate;
        if self.aggregates.len() == TAPE {
            self.aggregates.pop_front();
        }
        self.aggregates.push_back(aggregate);
        events.push(MarketEvent::Aggregate(aggregate));
    }

    /// Adds a resting order; false when it would cross, or the book is full.
    pub fn rest(&mut self, id: u64, owner: Owner, side: Side, ticks: i64, lots: i64) -> bool {
        let rests = self.book.rest(id, side, ticks, lots);
        if rests {
            self.owners.insert(id, owner);
            self.changed(side, ticks);
        }
        rests
    }

    /// Removes a resting order; false when it no longer rests.
    pub fn cancel(&mut self, id: u64) -> bool {
        let Some((side, ticks)) = self.book.cancel(id) else {
            return false;
        };
        self.owners.remove(&id);
        self.icebergs.forget(id);
        self.changed(side, ticks);
        true
    }

    pub(super) fn changed(&mut self, side: Side, ticks: i64) {
        self.update += 1;
        self.level_changes += 1;
        self.dirty.insert((side, ticks));
    }

    /// Reports a change of the best bid or ask.
    pub fn report_best(&mut self, events: &mut Vec<MarketEvent>) {
        let best = Best {
            bid: self.book.best(Side::Buy),
            ask: self.book.best(Side::Sell),
        };
        if best != self.best {
            self.best = best;
            events.push(MarketEvent::Best {
                update: self.update,
                best,
            });
        }
    }

    /// Reports the levels that changed since the last report.
    pub fn report_depth(&mut self, events: &mut Vec<MarketEvent>) {
        if self.update == self.flushed {
            return;
        }
        let mut bids = Vec::new();
        let mut asks = Vec::new();
        for (side, ticks) in std::mem::take(&mut self.dirty) {
            let levels = if side == Side::Buy { &mut bids } else { &mut asks };
            levels.push((ticks, self.book.lots_at(side, ticks)));
        }
        bids.reverse();
        events.push(MarketEvent::Depth {
            first: self.flushed + 1,
            last: self.update,
            bids,
            asks,
        });
        self.flushed = self.update;
    }

    /// Closes candles that ended, and reports them; with `running`, also the running ones that changed.
    pub fn report_bars(&mut self, now: i64, running: bool, events: &mut Vec<MarketEvent>) {
        for series in &mut self.series {
            let interval = series.interval();
            series.roll(now, |bar| {
                events.push(MarketEvent::Kline {
                    interval,
                    bar: *bar,
                    closed: true,
                })
            });
            if let Some(bar) = running.then(|| series.take_touched()).flatten() {
                events.push(MarketEvent::Kline {
                    interval,
                    bar,
                    closed: false,
                });
            }
        }
    }
}
