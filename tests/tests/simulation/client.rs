//! Clients: they submit, repeat, cancel and halt, and keep a log of what they asked and what they were answered. A request
//! without an answer is repeated under its key until it has one.

use super::exchange::Exchange;
use super::process::accounts;
use super::states::State;
use super::world::World;
use domain::{AccountId, ClientOrderId, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce};
use exchange::core::units::show;
use mesh::error::Kind;
use mesh::time::Chance;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use trading::core::{Cancel, CancelAll, Command, HaltScope, LiftHalt, OrderMatch, SetHalt, Submit, Wishes};
use trading::{Home, Reply};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(120);

/// An answer to keep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    /// Accepted, as this order.
    Accepted(Box<Reply>),
    /// Refused for good.
    Refused(String),
}

/// One key of a client.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) submit: Submit,
    pub(crate) said: Option<Said>,
    /// Whether somebody was told that it is being cancelled.
    pub(crate) is_cancelled: bool,
}

/// All clients' log.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) asked: BTreeMap<(AccountId, ClientOrderId), Asked>,
    /// The halts that a client was told are in force.
    pub(crate) halts: BTreeSet<(HaltScope, String)>,
    /// Clients that still want something.
    pub(crate) busy: usize,
}

/// One client.
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) exchange: Exchange,
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) chance: Chance,
    pub(crate) name: usize,
}

impl Client {
    /// Wants something as long as it is not quiet; what it has begun it ends.
    pub(crate) async fn run(self, orders: usize) {
        self.log.lock().busy += 1;
        let mut number = 0;
        while !self.world.is_quiet() && number < orders {
            self.world
                .clock
                .sleep(Duration::from_micros(self.chance.below(90_000)))
                .await;
            match self.chance.below(100) {
                0..62 => {
                    number += 1;
                    let submit = self.new_order(number);
                    self.submit(submit).await;
                }
                62..72 => self.repeat().await,
                72..76 => self.reuse().await,
                76..90 => self.cancel().await,
                90..95 => self.cancel_all().await,
                _ => self.halt().await,
            }
        }
        self.log.lock().busy -= 1;
    }

    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.chance.below(from.len() as u64) as usize]
    }

    fn new_order(&self, number: usize) -> Submit {
        let marks: Vec<(Symbol, Price)> = self
            .exchange
            .marks()
            .into_iter()
            .map(|(s, mark)| (s, mark.price))
            .collect();
        let (symbol, _) = self.pick(&marks).clone();
        let side = *self.pick(&[Side::Buy, Side::Sell]);
        let order_type = *self.pick(&[
            OrderType::Limit,
            OrderType::Limit,
            OrderType::Limit,
            OrderType::Market,
            OrderType::LimitMaker,
        ]);
        let time_in_force = match order_type {
            OrderType::Limit => *self.pick(&[TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Ioc]),
            OrderType::Market => TimeInForce::Ioc,
            OrderType::LimitMaker => TimeInForce::Gtc,
        };
        let (price, quantity) = self.exchange.read(|venue| {
            let market = &venue.markets()[venue.symbol(symbol.as_str()).unwrap()];
            let listing = &market.listing;
            // From 10 to 30 basis points about the last price; seldom far too much.
            let ticks = i128::from(market.last_ticks());
            let away = self.chance.below(41) as i128 - 30;
            let away = if side == Side::Buy { away } else { -away };
            let price = (ticks + ticks * away / 10_000).max(1) * listing.tick();
            let value = if self.chance.below(20) == 0 {
                9_000
            } else {
                8 + self.chance.below(500)
            };
            let lots = listing.lots_worth(value as f64, listing.price_of(market.last_ticks()));
            (show(price), show(i128::from(lots) * listing.lot()))
        });
        Submit {
            account: self.pick(&accounts()).clone(),
            client_order_id: ClientOrderId::parse(&format!("c{}-{number}", self.name)).unwrap(),
            symbol,
            side,
            order_type,
            time_in_force,
            quantity: quantity.parse::<Quantity>().unwrap(),
            price: (order_type != OrderType::Market).then(|| Price::parse(&price).unwrap()),
            strategy: None,
            wishes: Wishes::default(),
        }
    }

    /// Waits for an answer, but not for ever; none when nobody knows what became of the request.
    async fn patient<T>(&self, asking: impl Future<Output = mesh::Result<T>>) -> Option<mesh::Result<T>> {
        let answer = tokio::select! {
            biased;
            answer = asking => answer,
            () = self.world.clock.sleep(PATIENCE) => return None,
        };
        match answer {
            Err(error) if matches!(error.reason(), "SHARD_STOPPED" | "OUTCOME_UNKNOWN") => None,
            answer => Some(answer),
        }
    }

    async fn home(&self) -> Home {
        loop {
            match self.world.home() {
                Some(home) => return home,
                None => self.world.clock.sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn pause(&self) {
        self.world
            .clock
            .sleep(Duration::from_micros(5_000 + self.chance.below(40_000)))
            .await;
    }

    /// Submits until there is an answer to keep.
    async fn submit(&self, submit: Submit) {
        let key = (submit.account.clone(), submit.client_order_id.clone());
        let fresh = Asked {
            submit: submit.clone(),
            said: None,
            is_cancelled: false,
        };
        self.log.lock().asked.entry(key.clone()).or_insert(fresh);
        let said = loop {
            let home = self.home().await;
            match self.patient(home.shard.submit(Command::Submit(submit.clone()))).await {
                Some(Ok(reply)) => break Said::Accepted(Box::new(reply)),
                Some(Err(error)) if error.kind() == Kind::Refused => break Said::Refused(error.reason().to_owned()),
                Some(Err(error)) if error.is_retryable() => {}
                Some(Err(error)) => return self.world.violation(format!("{key:?} was answered {error:?}")),
                None => self.world.note(State::UnknownToClient),
            }
            self.pause().await;
        };
        self.answered(&key, said);
    }

    fn answered(&self, key: &(AccountId, ClientOrderId), said: Said) {
        let mut log = self.log.lock();
        let asked = log.asked.get_mut(key).unwrap();
        self.world
            .trace
            .line(format_args!("client {} of {}: {}", key.1, key.0, word(&said)));
        match (&asked.said, &said) {
            (None, Said::Accepted(_)) => self.world.note(State::Acknowledged),
            (None, Said::Refused(reason)) => self.world.note(match reason.as_str() {
                "TRADING_HALTED" => State::HaltRefused,
                _ => State::Refused,
            }),
            (Some(before), _) if *before != said => {
                let text = format!("{key:?} was answered {} and then {}", word(before), word(&said));
                self.world.violation(text);
            }
            (Some(_), Said::Accepted(_)) => self.world.note(State::DuplicateAnswered),
            (Some(_), Said::Refused(_)) => self.world.note(State::RefusedRepeated),
        }
        asked.said = Some(said);
    }

    /// The key of an answered request.
    fn old(&self) -> Option<Asked> {
        let log = self.log.lock();
        let answered: Vec<&Asked> = log.asked.values().filter(|asked| asked.said.is_some()).collect();
        (!answered.is_empty()).then(|| (*self.pick(&answered)).clone())
    }

    async fn repeat(&self) {
        if let Some(asked) = self.old() {
            self.submit(asked.submit).await;
        }
    }

    /// An old key for another body.
    async fn reuse(&self) {
        let Some(asked) = self.old() else { return };
        let submit = Submit {
            side: if asked.submit.side == Side::Buy {
                Side::Sell
            } else {
                Side::Buy
            },
            ..asked.submit.clone()
        };
        let home = self.home().await;
        match self.patient(home.shard.submit(Command::Submit(submit))).await {
            Some(Err(error)) if error.kind() == Kind::Conflict => self.world.note(State::KeyConflict),
            Some(Ok(_)) => self
                .world
                .violation(format!("{} was used twice", asked.submit.client_order_id)),
            _ => {}
        }
    }

    async fn cancel(&self) {
        let Some(asked) = self.old() else { return };
        let Some(order_id) = asked.said.as_ref().and_then(order_id) else {
            return;
        };
        let cancel = Command::Cancel(Cancel {
            account: asked.submit.account.clone(),
            order_id,
            request_id: String::new(),
        });
        let home = self.home().await;
        if let Some(Ok(_)) = self.patient(home.shard.urgent(cancel)).await {
            self.world.note(State::CancelledByClient);
            let key = (asked.submit.account, asked.submit.client_order_id);
            self.log.lock().asked.get_mut(&key).unwrap().is_cancelled = true;
        }
    }

    async fn cancel_all(&self) {
        let cancel = Command::CancelAll(CancelAll {
            account: self.pick(&accounts()).clone(),
            which: OrderMatch::default(),
            request_id: String::new(),
        });
        let home = self.home().await;
        let _ = self.patient(home.shard.urgent(cancel)).await;
    }

    /// Sets a halt, and lifts it after a while.
    async fn halt(&self) {
        let (scope, target) = match self.chance.below(8) {
            0..2 => (HaltScope::Account, self.pick(&accounts()).to_string()),
            2 => (HaltScope::Global, String::new()),
            _ => (HaltScope::Symbol, "SOLUSDT".to_owned()),
        };
        let set = SetHalt {
            scope,
            target: target.clone(),
            reason: "test".to_owned(),
            subject: format!("client {}", self.name),
            cancel_orders: false,
        };
        self.until_done(Command::Halt(set)).await;
        self.log.lock().halts.insert((scope, target.clone()));
        self.world
            .clock
            .sleep(Duration::from_micros(self.chance.below(250_000)))
            .await;
        // One in eight stays for good, where it does not stop everybody.
        if scope == HaltScope::Symbol && self.chance.below(8) == 0 {
            return;
        }
        let lift = LiftHalt {
            scope,
            target,
            subject: format!("client {}", self.name),
        };
        self.until_done(Command::Resume(lift)).await;
    }

    async fn until_done(&self, command: Command) {
        loop {
            let home = self.home().await;
            if let Some(Ok(_)) = self.patient(home.shard.urgent(command.clone())).await {
                return;
            }
            self.pause().await;
        }
    }
}

fn word(said: &Said) -> String {
    match said {
        Said::Accepted(_) => order_id(said).map_or_else(|| "something else".to_owned(), |order| order.to_string()),
        Said::Refused(reason) => reason.clone(),
    }
}

/// The order of an acknowledgement.
pub(crate) fn order_id(said: &Said) -> Option<OrderId> {
    match said {
        Said::Accepted(reply) => match &**reply {
            Reply::Order(order) => OrderId::parse(&order.order_id).ok(),
            _ => None,
        },
        Said::Refused(_) => None,
    }
}
