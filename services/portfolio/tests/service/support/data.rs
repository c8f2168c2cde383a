//! Data, with the instruments and quotes that a test sets.

use futures::{StreamExt, stream};
use mesh::pb::data as pb;
use mesh::pb::data::market_data_service_server::{MarketDataService, MarketDataServiceServer};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    symbols: Mutex<Vec<String>>,
    /// The last quote, with its number.
    quote: watch::Sender<(u64, Option<pb::Quote>)>,
    /// The next subscriptions to quotes, each with what it gets before it ends.
    broken: Mutex<VecDeque<Option<pb::Quote>>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            symbols: Mutex::new(vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()]),
            quote: watch::Sender::default(),
            broken: Mutex::default(),
        }))
    }
}

impl Fake {
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(MarketDataServiceServer::new(self.clone()))
    }

    pub(crate) fn list(&self, symbol: &str) {
        self.0.symbols.lock().unwrap().push(symbol.to_owned());
    }

    /// Everybody gets the quote of a live book around this price.
    pub(crate) fn quote(&self, symbol: &str, price: u32) {
        let level = |price: u32| pb::Level {
            price: price.to_string(),
            quantity: "1".to_owned(),
        };
        let quote = pb::Quote {
            symbol: symbol.to_owned(),
            state: pb::BookState::Live.into(),
            age_us: 1,
            bid: Some(level(price - 1)),
            ask: Some(level(price + 1)),
            last_price: String::new(),
            venue_time: None,
        };
        self.0.quote.send_modify(|last| *last = (last.0 + 1, Some(quote)));
    }

    /// The next subscription gets one message and ends.
    pub(crate) fn break_quotes(&self, quote: Option<pb::Quote>) {
        self.0.broken.lock().unwrap().push_back(quote);
    }
}

#[tonic::async_trait]
impl MarketDataService for Fake {
    async fn list_instruments(
        &self,
        request: Request<pb::ListInstrumentsRequest>,
    ) -> Result<Response<pb::ListInstrumentsResponse>, Status> {
        let page: usize = request.get_ref().page_token.parse().unwrap_or_default();
        let symbols = self.0.symbols.lock().unwrap().clone();
        let next_page_token = if page + 1 < symbols.len() {
            (page + 1).to_string()
        } else {
            String::new()
        };
        Ok(Response::new(pb::ListInstrumentsResponse {
            instruments: vec![instrument(&symbols[page])],
            next_page_token,
        }))
    }

    async fn stream_quotes(
        &self,
        _: Request<pb::StreamQuotesRequest>,
    ) -> Result<Response<BoxStream<pb::StreamQuotesResponse>>, Status> {
        if let Some(quote) = self.0.broken.lock().unwrap().pop_front() {
            return Ok(Response::new(
                stream::iter([Ok(pb::StreamQuotesResponse { quote })]).boxed(),
            ));
        }
        let live = stream::unfold((self.0.quote.subscribe(), 0), |(mut quotes, seen)| async move {
            let (number, quote) = quotes.wait_for(|(number, _)| *number > seen).await.ok()?.clone();
            Some((Ok(pb::StreamQuotesResponse { quote }), (quotes, number)))
        });
        Ok(Response::new(live.boxed()))
    }
}

fn instrument(symbol: &str) -> pb::Instrument {
    pb::Instrument {
        symbol: symbol.to_owned(),
        venue: "sim".to_owned(),
        base_asset: symbol.trim_end_matches("USDT").to_owned(),
        quote_asset: "USDT".to_owned(),
        tick_size: "0.01".to_owned(),
        lot_size: "0.0001".to_owned(),
        min_quantity: "0.0001".to_owned(),
        max_quantity: "1000".to_owned(),
        min_notional: "5".to_owned(),
        tradable: true,
        max_price: "1000000".to_owned(),
    }
}
