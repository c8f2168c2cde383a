//! The venue of the simulation, and its oracle: the exchange's own core. It never crashes and forgets nothing.

use super::executor::WORLD;
use super::states::State;
use super::world::{BEGINNING, World};
use domain::{AccountId, Asset, Instrument, InstrumentStatus, Liquidity, Money, Price, Symbol, Timestamp, TradeId};
use exchange::core::effects::{Effects, Execution, UserEvent, UserEventKind};
use exchange::core::filters::ICEBERG_PARTS;
use exchange::core::market::Market;
use exchange::core::order::{Fill, Order, Side, Status};
use exchange::core::request::NewOrder;
use exchange::core::units::{Atoms, ONE, show};
use exchange::core::venue::{self, Options, Venue};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::{mpsc, oneshot};
use trading::core::{Mark, Trade, VenueState, VenueStatus};
use trading::venue::{UserData, VenueOrder};

/// How many symbols are traded.
pub(crate) const SYMBOLS: usize = 3;

/// How many venues the seeds begin with.
const VARIANTS: u64 = 8;

/// The marks are so many basis points from the last prices at most.
const MOST_DRIFT: i64 = 60;

/// The symbol of which the venue shows all of every order, as far as it says.
const WITHOUT_ICEBERGS: &str = "SOLUSDT";

/// How far behind the world's clock that of the first variant's venue is, in microseconds. Of the fourth it is midnight while
/// its clients want something: see [`BEGINNING`].
const SKEW_OF_FIRST: i64 = 120_000_000;

/// The accounts.
pub(crate) const ACCOUNTS: [&str; 2] = ["ann", "bob"];

/// One connection of the user data stream.
struct Stream {
    accounts: Vec<AccountId>,
    sink: mpsc::Sender<UserData>,
    /// Dropped when the connection is lost.
    _open: oneshot::Sender<()>,
}

struct Inner {
    venue: Venue,
    streams: BTreeMap<u64, Stream>,
    next_stream: u64,
}

/// The venue; clones are the same one.
#[derive(Clone)]
pub(crate) struct Exchange {
    inner: Arc<Mutex<Inner>>,
    pub(crate) world: World,
    /// The venue's clock less the world's, in microseconds.
    skew: i64,
    /// How far the marks are from the last prices, in basis points.
    drift: Arc<AtomicI64>,
}

thread_local! {
    /// The venues as they open.
    static OPENED: RefCell<BTreeMap<u64, Venue>> = const { RefCell::new(BTreeMap::new()) };
}

fn open(variant: u64, now: i64) -> Venue {
    let options = Options {
        symbols: SYMBOLS,
        seed: variant,
        scale: 0.5,
        maker_fee_bps: 5,
        taker_fee_bps: 10,
        max_open_orders: 100,
        kept: 100_000,
    };
    let mut effects = Effects::default();
    let mut venue = Venue::open(options.clone(), venue::ledger(&options), now, &mut effects);
    for account in ACCOUNTS {
        // One has little of an asset and none of another: there is not always enough to reduce, and an exit has no more than its
        // entry has brought in, less the fee.
        let (eth, sol) = if account == ACCOUNTS[1] {
            (ONE / 4, 0)
        } else {
            (4 * ONE, 80 * ONE)
        };
        let held = [("USDT", 20_000 * ONE), ("BTC", ONE / 4), ("ETH", eth), ("SOL", sol)];
        let held = held.map(|(asset, amount)| (asset.to_owned(), amount));
        venue.open_account(account, held.into_iter().collect(), &mut effects);
    }
    venue
}

impl Exchange {
    pub(crate) fn open(world: &World, seed: u64) -> Exchange {
        // Opening draws the past of every market: done once for many seeds, which differ in everything that follows.
        let variant = seed % VARIANTS;
        let skew = variant as i64 * 31_000_000 - SKEW_OF_FIRST;
        let venue = OPENED.with_borrow_mut(|opened| {
            let venue = opened.entry(variant);
            venue.or_insert_with(|| open(variant, BEGINNING + skew)).clone()
        });
        let inner = Inner {
            venue,
            streams: BTreeMap::new(),
            next_stream: 0,
        };
        Exchange {
            inner: Arc::new(Mutex::new(inner)),
            world: world.clone(),
            skew,
            drift: Arc::default(),
        }
    }

    /// The venue's time, in microseconds.
    pub(crate) fn now(&self) -> i64 {
        self.world.clock.now_micros() + self.skew
    }

    /// Works on the venue at its present time, and tells the streams. The crowd acts up to now, unless it is quiet.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Venue, i64, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let mut inner = self.inner.lock();
        let now = if self.world.is_quiet() {
            inner.venue.now()
        } else {
            self.now()
        };
        inner.venue.advance(now, &mut effects);
        let done = work(&mut inner.venue, now, &mut effects);
        for event in &effects.user {
            self.tell(&inner, event);
        }
        done
    }

    /// Looks at the venue.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Venue) -> T) -> T {
        look(&self.inner.lock().venue)
    }

    /// A new connection; the receiver ends when it is lost.
    pub(crate) fn connect(&self, accounts: &[AccountId], sink: mpsc::Sender<UserData>) -> oneshot::Receiver<()> {
        let (open, lost) = oneshot::channel();
        let mut inner = self.inner.lock();
        inner.next_stream += 1;
        let number = inner.next_stream;
        let stream = Stream {
            accounts: accounts.to_vec(),
            sink,
            _open: open,
        };
        inner.streams.insert(number, stream);
        lost
    }

    /// Loses every connection.
    pub(crate) fn disconnect(&self) {
        let mut inner = self.inner.lock();
        if !inner.streams.is_empty() {
            self.world.note(State::StreamLost);
        }
        inner.streams.clear();
    }

    fn tell(&self, inner: &Inner, event: &UserEvent) {
        let UserEventKind::Execution { order, execution } = &event.kind else {
            return;
        };
        for (number, stream) in &inner.streams {
            let Some(account) = stream.accounts.iter().find(|account| account.as_str() == event.account) else {
                continue;
            };
            if self.world.strikes(60) {
                self.world.note(State::EventDropped);
                continue;
            }
            let copies = if self.world.strikes(60) { 2 } else { 1 };
            if copies == 2 {
                self.world.note(State::EventDoubled);
            }
            for _ in 0..copies {
                let told = VenueOrder {
                    venue_id: order.client_id.clone(),
                    state: self.told(order, execution),
                };
                self.deliver(*number, UserData::Order(account.clone(), Box::new(told)));
            }
        }
    }

    /// Carries one message to a stream, if that still stands when it arrives.
    fn deliver(&self, stream: u64, message: UserData) {
        let slow = if self.world.strikes(100) { 40_000 } else { 2_000 };
        let (this, pause) = (self.clone(), self.world.span(slow));
        self.world.tasks.spawn(WORLD, async move {
            this.world.clock.sleep(pause).await;
            let sink = this.inner.lock().streams.get(&stream).map(|stream| stream.sink.clone());
            if let Some(sink) = sink {
                // Whoever listened may be gone.
                let _ = sink.send(message).await;
            }
        });
    }

    fn told(&self, order: &Order, execution: &Execution) -> VenueState {
        let trades = match execution {
            Execution::Trade(fill) => vec![trade_of(fill)],
            _ => Vec::new(),
        };
        VenueState {
            trades,
            ..state_of(order)
        }
    }

    /// The instruments as the data service has them.
    pub(crate) fn instruments(&self) -> BTreeMap<Symbol, Instrument> {
        self.read(|venue| {
            let instruments = venue.markets().iter().map(|market| {
                let listing = &market.listing;
                let instrument = Instrument {
                    symbol: Symbol::parse(&listing.symbol).unwrap(),
                    base: Asset::parse(&listing.base).unwrap(),
                    quote: Asset::parse("USDT").unwrap(),
                    tick_size: price(listing.tick()),
                    max_price: price(listing.max_price()),
                    lot_size: show(listing.lot()).parse().unwrap(),
                    min_quantity: show(listing.lot()).parse().unwrap(),
                    max_quantity: show(listing.max_quantity()).parse().unwrap(),
                    min_notional: Money::parse("5").unwrap(),
                    status: InstrumentStatus::Trading,
                };
                (instrument.symbol.clone(), instrument)
            });
            instruments.collect()
        })
    }

    /// The symbols of which the venue shows a part of an order when asked to, as it says: all but one.
    pub(crate) fn icebergs(&self) -> BTreeMap<Symbol, u64> {
        let symbols = self.marks().into_keys();
        let allowed = symbols.filter(|symbol| symbol.as_str() != WITHOUT_ICEBERGS);
        allowed.map(|symbol| (symbol, ICEBERG_PARTS as u64)).collect()
    }

    /// The marks as the data service has them.
    pub(crate) fn marks(&self) -> BTreeMap<Symbol, Mark> {
        let drift = self.drift.load(Ordering::Relaxed);
        self.read(|venue| {
            let marks = venue.markets().iter().map(|market| {
                let mark = Mark {
                    price: moved(market, drift),
                    live: true,
                };
                (Symbol::parse(&market.listing.symbol).unwrap(), mark)
            });
            marks.collect()
        })
    }
}

impl Exchange {
    /// A price so many basis points above the mark of a symbol, or below it.
    pub(crate) fn price_about(&self, symbol: &Symbol, basis_points: i64) -> Price {
        let points = self.drift.load(Ordering::Relaxed) + basis_points;
        self.read(|venue| moved(&venue.markets()[venue.symbol(symbol.as_str()).unwrap()], points))
    }

    /// The marks move by some basis points, all together: what the data service sees is not quite what has traded last.
    pub(crate) fn drift(&self) {
        let moved = self.drift.load(Ordering::Relaxed) + self.world.chance.below(41) as i64 - 20;
        self.drift
            .store(moved.clamp(-MOST_DRIFT, MOST_DRIFT), Ordering::Relaxed);
        self.world.trace.line(format_args!("the marks drift by {moved}"));
    }
}

/// A market's last price, moved by so many basis points, in whole ticks.
fn moved(market: &Market, basis_points: i64) -> Price {
    let ticks = Atoms::from(market.last_ticks());
    let ticks = ticks + ticks * Atoms::from(basis_points) / 10_000;
    price(ticks.max(1) * market.listing.tick())
}

fn price(atoms: Atoms) -> Price {
    Price::parse(&show(atoms)).unwrap()
}

/// Whether the venue has had an order with the id of a new one.
pub(crate) fn has_order(venue: &Venue, new: &NewOrder) -> bool {
    let account = venue.ledger().account(&new.account);
    let mut orders = account.into_iter().flat_map(|account| account.orders.values());
    orders.any(|order| Some(&order.client_id) == new.client_id.as_ref())
}

/// What the venue says of an order.
pub(crate) fn state_of(order: &Order) -> VenueState {
    VenueState {
        status: match order.status {
            Status::New | Status::PendingNew | Status::PartiallyFilled => VenueStatus::Live,
            Status::Filled => VenueStatus::Filled,
            Status::Canceled => VenueStatus::Cancelled,
            Status::Rejected => VenueStatus::Rejected,
            Status::Expired | Status::ExpiredInMatch => VenueStatus::Expired,
        },
        executed: show(order.executed).parse().unwrap(),
        trades: Vec::new(),
        venue_order: order.id.to_string(),
        reason: String::new(),
    }
}

/// One execution as the venue reports it.
pub(crate) fn trade_of(fill: &Fill) -> Trade {
    let base = fill.symbol.trim_end_matches("USDT");
    Trade {
        trade_id: TradeId::new(fill.trade),
        price: price(fill.price),
        quantity: show(fill.quantity).parse().unwrap(),
        fee: Money::parse(&show(fill.fee)).unwrap(),
        fee_asset: Asset::parse(if fill.side == Side::Buy { base } else { "USDT" }).unwrap(),
        liquidity: if fill.maker { Liquidity::Maker } else { Liquidity::Taker },
        time: Timestamp::from_micros(fill.time),
    }
}

impl Exchange {
    /// The symbol of an order.
    pub(crate) fn symbol_of(&self, account: &AccountId, venue_id: &str) -> Option<Symbol> {
        self.read(|venue| {
            let mut orders = venue.ledger().account(account.as_str())?.orders.values();
            let order = orders.find(|order| order.client_id == venue_id)?;
            Symbol::parse(&order.symbol).ok()
        })
    }
}
