//! The line of one process to the venue: requests and answers take time, get lost, are refused for their age, and may be
//! carried out after nobody waits for them any more. What is on its way does not care whether its sender still lives.

use super::exchange::{Exchange, has_order, state_of, trade_of};
use super::executor::{Group, WORLD};
use super::states::State;
use super::world::{Planted, World};
use async_trait::async_trait;
use domain::{AccountId, Asset, Money, Symbol, Timestamp, TradeId, Venue as VenueName};
use exchange::core::effects::Effects;
use exchange::core::order::{OrderKey, Refusal, SelfTradePrevention};
use exchange::core::request::{NewOrder, Terms};
use exchange::core::units::{parse, show};
use exchange::core::venue::Venue as Core;
use mesh::time::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use trading::core::{ListedTerms, Trade, VenueState};
use trading::venue::{
    Holding, OpenOrder, Pace, Placement, PlacementKind, Subject, UserData, Venue, VenueClock, VenueError, VenueOrder,
};

/// How long a signed request is good for at the venue.
pub(crate) const RECV_WINDOW_MICROS: i64 = 500_000;

/// How long the venue takes at most for what it received in time.
pub(crate) const PROCESSING_MICROS: u64 = 200_000;

/// How long an answer is waited for. The error of the venue's clock is at most half of it.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(150);

/// How far ahead of its own clock the venue takes a request's time.
const AHEAD_MICROS: i64 = 1_000_000;

/// A request that the venue may still carry out.
struct RequestUnderWay(World);

impl RequestUnderWay {
    fn begin(world: &World) -> RequestUnderWay {
        world.under_way.fetch_add(1, Ordering::Relaxed);
        RequestUnderWay(world.clone())
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The line.
pub(crate) struct Line {
    name: VenueName,
    exchange: Exchange,
    world: World,
    clock: Clock,
    venue_clock: VenueClock,
    group: Group,
    /// The trades seen by account and number, with a bug planted.
    seen: Mutex<BTreeMap<(AccountId, TradeId), Symbol>>,
}

impl Line {
    pub(crate) fn new(exchange: &Exchange, clock: Clock, group: Group) -> Line {
        Line {
            name: VenueName::parse("exchange").unwrap(),
            exchange: exchange.clone(),
            world: exchange.world.clone(),
            venue_clock: VenueClock::new(clock.clone()),
            clock,
            group,
            seen: Mutex::default(),
        }
    }

    /// One request to the venue and its answer.
    async fn request<T: Send + 'static>(
        &self,
        what: &'static str,
        signed: Option<Timestamp>,
        work: impl FnOnce(&mut Core, i64, &mut Effects) -> Result<T, VenueError> + Send + 'static,
    ) -> Result<T, VenueError> {
        self.request_to(0, what, signed, work).await
    }

    /// As [`Line::request`], to a venue that breaks its word so many times in a thousand.
    async fn request_to<T: Send + 'static>(
        &self,
        breaches: u64,
        what: &'static str,
        signed: Option<Timestamp>,
        work: impl FnOnce(&mut Core, i64, &mut Effects) -> Result<T, VenueError> + Send + 'static,
    ) -> Result<T, VenueError> {
        let world = self.world.clone();
        if world.is_cut_off() || world.strikes(25) {
            world.note(State::NotSent);
            return Err(VenueError::NotSent("no connection".to_owned()));
        }
        if world.strikes(20) {
            world.note(State::Limited);
            return Err(VenueError::Limited(world.span(60_000)));
        }
        let there = world.span(if world.strikes(40) { 700_000 } else { 2_000 });
        let processing = if world.strikes(breaches) {
            // What was taken for absent turns up.
            Duration::from_micros(PROCESSING_MICROS * 8)
        } else {
            world.span(if world.strikes(80) { PROCESSING_MICROS } else { 500 })
        };
        let back = world.span(if world.strikes(40) { 200_000 } else { 2_000 });
        let (is_lost, is_unanswered) = (world.strikes(30), world.strikes(40));
        let (answer, answered) = oneshot::channel();
        let (exchange, group) = (self.exchange.clone(), self.group);
        let request = RequestUnderWay::begin(&world);
        world.tasks.clone().spawn(WORLD, async move {
            world.clock.sleep(there).await;
            if is_lost {
                world.note(State::RequestLost);
                world.trace.line(format_args!("{what} of {group} lost"));
                // The connection stands, and nobody answers.
                return world.clock.sleep(ANSWER_TIMEOUT * 2).await;
            }
            let age = signed.map_or(0, |signed| exchange.now() - signed.as_micros());
            let outcome = if (-AHEAD_MICROS..=RECV_WINDOW_MICROS).contains(&age) {
                world.clock.sleep(processing).await;
                let outcome = exchange.with(work);
                drop(request);
                outcome
            } else {
                drop(request);
                let reason = "VENUE_TIMESTAMP".to_owned();
                let message = format!("the request is {age} µs old");
                Err(VenueError::Rejected { reason, message })
            };
            let word = outcome.as_ref().err().map_or("done".to_owned(), ToString::to_string);
            world.trace.line(format_args!("{what} of {group}: {word}"));
            world.clock.sleep(back).await;
            if is_unanswered {
                world.note(State::AnswerLost);
                return world.clock.sleep(ANSWER_TIMEOUT * 2).await;
            }
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        });
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or_else(|_| Err(unanswered())),
            () = self.clock.sleep(ANSWER_TIMEOUT) => Err(unanswered()),
        }
    }

    /// All trades, or with a bug planted those of which no other symbol has had the number.
    fn trades_seen(&self, account: &AccountId, symbol: &Symbol, trades: Vec<Trade>) -> Vec<Trade> {
        if self.world.planted != Some(Planted::FillKeyWithoutSymbol) {
            return trades;
        }
        let mut seen = self.seen.lock();
        let is_new = |trade: &Trade| {
            let key = (account.clone(), trade.trade_id);
            seen.entry(key).or_insert_with(|| symbol.clone()) == symbol
        };
        trades.into_iter().filter(is_new).collect()
    }

    async fn place_once(&self, placement: &Placement) -> Result<VenueState, VenueError> {
        let order = new_order(placement);
        let (symbol, world, group) = (placement.symbol.to_string(), self.world.clone(), self.group);
        let venue_id = placement.venue_id.clone();
        // Only with orders that rest, so that the venue lists them when the stream has not told of them.
        let breaches = 20 * u64::from(placement.kind == PlacementKind::LimitMaker);
        self.request_to(breaches, "place", Some(placement.signed), move |venue, now, effects| {
            if group != world.owner() {
                world.note(State::StaleSend);
            }
            if !world.flight.lock().intended.contains(&venue_id) {
                world.violation(format!("{venue_id} reached the venue and its intent is not durable"));
            }
            // Carried out against the venue's word, it may find that its order has gone again, and is over.
            if has_order(venue, &order) && world.planted != Some(Planted::ResendOnTimeout) {
                return Err(refused(Refusal::DuplicateOrder));
            }
            let symbol = venue.symbol(&symbol).unwrap();
            let placed = venue
                .place(&NewOrder { symbol, ..order }, now, effects)
                .map_err(refused)?;
            Ok(VenueState {
                trades: placed.fills.iter().map(trade_of).collect(),
                ..state_of(&placed.order)
            })
        })
        .await
    }
}

fn unanswered() -> VenueError {
    VenueError::Unknown("no answer in time".to_owned())
}

fn refused(refusal: Refusal) -> VenueError {
    let rejected = |reason: &str| VenueError::Rejected {
        reason: reason.to_owned(),
        message: format!("{refusal:?}"),
    };
    match refusal {
        Refusal::NoSuchOrder => VenueError::NotFound,
        Refusal::DuplicateOrder => VenueError::Unknown("Duplicate order sent.".to_owned()),
        Refusal::InsufficientBalance => rejected("VENUE_BALANCE"),
        Refusal::WouldTake => rejected("WOULD_TRADE_AT_ONCE"),
        Refusal::UnknownOrder => rejected("VENUE_CANCEL_REJECTED"),
        _ => rejected("VENUE_FILTER"),
    }
}

fn new_order(placement: &Placement) -> NewOrder {
    let price = parse(&placement.price.to_string()).unwrap();
    let quantity = parse(&placement.quantity.to_string()).unwrap();
    let shown = placement.display_quantity;
    let iceberg = shown.map(|shown| parse(&shown.to_string()).unwrap());
    NewOrder {
        account: placement.account.to_string(),
        symbol: 0,
        client_id: Some(placement.venue_id.clone()),
        side: placement.side,
        prevention: SelfTradePrevention::None,
        terms: match placement.kind {
            PlacementKind::LimitMaker => Terms::LimitMaker {
                price,
                quantity,
                iceberg,
            },
            PlacementKind::Limit(time_in_force) => Terms::Limit {
                price,
                quantity,
                time_in_force,
                iceberg,
            },
        },
    }
}

#[async_trait]
impl Venue for Line {
    fn name(&self) -> &VenueName {
        &self.name
    }

    fn now(&self) -> Timestamp {
        self.venue_clock.now()
    }

    async fn synchronise(&self) -> Result<(), VenueError> {
        let asked = self.clock.monotonic();
        let exchange = self.exchange.clone();
        // The core's own clock stands still while it is quiet.
        let now = self.request("time", None, move |_, _, _| Ok(exchange.now())).await?;
        self.venue_clock.heard(Timestamp::from_micros(now), asked);
        Ok(())
    }

    fn icebergs(&self) -> BTreeMap<Symbol, u64> {
        self.exchange.icebergs()
    }

    async fn place(&self, placement: &Placement) -> Result<VenueState, VenueError> {
        let venue_id = &placement.venue_id;
        self.world.flight.lock().sent.insert(venue_id.clone());
        let placed = self.place_once(placement).await;
        self.world.flight.lock().answered.insert(venue_id.clone());
        match placed {
            Err(VenueError::Unknown(why)) if self.world.planted == Some(Planted::ResendOnTimeout) => {
                Err(VenueError::NotSent(why))
            }
            Err(VenueError::NotSent(why)) => {
                self.world.flight.lock().sent.remove(venue_id);
                Err(VenueError::NotSent(why))
            }
            Ok(state) => Ok(VenueState {
                trades: self.trades_seen(&placement.account, &placement.symbol, state.trades.clone()),
                ..state
            }),
            other => other,
        }
    }

    async fn cancel(&self, subject: &Subject, signed: Timestamp) -> Result<VenueState, VenueError> {
        let subject = subject.clone();
        self.request("cancel", Some(signed), move |venue, now, effects| {
            let symbol = venue.symbol(subject.symbol.as_str()).unwrap();
            let key = OrderKey::Client(subject.venue_id);
            let cancelled = venue.cancel(subject.account.as_str(), symbol, &key, None, now, effects);
            cancelled.map(|order| state_of(&order)).map_err(refused)
        })
        .await
    }

    async fn order(&self, subject: &Subject) -> Result<VenueState, VenueError> {
        let subject = subject.clone();
        self.request("query", Some(self.now()), move |venue, _, _| {
            let account = venue.ledger().account(subject.account.as_str());
            let key = OrderKey::Client(subject.venue_id);
            let order = account.and_then(|account| account.order(subject.symbol.as_str(), &key));
            order.map(state_of).ok_or(VenueError::NotFound)
        })
        .await
    }

    async fn trades(&self, subject: &Subject, venue_order: &str) -> Result<Vec<Trade>, VenueError> {
        self.world.note(State::GapFetched);
        let (account, venue_order) = (subject.account.to_string(), venue_order.to_owned());
        let trades = self.request("trades", Some(self.now()), move |venue, _, _| {
            let account = venue.ledger().account(&account).unwrap();
            let own = account
                .fills
                .iter()
                .filter(|fill| fill.order.to_string() == venue_order);
            Ok(own.map(trade_of).collect())
        });
        Ok(self.trades_seen(&subject.account, &subject.symbol, trades.await?))
    }

    async fn open_orders(
        &self,
        account: &AccountId,
        symbol: Option<&Symbol>,
        _: Pace,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let (account, symbol) = (account.to_string(), symbol.map(ToString::to_string));
        self.request("open orders", Some(self.now()), move |venue, _, _| {
            let account = venue.ledger().account(&account).unwrap();
            let open = account.open_orders(symbol.as_deref()).map(|order| OpenOrder {
                order: VenueOrder {
                    venue_id: order.client_id.clone(),
                    state: state_of(order),
                },
                terms: ListedTerms {
                    symbol: Symbol::parse(&order.symbol).unwrap(),
                    side: order.side,
                    price: show(order.price).parse().ok(),
                    quantity: show(order.quantity).parse().unwrap(),
                },
            });
            Ok(open.collect())
        })
        .await
    }

    async fn balances(&self, account: &AccountId, _: Pace) -> Result<Vec<Holding>, VenueError> {
        let account = account.to_string();
        self.request("balances", Some(self.now()), move |venue, _, _| {
            let account = venue.ledger().account(&account).unwrap();
            let held = account.balances.iter().map(|(asset, balance)| Holding {
                asset: Asset::parse(asset).unwrap(),
                total: Money::parse(&show(balance.free + balance.locked)).unwrap(),
                locked: Money::parse(&show(balance.locked)).unwrap(),
            });
            Ok(held.collect())
        })
        .await
    }

    async fn follow(&self, accounts: Vec<AccountId>, sink: mpsc::Sender<UserData>) {
        loop {
            self.clock.sleep(self.world.span(30_000)).await;
            let (forward, mut messages) = mpsc::channel(256);
            let mut lost = self.exchange.connect(&accounts, forward);
            for account in &accounts {
                let _ = sink.send(UserData::Subscribed(account.clone())).await;
            }
            loop {
                let message = tokio::select! {
                    biased;
                    _ = &mut lost => None,
                    message = messages.recv() => message,
                };
                let Some(message) = message else { break };
                let _ = sink.send(self.as_seen(message)).await;
            }
            for account in &accounts {
                let _ = sink.send(UserData::Lost(account.clone())).await;
            }
        }
    }
}

impl Line {
    fn as_seen(&self, message: UserData) -> UserData {
        match message {
            UserData::Order(account, order) if self.world.planted == Some(Planted::FillKeyWithoutSymbol) => {
                let symbol = self.exchange.symbol_of(&account, &order.venue_id);
                let state = VenueState {
                    trades: match &symbol {
                        Some(symbol) => self.trades_seen(&account, symbol, order.state.trades.clone()),
                        None => order.state.trades.clone(),
                    },
                    ..order.state.clone()
                };
                let venue_id = order.venue_id.clone();
                UserData::Order(account, Box::new(VenueOrder { venue_id, state }))
            }
            other => other,
        }
    }
}
