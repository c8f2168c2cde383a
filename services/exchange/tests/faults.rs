//! Every fault of the plan, over real sockets; and the ledger behind them, which stays exact.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{Socket, TestVenue, config, hmac};
use exchange::faults::{Fault, Plan, Scope};
use exchange::rest::Halt;
use exchange::ws::clients::ClientKind;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ORDER: &str = "/api/v3/order";

/// A bid that nothing meets, with an id of its own.
async fn far_bid(venue: &TestVenue, id: &str) -> String {
    let (bid, _) = venue.best("BTCUSDT").await;
    let price = bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10;
    format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={price}.00&newClientOrderId={id}")
}

/// What became of an order at the venue.
async fn status(venue: &TestVenue, id: &str) -> Option<String> {
    let query = format!("symbol=BTCUSDT&origClientOrderId={id}");
    let reply = venue.signed(Method::GET, ORDER, "alice", &query).await;
    (reply.status == 200).then(|| reply.body["status"].as_str().unwrap().to_owned())
}

async fn user_data(venue: &TestVenue) -> Socket {
    let mut socket = venue.socket("/ws-api/v3").await;
    let time = venue.millis();
    let signature = hmac(&format!("apiKey=key-alice&timestamp={time}"));
    let answer = socket
        .ask(json!({
            "id": 1, "method": "userDataStream.subscribe.signature",
            "params": {"apiKey": "key-alice", "timestamp": time, "signature": signature},
        }))
        .await;
    assert_eq!(answer["status"], 200, "{answer}");
    socket
}

fn injected(venue: &TestVenue, fault: Fault) -> u64 {
    venue.api.faults.running().tally.injected(fault)
}

#[tokio::test]
async fn replies_are_cut_unknown_or_late_and_the_ledger_stays_exact() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let certain = Plan::default();
    let table = [
        (
            Plan {
                cut_before_acceptance: 1.0,
                ..certain.clone()
            },
            Fault::CutBeforeAcceptance,
            None,
            None,
        ),
        (
            Plan {
                cut_after_acceptance: 1.0,
                ..certain.clone()
            },
            Fault::CutAfterAcceptance,
            None,
            Some("NEW"),
        ),
        (
            Plan {
                unknown_after_acceptance: 1.0,
                ..certain.clone()
            },
            Fault::UnknownAfterAcceptance,
            Some((504, -1007)),
            Some("NEW"),
        ),
    ];
    for (plan, fault, answer, expected) in table {
        let id = format!("id-{}", fault.name());
        let query = far_bid(&venue, &id).await;
        venue.api.faults.set(plan);
        let reply = venue.try_signed(Method::POST, ORDER, "alice", &query).await;
        assert_eq!(reply.map(|reply| reply.code()), answer, "{fault:?}");
        assert_eq!(status(&venue, &id).await.as_deref(), expected, "{fault:?}");
        assert_eq!(injected(&venue, fault), 1, "a query is outside the scope: {fault:?}");
    }
    venue.api.faults.set(Plan {
        scope: Scope::All,
        cut_before_acceptance: 1.0,
        ..certain.clone()
    });
    assert!(
        venue
            .try_signed(Method::GET, "/api/v3/depth", "alice", "")
            .await
            .is_none()
    );

    let query = far_bid_quiet(&venue, "late").await;
    venue.api.faults.set(Plan {
        reply_delay: 1.0,
        reply_delay_min_ms: 200,
        reply_delay_max_ms: 200,
        ..certain
    });
    let started = Instant::now();
    venue.signed(Method::POST, ORDER, "alice", &query).await.ok();
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(injected(&venue, Fault::ReplyDelay), 1);
}

/// [`far_bid`] while faults are in force: they are lifted first.
async fn far_bid_quiet(venue: &TestVenue, id: &str) -> String {
    venue.api.faults.set(Plan::default());
    far_bid(venue, id).await
}

/// What comes back for so many pings, once all of them were sent: the ids, in their order, to the last frame. One that is
/// overtaken by nothing comes within a second.
async fn pings(venue: &TestVenue, count: usize) -> Vec<u64> {
    let mut socket = venue.socket("/ws-api/v3").await;
    for id in 0..count {
        socket.send(json!({"id": id, "method": "ping"})).await;
    }
    let mut seen = Vec::new();
    while let Ok(frame) = tokio::time::timeout(Duration::from_millis(1_500), socket.next()).await {
        seen.push(frame["id"].as_u64().unwrap());
    }
    seen
}

#[tokio::test]
async fn replies_of_the_websocket_api_come_twice_and_out_of_order() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let plan = |reply_duplicate, reply_reorder| Plan {
        seed: 5,
        scope: Scope::All,
        reply_duplicate,
        reply_reorder,
        ..Plan::default()
    };
    venue.api.faults.set(plan(1.0, 0.0));
    assert_eq!(pings(&venue, 3).await, [0, 0, 1, 1, 2, 2]);
    assert_eq!(injected(&venue, Fault::ReplyDuplicate), 3);
    venue.api.faults.set(plan(0.0, 1.0));
    // the last has none to overtake it, and comes by itself
    assert_eq!(pings(&venue, 5).await, [1, 0, 3, 2, 4]);
    assert_eq!(injected(&venue, Fault::ReplyReorder), 3);
    let mut runs = Vec::new();
    for _ in 0..2 {
        venue.api.faults.set(plan(0.3, 0.3));
        runs.push(pings(&venue, 60).await);
    }
    assert_eq!(runs[0], runs[1], "the seed decides");
    assert!(
        runs[0].windows(2).any(|pair| pair[0] == pair[1]) && !runs[0].is_sorted(),
        "{:?}",
        runs[0]
    );

    // REST has one reply to a request, in the order of the requests.
    venue.api.faults.set(plan(1.0, 1.0));
    assert_eq!(venue.get("/api/v3/time", "").await.status, 200);
    let counts = [Fault::ReplyDuplicate, Fault::ReplyReorder].map(|fault| injected(&venue, fault));
    assert_eq!(counts, [0, 0]);

    // A reply that comes twice is of one order: the ledger is exact.
    let query = far_bid_quiet(&venue, "doubled").await;
    let fields = format!("{query}&apiKey=key-alice&timestamp={}", venue.millis());
    let fields: BTreeMap<&str, &str> = fields.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let payload: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut params = json!(fields);
    params["signature"] = json!(hmac(&payload.join("&")));
    venue.api.faults.set(plan(1.0, 0.0));
    let mut socket = venue.socket("/ws-api/v3").await;
    let placed = socket
        .ask(json!({"id": 7, "method": "order.place", "params": params}))
        .await;
    assert_eq!((&placed["id"], &placed["status"]), (&json!(7), &json!(200)), "{placed}");
    assert_eq!(socket.next().await, placed);
    assert_eq!(injected(&venue, Fault::ReplyDuplicate), 1);
    venue.api.faults.set(Plan::default());
    let open = venue.signed(Method::GET, "/api/v3/openOrders", "alice", "").await.ok();
    assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
}

#[tokio::test]
async fn user_data_ends_on_demand_and_can_be_subscribed_again() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = user_data(&venue).await;
    let time = venue.millis();
    let signature = hmac(&format!("apiKey=key-bob&timestamp={time}"));
    let bob = json!({
        "id": 2, "method": "userDataStream.subscribe.signature",
        "params": {"apiKey": "key-bob", "timestamp": time, "signature": signature},
    });
    assert_eq!(socket.ask(bob.clone()).await["result"]["subscriptionId"], 1);
    let ended = |id: u64| json!({"subscriptionId": id, "event": {"e": "eventStreamTerminated", "E": venue.millis()}});
    assert_eq!(venue.api.hub.end_streams(Some("nobody"), venue.millis()), 0);
    assert_eq!(venue.api.hub.end_streams(Some("bob"), venue.millis()), 1);
    assert_eq!(socket.next().await, ended(1));
    let status = socket.ask(json!({"id": 3, "method": "session.status"})).await;
    assert_eq!(status["result"]["userDataStream"], true, "alice's goes on");
    let again = socket.ask(bob).await;
    assert_eq!(again["result"]["subscriptionId"], 2, "{again}");
    assert_eq!(venue.api.hub.end_streams(None, venue.millis()), 2);
    let mut told = [socket.next().await, socket.next().await];
    told.sort_by_key(|event| event["subscriptionId"].as_u64());
    assert_eq!(told, [ended(0), ended(2)]);
    let listed = socket.ask(json!({"id": 4, "method": "session.subscriptions"})).await;
    assert_eq!(listed["result"], json!([]), "the connection lives");
    let gone = json!({"id": 5, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 2}});
    assert_eq!(socket.ask(gone).await["error"]["code"], -2036);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_decisions_in_another_process_and_from_the_config() {
    let mut seen = Vec::new();
    for seed in [3, 3, 4] {
        let folder = tempfile::tempdir().unwrap();
        let faults = Plan {
            seed,
            cut_before_acceptance: 0.2,
            cut_after_acceptance: 0.2,
            unknown_after_acceptance: 0.2,
            ..Plan::default()
        };
        let venue = TestVenue::start(exchange::Config { faults, ..config() }, folder.path()).await;
        let mut fates = Vec::new();
        for n in 0..30 {
            let id = format!("n{n}");
            let query = far_bid(&venue, &id).await;
            let reply = venue.try_signed(Method::POST, ORDER, "alice", &query).await;
            fates.push((reply.map(|reply| reply.status), status(&venue, &id).await));
        }
        seen.push(fates);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    for fate in [
        (None, None),
        (None, Some("NEW")),
        (Some(504), Some("NEW")),
        (Some(200), Some("NEW")),
    ] {
        assert!(
            seen[0]
                .iter()
                .any(|(answer, status)| (*answer, status.as_deref()) == fate),
            "{fate:?} in {:?}",
            seen[0]
        );
    }
}

#[tokio::test]
async fn requests_of_the_websocket_api_meet_the_same_faults() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    venue.api.faults.set(Plan {
        scope: Scope::All,
        unknown_after_acceptance: 1.0,
        ..Plan::default()
    });
    let answer = socket.ask(json!({"id": 1, "method": "time"})).await;
    assert_eq!(
        (&answer["status"], &answer["error"]["code"]),
        (&json!(504), &json!(-1007))
    );
    for plan in [
        Plan {
            scope: Scope::Signed,
            cut_before_acceptance: 1.0,
            ..Plan::default()
        },
        Plan {
            scope: Scope::Signed,
            cut_after_acceptance: 1.0,
            ..Plan::default()
        },
    ] {
        let mut socket = venue.socket("/ws-api/v3").await;
        venue.api.faults.set(plan);
        assert_eq!(
            socket.ask(json!({"id": 2, "method": "ping"})).await["status"],
            200,
            "outside the scope"
        );
        socket.send(json!({"id": 3, "method": "session.status"})).await;
        socket.ended().await;
    }
}

#[tokio::test]
async fn user_data_events_are_lost_doubled_swapped_and_late() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = user_data(&venue).await;
    let kinds = |frame: &Value| frame["event"]["e"].as_str().unwrap().to_owned();
    let (report, position) = ("executionReport", "outboundAccountPosition");
    let late = Plan {
        user_delay: 1.0,
        user_delay_min_ms: 60_000,
        user_delay_max_ms: 60_000,
        ..Plan::default()
    };
    let table = [
        (
            "doubled",
            Plan {
                user_duplicate: 1.0,
                ..Plan::default()
            },
            vec![report, report, position, position],
        ),
        (
            "swapped",
            Plan {
                user_reorder: 1.0,
                ..Plan::default()
            },
            vec![position, report],
        ),
        (
            "lost",
            Plan {
                user_drop: 1.0,
                ..Plan::default()
            },
            vec![],
        ),
        ("late", late, vec![]),
    ];
    for (name, plan, expected) in table {
        let query = far_bid(&venue, name).await;
        venue.api.faults.set(plan);
        venue.signed(Method::POST, ORDER, "alice", &query).await.ok();
        let mut seen = Vec::new();
        for _ in &expected {
            seen.push(kinds(&socket.next().await));
        }
        assert_eq!(seen, expected, "{name}");
        // what the line has taken is counted; an answer on the same connection shows that nothing else was sent
        let asked = || {
            venue
                .api
                .faults
                .running()
                .tally
                .user_events
                .load(std::sync::atomic::Ordering::Relaxed)
        };
        while asked() < 2 {
            tokio::task::yield_now().await;
        }
        socket.send(json!({"id": 9, "method": "ping"})).await;
        assert_eq!(socket.next().await["id"], 9, "{name}");
    }
    // the end of the faults lets the late events go, behind them the new ones
    let query = far_bid_quiet(&venue, "after").await;
    venue.signed(Method::POST, ORDER, "alice", &query).await.ok();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let frame = socket.next().await;
        ids.push(frame["event"]["c"].as_str().map(str::to_owned));
    }
    assert_eq!(ids, [Some("late".to_owned()), None, Some("after".to_owned()), None]);
}

/// The first and last update id of the next depth frame.
async fn ids(venue: &TestVenue, socket: &mut Socket) -> (u64, u64) {
    let frame = venue.next_frame(socket).await;
    (frame["U"].as_u64().unwrap(), frame["u"].as_u64().unwrap())
}

#[tokio::test]
async fn market_frames_are_lost_doubled_swapped_late_silent_and_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let start = async |plan: Plan| {
        venue.api.faults.set(Plan::default());
        let mut socket = venue.socket("/ws/btcusdt@depth@100ms").await;
        let (_, before) = ids(&venue, &mut socket).await;
        venue.api.faults.set(plan);
        (socket, before)
    };
    let none = Plan::default();

    let (mut doubled, _) = start(Plan {
        market_duplicate: 1.0,
        ..none.clone()
    })
    .await;
    let first = ids(&venue, &mut doubled).await;
    let second = ids(&venue, &mut doubled).await;
    assert!(first == second || second == ids(&venue, &mut doubled).await);

    let (mut damaged, before) = start(Plan {
        depth_damage: 1.0,
        ..none.clone()
    })
    .await;
    let (first, last) = ids(&venue, &mut damaged).await;
    assert!(first > before + 1 && last >= first, "{before} {first} {last}");

    let (mut swapped, _) = start(Plan {
        market_reorder: 1.0,
        ..none.clone()
    })
    .await;
    let mut previous = ids(&venue, &mut swapped).await;
    loop {
        let next = ids(&venue, &mut swapped).await;
        if next.1 < previous.0 {
            break;
        }
        previous = next;
    }

    let (mut lossy, before) = start(Plan {
        seed: 1,
        market_drop: 0.5,
        ..none.clone()
    })
    .await;
    let mut last = before;
    loop {
        let next = ids(&venue, &mut lossy).await;
        if next.0 > last + 1 {
            break;
        }
        last = next.1;
    }
    assert!(injected(&venue, Fault::MarketDrop) > 0);

    for plan in [
        Plan {
            stale: 1.0,
            stale_min_ms: 60_000,
            stale_max_ms: 60_000,
            ..none.clone()
        },
        Plan {
            market_delay: 1.0,
            market_delay_min_ms: 60_000,
            market_delay_max_ms: 60_000,
            ..none.clone()
        },
    ] {
        let (fault, kept) = if plan.stale > 0.0 {
            (Fault::Stale, false)
        } else {
            (Fault::MarketDelay, true)
        };
        let (mut quiet, before) = start(plan).await;
        let mut frames = 0;
        while injected(&venue, fault) < 1 || frames < 3 {
            venue.advance(100_000);
            tokio::time::sleep(Duration::from_millis(2)).await;
            frames = venue
                .api
                .faults
                .running()
                .tally
                .market_frames
                .load(std::sync::atomic::Ordering::Relaxed);
        }
        quiet.send(json!({"id": 4, "method": "LIST_SUBSCRIPTIONS"})).await;
        let mut frame = quiet.next().await;
        while frame.get("id").is_none() {
            // frames that were on their way when the plan was set
            assert!(frame["U"].as_u64().unwrap() <= before + 1 || frame["u"].as_u64() > Some(before));
            frame = quiet.next().await;
        }
        assert_eq!(frame["id"], 4, "{fault:?}: only the answer comes");
        venue.api.faults.set(Plan::default());
        let (first, _) = ids(&venue, &mut quiet).await;
        assert_eq!(
            first <= before + 1,
            kept,
            "{fault:?}: a silence leaves a gap, a delay does not"
        );
    }
}

#[tokio::test]
async fn websockets_are_cut_by_chance_and_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut market = venue.socket("/ws").await;
    let mut api = venue.socket("/ws-api/v3").await;
    assert_eq!(venue.api.clients.disconnect(Some(ClientKind::Market)), 1);
    market.ended().await;
    assert_eq!(api.ask(json!({"id": 1, "method": "ping"})).await["status"], 200);
    assert_eq!(venue.api.clients.disconnect(None), 1);
    api.ended().await;

    let mut market = venue.socket("/ws").await;
    venue.api.faults.set(Plan {
        disconnect: 1.0,
        ..Plan::default()
    });
    market.ended().await;
    assert!(injected(&venue, Fault::Disconnect) >= 1);
}

#[tokio::test]
async fn a_halted_symbol_stands_still_takes_cancels_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let state = async |symbol: &str| {
        let info = venue
            .get("/api/v3/exchangeInfo", &format!("symbol={symbol}"))
            .await
            .ok();
        info["symbols"][0]["status"].as_str().unwrap().to_owned()
    };
    let resting = far_bid(&venue, "resting").await;
    venue.signed(Method::POST, ORDER, "alice", &resting).await.ok();
    for (halt, name) in [(Halt::Halt, "HALT"), (Halt::Break, "BREAK")] {
        venue.api.set_halt(0, Some(halt)).await.unwrap();
        assert_eq!(
            (state("BTCUSDT").await.as_str(), state("ETHUSDT").await.as_str()),
            (name, "TRADING")
        );
    }
    let last = async || {
        venue.get("/api/v3/depth", "symbol=BTCUSDT").await.ok()["lastUpdateId"]
            .as_u64()
            .unwrap()
    };
    let before = last().await;
    for _ in 0..20 {
        venue.advance(500_000);
        venue.get("/api/v3/ping", "").await.ok();
    }
    assert_eq!(last().await, before, "nothing happens in a halted market");
    for path in [ORDER, "/api/v3/order/test"] {
        let refused = venue.signed(Method::POST, path, "alice", &resting).await;
        assert_eq!(
            (refused.code(), refused.body["msg"].as_str()),
            ((400, -1013), Some("Market is closed."))
        );
    }
    let elsewhere = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.01";
    venue.signed(Method::POST, ORDER, "alice", elsewhere).await.ok();
    let cancelled = venue
        .signed(
            Method::DELETE,
            ORDER,
            "alice",
            "symbol=BTCUSDT&origClientOrderId=resting",
        )
        .await
        .ok();
    assert_eq!(cancelled["status"], "CANCELED");
    venue.api.set_halt(0, None).await.unwrap();
    assert_eq!(state("BTCUSDT").await, "TRADING");
    venue.signed(Method::POST, ORDER, "alice", &resting).await.ok();
    while last().await <= before + 2 {
        venue.advance(500_000);
    }
}
