//! What callers see of accounts.

use crate::support::trading::{balances, fill};
use crate::support::{Portfolio, World, soon};
use mesh::error::{Error, Kind};
use mesh::page;
use mesh::pb::portfolio as pb;
use mesh::pb::trading::Side;
use tonic::{Code, Response, Status};

const ACCOUNT: &str = "paper-1";

/// An account with an opening, three fills in two symbols, and one mark.
async fn world() -> (World, Portfolio) {
    let world = World::new();
    world.trading.push(balances(ACCOUNT, &[("USDT", "1000"), ("BTC", "1")]));
    world.trading.push(fill(ACCOUNT, "BTCUSDT", 1, Side::Buy, "100"));
    world.trading.push(fill(ACCOUNT, "ETHUSDT", 1, Side::Buy, "10"));
    world.trading.push(fill(ACCOUNT, "BTCUSDT", 2, Side::Sell, "120"));
    world.data.quote("BTCUSDT", 110);
    let portfolio = world.ready().await;
    world
        .until(ACCOUNT, |portfolio| {
            !portfolio.unvalued_assets.contains(&"BTC".to_owned())
        })
        .await;
    (world, portfolio)
}

fn refusal<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Kind, String) {
    let error = Error::from(answer.unwrap_err());
    (error.kind(), error.reason().to_owned())
}

#[tokio::test]
async fn an_account_is_valued_at_its_marks() {
    let (world, _portfolio) = world().await;
    let found = world.portfolio(ACCOUNT).await.unwrap();
    assert_eq!(
        (found.account_id.as_str(), found.reporting_asset.as_str()),
        (ACCOUNT, "USDT")
    );
    // 1000 - 50 - 5 + 60 in cash less three fees, and one coin at 110.
    assert_eq!(found.equity, "1114.85");
    assert_eq!(found.unvalued_assets, ["ETH"]);
    assert_eq!(
        (found.realised_pnl.as_str(), found.unrealised_pnl.as_str()),
        ("9.85", "0")
    );
    assert!(found.time.is_some());
    let values: Vec<(&str, &str, &str)> = found
        .holdings
        .iter()
        .map(|one| (one.asset.as_str(), one.amount.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(
        values,
        [("BTC", "1", "110"), ("ETH", "0.5", ""), ("USDT", "1004.85", "1004.85")]
    );
}

#[tokio::test]
async fn positions_come_in_pages() {
    let (world, _portfolio) = world().await;
    let list = async |page_size: i32, page_token: &str| {
        let request = pb::ListPositionsRequest {
            account_id: ACCOUNT.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        world.client().list_positions(world.ask(request)).await
    };
    let first = list(1, "").await.unwrap().into_inner();
    let second = list(1, &first.next_page_token).await.unwrap().into_inner();
    assert_eq!(second.next_page_token, "");
    let (bitcoin, ether) = (&first.positions[0], &second.positions[0]);
    assert_eq!((bitcoin.symbol.as_str(), ether.symbol.as_str()), ("BTCUSDT", "ETHUSDT"));
    assert_eq!(
        (
            bitcoin.quantity.as_str(),
            bitcoin.average_cost.as_str(),
            bitcoin.fill_count
        ),
        ("0", "", 2)
    );
    assert_eq!(bitcoin.average_cost_pnl.as_ref().unwrap().realised, "9.9");
    assert_eq!(bitcoin.fifo_pnl.as_ref().unwrap().unrealised, "0");
    assert_eq!(
        (bitcoin.fees[0].asset.as_str(), bitcoin.fees[0].amount.as_str()),
        ("USDT", "0.1")
    );
    let mark = bitcoin.mark.as_ref().unwrap();
    assert_eq!((mark.price.as_str(), mark.source.as_str()), ("110", "book-mid"));
    assert!(mark.age_us >= 1);
    assert_eq!((ether.quantity.as_str(), ether.average_cost.as_str()), ("0.5", "10"));
    assert_eq!(ether.mark.as_ref().unwrap().source, "none");
    assert_eq!(ether.fifo_pnl.as_ref().unwrap().unrealised, "");
    assert_eq!(list(0, "").await.unwrap().into_inner().positions.len(), 2);
    assert_eq!(refusal(list(-1, "").await).1, "PAGE_SIZE_NEGATIVE");
    assert_eq!(refusal(list(1001, "").await).1, "PAGE_SIZE_TOO_LARGE");
    assert_eq!(refusal(list(1, "!").await).1, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn fills_come_in_pages_newest_first() {
    let (world, _portfolio) = world().await;
    let list = async |symbol: &str, page_size: i32, page_token: &str| {
        let request = pb::ListFillsRequest {
            account_id: ACCOUNT.to_owned(),
            symbol: symbol.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        world.client().list_fills(world.ask(request)).await
    };
    let first = list("", 2, "").await.unwrap().into_inner();
    let second = list("", 2, &first.next_page_token).await.unwrap().into_inner();
    assert_eq!(
        (first.fills.len(), second.fills.len(), second.next_page_token.as_str()),
        (2, 1, "")
    );
    let newest = &first.fills[0];
    assert_eq!(
        (newest.symbol.as_str(), newest.trade_id, newest.buy),
        ("BTCUSDT", 2, false)
    );
    assert_eq!(
        (newest.price.as_str(), newest.quantity.as_str(), newest.fee.as_str()),
        ("120", "0.5", "0.05")
    );
    assert_eq!((newest.fee_asset.as_str(), newest.order_id.as_str()), ("USDT", "0-1"));
    assert!(newest.time.is_some());
    let ether = list("ETHUSDT", 0, "").await.unwrap().into_inner().fills;
    assert_eq!((ether.len(), ether[0].symbol.as_str()), (1, "ETHUSDT"));
    assert_eq!(refusal(list("", -1, "").await).1, "PAGE_SIZE_NEGATIVE");
    for (bad, kind) in [("!".to_owned(), Kind::Invalid), (page::token("BTCUSDT"), Kind::Refused)] {
        assert_eq!(
            refusal(list("", 1, &bad).await),
            (kind, "PAGE_TOKEN_INVALID".to_owned())
        );
    }
}

#[tokio::test]
async fn postings_come_in_pages_and_sum_to_zero() {
    let (world, _portfolio) = world().await;
    let list = async |page_size: i32, page_token: &str| {
        let request = pb::ListPostingsRequest {
            account_id: ACCOUNT.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        world.client().list_postings(world.ask(request)).await
    };
    let all = list(0, "").await.unwrap().into_inner().postings;
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(3, &token).await.unwrap().into_inner();
        paged.extend(page.postings);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all);
    assert!(all[0].cause.contains("fill BTCUSDT 2"), "{:?}", all[0]);
    let mut sums = std::collections::BTreeMap::<(i64, String), domain::Money>::new();
    for posting in &all {
        let sum = sums.entry((posting.movement_id, posting.asset.clone())).or_default();
        *sum = sum.checked_add(domain::Money::parse(&posting.amount).unwrap()).unwrap();
    }
    assert!(sums.values().all(|sum| sum.is_zero()), "{sums:?}");
    assert_eq!(refusal(list(1001, "").await).1, "PAGE_SIZE_TOO_LARGE");
    for (bad, kind) in [
        ("!".to_owned(), Kind::Invalid),
        (page::token("12"), Kind::Refused),
        (page::token("1:x"), Kind::Refused),
        (page::token("x:1"), Kind::Refused),
    ] {
        assert_eq!(
            refusal(list(1, &bad).await),
            (kind, "PAGE_TOKEN_INVALID".to_owned()),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn changes_are_streamed() {
    let (world, portfolio) = world().await;
    let mut stream = world.stream(ACCOUNT).await;
    let first = soon(stream.message()).await.unwrap().unwrap().portfolio.unwrap();
    assert_eq!(first.equity, "1114.85");
    world.data.quote("BTCUSDT", 120);
    let second = soon(stream.message()).await.unwrap().unwrap().portfolio.unwrap();
    assert_eq!(second.equity, "1124.85");
    world.trading.push(fill(ACCOUNT, "BTCUSDT", 3, Side::Sell, "120"));
    let third = soon(stream.message()).await.unwrap().unwrap().portfolio.unwrap();
    assert_eq!((third.sequence, third.equity.as_str()), (5, "1124.8"));
    portfolio.stop().await;
}

#[tokio::test]
async fn what_cannot_be_valued_says_so() {
    let (world, _portfolio) = world().await;
    world
        .trading
        .push(balances("paper-2", &[("BTC", "9000000000000000000000000000")]));
    let valued = async {
        loop {
            match world.portfolio("paper-2").await {
                Err(error) if error.kind() == Kind::NotFound => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    };
    let error = soon(valued).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (Kind::Internal, "VALUATION_OUT_OF_RANGE")
    );
}

#[tokio::test]
async fn an_account_must_be_known_and_named() {
    let (world, _portfolio) = world().await;
    let unknown = world.portfolio("paper-9").await.unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.reason()),
        (Kind::NotFound, "ACCOUNT_NOT_FOUND")
    );
    let account_id = || "not an account".to_owned();
    let mut client = world.client();
    let found = [
        refusal(
            client
                .get_portfolio(world.ask(pb::GetPortfolioRequest {
                    account_id: account_id(),
                }))
                .await,
        ),
        refusal(
            client
                .list_positions(world.ask(pb::ListPositionsRequest {
                    account_id: account_id(),
                    ..Default::default()
                }))
                .await,
        ),
        refusal(
            client
                .list_fills(world.ask(pb::ListFillsRequest {
                    account_id: account_id(),
                    ..Default::default()
                }))
                .await,
        ),
        refusal(
            client
                .list_postings(world.ask(pb::ListPostingsRequest {
                    account_id: account_id(),
                    ..Default::default()
                }))
                .await,
        ),
    ];
    for (kind, reason) in found {
        assert_eq!(kind, Kind::Invalid, "{reason}");
    }
    let unknown = pb::StreamPortfolioRequest {
        account_id: "paper-9".to_owned(),
    };
    let status = client.stream_portfolio(world.ask(unknown)).await.err().unwrap();
    assert_eq!(status.code(), Code::NotFound);
    let nobody = pb::GetPortfolioRequest {
        account_id: ACCOUNT.to_owned(),
    };
    let status = client
        .get_portfolio(world.ask_as("eve", &[], nobody))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
