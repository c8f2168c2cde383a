//! The core as tables: a line a case.

mod control;
mod forgotten;
mod gate;
mod groups;
mod life;
mod property;
mod reduce_only;
mod replaces;
mod reports;
mod times;
mod triggers;

use super::*;
use domain::{
    AccountId, Asset, ClientOrderId, Instrument, InstrumentStatus, Liquidity, Money, OrderStatus, OrderType, Price,
    Quantity, Rate, Side, Symbol, TimeInForce, Timestamp, TradeId, Venue,
};

pub(super) const START: i64 = 1_700_000_000_000_000;

/// A decider with its journal in memory.
pub(super) struct Desk {
    pub(super) decider: Decider,
    pub(super) market: Market,
    pub(super) now: i64,
    /// How far the venue's clock is ahead of ours, in microseconds.
    pub(super) venue_ahead: i64,
    pub(super) journal: Vec<(Timestamp, Event)>,
    orders: usize,
}

pub(super) fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

pub(super) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(super) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(super) fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub(super) fn instrument(symbol: &str, base: &str) -> Instrument {
    Instrument {
        symbol: Symbol::parse(symbol).unwrap(),
        base: Asset::parse(base).unwrap(),
        quote: Asset::parse("USDT").unwrap(),
        tick_size: price("0.01"),
        max_price: price("100000"),
        lot_size: quantity("0.001"),
        min_quantity: quantity("0.001"),
        max_quantity: quantity("1000"),
        min_notional: money("5"),
        status: InstrumentStatus::Trading,
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        revision: 1,
        max_order_quantity: quantity("50"),
        max_order_notional: money("4000"),
        collar_basis_points: 1_000,
        mark_max_age_micros: 1_000_000,
        max_position_notional: money("6000"),
        max_open_orders: 3,
        max_orders_per_second: 4,
        duplicate_window_micros: 100_000,
        taker_fee: "0.001".parse::<Rate>().unwrap(),
    }
}

impl Desk {
    /// One account with 10,000 USDT and 10 BTC, at a mark of 100.
    pub(super) fn new() -> Desk {
        Desk::with(
            limits(),
            Kept {
                closed_orders: 100,
                refusals: 10,
            },
        )
    }

    pub(super) fn with(limits: Limits, kept: Kept) -> Desk {
        let ids = VenueIds::new([7; 16], 0, 1);
        let decider = Decider::new(State::new(0, kept), ids, limits, Venue::parse("fake").unwrap());
        let mut market = Market {
            heard: Timestamp::from_micros(START),
            ..Market::default()
        };
        for (symbol, base) in [("BTCUSDT", "BTC"), ("ETHUSDT", "ETH")] {
            let instrument = instrument(symbol, base);
            market.marks.insert(
                instrument.symbol.clone(),
                Mark {
                    price: price("100"),
                    live: true,
                },
            );
            market.instruments.insert(instrument.symbol.clone(), instrument);
        }
        let mut desk = Desk {
            decider,
            market,
            now: START,
            venue_ahead: 0,
            journal: Vec::new(),
            orders: 0,
        };
        desk.open("one");
        desk
    }

    pub(super) fn open(&mut self, name: &str) {
        let balance = |asset: &str, total: &str| (Asset::parse(asset).unwrap(), money(total));
        let balances = vec![balance("USDT", "10000"), balance("BTC", "10")];
        self.tell(Command::Balances(Balances {
            account: account(name),
            balances,
        }));
        self.tell(Command::Ready(account(name), true));
    }

    /// Decides, journals and applies.
    pub(super) fn tell(&mut self, command: Command) -> Answer {
        let here = Timestamp::from_micros(self.now);
        let now = Now {
            here,
            venue: Timestamp::from_millis(here.plus_micros(self.venue_ahead).as_millis()),
        };
        let journal = &mut self.journal;
        let settled = self.decider.settle(&command, now, &self.market, |state, event| {
            state.apply(state.sequence() + 1, here, &event)?;
            journal.push((here, event));
            Ok::<(), ApplyError>(())
        });
        settled.expect("a decision applies")
    }

    /// The state that the journal alone leads to.
    pub(super) fn replayed(&self) -> State {
        let mut state = State::new(0, self.decider.state.kept());
        for (sequence, (time, event)) in (1..).zip(&self.journal) {
            state.apply(sequence, *time, event).unwrap();
        }
        state
    }

    /// A limit order under a fresh id.
    pub(super) fn limit(&mut self, side: Side, size: &str, at: &str) -> Answer {
        let submit = self.order(side, size, at);
        self.tell(Command::Submit(submit))
    }

    pub(super) fn order(&mut self, side: Side, size: &str, at: &str) -> Submit {
        self.orders += 1;
        Submit {
            account: account("one"),
            client_order_id: ClientOrderId::parse(&format!("c-{}", self.orders)).unwrap(),
            symbol: Symbol::parse("BTCUSDT").unwrap(),
            side,
            order_type: if at.is_empty() {
                OrderType::Market
            } else {
                OrderType::Limit
            },
            time_in_force: if at.is_empty() {
                TimeInForce::Ioc
            } else {
                TimeInForce::Gtc
            },
            quantity: quantity(size),
            price: (!at.is_empty()).then(|| price(at)),
            strategy: None,
            wishes: Wishes::default(),
        }
    }

    /// A limit order that must be accepted; its key.
    pub(super) fn accepted(&mut self, side: Side, size: &str, at: &str) -> u64 {
        match self.limit(side, size, at) {
            Answer::Accepted(order) => order,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn news(&mut self, order: u64, news: News) -> Answer {
        self.tell(Command::Report(Report { order, news }))
    }

    pub(super) fn status(&self, order: u64) -> OrderStatus {
        self.decider.state.order(order).unwrap().order.status()
    }

    pub(super) fn reserved(&self, asset: &str) -> String {
        let account = self.decider.state.account(&account("one")).unwrap();
        account.reserved.get(asset).copied().unwrap_or_default().to_string()
    }

    pub(super) fn balance(&self, asset: &str) -> String {
        let account = self.decider.state.account(&account("one")).unwrap();
        account.balance(&Asset::parse(asset).unwrap()).to_string()
    }
}

/// What the venue says: a status, how much has traded, and the trades that it tells, as (id, price, quantity).
pub(super) fn state_of(status: VenueStatus, executed: &str, trades: &[(u64, &str, &str)]) -> Box<VenueState> {
    let trade = |&(id, at, size): &(u64, &str, &str)| Trade {
        trade_id: TradeId::new(id),
        price: price(at),
        quantity: quantity(size),
        fee: money("0.01"),
        fee_asset: Asset::parse("USDT").unwrap(),
        liquidity: Liquidity::Maker,
        time: Timestamp::from_micros(START),
    };
    Box::new(VenueState {
        status,
        executed: quantity(executed),
        trades: trades.iter().map(trade).collect(),
        venue_order: "77".to_owned(),
        reason: String::new(),
    })
}

pub(super) fn reason(answer: &Answer) -> &str {
    match answer {
        Answer::Refused(refusal) => &refusal.reason,
        Answer::Alert(alert) => alert.reason,
        Answer::Alerts(alerts) => alerts.first().map_or("", |alert| alert.reason),
        _ => "",
    }
}
