//! Trading with one shard, whose journal a test writes, and whose streams it can disturb.

use futures::{StreamExt, stream};
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_event::Event;
use mesh::pb::trading::trading_service_server::{TradingService, TradingServiceServer};
use mesh::wire;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Stands for an empty message in a disturbed stream.
pub(crate) const EMPTY: usize = 0;

#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    journal_id: Mutex<String>,
    journal: watch::Sender<Vec<pb::TradingEvent>>,
    /// The last sequence that is told of, when it is not that of the journal.
    promised: Mutex<Option<i64>>,
    /// Calls of ListShards that are refused first.
    refusals: Mutex<u32>,
    /// The next subscriptions, each with the sequences that it gets before it ends.
    disturbed: Mutex<VecDeque<Vec<usize>>>,
    subscriptions: Mutex<Vec<i64>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            journal_id: Mutex::new("aa".to_owned()),
            journal: watch::Sender::default(),
            promised: Mutex::default(),
            refusals: Mutex::default(),
            disturbed: Mutex::default(),
            subscriptions: Mutex::default(),
        }))
    }
}

impl Fake {
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(TradingServiceServer::new(self.clone()))
    }

    /// Writes the next event.
    pub(crate) fn push(&self, event: Option<Event>) {
        self.0.journal.send_modify(|journal| {
            let sequence = journal.len() as i64 + 1;
            journal.push(pb::TradingEvent {
                shard: 0,
                sequence,
                time: Some(wire::pb_timestamp(domain::Timestamp::from_micros(sequence))),
                event,
            });
        });
    }

    pub(crate) fn disturb(&self, sequences: &[usize]) {
        self.0.disturbed.lock().unwrap().push_back(sequences.to_vec());
    }

    pub(crate) fn promise(&self, sequence: i64) {
        *self.0.promised.lock().unwrap() = Some(sequence);
    }

    pub(crate) fn refuse_shards(&self, times: u32) {
        *self.0.refusals.lock().unwrap() = times;
    }

    pub(crate) fn replace_journal(&self) {
        *self.0.journal_id.lock().unwrap() = "bb".to_owned();
    }

    /// Where each subscription began.
    pub(crate) fn subscriptions(&self) -> Vec<i64> {
        self.0.subscriptions.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TradingService for Fake {
    async fn list_shards(&self, _: Request<pb::ListShardsRequest>) -> Result<Response<pb::ListShardsResponse>, Status> {
        let mut refusals = self.0.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(Status::failed_precondition("starting"));
        }
        let promised = *self.0.promised.lock().unwrap();
        let shard = pb::Shard {
            shard: 0,
            last_sequence: promised.unwrap_or(self.0.journal.borrow().len() as i64),
            journal_id: self.0.journal_id.lock().unwrap().clone(),
        };
        Ok(Response::new(pb::ListShardsResponse { shards: vec![shard] }))
    }

    async fn stream_shard_events(
        &self,
        request: Request<pb::StreamShardEventsRequest>,
    ) -> Result<Response<BoxStream<pb::StreamShardEventsResponse>>, Status> {
        let from = request.get_ref().from_sequence;
        self.0.subscriptions.lock().unwrap().push(from);
        let answer = |event| Ok(pb::StreamShardEventsResponse { event });
        if let Some(sequences) = self.0.disturbed.lock().unwrap().pop_front() {
            let journal = self.0.journal.borrow().clone();
            let events = sequences
                .into_iter()
                .map(move |one| one.checked_sub(1).map(|index| journal[index].clone()));
            return Ok(Response::new(stream::iter(events.map(answer)).boxed()));
        }
        let first = usize::try_from(from).unwrap() - 1;
        let live = stream::unfold((self.0.journal.subscribe(), first), |(mut journal, next)| async move {
            let event = journal.wait_for(|journal| journal.len() > next).await.ok()?[next].clone();
            Some((Some(event), (journal, next + 1)))
        });
        Ok(Response::new(live.map(answer).boxed()))
    }
}

/// Balances taken over.
pub(crate) fn balances(account: &str, totals: &[(&str, &str)]) -> Option<Event> {
    let balance = |(asset, total): &(&str, &str)| pb::AssetBalance {
        asset: (*asset).to_owned(),
        total: (*total).to_owned(),
    };
    Some(Event::BalancesAdopted(pb::BalancesAdopted {
        account_id: account.to_owned(),
        balances: totals.iter().map(balance).collect(),
        reason: "opening".to_owned(),
    }))
}

/// A fill of half a coin.
pub(crate) fn fill(account: &str, symbol: &str, trade_id: i64, side: pb::Side, price: &str) -> Option<Event> {
    let fill = pb::Fill {
        account_id: account.to_owned(),
        order_id: "0-1".to_owned(),
        venue: "sim".to_owned(),
        symbol: symbol.to_owned(),
        trade_id,
        venue_order_id: "5".to_owned(),
        side: side.into(),
        price: price.to_owned(),
        quantity: "0.5".to_owned(),
        fee: "0.05".to_owned(),
        fee_asset: "USDT".to_owned(),
        liquidity: pb::Liquidity::Taker.into(),
        time: Some(wire::pb_timestamp(domain::Timestamp::from_micros(trade_id))),
    };
    Some(Event::FillApplied(pb::FillApplied {
        fill: Some(fill),
        ..Default::default()
    }))
}
