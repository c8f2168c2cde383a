//! The other services that this one calls: market data, for rules and marks.

use crate::core::{Mark, Market};
use crate::sender::FIRST_BACKOFF;
use domain::{Instrument, InstrumentStatus, Price, Symbol, Timestamp};
use mesh::app::{ReadinessGuard, Shutdown};
use mesh::channel::{Channel, Channels};
use mesh::pb::data as pb;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::retry::Backoff;
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Instruments asked for at once.
const PAGE: i32 = 1_000;

/// Keeps a [`Market`] up to date.
pub(crate) struct MarketFollower {
    client: MarketDataServiceClient<Channel>,
    market: Arc<RwLock<Market>>,
    clock: Clock,
    chance: Chance,
    max_backoff: Duration,
    instruments_interval: Duration,
}

impl MarketFollower {
    pub(crate) fn new(
        channels: &Channels,
        market: Arc<RwLock<Market>>,
        clock: Clock,
        chance: Chance,
        max_backoff: Duration,
        instruments_interval: Duration,
    ) -> MarketFollower {
        let client = MarketDataServiceClient::new(channels.to("data"));
        MarketFollower {
            client,
            market,
            clock,
            chance,
            max_backoff,
            instruments_interval,
        }
    }

    /// Starts to follow. `guard` is dropped once the instruments are known for the first time.
    pub(crate) fn start(self, shutdown: &Shutdown, guard: ReadinessGuard) {
        let stop = shutdown.token();
        shutdown.spawn("market", async move {
            tokio::select! {
                () = async { tokio::join!(self.follow_instruments(guard), self.follow_quotes()) ; } => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }

    async fn follow_instruments(&self, guard: ReadinessGuard) {
        let mut guard = Some(guard);
        let backoff = Backoff::new(FIRST_BACKOFF, self.max_backoff);
        let mut round = 0;
        loop {
            let pause = match self.instruments().await {
                Ok(instruments) if !instruments.is_empty() => {
                    self.market.write().instruments = instruments;
                    guard = None;
                    round = 0;
                    self.instruments_interval
                }
                // The data service answers before its venue has; an empty list is no news.
                Ok(_) => backoff.half_jitter(round, &self.chance),
                Err(error) => {
                    tracing::info!(%error, "the instruments cannot be read yet");
                    backoff.half_jitter(round, &self.chance)
                }
            };
            round = round.saturating_add(1);
            tokio::time::sleep(pause).await;
            let _ = &guard;
        }
    }

    async fn instruments(&self) -> Result<BTreeMap<Symbol, Instrument>> {
        let mut client = self.client.clone();
        let mut instruments = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListInstrumentsRequest {
                page_size: PAGE,
                page_token,
            };
            let page = client.list_instruments(request).await?.into_inner();
            for message in page.instruments {
                match instrument(&message) {
                    Ok(instrument) => {
                        instruments.insert(instrument.symbol.clone(), instrument);
                    }
                    // One bad instrument must not hide the others; orders for it are refused as unknown.
                    Err(error) => tracing::warn!(symbol = message.symbol, %error, "an instrument is unusable"),
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(instruments);
            }
            page_token = page.next_page_token;
        }
    }

    async fn follow_quotes(&self) {
        let backoff = Backoff::new(FIRST_BACKOFF, self.max_backoff);
        let mut round = 0;
        loop {
            match self.quotes(&mut round).await {
                Ok(()) => tracing::info!("the stream of quotes ended"),
                Err(error) => tracing::info!(%error, "the stream of quotes ended, it is opened again"),
            }
            tokio::time::sleep(backoff.half_jitter(round, &self.chance)).await;
            round = round.saturating_add(1);
        }
    }

    async fn quotes(&self, round: &mut u32) -> Result<()> {
        let mut client = self.client.clone();
        let request = pb::StreamQuotesRequest { symbols: Vec::new() };
        let mut stream = client.stream_quotes(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            *round = 0;
            if let Some(quote) = message.quote {
                self.quoted(&quote)?;
            }
        }
        Ok(())
    }

    fn quoted(&self, quote: &pb::Quote) -> Result<()> {
        let symbol: Symbol = parse("symbol", &quote.symbol)?;
        let level = |level: &Option<pb::Level>| match level {
            Some(level) => parse::<Price>("price", &level.price).map(Some),
            None => Ok(None),
        };
        let last = match quote.last_price.as_str() {
            "" => None,
            text => Some(parse::<Price>("last_price", text)?),
        };
        let is_live = quote.state() == pb::BookState::Live;
        let mark = Mark::of(level(&quote.bid)?, level(&quote.ask)?, last, is_live);
        let mut market = self.market.write();
        market.heard = Timestamp::from_micros(self.clock.now_micros());
        match mark {
            Some(mark) => market.marks.insert(symbol, mark),
            None => market.marks.remove(&symbol),
        };
        Ok(())
    }
}

fn instrument(message: &pb::Instrument) -> Result<Instrument> {
    let instrument = Instrument {
        symbol: parse("symbol", &message.symbol)?,
        base: parse("base_asset", &message.base_asset)?,
        quote: parse("quote_asset", &message.quote_asset)?,
        tick_size: parse("tick_size", &message.tick_size)?,
        max_price: parse("max_price", &message.max_price)?,
        lot_size: parse("lot_size", &message.lot_size)?,
        min_quantity: parse("min_quantity", &message.min_quantity)?,
        max_quantity: parse("max_quantity", &message.max_quantity)?,
        min_notional: parse("min_notional", &message.min_notional)?,
        status: if message.tradable {
            InstrumentStatus::Trading
        } else {
            InstrumentStatus::Halted
        },
    };
    instrument
        .validate()
        .map_err(|fault| Error::internal("INSTRUMENT_FAULT", fault.to_string()))?;
    Ok(instrument)
}

fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|error| Error::internal("MARKET_DATA", format!("{field} '{text:.40}': {error}")))
}
