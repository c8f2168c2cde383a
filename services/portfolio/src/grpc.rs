//! The RPCs: read what is stored, value it, encode it.

use crate::books::Books;
use crate::core::{Account, Holding, PositionValue, Valuation, value};
use crate::store::{self, StoredFill, StoredPosting};
use domain::{AccountId, Asset, Money};
use futures::{StreamExt, stream};
use mesh::error::{Error, Result};
use mesh::pb::portfolio as pb;
use mesh::pb::portfolio::portfolio_service_server::PortfolioService;
use mesh::store::Store;
use mesh::time::Clock;
use mesh::{page, wire};
use std::time::Duration;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// Items on a page when the request does not say.
const DEFAULT_PAGE: i32 = 100;

/// `PortfolioService`.
#[derive(Clone)]
pub(crate) struct PortfolioGrpc {
    pub(crate) books: Books,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) reporting: Asset,
    pub(crate) stream_interval: Duration,
}

#[tonic::async_trait]
impl PortfolioService for PortfolioGrpc {
    async fn get_portfolio(
        &self,
        request: Request<pb::GetPortfolioRequest>,
    ) -> std::result::Result<Response<pb::GetPortfolioResponse>, Status> {
        let account = wire::account("account_id", &request.get_ref().account_id)?;
        Ok(Response::new(pb::GetPortfolioResponse {
            portfolio: Some(self.portfolio(&account)?),
        }))
    }

    async fn list_positions(
        &self,
        request: Request<pb::ListPositionsRequest>,
    ) -> std::result::Result<Response<pb::ListPositionsResponse>, Status> {
        let request = request.into_inner();
        let account = wire::account("account_id", &request.account_id)?;
        let size = page::size(request.page_size, DEFAULT_PAGE)?;
        let after = page::key(&request.page_token)?;
        let (mut positions, _) = self.valued(&account, |_, valuation| {
            let is_after =
                |valued: &&PositionValue<'_>| after.as_deref().is_none_or(|after| valued.symbol.as_str() > after);
            valuation
                .positions
                .iter()
                .filter(is_after)
                .take(size + 1)
                .map(position)
                .collect::<Vec<_>>()
        })?;
        let next_page_token = next_token(&mut positions, size, |position| position.symbol.clone());
        Ok(Response::new(pb::ListPositionsResponse {
            positions,
            next_page_token,
        }))
    }

    async fn list_fills(
        &self,
        request: Request<pb::ListFillsRequest>,
    ) -> std::result::Result<Response<pb::ListFillsResponse>, Status> {
        let request = request.into_inner();
        wire::account("account_id", &request.account_id)?;
        let size = page::size(request.page_size, DEFAULT_PAGE)?;
        let before = match page::key(&request.page_token)? {
            Some(key) => key.parse().map_err(|_| page::bad_token())?,
            None => i64::MAX,
        };
        let mut fills = store::fills(
            &self.store,
            &request.account_id,
            &request.symbol,
            before,
            size as i64 + 1,
        )
        .await?;
        let next_page_token = next_token(&mut fills, size, |fill| fill.sequence.to_string());
        let fills = fills.into_iter().map(fill).collect();
        Ok(Response::new(pb::ListFillsResponse { fills, next_page_token }))
    }

    async fn list_postings(
        &self,
        request: Request<pb::ListPostingsRequest>,
    ) -> std::result::Result<Response<pb::ListPostingsResponse>, Status> {
        let request = request.into_inner();
        wire::account("account_id", &request.account_id)?;
        let size = page::size(request.page_size, DEFAULT_PAGE)?;
        let before = match page::key(&request.page_token)? {
            Some(key) => place_of(&key)?,
            None => (i64::MAX, 0),
        };
        let mut postings = store::postings(&self.store, &request.account_id, before, size as i64 + 1).await?;
        let next_page_token = next_token(&mut postings, size, |posting| {
            format!("{}:{}", posting.movement_id, posting.line)
        });
        let postings = postings.into_iter().map(posting).collect();
        Ok(Response::new(pb::ListPostingsResponse {
            postings,
            next_page_token,
        }))
    }

    async fn stream_portfolio(
        &self,
        request: Request<pb::StreamPortfolioRequest>,
    ) -> std::result::Result<Response<BoxStream<pb::StreamPortfolioResponse>>, Status> {
        let account = wire::account("account_id", &request.get_ref().account_id)?;
        let first = self.portfolio(&account)?;
        let service = self.clone();
        let following = stream::unfold(
            (service, account, first.clone()),
            |(service, account, last)| async move {
                let next = service.next_portfolio(&account, &last).await;
                let seen = next.as_ref().map_or(last, Clone::clone);
                Some((next.map_err(Status::from), (service, account, seen)))
            },
        );
        let all = stream::iter([Ok(first)]).chain(following);
        let messages = all.map(|portfolio| portfolio.map(|one| pb::StreamPortfolioResponse { portfolio: Some(one) }));
        Ok(Response::new(messages.boxed()))
    }
}

impl PortfolioGrpc {
    /// Reads one account, valued now. Trading may know the account before anything happened to it.
    fn valued<T>(
        &self,
        account: &AccountId,
        read: impl FnOnce(&Account, &Valuation<'_>) -> T,
    ) -> Result<(T, Vec<String>)> {
        let instruments = self.books.instruments();
        let marks = self.books.marks(self.clock.monotonic());
        self.books.read(|portfolios| {
            let known = portfolios.account(account).ok_or_else(|| {
                Error::not_found("ACCOUNT_NOT_FOUND", "nothing is known of the account").with("account", account)
            })?;
            let valuation = value(known, &self.reporting, &instruments, &marks)
                .map_err(|error| Error::internal("VALUATION_OUT_OF_RANGE", error.to_string()))?;
            let is_unvalued = |holding: &&Holding| holding.value.is_none() && !holding.amount.is_zero();
            let unvalued = valuation
                .holdings
                .iter()
                .filter(is_unvalued)
                .map(|one| one.asset.to_string())
                .collect();
            Ok((read(known, &valuation), unvalued))
        })
    }

    fn portfolio(&self, account: &AccountId) -> Result<pb::Portfolio> {
        let (mut portfolio, unvalued) = self.valued(account, |known, valuation| pb::Portfolio {
            account_id: account.to_string(),
            reporting_asset: self.reporting.to_string(),
            equity: valuation.equity.to_string(),
            realised_pnl: valuation.realised.to_string(),
            unrealised_pnl: valuation.unrealised.to_string(),
            holdings: valuation.holdings.iter().map(holding).collect(),
            unvalued_assets: Vec::new(),
            sequence: i64::try_from(known.sequence).unwrap_or(i64::MAX),
            time: None,
        })?;
        portfolio.unvalued_assets = unvalued;
        portfolio.time = Some(wire::pb_timestamp(domain::Timestamp::from_micros(
            self.clock.now_micros(),
        )));
        Ok(portfolio)
    }

    /// The next portfolio that differs from the last one, valued at most once an interval.
    async fn next_portfolio(&self, account: &AccountId, last: &pb::Portfolio) -> Result<pb::Portfolio> {
        loop {
            tokio::time::sleep(self.stream_interval).await;
            let next = self.portfolio(account)?;
            if (pb::Portfolio {
                time: last.time,
                ..next.clone()
            }) != *last
            {
                return Ok(next);
            }
        }
    }
}

/// Cuts a list of `size + 1` to `size`, and names the last item kept when there are more.
fn next_token<T>(items: &mut Vec<T>, size: usize, key: impl FnOnce(&T) -> String) -> String {
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items.last().map(|last| page::token(&key(last))).unwrap_or_default()
}

fn place_of(key: &str) -> Result<(i64, i64)> {
    let place = key
        .split_once(':')
        .and_then(|(movement, line)| Some((movement.parse().ok()?, line.parse().ok()?)));
    place.ok_or_else(page::bad_token)
}

fn position(valued: &PositionValue<'_>) -> pb::Position {
    let unrealised =
        |pick: fn((Money, Money)) -> Money| valued.unrealised.map(|both| pick(both).to_string()).unwrap_or_default();
    let mark = valued.mark.map_or_else(
        || pb::Mark {
            price: String::new(),
            source: "none".to_owned(),
            age_us: 0,
        },
        |mark| pb::Mark {
            price: mark.price.to_string(),
            source: mark.source.name().to_owned(),
            age_us: mark.age_us,
        },
    );
    let fees = valued.position.fees().iter().map(|(asset, amount)| pb::FeeTotal {
        asset: asset.to_string(),
        amount: amount.to_string(),
    });
    pb::Position {
        symbol: valued.symbol.to_string(),
        quantity: valued.position.quantity().to_string(),
        average_cost: valued
            .position
            .average_cost()
            .map(|cost| cost.to_string())
            .unwrap_or_default(),
        average_cost_pnl: Some(pb::ProfitAndLoss {
            realised: valued.realised.0.to_string(),
            unrealised: unrealised(|both| both.0),
        }),
        fifo_pnl: Some(pb::ProfitAndLoss {
            realised: valued.realised.1.to_string(),
            unrealised: unrealised(|both| both.1),
        }),
        mark: Some(mark),
        fees: fees.collect(),
        fill_count: i64::try_from(valued.position.fills()).unwrap_or(i64::MAX),
    }
}

fn holding(holding: &Holding) -> pb::AssetHolding {
    pb::AssetHolding {
        asset: holding.asset.to_string(),
        amount: holding.amount.to_string(),
        value: holding.value.map(|value| value.to_string()).unwrap_or_default(),
    }
}

fn fill(fill: StoredFill) -> pb::PortfolioFill {
    pb::PortfolioFill {
        symbol: fill.symbol,
        order_id: fill.order_id,
        trade_id: fill.trade_id,
        buy: fill.is_buy,
        price: fill.price,
        quantity: fill.quantity,
        fee: fill.fee,
        fee_asset: fill.fee_asset,
        time: Some(wire::pb_timestamp(domain::Timestamp::from_micros(fill.time_us))),
    }
}

fn posting(posting: StoredPosting) -> pb::Posting {
    pb::Posting {
        movement_id: posting.movement_id,
        ledger_account: posting.ledger_account,
        asset: posting.asset,
        amount: posting.amount,
        cause: posting.cause,
        time: Some(wire::pb_timestamp(domain::Timestamp::from_micros(posting.time_us))),
    }
}
