use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{advance, sleep};

use super::{Balancer, Connect, Connection, Lease, Outcome};
use crate::breaker::{BreakerConfig, Policy};
use crate::error::{Error, Kind, Result};
use crate::time::Chance;

/// Connects to whatever is not in `down`.
#[derive(Clone, Default)]
struct Net {
    down: Arc<Mutex<BTreeSet<String>>>,
    attempts: Arc<AtomicUsize>,
    delay: Duration,
}

#[derive(Clone)]
struct Pipe {
    address: String,
    open: Arc<AtomicBool>,
}

impl Connection for Pipe {
    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

impl Connect for Net {
    type Connection = Pipe;

    fn connect(&self, address: &str) -> impl Future<Output = Result<Pipe>> + Send + 'static {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let (net, address) = (self.clone(), address.to_owned());
        async move {
            sleep(net.delay).await;
            if net.down.lock().contains(&address) {
                return Err(Error::unavailable("ENDPOINT_UNREACHABLE", "down"));
            }
            Ok(Pipe {
                address,
                open: Arc::new(AtomicBool::new(true)),
            })
        }
    }
}

impl Net {
    fn set_down(&self, addresses: &[&str]) {
        *self.down.lock() = addresses.iter().map(|address| (*address).to_owned()).collect();
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::SeqCst)
    }
}

fn balancer(net: &Net, addresses: &[&str], max_in_flight: usize) -> Balancer<Net> {
    let config = BreakerConfig {
        failures: 2,
        eject_ms: 100,
        eject_max_ms: 1_000,
    };
    let policy = Policy::new(&config, Chance::seeded(1)).without_jitter();
    let balancer = Balancer::new("risk", net.clone(), policy, Chance::seeded(2), max_in_flight);
    update(&balancer, addresses);
    balancer
}

fn update(balancer: &Balancer<Net>, addresses: &[&str]) {
    let addresses: Vec<Arc<str>> = addresses.iter().map(|address| (*address).into()).collect();
    balancer.update(&addresses);
}

async fn reason(balancer: &Balancer<Net>) -> String {
    balancer.lease().await.err().unwrap().reason().to_owned()
}

fn succeed(lease: Lease<Net>) {
    lease.first_message();
    lease.judge(Outcome::Success, Duration::ZERO);
}

fn fail(lease: Lease<Net>) {
    lease.judge(Outcome::Failure, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn without_endpoints_it_says_so() {
    let balancer = balancer(&Net::default(), &[], 10);
    let error = balancer.lease().await.err().unwrap();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "NO_ENDPOINT"));
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_all_and_callers_who_wait_share_the_attempt() {
    let net = Net {
        delay: Duration::from_millis(10),
        ..Net::default()
    };
    let balancer = balancer(&net, &["a:1"], 10);
    let (first, second) = tokio::join!(balancer.lease(), balancer.lease());
    assert_eq!(first.unwrap().address(), "a:1");
    assert_eq!(second.unwrap().connection().address, "a:1");
    succeed(balancer.lease().await.unwrap());
    assert_eq!(net.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_endpoint_is_ejected_and_the_other_taken_at_once() {
    let net = Net::default();
    net.set_down(&["a:1"]);
    let balancer = balancer(&net, &["a:1", "b:1"], 10);
    for _ in 0..20 {
        assert_eq!(balancer.lease().await.unwrap().address(), "b:1");
    }
    assert_eq!(net.attempts(), 2, "the dead one was tried once");
    advance(Duration::from_millis(100)).await;
    net.set_down(&[]);
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        seen.insert(balancer.lease().await.unwrap().address().to_owned());
    }
    assert_eq!(seen.len(), 2, "it is back");
}

#[tokio::test(start_paused = true)]
async fn when_all_are_ejected_the_caller_learns_when_to_come_back() {
    let net = Net::default();
    net.set_down(&["a:1", "b:1"]);
    let balancer = balancer(&net, &["a:1", "b:1"], 10);
    assert_eq!(reason(&balancer).await, "ENDPOINT_UNREACHABLE");
    let error = balancer.lease().await.err().unwrap();
    assert_eq!(error.reason(), "ALL_ENDPOINTS_EJECTED");
    assert_eq!(error.retry_delay(), Some(Duration::from_millis(100)));
    advance(Duration::from_millis(100)).await;
    assert_eq!(reason(&balancer).await, "ENDPOINT_UNREACHABLE");
    assert_eq!(
        balancer.lease().await.err().unwrap().retry_delay(),
        Some(Duration::from_millis(200))
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_without_an_alternative_is_tried_again_soon_however_often_it_failed() {
    let net = Net::default();
    net.set_down(&["a:1"]);
    let balancer = balancer(&net, &["a:1"], 10);
    for _ in 0..9 {
        assert_eq!(reason(&balancer).await, "ENDPOINT_UNREACHABLE");
        let error = balancer.lease().await.err().unwrap();
        assert_eq!(error.retry_delay(), Some(Duration::from_millis(100)));
        advance(Duration::from_millis(100)).await;
    }
    net.set_down(&[]);
    assert_eq!(balancer.lease().await.unwrap().address(), "a:1");
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_eject_and_a_success_forgives() {
    let balancer = balancer(&Net::default(), &["a:1"], 10);
    for _ in 0..3 {
        fail(balancer.lease().await.unwrap());
        succeed(balancer.lease().await.unwrap());
    }
    balancer
        .lease()
        .await
        .unwrap()
        .judge(Outcome::Abandoned, Duration::ZERO);
    let (late, first, second) = (
        balancer.lease().await.unwrap(),
        balancer.lease().await.unwrap(),
        balancer.lease().await.unwrap(),
    );
    fail(first);
    fail(second);
    assert_eq!(reason(&balancer).await, "ALL_ENDPOINTS_EJECTED");
    succeed(late);
    assert_eq!(
        reason(&balancer).await,
        "ALL_ENDPOINTS_EJECTED",
        "an old success does not end an ejection"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_again() {
    let net = Net::default();
    let balancer = balancer(&net, &["a:1"], 10);
    let lease = balancer.lease().await.unwrap();
    lease.connection().open.store(false, Ordering::SeqCst);
    assert!(balancer.lease().await.unwrap().connection().is_open());
    assert_eq!(net.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_bounded_and_end_with_their_lease() {
    let balancer = balancer(&Net::default(), &["a:1"], 2);
    let first = balancer.lease().await.unwrap();
    let _second = balancer.lease().await.unwrap();
    let error = balancer.lease().await.err().unwrap();
    assert_eq!((error.kind(), error.reason()), (Kind::Exhausted, "TOO_MANY_IN_FLIGHT"));
    drop(first);
    assert!(balancer.lease().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_while_connecting_is_not_counted_any_more() {
    let net = Net {
        delay: Duration::from_millis(10),
        ..Net::default()
    };
    let balancer = balancer(&net, &["a:1"], 1);
    let left = tokio::time::timeout(Duration::from_millis(1), balancer.lease()).await;
    assert!(left.is_err());
    assert!(balancer.lease().await.is_ok());
    assert_eq!(net.attempts(), 1, "the attempt goes on for whoever comes next");
}

#[tokio::test(start_paused = true)]
async fn the_less_loaded_of_two_is_taken() {
    let balancer = balancer(&Net::default(), &["slow:1", "fast:1"], 1_000);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..200 {
        let lease = balancer.lease().await.unwrap();
        let latency = if lease.address() == "slow:1" { 50 } else { 1 };
        sleep(Duration::from_millis(latency)).await;
        *taken.entry(lease.address().to_owned()).or_default() += 1;
        succeed(lease);
    }
    assert!(taken["fast:1"] > 10 * taken["slow:1"], "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn addresses_come_and_go_and_what_stays_keeps_its_connection() {
    let net = Net::default();
    let balancer = balancer(&net, &["a:1"], 10);
    succeed(balancer.lease().await.unwrap());
    update(&balancer, &["a:1", "b:1"]);
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        seen.insert(balancer.lease().await.unwrap().address().to_owned());
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(net.attempts(), 2);
    update(&balancer, &["b:1"]);
    assert_eq!(balancer.lease().await.unwrap().address(), "b:1");
    assert_eq!(net.attempts(), 2);
}
