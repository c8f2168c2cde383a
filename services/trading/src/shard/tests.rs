//! The shard's loop over a journal that waits and fails when told.

use super::*;
use crate::core::{Balances, Kept, Limits, Mark, State, Submit, VenueIds, Wishes};
use crate::sender::{Backlog, Bounds};
use crate::venue::fake::FakeVenue;
use async_trait::async_trait;
use domain::{
    AccountId, Asset, ClientOrderId, Instrument, InstrumentStatus, OrderType, Quantity, Side, Symbol, TimeInForce,
};
use mesh::app::{Failures, Shutdown};
use mesh::journal::{JournalReader, Verified};
use mesh::time::Chance;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

mod durability;

#[derive(Default)]
struct Disk {
    batches: parking_lot::Mutex<Vec<usize>>,
    records: parking_lot::Mutex<Vec<Vec<u8>>>,
    durable: watch::Sender<u64>,
    /// Appends that have begun.
    begun: AtomicUsize,
    /// No room for new orders.
    full: AtomicBool,
}

impl JournalReader for Disk {
    fn read(&self, from: u64, max: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let records = self.records.lock();
        Ok((1..)
            .zip(records.iter().cloned())
            .skip(from as usize - 1)
            .take(max)
            .collect())
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }
}

/// Appends only as often as permitted; a closed gate is a disk that fails.
struct GatedJournal {
    disk: Arc<Disk>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Journal for GatedJournal {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64> {
        self.disk.begun.fetch_add(1, Ordering::SeqCst);
        let permit = self
            .gate
            .acquire()
            .await
            .map_err(|_| Error::internal("JOURNAL_POISONED", "the disk is gone"))?;
        permit.forget();
        let first = self.next_sequence();
        self.disk.batches.lock().push(records.len());
        self.disk.records.lock().extend(records);
        self.disk.durable.send_replace(self.next_sequence() - 1);
        Ok(first)
    }

    async fn has_room(&mut self, _: u64) -> Result<bool> {
        Ok(!self.disk.full.load(Ordering::SeqCst))
    }

    fn id(&self) -> [u8; 16] {
        [1; 16]
    }

    fn epoch(&self) -> u64 {
        1
    }

    fn next_sequence(&self) -> u64 {
        self.disk.records.lock().len() as u64 + 1
    }

    fn reader(&self) -> Arc<dyn JournalReader> {
        Arc::clone(&self.disk) as _
    }

    async fn verify(&self) -> Result<Verified> {
        Ok(Verified::default())
    }
}

struct Rig {
    handle: ShardHandle,
    disk: Arc<Disk>,
    gate: Arc<Semaphore>,
    venue: Arc<FakeVenue>,
    failures: Failures,
    _shutdown: Shutdown,
}

fn account() -> AccountId {
    AccountId::parse("one").unwrap()
}

fn limits() -> Limits {
    let config = crate::Config::default();
    Limits {
        duplicate_window_micros: 0,
        ..config.risk_limits().unwrap()
    }
}

fn market(now: i64) -> Market {
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let instrument = Instrument {
        symbol: symbol.clone(),
        base: Asset::parse("BTC").unwrap(),
        quote: Asset::parse("USDT").unwrap(),
        tick_size: "0.01".parse().unwrap(),
        max_price: "1000000".parse().unwrap(),
        lot_size: "0.001".parse().unwrap(),
        min_quantity: "0.001".parse().unwrap(),
        max_quantity: "100".parse().unwrap(),
        min_notional: "1".parse().unwrap(),
        status: InstrumentStatus::Trading,
    };
    let mut market = Market {
        heard: Timestamp::from_micros(now),
        ..Market::default()
    };
    market.marks.insert(
        symbol.clone(),
        Mark {
            price: "100".parse().unwrap(),
            live: true,
        },
    );
    market.instruments.insert(symbol, instrument);
    market
}

/// A shard with one opened account; from then on its disk takes as many batches as the gate permits.
async fn rig(mailbox: usize, max_backlog: usize) -> Rig {
    patient_rig(mailbox, max_backlog, Duration::ZERO).await
}

/// One whose shard lets news wait so long.
async fn patient_rig(mailbox: usize, max_backlog: usize, news_patience: Duration) -> Rig {
    let (clock, _hands) = Clock::manual(1_000_000_000);
    let (shutdown, failures) = Shutdown::new();
    let (disk, gate) = (Arc::new(Disk::default()), Arc::new(Semaphore::new(2)));
    let journal = GatedJournal {
        disk: Arc::clone(&disk),
        gate: Arc::clone(&gate),
    };
    let venue = Arc::new(FakeVenue::new(clock.clone()));
    let backlog = Backlog::default();
    let (handle, ends) = ShardHandle::new(
        0,
        mailbox,
        16,
        (journal.id(), journal.reader()),
        (backlog.clone(), max_backlog),
    );
    let bounds = Bounds {
        recv_window_micros: 1_000_000,
        absence_micros: 2_000_000,
        max_backoff: Duration::from_millis(5),
        workers: 2,
        queries: 2,
    };
    let chance = Chance::seeded(1);
    let sender = Sender::start(
        venue.clone(),
        handle.clone(),
        backlog,
        &[account()],
        bounds,
        (clock.clone(), chance),
        &shutdown,
    );
    let state = State::new(
        0,
        Kept {
            closed_orders: 100,
            refusals: 10,
        },
    );
    let parts = Parts {
        decider: Decider::new(state, VenueIds::new([1; 16], 0, 1), limits(), venue.name().clone()),
        journal: Box::new(journal),
        market: Arc::new(RwLock::new(market(clock.now_micros()))),
        clock,
        venue: venue.clone(),
        sender,
        alerts: Alerts::new(10),
        batch: 64,
        news_patience,
    };
    shutdown.spawn("shard 0", Shard::new(parts, ends).run(shutdown.token()));
    let balances = vec![(Asset::parse("USDT").unwrap(), "100000".parse().unwrap())];
    handle
        .urgent(Command::Balances(Balances {
            account: account(),
            balances,
        }))
        .await
        .unwrap();
    handle.urgent(Command::Ready(account(), true)).await.unwrap();
    gate.acquire().await.unwrap().forget();
    Rig {
        handle,
        disk,
        gate,
        venue,
        failures,
        _shutdown: shutdown,
    }
}

fn submit(id: &str) -> Command {
    Command::Submit(Submit {
        account: account(),
        client_order_id: ClientOrderId::parse(id).unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        quantity: "1".parse::<Quantity>().unwrap(),
        price: Some("100".parse().unwrap()),
        strategy: None,
        wishes: Wishes::default(),
    })
}

/// Until the shard stands before the disk for the nth time.
async fn begun(rig: &Rig, count: usize) {
    while rig.disk.begun.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

async fn waiting(handle: &ShardHandle, count: usize) {
    while handle.waiting() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_commit_covers_all_that_waits_and_nobody_hears_before_it() {
    let rig = rig(64, 64).await;
    let spawn = |id: &'static str| {
        let handle = rig.handle.clone();
        tokio::spawn(async move { handle.submit(submit(id)).await })
    };
    let first = spawn("a");
    // The shard has taken the first and stands before the disk; the others wait in its mailbox.
    begun(&rig, 2).await;
    let others: Vec<_> = ["b", "c", "a", "b"].into_iter().map(spawn).collect();
    waiting(&rig.handle, 4).await;
    let query = tokio::spawn({
        let handle = rig.handle.clone();
        async move { handle.ask(Ask::Sequence).await }
    });
    waiting(&rig.handle, 5).await;
    assert!(!first.is_finished() && others.iter().all(|other| !other.is_finished()) && !query.is_finished());
    assert!(rig.venue.placed().is_empty(), "nothing is sent before it is journalled");

    rig.gate.add_permits(1);
    let first = first.await.unwrap().unwrap();
    rig.gate.add_permits(100);
    let mut answers = Vec::new();
    for other in others {
        answers.push(other.await.unwrap().unwrap());
    }
    assert_eq!(answers[2], first, "a repeat is answered as its original was");
    assert_eq!(answers[0], answers[3]);
    assert_ne!(answers[0], answers[1]);
    assert_eq!(
        rig.disk.batches.lock()[1..3],
        [2, 4],
        "acceptance and intent of each new order, and no more"
    );
    let Reply::Sequence(sequence) = query.await.unwrap().unwrap() else {
        panic!()
    };
    assert!(sequence >= 7);
    rig.venue.wait_placed(3).await;
}

#[tokio::test]
async fn news_wait_for_somebody_who_asks_and_share_the_commit() {
    let rig = patient_rig(64, 64, Duration::from_secs(3_600)).await;
    rig.gate.add_permits(1);
    rig.handle
        .tell(Command::Balances(Balances {
            account: AccountId::parse("two").unwrap(),
            balances: Vec::new(),
        }))
        .await;
    rig.handle.submit(submit("a")).await.unwrap();
    assert_eq!(*rig.disk.batches.lock(), [1, 3]);
}

#[tokio::test]
async fn a_failed_append_ends_the_shard() {
    let mut rig = rig(64, 64).await;
    rig.gate.close();
    let refused = rig.handle.submit(submit("a")).await.unwrap_err();
    assert_eq!(
        refused.reason(),
        "OUTCOME_UNKNOWN",
        "neither accepted nor refused: nobody knows"
    );
    assert!(!refused.is_retryable(), "nobody between repeats it by itself");
    assert_eq!(rig.failures.next().await.reason(), "JOURNAL_POISONED");
    assert!(rig.venue.placed().is_empty());
    for refused in [rig.handle.submit(submit("b")).await, rig.handle.ask(Ask::Halts).await] {
        assert_eq!(refused.unwrap_err().reason(), "SHARD_STOPPED");
    }
    rig.handle.tell(Command::Ready(account(), true)).await;
    assert_eq!(
        rig.handle
            .urgent(Command::Ready(account(), true))
            .await
            .unwrap_err()
            .reason(),
        "SHARD_STOPPED"
    );
}

#[tokio::test]
async fn overload_is_refused_and_cancels_pass_it() {
    let rig = rig(1, 64).await;
    let spawn = |id: &'static str| {
        let handle = rig.handle.clone();
        tokio::spawn(async move { handle.submit(submit(id)).await })
    };
    let first = spawn("a");
    begun(&rig, 2).await;
    let second = spawn("b");
    waiting(&rig.handle, 1).await;
    let refused = rig.handle.submit(submit("c")).await.unwrap_err();
    assert_eq!(refused.reason(), "SHARD_OVERLOADED");
    assert!(refused.is_retryable());
    let cancel = tokio::spawn({
        let handle = rig.handle.clone();
        let all = crate::core::CancelAll {
            account: account(),
            which: crate::core::OrderMatch::default(),
            request_id: String::new(),
        };
        async move { handle.urgent(Command::CancelAll(all)).await }
    });
    rig.gate.add_permits(100);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert!(matches!(cancel.await.unwrap().unwrap(), Reply::Orders(_)));
}

#[tokio::test]
async fn a_full_backlog_refuses_new_orders() {
    let rig = rig(64, 0).await;
    assert_eq!(
        rig.handle.submit(submit("a")).await.unwrap_err().reason(),
        "VENUE_BACKLOG_FULL"
    );
}
