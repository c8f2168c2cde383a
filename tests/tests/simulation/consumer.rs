//! A consumer of the shard's events, in the portfolio's way: its cursor moves in the transaction of its effect.

use super::executor::Group;
use super::states::State;
use super::world::{Planted, World};
use domain::{AccountId, Asset, Fill, Money};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use trading::core::{Account, Event};

/// Events of one transaction.
const BATCH: usize = 8;

/// What the consumer keeps.
#[derive(Default, Clone)]
pub(crate) struct Store {
    pub(crate) cursor: u64,
    pub(crate) balances: BTreeMap<AccountId, BTreeMap<Asset, Money>>,
    pub(crate) fills: u64,
    /// The assets of every order.
    orders: BTreeMap<String, (Asset, Asset)>,
    /// Whether a transaction is open: for counting only.
    pub(crate) is_open: bool,
}

impl Store {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Accepted(accepted) => {
                let assets = (accepted.base.clone(), accepted.quote.clone());
                self.orders.insert(accepted.terms.order_id.to_string(), assets);
            }
            Event::BalancesAdopted(adopted) => {
                let balances = adopted.balances.iter().cloned().collect();
                self.balances.insert(adopted.account.clone(), balances);
            }
            Event::Filled(filled) => self.fill(&filled.fill),
            _ => {}
        }
    }

    fn fill(&mut self, fill: &Fill) {
        let (base, quote) = self.orders[fill.order_id.as_str()].clone();
        let held = self.balances.entry(fill.account.clone()).or_default();
        let account = Account {
            balances: held.clone(),
            ..Account::default()
        };
        held.extend(account.after_fill(&base, &quote, fill).unwrap());
        self.fills += 1;
    }
}

/// Follows the shard, whoever owns it.
pub(crate) async fn run(world: World, store: Arc<Mutex<Store>>, group: Group) {
    let is_behind = store.lock().cursor > 0;
    let mut has_caught_up = !is_behind;
    loop {
        world.clock.sleep(Duration::from_millis(4)).await;
        let Some(home) = world.home() else { continue };
        let cursor = store.lock().cursor;
        let records = match home.shard.reader().read(cursor + 1, BATCH) {
            Ok(records) => records,
            // The machine that had the journal is off.
            Err(_) => continue,
        };
        let Some((last, _)) = records.last() else { continue };
        let last = *last;
        let mut staged = store.lock().clone();
        store.lock().is_open = true;
        for (_, bytes) in &records {
            let record = trading::codec::decode(bytes).expect("the shard encoded it");
            staged.apply(&record.event);
            world.clock.sleep(world.span(1_500)).await;
        }
        staged.is_open = false;
        match world.planted {
            Some(Planted::CursorOutsideTransaction) => {
                *store.lock() = staged;
                world.clock.sleep(world.span(1_500)).await;
                store.lock().cursor = last;
            }
            _ => {
                staged.cursor = last;
                *store.lock() = staged;
            }
        }
        if !has_caught_up {
            has_caught_up = true;
            world.note(State::ConsumerCaughtUp);
        }
        world.trace.line(format_args!("consumer {group} at {last}"));
    }
}
