//! Clients: they submit orders and groups, replace, repeat, cancel and halt, one by one and in batches, and keep a log of what they asked and
//! what they were answered. A request without an answer is repeated under its key until it has one.

use super::exchange::Exchange;
use super::process::accounts;
use super::states::State;
use super::wish::{Asked, Key, Log, Said, Wish};
use super::world::World;
use domain::{AccountId, OrderId, Side};
use mesh::error::Kind;
use mesh::time::Chance;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use trading::core::{Cancel, CancelAll, Command, HaltScope, LiftHalt, OrderMatch, SetHalt, Submit};
use trading::{Home, Reply, Sessions};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(120);

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
            let pause = Duration::from_micros(self.chance.below(90_000));
            self.world.clock.sleep(pause).await;
            match self.chance.below(100) {
                0..30 => {
                    number += 1;
                    self.ask(Asked::order(self.new_order(number))).await;
                }
                30..37 => {
                    number += 1;
                    self.ask(Asked::order(self.new_stop(number))).await;
                }
                37..44 => {
                    let group = self.new_group(number + 1);
                    number += group.wish.keys().len();
                    self.ask(group).await;
                }
                44..52 => {
                    let several = 2 + self.chance.below(3) as usize;
                    let asked = self.new_orders(number + 1, several);
                    number += several;
                    self.batch(asked).await;
                }
                52..64 => {
                    if let Some(asked) = self.new_replacement(number + 1) {
                        number += 1;
                        self.ask(asked).await;
                    }
                }
                64..72 => self.repeat().await,
                72..76 => self.reuse().await,
                76..86 => self.cancel().await,
                86..90 => self.cancel_several().await,
                90..95 => self.cancel_all().await,
                _ => self.halt().await,
            }
        }
        self.log.lock().busy -= 1;
    }

    /// Waits for an answer, but not for ever; none when nobody knows what became of the request.
    pub(super) async fn patient<T>(&self, asking: impl Future<Output = mesh::Result<T>>) -> Option<mesh::Result<T>> {
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
        self.owner().await.0
    }

    /// Where the shard is reached, and its sessions.
    pub(super) async fn owner(&self) -> (Home, Sessions) {
        loop {
            match self.world.reached() {
                Some(owner) => return owner,
                None => self.world.clock.sleep(Duration::from_millis(20)).await,
            }
        }
    }

    pub(super) async fn pause(&self) {
        self.world
            .clock
            .sleep(Duration::from_micros(5_000 + self.chance.below(40_000)))
            .await;
    }

    /// Asks until there is an answer to keep.
    async fn ask(&self, asked: Asked) {
        self.log.lock().ask(&asked);
        let wish = asked.wish;
        loop {
            let home = self.home().await;
            match self.patient(home.shard.submit(wish.command())).await {
                Some(reply) => {
                    if self.hear(&wish, reply) {
                        return;
                    }
                }
                None => self.world.note(State::UnknownToClient),
            }
            self.pause().await;
        }
    }

    /// Asks for several at once, until there is an answer to keep for each.
    async fn batch(&self, asked: Vec<Asked>) {
        let wishes: Vec<Wish> = asked.iter().map(|asked| asked.wish.clone()).collect();
        asked.iter().for_each(|asked| self.log.lock().ask(asked));
        loop {
            let home = self.home().await;
            let commands = wishes.iter().map(Wish::command).collect();
            match self.patient(home.shard.submit_each(commands)).await {
                Some(Ok(replies)) => {
                    let accepted = replies.iter().filter(|reply| reply.is_ok()).count();
                    if (1..replies.len()).contains(&accepted) {
                        self.world.note(State::BatchPartlyRefused);
                    }
                    // Every answer is heard, whether or not one before it was one to keep.
                    let heard = wishes.iter().zip(replies).map(|(wish, reply)| self.hear(wish, reply));
                    let open = heard.filter(|is_kept| !is_kept).count();
                    if open == 0 {
                        return;
                    }
                }
                Some(Err(error)) if error.is_retryable() => {}
                Some(Err(error)) => return self.world.violation(format!("a batch was answered {error:?}")),
                None => self.world.note(State::UnknownToClient),
            }
            self.pause().await;
        }
    }

    /// Hears a reply to a wish. Returns whether it was one to keep, so that nothing more is asked.
    fn hear(&self, wish: &Wish, reply: mesh::Result<Reply>) -> bool {
        let key = wish.key();
        let said = match reply {
            Ok(reply) => Said::accepted(reply),
            Err(error) if error.kind() == Kind::Refused => Said::refused(error.reason()),
            Err(error) if error.is_retryable() => return false,
            Err(error) => {
                self.world.violation(format!("{key:?} was answered {error:?}"));
                return true;
            }
        };
        self.answered(&key, said);
        true
    }

    fn answered(&self, key: &Key, said: Said) {
        let mut log = self.log.lock();
        let asked = log.asked.get_mut(key).unwrap();
        self.world
            .trace
            .line(format_args!("client {} of {}: {}", key.1, key.0, said.word()));
        match (&asked.said, &said) {
            (None, Said::Accepted(_) | Said::Linked(_)) => self.world.note(State::Acknowledged),
            (None, Said::Passing(_)) => self.world.note(State::ReplaceTooLate),
            (None, Said::Refused(reason)) => self.world.note(match reason.as_str() {
                "TRADING_HALTED" => State::HaltRefused,
                _ => State::Refused,
            }),
            (Some(before), _) if *before != said => {
                let text = format!("{key:?} was answered {} and then {}", before.word(), said.word());
                self.world.violation(text);
            }
            (Some(_), Said::Accepted(_) | Said::Linked(_)) => self.world.note(State::DuplicateAnswered),
            (Some(_), Said::Refused(_) | Said::Passing(_)) => self.world.note(State::RefusedRepeated),
        }
        asked.said = Some(said);
    }

    /// An answered request.
    fn old(&self) -> Option<Asked> {
        let log = self.log.lock();
        let answered = log.answered();
        (!answered.is_empty()).then(|| (*self.pick(&answered)).clone())
    }

    async fn repeat(&self) {
        if let Some(asked) = self.old() {
            self.ask(asked).await;
        }
    }

    /// An old key for another body.
    async fn reuse(&self) {
        let Some(asked) = self.old() else { return };
        let Wish::Order(submit) = asked.wish else { return };
        let other = Submit {
            side: if submit.side == Side::Buy {
                Side::Sell
            } else {
                Side::Buy
            },
            ..submit.clone()
        };
        let home = self.home().await;
        match self.patient(home.shard.submit(Command::Submit(other))).await {
            Some(Err(error)) if error.kind() == Kind::Conflict => self.world.note(State::KeyConflict),
            Some(Ok(_)) => self
                .world
                .violation(format!("{} was used twice", submit.client_order_id)),
            _ => {}
        }
    }

    /// An order that was acknowledged, and whose it is.
    fn old_order(&self) -> Option<(AccountId, OrderId)> {
        let asked = self.old()?;
        let orders = asked.orders();
        (!orders.is_empty()).then(|| (asked.wish.account().clone(), self.pick(&orders).clone()))
    }

    async fn cancel(&self) {
        let Some((account, order_id)) = self.old_order() else {
            return;
        };
        let cancel = cancel(account, order_id.clone());
        let home = self.home().await;
        if let Some(Ok(_)) = self.patient(home.shard.urgent(cancel)).await {
            self.world.note(State::CancelledByClient);
            self.log.lock().cancelled.insert(order_id);
        }
    }

    async fn cancel_several(&self) {
        let orders: Vec<(AccountId, OrderId)> = (0..3).filter_map(|_| self.old_order()).collect();
        let commands = orders.iter().cloned().map(|(account, order)| cancel(account, order));
        let commands = commands.collect();
        let home = self.home().await;
        let Some(Ok(replies)) = self.patient(home.shard.urgent_each(commands)).await else {
            return;
        };
        for ((_, order_id), reply) in orders.into_iter().zip(replies) {
            if reply.is_ok() {
                self.world.note(State::CancelledInBatch);
                self.log.lock().cancelled.insert(order_id);
            }
        }
    }

    async fn cancel_all(&self) {
        let cancel = Command::CancelAll(CancelAll {
            account: self.pick(&accounts()).clone(),
            which: OrderMatch::default(),
            request_id: String::new(),
        });
        let home = self.home().await;
        if let Some(Ok(reply)) = self.patient(home.shard.urgent(cancel)).await {
            let orders = Said::accepted(reply).orders();
            if !orders.is_empty() {
                self.world.note(State::CancelledAll);
            }
            self.log.lock().cancelled.extend(orders);
        }
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

fn cancel(account: AccountId, order_id: OrderId) -> Command {
    Command::Cancel(Cancel {
        account,
        order_id,
        request_id: String::new(),
    })
}
