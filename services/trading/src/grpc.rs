//! The RPCs: check the fields, ask the account's shard, encode.

mod batch;
mod fields;
mod halts;
mod orders;
mod sessions;
mod streams;

use crate::alerts::Alerts;
use crate::codec;
use crate::core::{Cancel, CancelAll, Command, ExternalOrder, HaltScope, LiftHalt, SetHalt};
use crate::early::Early;
use crate::error::other_answer;
use crate::metrics;
use crate::sessions::Sessions;
use crate::shard::{Ask, OrderFilter, Reply, ShardHandle};
use domain::{AccountId, Venue};
use fields::{optional, parse};
use mesh::identity::Principal;
use mesh::pb::guard;
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_service_server::{TradingService, TradingServiceServer};
use mesh::time::Clock;
use mesh::{Error, page};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Orders on a page when none is asked for.
const PAGE: i32 = 100;

/// The RPCs of the order path. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rpcs {
    /// What there is once the journals are replayed.
    pub(crate) open: Arc<OnceLock<Open>>,
    /// Takes halts before that.
    pub(crate) early: Arc<Early>,
    /// Which account is on which.
    pub(crate) accounts: Arc<BTreeMap<AccountId, u32>>,
    pub(crate) venue: Venue,
    pub(crate) clock: Clock,
    pub(crate) alerts: Alerts,
    /// One change of a halt at a time: two that cross would leave shards of different minds.
    pub(crate) halting: Arc<tokio::sync::Mutex<()>>,
}

/// What there is once the journals are replayed.
pub(crate) struct Open {
    /// By number.
    pub(crate) shards: Arc<Vec<ShardHandle>>,
    pub(crate) sessions: Sessions,
}

type Answer<T> = Result<Response<T>, Status>;

impl Rpcs {
    /// The RPCs behind their policy.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(TradingServiceServer::new(guard::trading_service(self)))
    }

    fn open(&self) -> mesh::Result<&Open> {
        self.open.get().ok_or_else(crate::error::replaying)
    }

    /// The account that a request names, with its shard.
    fn account(&self, text: &str) -> mesh::Result<(AccountId, &ShardHandle)> {
        let account: AccountId = parse("account_id", text)?;
        let shard = self.shard_of(&account)?;
        Ok((account, shard))
    }

    fn shard_of(&self, account: &AccountId) -> mesh::Result<&ShardHandle> {
        let shard = self.known(account)?;
        let shards = &self.open()?.shards;
        shards.get(shard as usize).ok_or_else(|| unknown(account))
    }

    /// The number of an account's shard.
    fn known(&self, account: &AccountId) -> mesh::Result<u32> {
        self.accounts.get(account).copied().ok_or_else(|| unknown(account))
    }

    /// The shards that a halt concerns: an account's own, else all.
    fn halted_shards(&self, scope: HaltScope, target: &str) -> mesh::Result<Vec<&ShardHandle>> {
        match scope {
            HaltScope::Account => Ok(vec![self.shard_of(&parse("target", target)?)?]),
            HaltScope::Global | HaltScope::Venue | HaltScope::Symbol | HaltScope::Strategy => {
                Ok(self.open()?.shards.iter().collect())
            }
        }
    }
}

fn unknown(account: &AccountId) -> Error {
    Error::not_found("ACCOUNT_NOT_FOUND", format!("no account {account} trades here")).with("account_id", account)
}

fn subject<T>(request: &Request<T>) -> String {
    // The guard has let nobody through who has no principal.
    request
        .extensions()
        .get::<Arc<Principal>>()
        .map_or_else(String::new, |principal| principal.subject.clone())
}

fn order(reply: Reply) -> mesh::Result<Option<pb::Order>> {
    match reply {
        Reply::Order(order) => Ok(Some(*order)),
        _ => Err(other_answer()),
    }
}

fn orders_of(reply: Reply) -> mesh::Result<Vec<pb::Order>> {
    match reply {
        Reply::Orders(orders) => Ok(orders),
        _ => Err(other_answer()),
    }
}

#[tonic::async_trait]
impl TradingService for Rpcs {
    async fn submit_order(&self, request: Request<pb::SubmitOrderRequest>) -> Answer<pb::SubmitOrderResponse> {
        let began = self.clock.monotonic();
        let request = request.into_inner();
        let (_, shard) = self.account(&request.account_id)?;
        let submit = orders::submit(&request)?;
        let reply = shard.submit(Command::Submit(submit)).await;
        metrics::accept_latency(self.clock.monotonic().saturating_sub(began));
        Ok(Response::new(pb::SubmitOrderResponse { order: order(reply?)? }))
    }

    async fn submit_group(&self, request: Request<pb::SubmitGroupRequest>) -> Answer<pb::SubmitGroupResponse> {
        let request = request.into_inner();
        let (_, shard) = self.account(&request.account_id)?;
        let group = orders::group(&request)?;
        let reply = shard.submit(Command::Group(group)).await?;
        Ok(Response::new(pb::SubmitGroupResponse {
            orders: orders_of(reply)?,
        }))
    }

    async fn replace_order(&self, request: Request<pb::ReplaceOrderRequest>) -> Answer<pb::ReplaceOrderResponse> {
        let request = request.into_inner();
        let (_, shard) = self.account(&request.account_id)?;
        let replace = orders::replace(&request)?;
        let reply = shard.submit(Command::Replace(replace)).await?;
        let mut both = orders_of(reply)?.into_iter();
        Ok(Response::new(pb::ReplaceOrderResponse {
            order: both.next(),
            replaced: both.next(),
        }))
    }

    async fn cancel_order(&self, request: Request<pb::CancelOrderRequest>) -> Answer<pb::CancelOrderResponse> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        let command = Command::Cancel(Cancel {
            account,
            order_id: parse("order_id", &request.order_id)?,
            request_id: request.request_id,
        });
        let reply = shard.urgent(command).await?;
        Ok(Response::new(pb::CancelOrderResponse { order: order(reply)? }))
    }

    async fn cancel_all_orders(
        &self,
        request: Request<pb::CancelAllOrdersRequest>,
    ) -> Answer<pb::CancelAllOrdersResponse> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        let command = Command::CancelAll(CancelAll {
            account,
            which: fields::order_match(&request.symbol, &request.strategy)?,
            request_id: request.request_id,
        });
        let reply = shard.urgent(command).await?;
        Ok(Response::new(pb::CancelAllOrdersResponse {
            orders: orders_of(reply)?,
        }))
    }

    async fn submit_orders(&self, request: Request<pb::SubmitOrdersRequest>) -> Answer<pb::SubmitOrdersResponse> {
        Ok(Response::new(batch::submit(self, request.into_inner()).await?))
    }

    async fn cancel_orders(&self, request: Request<pb::CancelOrdersRequest>) -> Answer<pb::CancelOrdersResponse> {
        Ok(Response::new(batch::cancel(self, request.into_inner()).await?))
    }

    async fn open_session(
        &self,
        request: Request<pb::OpenSessionRequest>,
    ) -> Answer<BoxStream<pb::OpenSessionResponse>> {
        Ok(Response::new(sessions::open(self, request.into_inner()).await?))
    }

    async fn close_session(&self, request: Request<pb::CloseSessionRequest>) -> Answer<pb::CloseSessionResponse> {
        Ok(Response::new(sessions::close(self, request.into_inner()).await?))
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Answer<pb::GetOrderResponse> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        parse::<domain::OrderId>("order_id", &request.order_id)?;
        let reply = shard.ask(Ask::Order(account, request.order_id)).await?;
        Ok(Response::new(pb::GetOrderResponse { order: order(reply)? }))
    }

    async fn list_orders(&self, request: Request<pb::ListOrdersRequest>) -> Answer<pb::ListOrdersResponse> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        let size = page::size(request.page_size, PAGE)?;
        let before = match page::key(&request.page_token)? {
            None => u64::MAX,
            Some(key) => key.parse().map_err(|_| page::bad_token())?,
        };
        let filter = OrderFilter {
            account,
            symbol: optional("symbol", &request.symbol)?,
            open_only: request.open_only,
            before,
            // One more than asked for says whether there is a next page.
            limit: size + 1,
        };
        let mut orders = orders_of(shard.ask(Ask::Orders(filter)).await?)?;
        let mut next_page_token = String::new();
        if orders.len() > size {
            orders.truncate(size);
            next_page_token = orders
                .last()
                .and_then(crate::codec::accepted_of)
                .map_or_else(String::new, |accepted| page::token(&accepted.to_string()));
        }
        Ok(Response::new(pb::ListOrdersResponse {
            orders,
            next_page_token,
        }))
    }

    async fn stream_order_events(
        &self,
        request: Request<pb::StreamOrderEventsRequest>,
    ) -> Answer<BoxStream<pb::StreamOrderEventsResponse>> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        Ok(Response::new(
            streams::order_events(shard.clone(), account, request.from_sequence).await?,
        ))
    }

    async fn list_accounts(&self, request: Request<pb::ListAccountsRequest>) -> Answer<pb::ListAccountsResponse> {
        let principal = request.extensions().get::<Arc<Principal>>().cloned();
        let request = request.into_inner();
        let size = page::size(request.page_size, PAGE)?;
        let after = page::key(&request.page_token)?;
        let may_see = |account: &AccountId| {
            principal
                .as_ref()
                .is_some_and(|principal| principal.is_service() || principal.may_access(account.as_str()))
        };
        let mut accounts: Vec<pb::Account> = self
            .accounts
            .iter()
            .filter(|(account, _)| after.as_deref().is_none_or(|after| account.as_str() > after) && may_see(account))
            .take(size + 1)
            .map(|(account, shard)| pb::Account {
                account_id: account.to_string(),
                shard: *shard as i32,
                venue: self.venue.to_string(),
            })
            .collect();
        let mut next_page_token = String::new();
        if accounts.len() > size {
            accounts.truncate(size);
            next_page_token = accounts
                .last()
                .map_or_else(String::new, |last| page::token(&last.account_id));
        }
        Ok(Response::new(pb::ListAccountsResponse {
            accounts,
            next_page_token,
        }))
    }

    async fn halt_trading(&self, request: Request<pb::HaltTradingRequest>) -> Answer<pb::HaltTradingResponse> {
        let subject = subject(&request);
        let request = request.into_inner();
        let scope = fields::halt_target(request.scope, &request.target)?;
        let halt = SetHalt {
            scope,
            target: request.target,
            reason: request.reason,
            subject,
            cancel_orders: request.cancel_orders,
        };
        let (halt, cancelling) = halts::set(self, halt).await?;
        Ok(Response::new(pb::HaltTradingResponse {
            halt,
            cancelling: i32::try_from(cancelling).unwrap_or(i32::MAX),
        }))
    }

    async fn resume_trading(&self, request: Request<pb::ResumeTradingRequest>) -> Answer<pb::ResumeTradingResponse> {
        let subject = subject(&request);
        let request = request.into_inner();
        let scope = fields::halt_target(request.scope, &request.target)?;
        let lift = LiftHalt {
            scope,
            target: request.target,
            subject,
        };
        halts::lift(self, lift).await?;
        Ok(Response::new(pb::ResumeTradingResponse {}))
    }

    async fn list_halts(&self, _: Request<pb::ListHaltsRequest>) -> Answer<pb::ListHaltsResponse> {
        let mut halts = BTreeMap::new();
        for shard in self.open()?.shards.iter() {
            let Reply::Halts(found) = shard.ask(Ask::Halts).await? else {
                return Err(other_answer().into());
            };
            for halt in found {
                halts.entry((halt.scope, halt.target.clone())).or_insert(halt);
            }
        }
        Ok(Response::new(pb::ListHaltsResponse {
            halts: halts.into_values().collect(),
        }))
    }

    async fn list_alerts(&self, request: Request<pb::ListAlertsRequest>) -> Answer<pb::ListAlertsResponse> {
        let request = request.into_inner();
        let size = page::size(request.page_size, PAGE)?;
        let before = match page::key(&request.page_token)? {
            None => u64::MAX,
            Some(key) => key.parse().map_err(|_| page::bad_token())?,
        };
        let mut alerts = self.alerts.before(before, size + 1);
        let mut next_page_token = String::new();
        if alerts.len() > size {
            alerts.truncate(size);
            next_page_token = alerts
                .last()
                .map_or_else(String::new, |last| page::token(&last.number.to_string()));
        }
        Ok(Response::new(pb::ListAlertsResponse {
            alerts: alerts.iter().map(codec::alert_to_pb).collect(),
            next_page_token,
        }))
    }

    async fn list_external_orders(
        &self,
        request: Request<pb::ListExternalOrdersRequest>,
    ) -> Answer<pb::ListExternalOrdersResponse> {
        let request = request.into_inner();
        let (account, shard) = self.account(&request.account_id)?;
        let size = page::size(request.page_size, PAGE)?;
        let after = page::key(&request.page_token)?;
        let Reply::External(external) = shard.ask(Ask::External(account)).await? else {
            return Err(other_answer().into());
        };
        let is_next = |order: &&ExternalOrder| after.as_deref().is_none_or(|after| order.venue_order.as_str() > after);
        let mut orders: Vec<_> = external.iter().filter(is_next).take(size + 1).collect();
        let mut next_page_token = String::new();
        if orders.len() > size {
            orders.truncate(size);
            next_page_token = orders
                .last()
                .map_or_else(String::new, |last| page::token(&last.venue_order));
        }
        Ok(Response::new(pb::ListExternalOrdersResponse {
            orders: orders.into_iter().map(codec::external_to_pb).collect(),
            next_page_token,
        }))
    }

    async fn list_shards(&self, _: Request<pb::ListShardsRequest>) -> Answer<pb::ListShardsResponse> {
        let shards = self.open()?.shards.iter().map(|shard| pb::Shard {
            shard: shard.shard() as i32,
            last_sequence: *shard.reader().durable().borrow() as i64,
            journal_id: shard.journal_id(),
        });
        Ok(Response::new(pb::ListShardsResponse {
            shards: shards.collect(),
        }))
    }

    async fn stream_shard_events(
        &self,
        request: Request<pb::StreamShardEventsRequest>,
    ) -> Answer<BoxStream<pb::StreamShardEventsResponse>> {
        let request = request.into_inner();
        let shards = &self.open()?.shards;
        let shard = usize::try_from(request.shard)
            .ok()
            .and_then(|number| shards.get(number));
        let shard = shard.ok_or_else(|| {
            Error::not_found("SHARD_NOT_FOUND", format!("there is no shard {}", request.shard))
                .with("shard", request.shard)
        })?;
        Ok(Response::new(streams::shard_events(shard, request.from_sequence)?))
    }
}

#[cfg(test)]
mod tests;
