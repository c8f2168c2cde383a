//! What an operator may ask: how the market does, and what the accounts hold.

use crate::actor::Handle;
use crate::core::ledger::Account;
use crate::core::units::show;
use crate::core::venue::Venue;
use crate::error::ApiError;
use mesh::page;
use mesh::pb::Timestamp;
use mesh::pb::exchange::exchange_service_server::ExchangeService;
use mesh::pb::exchange::{
    GetMarketRequest, GetMarketResponse, ListVenueAccountsRequest, ListVenueAccountsResponse, VenueAccount,
    VenueBalance,
};
use tonic::{Request, Response, Status};

/// The gRPC face of the venue.
#[derive(Clone)]
pub struct Grpc {
    handle: Handle,
}

impl Grpc {
    /// Answers from the venue behind `handle`.
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

/// The refusals of the actor itself: too busy, or gone.
fn unavailable(error: ApiError) -> mesh::Error {
    let refused = mesh::Error::unavailable("EXCHANGE_UNAVAILABLE", error.message);
    match error.retry_after {
        Some(seconds) => refused.retry_after(std::time::Duration::from_secs(seconds)),
        None => refused,
    }
}

fn market(venue: &Venue) -> GetMarketResponse {
    let sum = |count: fn(&crate::core::market::Market) -> u64| -> i64 {
        venue
            .markets()
            .iter()
            .map(count)
            .sum::<u64>()
            .try_into()
            .unwrap_or(i64::MAX)
    };
    GetMarketResponse {
        seed: venue.options().seed.cast_signed(),
        symbols: venue.markets().len().try_into().unwrap_or(i32::MAX),
        level_changes: sum(|market| market.level_changes),
        trades: sum(|market| market.trades),
        orders: venue.orders.try_into().unwrap_or(i64::MAX),
        time: Some(Timestamp::from_micros(venue.now())),
    }
}

fn account((name, account): (&String, &Account)) -> VenueAccount {
    let balance = |(asset, held): (&String, &crate::core::ledger::Balance)| VenueBalance {
        asset: asset.clone(),
        free: show(held.free),
        locked: show(held.locked),
    };
    VenueAccount {
        name: name.clone(),
        balances: account.balances.iter().map(balance).collect(),
    }
}

#[tonic::async_trait]
impl ExchangeService for Grpc {
    async fn get_market(&self, _: Request<GetMarketRequest>) -> Result<Response<GetMarketResponse>, Status> {
        let found = self.handle.read(market).await.map_err(unavailable)?;
        Ok(Response::new(found))
    }

    async fn list_venue_accounts(
        &self,
        request: Request<ListVenueAccountsRequest>,
    ) -> Result<Response<ListVenueAccountsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size, 100)?;
        let after = page::key(&request.page_token)?;
        let listed = self.handle.read(move |venue| {
            let later = venue
                .ledger()
                .accounts()
                .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
            later.take(size + 1).map(account).collect::<Vec<_>>()
        });
        let mut accounts = listed.await.map_err(unavailable)?;
        let more = accounts.len() > size;
        accounts.truncate(size);
        let last = accounts
            .last()
            .filter(|_| more)
            .map(|account| page::token(&account.name));
        Ok(Response::new(ListVenueAccountsResponse {
            accounts,
            next_page_token: last.unwrap_or_default(),
        }))
    }
}
