//! The services that the portfolio calls: trading for what happened, data for instruments and marks.

use crate::codec;
use crate::core::Mark;
use domain::{Instrument, Symbol};
use futures::{Stream, StreamExt};
use mesh::channel::Channels;
use mesh::error::{Error, Result};
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::pb::data::{ListInstrumentsRequest, StreamQuotesRequest};
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::pb::trading::{ListShardsRequest, StreamShardEventsRequest};
use mesh::{events, wire};
use prost::Message;
use std::collections::BTreeMap;

const PAGE_SIZE: i32 = 1000;

/// One shard of trading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Its number.
    pub(crate) shard: i32,
    /// Its journal's random id.
    pub(crate) journal_id: String,
    /// The last durable sequence.
    pub(crate) last_sequence: u64,
}

/// Calls to the other services.
#[derive(Clone)]
pub(crate) struct Clients {
    channels: Channels,
}

impl Clients {
    /// Calls over these channels.
    pub(crate) fn new(channels: Channels) -> Self {
        Self { channels }
    }

    /// The shards of trading.
    ///
    /// # Errors
    /// What trading answers.
    pub(crate) async fn shards(&self) -> Result<Vec<Shard>> {
        let answer = TradingServiceClient::new(self.channels.to("trading"))
            .list_shards(ListShardsRequest {})
            .await?;
        let shards = answer.into_inner().shards.into_iter().map(|shard| Shard {
            shard: shard.shard,
            journal_id: shard.journal_id,
            last_sequence: shard.last_sequence.unsigned_abs(),
        });
        Ok(shards.collect())
    }

    /// A shard's events from a sequence on.
    ///
    /// # Errors
    /// What trading answers.
    pub(crate) async fn events(
        &self,
        shard: i32,
        from_sequence: u64,
    ) -> Result<impl Stream<Item = Result<events::Event>> + use<>> {
        let from_sequence = i64::try_from(from_sequence)
            .map_err(|_| Error::internal("SEQUENCE_OUT_OF_RANGE", "the cursor is out of range"))?;
        let request = StreamShardEventsRequest { shard, from_sequence };
        let answer = TradingServiceClient::new(self.channels.to("trading"))
            .stream_shard_events(request)
            .await?;
        Ok(answer.into_inner().map(|message| {
            let event = message?
                .event
                .ok_or_else(|| Error::internal("EVENT_DAMAGED", "an event is empty"))?;
            Ok((event.sequence.unsigned_abs(), event.encode_to_vec().into()))
        }))
    }

    /// Every instrument.
    ///
    /// # Errors
    /// What data answers.
    pub(crate) async fn instruments(&self) -> Result<BTreeMap<Symbol, Instrument>> {
        let mut client = MarketDataServiceClient::new(self.channels.to("data"));
        let mut instruments = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = ListInstrumentsRequest {
                page_size: PAGE_SIZE,
                page_token,
            };
            let page = client.list_instruments(request).await?.into_inner();
            for instrument in &page.instruments {
                let instrument = wire::instrument(instrument)?;
                instruments.insert(instrument.symbol.clone(), instrument);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(instruments);
            }
        }
    }

    /// The marks of every instrument, as they change.
    ///
    /// # Errors
    /// What data answers.
    pub(crate) async fn marks(&self) -> Result<impl Stream<Item = Result<(Symbol, Option<Mark>)>> + use<>> {
        let request = StreamQuotesRequest { symbols: Vec::new() };
        let answer = MarketDataServiceClient::new(self.channels.to("data"))
            .stream_quotes(request)
            .await?;
        Ok(answer.into_inner().map(|message| {
            let quote = message?
                .quote
                .ok_or_else(|| Error::internal("QUOTE_DAMAGED", "a quote is empty"))?;
            codec::mark(&quote)
        }))
    }
}
