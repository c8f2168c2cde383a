//! The service as the platform runs it: its journal on disk, its gRPC face behind policy, its refusals at start.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use exchange::{Config, NAME};
use mesh::app::testing::Bed;
use mesh::pb::exchange::exchange_service_client::ExchangeServiceClient;
use mesh::pb::exchange::{GetMarketRequest, ListVenueAccountsRequest, ListVenueAccountsResponse};
use mesh::time::{Chance, Clock};
use std::path::Path;
use tonic::{Code, Request, Status};

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

async fn page(bed: &Bed, token: &str, size: i32, after: &str) -> Result<ListVenueAccountsResponse, Status> {
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

#[tokio::test]
async fn operators_see_the_market_and_a_restart_keeps_the_accounts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    common::accounts(&folder.path().join("keys"));
    let mut seen = Vec::new();
    for life in 0..2 {
        let (bed, clock) = bed(folder.path());
        let service = exchange::build(config(folder.path()), bed.deps(NAME)).await.unwrap();
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
