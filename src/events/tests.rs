use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::FutureExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;

use super::*;
use crate::error::{Error, Kind};
use crate::journal::{FileJournal, FileJournalOptions, Journal, testing::SimulatedDisk};
use crate::store::{Migration, Store, Transaction, testing};
use crate::time::Chance;

static TABLES: &[Migration] = &[
    Outbox::migration(1),
    cursor::migration(2),
    Migration {
        version: 3,
        name: "effect",
        sqlite: "CREATE TABLE effect (sequence BIGINT NOT NULL, event BLOB NOT NULL)",
        postgres: "CREATE TABLE effect (sequence BIGINT NOT NULL, event BYTEA NOT NULL)",
    },
];

async fn store(config: &crate::store::StoreConfig) -> Store {
    Store::open(config, "events", TABLES).await.unwrap()
}

async fn publish(store: &Store, outbox: &Outbox, texts: &[&str]) -> (u64, u64) {
    let mut transaction = store.begin().await.unwrap();
    let events: Vec<Bytes> = texts
        .iter()
        .map(|text| Bytes::copy_from_slice(text.as_bytes()))
        .collect();
    let pending = outbox.append(&mut transaction, &events).await.unwrap();
    let range = (pending.first(), pending.last());
    pending.commit(transaction).await.unwrap();
    range
}

#[tokio::test]
async fn an_outbox_is_dense_even_when_transactions_roll_back() {
    for config in testing::engines() {
        let store = store(&config).await;
        let outbox = Outbox::open(&store, OutboxOptions::default()).await.unwrap();
        assert_eq!(publish(&store, &outbox, &["a", "b"]).await, (1, 2));
        let mut transaction = store.begin().await.unwrap();
        let pending = outbox.append(&mut transaction, &[Bytes::from("lost")]).await.unwrap();
        assert_eq!(pending.first(), 3);
        drop(transaction);
        assert_eq!(publish(&store, &outbox, &["c"]).await, (3, 3));
        let events = outbox.read(2, 10).await.unwrap();
        assert_eq!(events, vec![(2, Bytes::from("b")), (3, Bytes::from("c"))]);
        assert_eq!(outbox.read(4, 10).await.unwrap(), vec![]);
        assert_eq!(outbox.read(0, 10).await.unwrap_err().kind(), Kind::Invalid);

        let other = Outbox::open(&store, OutboxOptions::default()).await.unwrap();
        assert_eq!(*other.latest().borrow(), 3);
        publish(&store, &outbox, &["d"]).await;
        assert_eq!(*other.latest().borrow(), 3);
        assert_eq!(other.refresh().await.unwrap(), 4);
        assert_eq!(*other.latest().borrow(), 4);
    }
}

#[tokio::test]
async fn what_was_pruned_is_gone_and_says_where_to_begin() {
    for config in testing::engines() {
        let store = store(&config).await;
        let outbox = Outbox::open(&store, OutboxOptions { retain: 100 }).await.unwrap();
        for _ in 0..12 {
            publish(&store, &outbox, &["x"; 100]).await;
        }
        let error = outbox.read(1, 10).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::NotFound, EVENTS_GONE));
        let floor: u64 = error.context()["floor"].parse().unwrap();
        assert!(floor > 900 && floor <= 1101, "{floor}");
        assert_eq!(outbox.read(floor, 2000).await.unwrap().last().unwrap().0, 1200);
        let first = tail(Arc::new(outbox), 1).boxed().next().await.unwrap();
        assert_eq!(first.unwrap_err().reason(), EVENTS_GONE);
    }
}

#[tokio::test]
async fn a_tail_gives_history_then_live_without_a_gap() {
    let config = testing::sqlite();
    let store = store(&config).await;
    let outbox = Outbox::open(&store, OutboxOptions::default()).await.unwrap();
    publish(&store, &outbox, &["x"; 300]).await;
    let mut events = tail(Arc::new(outbox.clone()), 0).boxed();
    for expected in 1..=300 {
        assert_eq!(events.next().await.unwrap().unwrap().0, expected);
    }
    assert!(events.next().now_or_never().is_none());
    let mut events = tail(Arc::new(outbox.clone()), 299).boxed();
    let reading = tokio::spawn(async move {
        events
            .by_ref()
            .take(4)
            .map(|event| event.unwrap().0)
            .collect::<Vec<_>>()
            .await
    });
    publish(&store, &outbox, &["y"]).await;
    publish(&store, &outbox, &["y"]).await;
    assert_eq!(reading.await.unwrap(), vec![299, 300, 301, 302]);
}

#[tokio::test]
async fn a_journal_is_a_source_and_its_end_is_the_end_of_the_tail() {
    let options = FileJournalOptions {
        disk: Arc::new(SimulatedDisk::default()),
        tail_records: 2,
        ..FileJournalOptions::default()
    };
    let (mut journal, _) = FileJournal::open("/journal".as_ref(), options).unwrap();
    for number in 0..5_u8 {
        journal.append(vec![vec![number]]).await.unwrap();
    }
    let source = JournalSource::new(journal.reader());
    assert_eq!(source.read(0, 1).await.unwrap_err().kind(), Kind::Invalid);
    let events = tail(Arc::new(source), 2);
    drop(journal);
    let read: Vec<_> = events.take(4).map(|event| event.unwrap()).collect().await;
    let expected: Vec<_> = (2..=5)
        .map(|sequence| (sequence, Bytes::from(vec![sequence as u8 - 1])))
        .collect();
    assert_eq!(read, expected);
}

/// Announces events one by one, and counts how often it is read.
struct Steady {
    latest: watch::Sender<u64>,
    reads: AtomicUsize,
}

impl Source for Steady {
    fn read(&self, from: u64, _: usize) -> BoxFuture<'_, Result<Vec<Event>>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let events = (from..=*self.latest.borrow()).map(|sequence| (sequence, Bytes::new()));
        futures::future::ready(Ok(events.collect())).boxed()
    }

    fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

#[tokio::test(start_paused = true)]
async fn a_steady_flow_shares_reads_and_a_single_event_does_not_wait() {
    let source = Arc::new(Steady {
        latest: watch::Sender::new(0),
        reads: AtomicUsize::new(0),
    });
    let mut events = tail(source.clone(), 1).boxed();
    let begun = tokio::time::Instant::now();
    source.latest.send_replace(1);
    assert_eq!(events.next().await.unwrap().unwrap().0, 1);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let flow = source.clone();
    tokio::spawn(async move {
        for sequence in 2..=100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            flow.latest.send_replace(sequence);
        }
    });
    let seen: Vec<u64> = events.take(99).map(|event| event.unwrap().0).collect().await;
    assert_eq!(seen, (2..=100).collect::<Vec<_>>());
    let reads = source.reads.load(Ordering::Relaxed);
    assert!((10..=12).contains(&reads), "{reads}");
}

struct Broken {
    latest: watch::Sender<u64>,
    page: Vec<Event>,
}

impl Source for Broken {
    fn read(&self, _: u64, _: usize) -> BoxFuture<'_, Result<Vec<Event>>> {
        futures::future::ready(Ok(self.page.clone())).boxed()
    }

    fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

#[tokio::test]
async fn a_source_with_a_gap_is_an_error_and_one_that_is_gone_an_end() {
    for page in [vec![], vec![(2, Bytes::new())]] {
        let source = Broken {
            latest: watch::Sender::new(2),
            page,
        };
        let items: Vec<_> = tail(Arc::new(source), 1).collect().await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].as_ref().unwrap_err().reason(), "EVENTS_GAP");
    }
    struct Dying(watch::Receiver<u64>);
    impl Source for Dying {
        fn read(&self, _: u64, _: usize) -> BoxFuture<'_, Result<Vec<Event>>> {
            unreachable!("nothing was announced")
        }
        fn latest(&self) -> watch::Receiver<u64> {
            self.0.clone()
        }
    }
    let (sender, receiver) = watch::channel(0);
    let mut items = tail(Arc::new(Dying(receiver)), 1).boxed();
    drop(sender);
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn a_cursor_moves_forward_only() {
    for config in testing::engines() {
        let store = store(&config).await;
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(cursor::load(&mut transaction, "trading/0").await.unwrap(), 0);
        cursor::save(&mut transaction, "trading/0", 3).await.unwrap();
        cursor::save(&mut transaction, "trading/0", 7).await.unwrap();
        cursor::save(&mut transaction, "trading/1", 1).await.unwrap();
        let error = cursor::save(&mut transaction, "trading/0", 7).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Conflict, "CURSOR_MOVED"));
        assert_eq!(cursor::load(&mut transaction, "trading/0").await.unwrap(), 7);
        transaction.commit().await.unwrap();
    }
}

/// What a producer answers to one subscription.
type Step = Vec<Result<u64>>;

/// What a producer does at each subscription, in turn; at the last one it gives everything.
#[derive(Clone)]
struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<Mutex<Vec<u64>>>,
    total: u64,
}

fn event(sequence: u64) -> Event {
    (sequence, Bytes::from(sequence.to_be_bytes().to_vec()))
}

impl Feed for Script {
    fn subscribe(&self, from: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<Event>>>> {
        self.asked.lock().push(from);
        let step = self.steps.lock().pop_front();
        let items = match step {
            Some(items) => match items.first() {
                Some(Err(error)) if error.reason() == "AT_SUBSCRIBE" => {
                    return futures::future::ready(Err(error.clone())).boxed();
                }
                _ => items.into_iter().map(|item| item.map(event)).collect(),
            },
            None => (from..=self.total)
                .map(|sequence| Ok(event(sequence)))
                .collect::<Vec<_>>(),
        };
        futures::future::ready(Ok(futures::stream::iter(items).boxed())).boxed()
    }
}

/// Writes each event; ends when it has seen the last one.
struct Effect {
    fail_at: Option<(u64, Error)>,
    last: u64,
    committed: Vec<u64>,
    rolled_back: u32,
    done: tokio::sync::mpsc::UnboundedSender<()>,
}

#[async_trait::async_trait]
impl Apply for Effect {
    async fn apply(&mut self, transaction: &mut Transaction, sequence: u64, event: Bytes) -> Result<()> {
        if let Some((_, error)) = self.fail_at.take_if(|(at, _)| *at == sequence) {
            return Err(error);
        }
        sqlx::query("INSERT INTO effect (sequence, event) VALUES ($1, $2)")
            .bind(sequence.cast_signed())
            .bind(event.to_vec())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn committed(&mut self, sequence: u64) {
        self.committed.push(sequence);
        if sequence == self.last {
            self.done.send(()).unwrap();
        }
    }

    async fn rolled_back(&mut self) {
        self.rolled_back += 1;
    }
}

struct Outcome {
    result: Option<Error>,
    asked: Vec<u64>,
    effects: Vec<i64>,
    rolled_back: u32,
}

async fn consume(store: &Store, steps: Vec<Step>, fail_at: Option<(u64, Error)>) -> Outcome {
    let script = Script {
        steps: Arc::new(Mutex::new(steps.into())),
        asked: Arc::default(),
        total: 10,
    };
    let options = ConsumerOptions {
        max_batch: 4,
        spacing: Duration::from_nanos(1),
        min_pause: Duration::from_nanos(1),
        max_pause: Duration::from_micros(1),
    };
    let consumer = Consumer::new(store.clone(), "s", script.clone(), Chance::seeded(1), options);
    let (done, mut is_done) = tokio::sync::mpsc::unbounded_channel();
    let mut effect = Effect {
        fail_at,
        last: 10,
        committed: Vec::new(),
        rolled_back: 0,
        done,
    };
    let result = tokio::select! {
        result = consumer.run(&mut effect) => result.err(),
        _ = is_done.recv() => None,
    };
    assert!(effect.committed.is_sorted());
    let effects = sqlx::query_scalar("SELECT sequence FROM effect ORDER BY sequence")
        .fetch_all(store.read())
        .await
        .unwrap();
    Outcome {
        result,
        asked: script.asked.lock().clone(),
        effects,
        rolled_back: effect.rolled_back,
    }
}

#[tokio::test]
async fn effects_happen_once_through_gaps_repetitions_failures_and_ends() {
    for config in testing::engines() {
        let store = store(&config).await;
        let down = || Error::unavailable("AT_SUBSCRIBE", "down");
        let steps = vec![
            vec![Err(down())],
            vec![Ok(1), Ok(2), Ok(4)],
            vec![Ok(3), Ok(2), Ok(3), Ok(4), Err(Error::internal("BROKEN", "stream"))],
            vec![],
            vec![Ok(5), Err(Error::denied("NOT_YET", "token"))],
        ];
        let outcome = consume(&store, steps, Some((8, Error::unavailable("STORE_BUSY", "wait")))).await;
        assert_eq!(outcome.result, None);
        assert_eq!(outcome.asked, vec![1, 1, 3, 5, 5, 6, 6]);
        assert_eq!(outcome.effects, (1..=10).collect::<Vec<_>>());
        assert_eq!(outcome.rolled_back, 1);
    }
}

/// Gives what is sent to it.
struct Live(Mutex<Option<tokio::sync::mpsc::UnboundedReceiver<u64>>>);

impl Feed for Live {
    fn subscribe(&self, _: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<Event>>>> {
        let receiver = self.0.lock().take().unwrap();
        let events = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
        futures::future::ready(Ok(events.map(|sequence| Ok(event(sequence))).boxed())).boxed()
    }
}

#[tokio::test]
async fn what_comes_within_the_spacing_shares_a_transaction() {
    let store = store(&testing::sqlite()).await;
    let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
    let (done, mut is_done) = tokio::sync::mpsc::unbounded_channel();
    let options = ConsumerOptions {
        spacing: Duration::from_millis(300),
        ..ConsumerOptions::default()
    };
    let feed = Live(Mutex::new(Some(receiver)));
    let consumer = Consumer::new(store, "s", feed, Chance::seeded(1), options);
    let mut effect = Effect {
        fail_at: None,
        last: 1,
        committed: Vec::new(),
        rolled_back: 0,
        done,
    };
    events.send(1).unwrap();
    tokio::select! {
        _ = consumer.run(&mut effect) => unreachable!("nothing ends it"),
        () = async {
            is_done.recv().await.unwrap();
            events.send(2).unwrap();
            events.send(3).unwrap();
            // Past the spacing, whatever the machine does meanwhile.
            tokio::time::sleep(Duration::from_millis(900)).await;
        } => {}
    }
    assert_eq!(effect.committed, [1, 3]);
}

#[tokio::test]
async fn what_cannot_be_mended_ends_the_consumer() {
    let config = testing::sqlite();
    let gone = Error::not_found(EVENTS_GONE, "pruned");
    let bad = Error::invalid("EVENT_UNREADABLE", "no such event");
    let table = [
        (vec![vec![Ok(1), Err(gone.clone())]], None, gone, vec![1]),
        (
            vec![vec![Ok(2), Ok(3)]],
            Some((3, bad.clone())),
            bad.clone(),
            vec![1, 2],
        ),
        (vec![vec![Err(bad.clone())]], None, bad, vec![1, 2]),
    ];
    for (steps, fail_at, expected, effects) in table {
        let store = store(&config).await;
        let steps_then_third = match fail_at {
            Some(_) => vec![vec![Ok(2)], vec![Ok(3)]],
            None => steps,
        };
        let outcome = consume(&store, steps_then_third, fail_at).await;
        assert_eq!(outcome.result, Some(expected));
        assert_eq!(outcome.effects, effects);
    }
    let closed = store(&config).await;
    closed.close().await;
    let script = Script {
        steps: Arc::default(),
        asked: Arc::default(),
        total: 1,
    };
    let consumer = Consumer::new(closed, "s", script, Chance::seeded(1), ConsumerOptions::default());
    // A closed store is a passing failure: the consumer pauses and asks again.
    assert!(consumer.run(&mut Idle).now_or_never().is_none());
}

struct Idle;

#[async_trait::async_trait]
impl Apply for Idle {
    async fn apply(&mut self, _: &mut Transaction, _: u64, _: Bytes) -> Result<()> {
        Ok(())
    }
    async fn committed(&mut self, _: u64) {}
    async fn rolled_back(&mut self) {}
}
