//! What an operator may ask and do: how the market does, what the accounts hold, faults and halts on demand.

use crate::core::ledger::Account;
use crate::core::units::show;
use crate::core::venue::Venue;
use crate::error::ApiError;
use crate::faults::{Fault, Plan, Running, Scope};
use crate::rest::{Api, Halt};
use crate::ws::clients::ClientKind as Client;
use mesh::page;
use mesh::pb::Timestamp;
use mesh::pb::exchange::exchange_service_server::ExchangeService;
use mesh::pb::exchange::{
    ClearFaultsRequest, ClearFaultsResponse, ClientKind, DisconnectClientsRequest, DisconnectClientsResponse,
    EndUserDataStreamsRequest, EndUserDataStreamsResponse, FaultCount, FaultPlan, FaultScope, GetFaultsRequest,
    GetFaultsResponse, GetMarketRequest, GetMarketResponse, HaltSymbolRequest, HaltSymbolResponse,
    ListVenueAccountsRequest, ListVenueAccountsResponse, ResumeSymbolRequest, ResumeSymbolResponse, SetFaultsRequest,
    SetFaultsResponse, SymbolStatus, VenueAccount, VenueBalance,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::{Request, Response, Status};

/// The gRPC face of the venue.
#[derive(Clone)]
pub struct Grpc {
    api: Arc<Api>,
}

impl Grpc {
    /// Answers from the venue behind the surface.
    pub fn new(api: Arc<Api>) -> Self {
        Self { api }
    }

    /// The index of a symbol.
    fn symbol(&self, name: &str) -> Result<usize, mesh::Error> {
        self.api
            .symbol_named(name)
            .map_err(|_| mesh::Error::not_found("SYMBOL_UNKNOWN", "the venue does not list this symbol"))
    }
}

fn out_of_bounds(name: &'static str) -> mesh::Error {
    mesh::Error::refused("FAULT_OUT_OF_BOUNDS", format!("{name} is out of its bounds")).with("fault", name)
}

/// The plan of a request; a negative time becomes one that is out of bounds.
fn plan_of(asked: &FaultPlan) -> Result<Plan, mesh::Error> {
    let millis = |time: i32| u32::try_from(time).unwrap_or(u32::MAX);
    let scope = match FaultScope::try_from(asked.scope) {
        Ok(FaultScope::Unspecified | FaultScope::Trade) => Scope::Trade,
        Ok(FaultScope::Signed) => Scope::Signed,
        Ok(FaultScope::All) => Scope::All,
        Err(_) => return Err(out_of_bounds("scope")),
    };
    let plan = Plan {
        seed: asked.seed.cast_unsigned(),
        scope,
        reply_delay: asked.reply_delay,
        reply_delay_min_ms: millis(asked.reply_delay_min_ms),
        reply_delay_max_ms: millis(asked.reply_delay_max_ms),
        cut_before_acceptance: asked.cut_before_acceptance,
        cut_after_acceptance: asked.cut_after_acceptance,
        unknown_after_acceptance: asked.unknown_after_acceptance,
        user_drop: asked.user_drop,
        user_duplicate: asked.user_duplicate,
        user_reorder: asked.user_reorder,
        user_delay: asked.user_delay,
        user_delay_min_ms: millis(asked.user_delay_min_ms),
        user_delay_max_ms: millis(asked.user_delay_max_ms),
        market_drop: asked.market_drop,
        market_duplicate: asked.market_duplicate,
        market_reorder: asked.market_reorder,
        market_delay: asked.market_delay,
        market_delay_min_ms: millis(asked.market_delay_min_ms),
        market_delay_max_ms: millis(asked.market_delay_max_ms),
        stale: asked.stale,
        stale_min_ms: millis(asked.stale_min_ms),
        stale_max_ms: millis(asked.stale_max_ms),
        depth_damage: asked.depth_damage,
        disconnect: asked.disconnect,
        reply_duplicate: asked.reply_duplicate,
        reply_reorder: asked.reply_reorder,
    };
    match plan.invalid() {
        Some(fault) => Err(out_of_bounds(fault.name())),
        None => Ok(plan),
    }
}

fn plan_stated(plan: &Plan) -> FaultPlan {
    let millis = |time: u32| i32::try_from(time).unwrap_or(i32::MAX);
    let scope = match plan.scope {
        Scope::Trade => FaultScope::Trade,
        Scope::Signed => FaultScope::Signed,
        Scope::All => FaultScope::All,
    };
    FaultPlan {
        seed: plan.seed.cast_signed(),
        scope: scope.into(),
        reply_delay: plan.reply_delay,
        reply_delay_min_ms: millis(plan.reply_delay_min_ms),
        reply_delay_max_ms: millis(plan.reply_delay_max_ms),
        cut_before_acceptance: plan.cut_before_acceptance,
        cut_after_acceptance: plan.cut_after_acceptance,
        unknown_after_acceptance: plan.unknown_after_acceptance,
        user_drop: plan.user_drop,
        user_duplicate: plan.user_duplicate,
        user_reorder: plan.user_reorder,
        user_delay: plan.user_delay,
        user_delay_min_ms: millis(plan.user_delay_min_ms),
        user_delay_max_ms: millis(plan.user_delay_max_ms),
        market_drop: plan.market_drop,
        market_duplicate: plan.market_duplicate,
        market_reorder: plan.market_reorder,
        market_delay: plan.market_delay,
        market_delay_min_ms: millis(plan.market_delay_min_ms),
        market_delay_max_ms: millis(plan.market_delay_max_ms),
        stale: plan.stale,
        stale_min_ms: millis(plan.stale_min_ms),
        stale_max_ms: millis(plan.stale_max_ms),
        depth_damage: plan.depth_damage,
        disconnect: plan.disconnect,
        reply_duplicate: plan.reply_duplicate,
        reply_reorder: plan.reply_reorder,
    }
}

fn faults_stated(running: &Running) -> GetFaultsResponse {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let read = |count: &AtomicU64| number(count.load(Ordering::Relaxed));
    let count = |fault: Fault| FaultCount {
        fault: fault.name().to_owned(),
        injected: number(running.tally.injected(fault)),
    };
    GetFaultsResponse {
        plan: Some(plan_stated(&running.plan)),
        counts: Fault::ALL.into_iter().map(count).collect(),
        requests: read(&running.tally.requests),
        user_events: read(&running.tally.user_events),
        market_frames: read(&running.tally.market_frames),
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
        let found = self.api.handle.read(market).await.map_err(unavailable)?;
        Ok(Response::new(found))
    }

    async fn list_venue_accounts(
        &self,
        request: Request<ListVenueAccountsRequest>,
    ) -> Result<Response<ListVenueAccountsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size, 100)?;
        let after = page::key(&request.page_token)?;
        let listed = self.api.handle.read(move |venue| {
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

    async fn set_faults(&self, request: Request<SetFaultsRequest>) -> Result<Response<SetFaultsResponse>, Status> {
        let plan = plan_of(&request.into_inner().plan.unwrap_or_default())?;
        tracing::warn!(seed = plan.seed, active = plan.is_active(), "faults set");
        let stated = plan_stated(&plan);
        self.api.faults.set(plan);
        Ok(Response::new(SetFaultsResponse { plan: Some(stated) }))
    }

    async fn get_faults(&self, _: Request<GetFaultsRequest>) -> Result<Response<GetFaultsResponse>, Status> {
        Ok(Response::new(faults_stated(&self.api.faults.running())))
    }

    async fn clear_faults(&self, _: Request<ClearFaultsRequest>) -> Result<Response<ClearFaultsResponse>, Status> {
        self.api.faults.set(Plan::default());
        tracing::info!("faults cleared");
        Ok(Response::new(ClearFaultsResponse {}))
    }

    async fn disconnect_clients(
        &self,
        request: Request<DisconnectClientsRequest>,
    ) -> Result<Response<DisconnectClientsResponse>, Status> {
        let kind = match ClientKind::try_from(request.into_inner().which) {
            Ok(ClientKind::Unspecified | ClientKind::All) => None,
            Ok(ClientKind::Market) => Some(Client::Market),
            Ok(ClientKind::UserData) => Some(Client::Api),
            Err(_) => return Err(mesh::Error::invalid("CLIENT_KIND_UNKNOWN", "no such kind of clients").into()),
        };
        let cut = self.api.clients.disconnect(kind);
        tracing::warn!(cut, "clients disconnected");
        let disconnected = cut.try_into().unwrap_or(i32::MAX);
        Ok(Response::new(DisconnectClientsResponse { disconnected }))
    }

    async fn end_user_data_streams(
        &self,
        request: Request<EndUserDataStreamsRequest>,
    ) -> Result<Response<EndUserDataStreamsResponse>, Status> {
        let account = request.into_inner().account;
        let account = Some(account.as_str()).filter(|account| !account.is_empty());
        let ended = self.api.hub.end_streams(account, self.api.millis());
        tracing::warn!(ended, "user data streams ended");
        let ended = ended.try_into().unwrap_or(i32::MAX);
        Ok(Response::new(EndUserDataStreamsResponse { ended }))
    }

    async fn halt_symbol(&self, request: Request<HaltSymbolRequest>) -> Result<Response<HaltSymbolResponse>, Status> {
        let request = request.into_inner();
        let symbol = self.symbol(&request.symbol)?;
        let (halt, status) = match SymbolStatus::try_from(request.status) {
            Ok(SymbolStatus::Unspecified | SymbolStatus::Halt) => (Halt::Halt, SymbolStatus::Halt),
            Ok(SymbolStatus::Break) => (Halt::Break, SymbolStatus::Break),
            _ => return Err(mesh::Error::refused("HALT_STATUS", "a halt is to HALT or BREAK").into()),
        };
        self.api.set_halt(symbol, Some(halt)).await.map_err(unavailable)?;
        tracing::warn!(symbol = request.symbol, status = halt.name(), "symbol halted");
        Ok(Response::new(HaltSymbolResponse { status: status.into() }))
    }

    async fn resume_symbol(
        &self,
        request: Request<ResumeSymbolRequest>,
    ) -> Result<Response<ResumeSymbolResponse>, Status> {
        let name = request.into_inner().symbol;
        let symbol = self.symbol(&name)?;
        self.api.set_halt(symbol, None).await.map_err(unavailable)?;
        tracing::info!(symbol = name, "symbol resumed");
        Ok(Response::new(ResumeSymbolResponse {}))
    }
}
