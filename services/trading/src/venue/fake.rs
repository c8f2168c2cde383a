//! A venue in memory for tests: it does what its script says, and otherwise rests orders until told to fill them.

use super::{Holding, OpenOrder, Pace, Placement, Subject, UserData, Venue, VenueError, VenueOrder};
use crate::core::{ListedTerms, Trade, VenueState, VenueStatus};
use async_trait::async_trait;
use domain::{
    AccountId, Asset, Liquidity, Money, Price, Quantity, Side, Symbol, Timestamp, TradeId, Venue as VenueName,
};
use mesh::time::Clock;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc};

/// What becomes of the next request to place or cancel.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It is carried out, and answered.
    Carried,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is lost, and nobody knows.
    Lost,
    /// This is answered, and nothing is done.
    Answer(VenueError),
}

#[derive(Default)]
struct Inner {
    orders: BTreeMap<String, (AccountId, Placement, VenueState)>,
    place_fates: VecDeque<Fate>,
    cancel_fates: VecDeque<Fate>,
    next_order: u64,
    next_trade: u64,
    sink: Option<mpsc::Sender<UserData>>,
    accounts: Vec<AccountId>,
    placed: Vec<Placement>,
    cancelled: Vec<String>,
    failing_queries: usize,
    /// What the account holds beside the usual, by account and asset.
    extra: BTreeMap<(AccountId, String), Money>,
    failing_looks: usize,
    looks: Vec<Look>,
    /// Looks at balances that are not answered yet, and the most that ever were at the same time.
    under_way: usize,
    most_under_way: usize,
    /// How many of them may be answered, where that is bounded.
    answers: Option<Arc<Semaphore>>,
    /// Whether the stream keeps silent.
    is_mute: bool,
}

/// A look at an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// At what it holds.
    Balances(AccountId, Pace),
    /// At its open orders.
    OpenOrders(AccountId, Option<Symbol>, Pace),
}

/// The fake.
pub(crate) struct FakeVenue {
    name: VenueName,
    clock: Clock,
    inner: Mutex<Inner>,
    changed: Notify,
}

impl FakeVenue {
    pub(crate) fn new(clock: Clock) -> FakeVenue {
        let name = VenueName::parse("fake").unwrap();
        FakeVenue {
            name,
            clock,
            inner: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The fate of the next placements, in order; after them all are carried out.
    pub(crate) fn on_place(&self, fates: impl IntoIterator<Item = Fate>) {
        self.inner.lock().place_fates.extend(fates);
    }

    /// The fate of the next cancels.
    pub(crate) fn on_cancel(&self, fates: impl IntoIterator<Item = Fate>) {
        self.inner.lock().cancel_fates.extend(fates);
    }

    /// Forgets the fates that were not met.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.place_fates.clear();
        inner.cancel_fates.clear();
        inner.failing_queries = 0;
        inner.failing_looks = 0;
    }

    /// So many queries fail before the next one is answered.
    pub(crate) fn fail_queries(&self, times: usize) {
        self.inner.lock().failing_queries = times;
    }

    /// So many looks at accounts fail before the next one is answered.
    pub(crate) fn fail_looks(&self, times: usize) {
        self.inner.lock().failing_looks = times;
    }

    /// Looks at balances are answered from now on as often as permitted.
    pub(crate) fn hold_looks(&self) -> Arc<Semaphore> {
        let answers = Arc::new(Semaphore::new(0));
        self.inner.lock().answers = Some(Arc::clone(&answers));
        answers
    }

    /// How many looks at balances are not answered yet, and the most that ever were at the same time.
    pub(crate) fn looks_under_way(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.under_way, inner.most_under_way)
    }

    /// The looks that were answered or failed, in order.
    pub(crate) fn looks(&self) -> Vec<Look> {
        self.inner.lock().looks.clone()
    }

    /// The account holds so much of an asset beside what the fake makes up.
    pub(crate) fn hold(&self, account: &str, asset: &str, extra: &str) {
        let key = (AccountId::parse(account).unwrap(), asset.to_owned());
        self.inner.lock().extra.insert(key, extra.parse().unwrap());
    }

    /// Ends an order without telling anybody.
    pub(crate) fn end(&self, venue_id: &str, status: VenueStatus) {
        let mut inner = self.inner.lock();
        let (_, _, state) = inner.orders.get_mut(venue_id).expect("the order is there");
        state.status = status;
    }

    /// Forgets an order, as if it had never been.
    pub(crate) fn forget(&self, venue_id: &str) {
        self.inner.lock().orders.remove(venue_id);
    }

    /// Keeps the stream silent.
    pub(crate) fn mute(&self, is_mute: bool) {
        self.inner.lock().is_mute = is_mute;
    }

    /// What was placed, in order; the lost included.
    pub(crate) fn placed(&self) -> Vec<Placement> {
        self.inner.lock().placed.clone()
    }

    /// The venue ids of the cancels that were asked for.
    pub(crate) fn cancelled(&self) -> Vec<String> {
        self.inner.lock().cancelled.clone()
    }

    /// Puts an order there that arrived by itself.
    pub(crate) fn insert(&self, placement: Placement) {
        let mut inner = self.inner.lock();
        inner.take(placement);
    }

    /// Trades a part of an order, and tells the stream.
    pub(crate) async fn fill(&self, venue_id: &str, price: &str, quantity: &str) -> Trade {
        let (trade, news) = {
            let mut inner = self.inner.lock();
            inner.next_trade += 1;
            let trade = trade(inner.next_trade, price, quantity);
            let (account, placement, state) = inner.orders.get_mut(venue_id).expect("the order is there");
            state.executed = state.executed.checked_add(trade.quantity).unwrap();
            state.trades.push(trade.clone());
            if state.executed == placement.quantity {
                state.status = VenueStatus::Filled;
            }
            let told = VenueState {
                trades: vec![trade.clone()],
                ..state.clone()
            };
            let order = VenueOrder {
                venue_id: venue_id.to_owned(),
                state: told,
            };
            (trade, UserData::Order(account.clone(), Box::new(order)))
        };
        self.tell(news).await;
        trade
    }

    /// Says something on the stream, unless it is mute.
    pub(crate) async fn tell(&self, news: UserData) {
        let sink = {
            let inner = self.inner.lock();
            if inner.is_mute { None } else { inner.sink.clone() }
        };
        if let Some(sink) = sink {
            let _ = sink.send(news).await;
        }
    }

    /// The stream breaks and comes back.
    pub(crate) async fn reconnect(&self) {
        let (accounts, sink) = {
            let inner = self.inner.lock();
            (inner.accounts.clone(), inner.sink.clone().expect("somebody follows"))
        };
        for account in accounts {
            let _ = sink.send(UserData::Lost(account.clone())).await;
            let _ = sink.send(UserData::Subscribed(account)).await;
        }
    }

    /// Waits until so many placements have arrived.
    pub(crate) async fn wait_placed(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.inner.lock().placed.len() >= count {
                return;
            }
            changed.await;
        }
    }
}

/// An execution with a fee of a thousandth in the quote asset.
pub(crate) fn trade(id: u64, price: &str, quantity: &str) -> Trade {
    Trade {
        trade_id: TradeId::new(id),
        price: price.parse::<Price>().unwrap(),
        quantity: quantity.parse::<Quantity>().unwrap(),
        fee: "0.01".parse::<Money>().unwrap(),
        fee_asset: Asset::parse("USDT").unwrap(),
        liquidity: Liquidity::Maker,
        time: Timestamp::from_millis(1),
    }
}

impl Inner {
    fn look(&mut self, look: Look) -> Result<(), VenueError> {
        self.looks.push(look);
        if self.failing_looks > 0 {
            self.failing_looks -= 1;
            return Err(lost());
        }
        Ok(())
    }

    fn look_at_balances(&mut self) -> Option<Arc<Semaphore>> {
        self.under_way += 1;
        self.most_under_way = self.most_under_way.max(self.under_way);
        self.answers.clone()
    }

    /// The asset that an order locks, and how much.
    fn lock_of(placement: &Placement, state: &VenueState) -> (Asset, Money) {
        let symbol = placement.symbol.as_str();
        let base = symbol.strip_suffix("USDT").unwrap_or(symbol);
        let left = placement.quantity.checked_sub(state.executed).unwrap();
        match placement.side {
            Side::Buy => (Asset::parse("USDT").unwrap(), placement.price.notional(left).unwrap()),
            Side::Sell => (Asset::parse(base).unwrap(), left.amount()),
        }
    }

    /// What the fills of an account's orders have changed, an asset.
    fn traded(&self, account: &AccountId) -> BTreeMap<Asset, Money> {
        let mut changes: BTreeMap<Asset, Money> = BTreeMap::new();
        let mut add = |asset: Asset, change: Money| {
            let sum = changes.entry(asset).or_default();
            *sum = sum.checked_add(change).unwrap();
        };
        for (_, placement, state) in self.orders.values().filter(|(owner, _, _)| owner == account) {
            let symbol = placement.symbol.as_str();
            let base = Asset::parse(symbol.strip_suffix("USDT").unwrap_or(symbol)).unwrap();
            let quote = Asset::parse("USDT").unwrap();
            for trade in &state.trades {
                let (amount, notional) = (trade.quantity.amount(), trade.price.notional(trade.quantity).unwrap());
                match placement.side {
                    Side::Buy => {
                        add(base.clone(), amount);
                        add(quote.clone(), notional.negated());
                    }
                    Side::Sell => {
                        add(base.clone(), amount.negated());
                        add(quote.clone(), notional);
                    }
                }
                add(trade.fee_asset.clone(), trade.fee.negated());
            }
        }
        changes
    }

    fn take(&mut self, placement: Placement) -> VenueState {
        self.next_order += 1;
        let state = VenueState {
            status: VenueStatus::Live,
            executed: Quantity::ZERO,
            trades: Vec::new(),
            venue_order: self.next_order.to_string(),
            reason: String::new(),
        };
        let entry = (placement.account.clone(), placement.clone(), state.clone());
        self.orders.insert(placement.venue_id, entry);
        state
    }

    fn cancel(&mut self, venue_id: &str) -> Result<VenueState, VenueError> {
        let known = self
            .orders
            .get_mut(venue_id)
            .filter(|(_, _, state)| state.status == VenueStatus::Live);
        let Some((_, _, state)) = known else {
            let reason = "VENUE_CANCEL_REJECTED".to_owned();
            return Err(VenueError::Rejected {
                reason,
                message: "Unknown order sent.".to_owned(),
            });
        };
        state.status = VenueStatus::Cancelled;
        Ok(VenueState {
            trades: Vec::new(),
            ..state.clone()
        })
    }
}

fn lost() -> VenueError {
    VenueError::Unknown("no answer in time".to_owned())
}

#[async_trait]
impl Venue for FakeVenue {
    fn name(&self) -> &VenueName {
        &self.name
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    async fn synchronise(&self) -> Result<(), VenueError> {
        Ok(())
    }

    fn icebergs(&self) -> BTreeMap<Symbol, u64> {
        BTreeMap::from([(Symbol::parse("BTCUSDT").expect("it is a symbol"), 10)])
    }

    async fn place(&self, placement: &Placement) -> Result<VenueState, VenueError> {
        let mut inner = self.inner.lock();
        inner.placed.push(placement.clone());
        self.changed.notify_waiters();
        match inner.place_fates.pop_front().unwrap_or(Fate::Carried) {
            Fate::Carried => Ok(inner.take(placement.clone())),
            Fate::AnswerLost => {
                inner.take(placement.clone());
                Err(lost())
            }
            Fate::Lost => Err(lost()),
            Fate::Answer(error) => Err(error),
        }
    }

    async fn cancel(&self, subject: &Subject, _: Timestamp) -> Result<VenueState, VenueError> {
        let mut inner = self.inner.lock();
        inner.cancelled.push(subject.venue_id.clone());
        match inner.cancel_fates.pop_front().unwrap_or(Fate::Carried) {
            Fate::Carried => inner.cancel(&subject.venue_id),
            Fate::AnswerLost => inner.cancel(&subject.venue_id).and_then(|_| Err(lost())),
            Fate::Lost => Err(lost()),
            Fate::Answer(error) => Err(error),
        }
    }

    async fn order(&self, subject: &Subject) -> Result<VenueState, VenueError> {
        let mut inner = self.inner.lock();
        if inner.failing_queries > 0 {
            inner.failing_queries -= 1;
            return Err(lost());
        }
        let found = inner.orders.get(&subject.venue_id);
        let (_, _, state) = found.ok_or(VenueError::NotFound)?;
        Ok(VenueState {
            trades: Vec::new(),
            ..state.clone()
        })
    }

    async fn trades(&self, subject: &Subject, _: &str) -> Result<Vec<Trade>, VenueError> {
        let inner = self.inner.lock();
        let found = inner.orders.get(&subject.venue_id);
        Ok(found.map(|(_, _, state)| state.trades.clone()).unwrap_or_default())
    }

    async fn open_orders(
        &self,
        account: &AccountId,
        symbol: Option<&Symbol>,
        pace: Pace,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let mut inner = self.inner.lock();
        inner.look(Look::OpenOrders(account.clone(), symbol.cloned(), pace))?;
        let is_asked = |owner: &AccountId, placement: &Placement, state: &VenueState| {
            owner == account
                && state.status == VenueStatus::Live
                && symbol.is_none_or(|symbol| *symbol == placement.symbol)
        };
        let open = inner
            .orders
            .iter()
            .filter(|(_, (owner, placement, state))| is_asked(owner, placement, state))
            .map(|(venue_id, (_, placement, state))| OpenOrder {
                order: VenueOrder {
                    venue_id: venue_id.clone(),
                    state: VenueState {
                        trades: Vec::new(),
                        ..state.clone()
                    },
                },
                terms: ListedTerms {
                    symbol: placement.symbol.clone(),
                    side: placement.side,
                    price: Some(placement.price),
                    quantity: placement.quantity,
                },
            });
        Ok(open.collect())
    }

    async fn balances(&self, account: &AccountId, pace: Pace) -> Result<Vec<Holding>, VenueError> {
        let answers = self.inner.lock().look_at_balances();
        if let Some(answers) = answers {
            answers.acquire().await.expect("nobody closes it").forget();
        }
        let mut inner = self.inner.lock();
        inner.under_way -= 1;
        inner.look(Look::Balances(account.clone(), pace))?;
        let mut totals = inner.traded(account);
        let extra = inner.extra.iter().filter(|((owner, _), _)| owner == account);
        let usual = [("USDT", "1000000"), ("BTC", "10")];
        let usual = usual.map(|(asset, total)| (asset.to_owned(), total.parse::<Money>().unwrap()));
        for (asset, change) in extra.map(|((_, asset), change)| (asset.clone(), *change)).chain(usual) {
            let total = totals.entry(Asset::parse(&asset).unwrap()).or_default();
            *total = total.checked_add(change).unwrap();
        }
        let open = inner
            .orders
            .values()
            .filter(|(owner, _, state)| owner == account && state.status == VenueStatus::Live);
        let locks: Vec<(Asset, Money)> = open
            .map(|(_, placement, state)| Inner::lock_of(placement, state))
            .collect();
        let locked = |asset: &Asset| {
            let own = locks.iter().filter(|(locked, _)| locked == asset);
            own.fold(Money::ZERO, |sum, (_, amount)| sum.checked_add(*amount).unwrap())
        };
        let holdings = totals.into_iter().map(|(asset, total)| Holding {
            locked: locked(&asset),
            asset,
            total,
        });
        Ok(holdings.collect())
    }

    async fn follow(&self, accounts: Vec<AccountId>, sink: mpsc::Sender<UserData>) {
        {
            let mut inner = self.inner.lock();
            inner.sink = Some(sink.clone());
            inner.accounts.clone_from(&accounts);
        }
        for account in accounts {
            let _ = sink.send(UserData::Subscribed(account)).await;
        }
        sink.closed().await;
    }
}
