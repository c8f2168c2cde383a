//! The service as the platform runs it: its journal on disk, its gRPC face behind policy, its refusals at start.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use exchange::actor::Disk;
use exchange::core::order::Status;
use exchange::core::record::Record;
use exchange::{Config, NAME};
use mesh::app::testing::Bed;
use mesh::app::{Deps, Shutdown};
use mesh::pb::exchange::exchange_service_client::ExchangeServiceClient;
use mesh::pb::exchange::{
    ClearFaultsRequest, ClientKind, DisconnectClientsRequest, EndUserDataStreamsRequest, FaultPlan, FaultScope,
    GetFaultsRequest, GetMarketRequest, HaltSymbolRequest, ListVenueAccountsRequest, ListVenueAccountsResponse,
    ResumeSymbolRequest, SetFaultsRequest, SymbolStatus,
};
use mesh::time::{Chance, Clock};
use std::path::Path;
use tonic::{Code, Request};

fn bed(folder: &Path) -> (Bed, Clock) {
    let (clock, _) = Clock::manual(common::START);
    (Bed::new(folder, clock.clone(), Chance::seeded(1)), clock)
}

fn config(folder: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".to_owned(),
        accounts_dir: folder.join("keys"),
        ..common::config()
    }
}

fn request<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

async fn page(bed: &Bed, token: &str, size: i32, after: &str) -> Result<ListVenueAccountsResponse, tonic::Status> {
    let mut client = ExchangeServiceClient::new(bed.channels("gateway").to(NAME));
    let asked = ListVenueAccountsRequest {
        page_size: size,
        page_token: after.to_owned(),
    };
    client
        .list_venue_accounts(request(asked, token))
        .await
        .map(tonic::Response::into_inner)
}

fn has_snapshot(journal: &Path) -> bool {
    let Ok(mut files) = std::fs::read_dir(journal) else {
        return false;
    };
    files.any(|file| {
        file.unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "snapshot")
    })
}

#[tokio::test]
async fn operators_see_the_market_and_a_restart_keeps_the_accounts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    common::accounts(&folder.path().join("keys"));
    let mut seen = Vec::new();
    for life in 0..2 {
        let (bed, clock) = bed(folder.path());
        let deps = bed.deps(NAME);
        let journal = deps.data_dir.join("journal");
        assert_eq!(has_snapshot(&journal), life > 0, "a clean end leaves a snapshot");
        let service = exchange::build(config(folder.path()), deps).await.unwrap();
        assert!(service.http.is_some());
        bed.register(NAME, service.routes);
        let (risk, viewer) = (
            bed.users.token(&clock, "rita", &["risk"], &["*"]),
            bed.users.token(&clock, "vera", &["viewer"], &["*"]),
        );
        let mut client = ExchangeServiceClient::new(bed.channels("gateway").to(NAME));
        let market = client
            .get_market(request(GetMarketRequest {}, &viewer))
            .await
            .unwrap()
            .into_inner();
        assert_eq!((market.symbols, market.seed, market.orders), (3, 1, 0));
        assert_eq!(market.time.and_then(|time| time.as_micros()), Some(common::START));

        let all = page(&bed, &risk, 0, "").await.unwrap();
        assert_eq!((all.accounts.len(), all.next_page_token.as_str()), (2, ""));
        let usdt = all.accounts[0]
            .balances
            .iter()
            .find(|balance| balance.asset == "USDT")
            .unwrap();
        assert_eq!(
            (usdt.free.as_str(), usdt.locked.as_str()),
            ("1000000.00000000", "0.00000000")
        );
        let first = page(&bed, &risk, 1, "").await.unwrap();
        let second = page(&bed, &risk, 1, &first.next_page_token).await.unwrap();
        assert_eq!(
            (first.accounts[0].name.as_str(), second.accounts[0].name.as_str()),
            ("alice", "bob")
        );
        assert_eq!(second.next_page_token, "");
        assert_eq!(
            page(&bed, &risk, -1, "").await.unwrap_err().code(),
            Code::InvalidArgument
        );
        assert_eq!(
            page(&bed, &viewer, 0, "").await.unwrap_err().code(),
            Code::PermissionDenied
        );
        seen.push(all);
        let left = bed.shutdown().stop(std::time::Duration::from_secs(5)).await;
        assert!(left.is_empty(), "life {life}: {left:?}");
        // the venue has ended: who asks now is told so
        assert_eq!(page(&bed, &risk, 0, "").await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn damage_before_the_snapshot_is_found_while_the_venue_works() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let config = config(folder.path());
    let (bed, _) = bed(folder.path());
    let journal = bed.deps(NAME).data_dir.join("journal");
    let (mut disk, ledger) = exchange::journal::open(&journal, &config).unwrap();
    // Of an account that nobody has opened: it changes nothing, and fills a segment.
    let closed = |length| {
        let record = Record::Closed {
            account: "x".repeat(length),
            order: 1,
            status: Status::Expired,
            time: 1,
        };
        exchange::codec::encode(&record)
    };
    disk.append(vec![closed(1 << 20); 64]).await.unwrap();
    disk.append(vec![closed(1)]).await.unwrap();
    Box::new(disk).end(ledger).await;
    let first = journal.join(format!("{:020}.segment", 1));
    for is_damaged in [false, true] {
        if is_damaged {
            let mut bytes = std::fs::read(&first).unwrap();
            bytes[1 << 20] ^= 1;
            std::fs::write(&first, bytes).unwrap();
        }
        let (shutdown, mut failures) = Shutdown::new();
        let deps = Deps {
            shutdown: shutdown.clone(),
            ..bed.deps(NAME)
        };
        exchange::build(config.clone(), deps).await.unwrap();
        if is_damaged {
            let failure = failures.next().await;
            let found = (failure.reason(), failure.context()["task"].as_str());
            assert_eq!(found, ("JOURNAL_DAMAGED", "exchange.history"));
        }
        let left = shutdown.stop(std::time::Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let good = config(folder.path());
    let (bed, _) = bed(folder.path());
    let table = [
        (
            Config {
                symbols: 0,
                ..good.clone()
            },
            "CONFIG_OUT_OF_BOUNDS",
            "exchange.symbols",
        ),
        (
            Config {
                listen: "nowhere".to_owned(),
                ..good.clone()
            },
            "CONFIG_OUT_OF_BOUNDS",
            "exchange.listen",
        ),
    ];
    for (config, reason, word) in table {
        let refused = exchange::build(config, bed.deps(NAME)).await.err().unwrap();
        assert_eq!(refused.reason(), reason);
        assert!(refused.message().contains(word), "{refused}");
    }
    std::fs::write(folder.path().join("keys/bad.json"), "{").unwrap();
    let refused = exchange::build(good, bed.deps(NAME)).await.err().unwrap();
    assert_eq!(refused.reason(), "EXCHANGE_ACCOUNTS");
    assert!(refused.message().contains("bad.json"), "{refused}");
}

/// A plan in which every field has a value of its own.
fn every_fault() -> FaultPlan {
    FaultPlan {
        seed: 3,
        scope: FaultScope::Signed.into(),
        reply_delay: 0.01,
        reply_delay_min_ms: 1,
        reply_delay_max_ms: 2,
        cut_before_acceptance: 0.02,
        cut_after_acceptance: 0.03,
        unknown_after_acceptance: 0.04,
        user_drop: 0.05,
        user_duplicate: 0.06,
        user_reorder: 0.07,
        user_delay: 0.08,
        user_delay_min_ms: 3,
        user_delay_max_ms: 4,
        market_drop: 0.09,
        market_duplicate: 0.10,
        market_reorder: 0.11,
        market_delay: 0.12,
        market_delay_min_ms: 5,
        market_delay_max_ms: 6,
        stale: 0.13,
        stale_min_ms: 7,
        stale_max_ms: 8,
        depth_damage: 0.14,
        disconnect: 0.15,
        reply_duplicate: 0.16,
        reply_reorder: 0.17,
    }
}

#[tokio::test]
async fn operators_set_faults_halt_symbols_and_cut_clients() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let (bed, clock) = bed(folder.path());
    let service = exchange::build(config(folder.path()), bed.deps(NAME)).await.unwrap();
    bed.register(NAME, service.routes);
    let risk = bed.users.token(&clock, "rita", &["risk"], &["*"]);
    let trader = bed.users.token(&clock, "tom", &["trader"], &["*"]);
    let mut client = ExchangeServiceClient::new(bed.channels("gateway").to(NAME));

    let set = |plan: FaultPlan| SetFaultsRequest { plan: Some(plan) };
    let denied = client
        .set_faults(request(set(every_fault()), &trader))
        .await
        .unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let stated = client
        .set_faults(request(set(every_fault()), &risk))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stated.plan, Some(every_fault()));
    let found = client
        .get_faults(request(GetFaultsRequest {}, &risk))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.plan, Some(every_fault()));
    let named: Vec<(&str, i64)> = found
        .counts
        .iter()
        .map(|count| (count.fault.as_str(), count.injected))
        .collect();
    assert_eq!(
        (named.len(), named[0], named[16]),
        (17, ("reply_delay", 0), ("reply_reorder", 0))
    );
    assert_eq!((found.requests, found.user_events, found.market_frames), (0, 0, 0));
    let wrong = [
        (
            FaultPlan {
                stale: 1.1,
                ..FaultPlan::default()
            },
            Code::InvalidArgument,
        ),
        (
            FaultPlan {
                reply_delay_min_ms: -1,
                ..FaultPlan::default()
            },
            Code::InvalidArgument,
        ),
        (
            FaultPlan {
                scope: 77,
                ..FaultPlan::default()
            },
            Code::InvalidArgument,
        ),
        (
            FaultPlan {
                stale_min_ms: 2,
                stale_max_ms: 1,
                ..FaultPlan::default()
            },
            Code::FailedPrecondition,
        ),
    ];
    for (plan, code) in wrong {
        let refused = client.set_faults(request(set(plan), &risk)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{plan:?}");
    }
    for scope in [FaultScope::Trade, FaultScope::All] {
        let plan = FaultPlan {
            scope: scope.into(),
            ..FaultPlan::default()
        };
        let stated = client.set_faults(request(set(plan), &risk)).await.unwrap().into_inner();
        assert_eq!(stated.plan, Some(plan));
    }
    client.set_faults(request(set(every_fault()), &risk)).await.unwrap();
    client
        .clear_faults(request(ClearFaultsRequest {}, &risk))
        .await
        .unwrap();
    let found = client
        .get_faults(request(GetFaultsRequest {}, &risk))
        .await
        .unwrap()
        .into_inner();
    let nothing = FaultPlan {
        scope: FaultScope::Trade.into(),
        ..FaultPlan::default()
    };
    assert_eq!(found.plan, Some(nothing));

    for which in [ClientKind::All, ClientKind::Market, ClientKind::UserData] {
        let which = DisconnectClientsRequest { which: which.into() };
        let cut = client.disconnect_clients(request(which, &risk)).await.unwrap();
        assert_eq!(cut.into_inner().disconnected, 0, "nobody is connected");
    }
    let nobody = DisconnectClientsRequest { which: 9 };
    let refused = client.disconnect_clients(request(nobody, &risk)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    for account in ["", "paper-1"] {
        let all = EndUserDataStreamsRequest {
            account: account.to_owned(),
        };
        let ended = client.end_user_data_streams(request(all, &risk)).await.unwrap();
        assert_eq!(ended.into_inner().ended, 0, "nobody listens");
    }

    let halt = |symbol: &str, status: i32| HaltSymbolRequest {
        symbol: symbol.to_owned(),
        status,
    };
    let table = [
        ("BTCUSDT", 0, Ok(SymbolStatus::Halt)),
        ("BTCUSDT", SymbolStatus::Break.into(), Ok(SymbolStatus::Break)),
        ("BTCUSDT", SymbolStatus::Trading.into(), Err(Code::FailedPrecondition)),
        ("btc", 0, Err(Code::InvalidArgument)),
        ("NOSUCH", 0, Err(Code::NotFound)),
    ];
    for (symbol, status, expected) in table {
        let halted = client.halt_symbol(request(halt(symbol, status), &risk)).await;
        let halted = halted
            .map(|halted| halted.into_inner().status)
            .map_err(|refused| refused.code());
        assert_eq!(halted, expected.map(i32::from), "{symbol} {status}");
    }
    let resume = |symbol: &str| ResumeSymbolRequest {
        symbol: symbol.to_owned(),
    };
    client.resume_symbol(request(resume("BTCUSDT"), &risk)).await.unwrap();
    let refused = client
        .resume_symbol(request(resume("NOSUCH"), &risk))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(bed.shutdown().stop(std::time::Duration::from_secs(5)).await.is_empty());
    let gone = client
        .halt_symbol(request(halt("BTCUSDT", 0), &risk))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Code::Unavailable);
}
