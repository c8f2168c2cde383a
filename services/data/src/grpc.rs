//! The RPCs of market data: check, read the market, encode.

use crate::bar_writer::BarWriter;
use crate::codec;
use crate::core::series::place as interval_place;
use crate::core::trades::TradeRing;
use crate::error;
use crate::hub::Subscription;
use crate::market::Market;
use crate::store::Range;
use domain::{Bar, Interval, Timestamp};
use futures::stream::unfold;
use mesh::page;
use mesh::pb::data as api;
use mesh::pb::data::market_data_service_server::MarketDataService;
use mesh::time::Clock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// Levels a side when none are asked for.
const DEFAULT_DEPTH: i32 = 20;

/// Trades of one message of a stream.
const TRADES_AT_ONCE: usize = 500;

/// The service.
pub struct MarketData {
    /// Set once the venue's instruments are known.
    pub market: Arc<OnceLock<Arc<Market>>>,
    /// Closed bars.
    pub bars: Arc<BarWriter>,
    /// Time, for ages.
    pub clock: Clock,
    /// The venue's name.
    pub venue: String,
}

impl MarketData {
    fn market(&self) -> mesh::Result<&Arc<Market>> {
        self.market.get().ok_or_else(error::not_loaded)
    }

    fn find(&self, symbol: &str) -> mesh::Result<(&Arc<Market>, usize)> {
        let market = self.market()?;
        let place = market.place(symbol).ok_or_else(|| error::unknown_symbol(symbol))?;
        Ok((market, place))
    }

    /// The places of symbols, ordered by symbol and once each.
    fn find_all(&self, symbols: &[String]) -> mesh::Result<(Arc<Market>, Vec<usize>)> {
        let market = self.market()?;
        let place = |symbol: &String| -> mesh::Result<(String, usize)> {
            let place = market.place(symbol).ok_or_else(|| error::unknown_symbol(symbol))?;
            Ok((symbol.clone(), place))
        };
        let places = symbols.iter().map(place).collect::<mesh::Result<BTreeMap<_, _>>>()?;
        Ok((market.clone(), places.into_values().collect()))
    }

    /// The same for a stream, which without symbols is of all, also of those that the venue does not list yet.
    fn watched(&self, symbols: &[String]) -> mesh::Result<(Arc<Market>, Vec<usize>)> {
        if symbols.is_empty() {
            let market = self.market()?;
            return Ok((market.clone(), (0..market.capacity()).collect()));
        }
        self.find_all(symbols)
    }

    async fn bars_page(&self, request: &api::ListBarsRequest) -> mesh::Result<api::ListBarsResponse> {
        let (market, place) = self.find(&request.symbol)?;
        let interval = codec::interval(request.interval)?;
        let size = page::size(request.page_size, 500)?;
        let end = codec::read_time("end_time", request.end_time.as_ref(), Timestamp::from_micros(i64::MAX))?;
        let from = match page::key(&request.page_token)? {
            Some(key) => Some(Timestamp::from_micros(key.parse().map_err(|_| page::bad_token())?)),
            None if request.start_time.is_some() => Some(codec::read_time(
                "start_time",
                request.start_time.as_ref(),
                Timestamp::EPOCH,
            )?),
            None => None,
        };
        let symbol = market.symbol(place);
        let start = from.unwrap_or(Timestamp::EPOCH);
        let range = Range {
            symbol,
            interval,
            start,
            end,
            latest: from.is_none(),
            limit: size + 1,
        };
        let running = market.state(place).series.current(interval).cloned();
        let mut bars = with_running(self.bars.load(&range).await?, running, &range);
        let next_page_token = match bars.get(size) {
            Some(next) if !range.latest => page::token(&next.open_time.as_micros().to_string()),
            _ => String::new(),
        };
        if range.latest {
            bars.drain(..bars.len().saturating_sub(size));
        }
        bars.truncate(size);
        Ok(api::ListBarsResponse {
            bars: bars.iter().map(codec::bar).collect(),
            next_page_token,
        })
    }
}

/// The running bar belongs behind the closed ones, when it is within the range and they are not cut before it.
fn with_running(mut bars: Vec<Bar>, running: Option<Bar>, range: &Range) -> Vec<Bar> {
    let follows = |bar: &Bar| {
        let in_range = bar.open_time >= range.start && bar.open_time < range.end;
        in_range && bars.last().is_none_or(|last| last.open_time < bar.open_time)
    };
    if let Some(running) = running.filter(follows)
        && (range.latest || bars.len() < range.limit)
    {
        bars.push(running);
    }
    bars
}

/// Levels a side, within the bounds that the field states.
fn depth(requested: i32) -> usize {
    let depth = if requested == 0 { DEFAULT_DEPTH } else { requested };
    depth.unsigned_abs() as usize
}

#[tonic::async_trait]
impl MarketDataService for MarketData {
    async fn list_instruments(
        &self,
        request: Request<api::ListInstrumentsRequest>,
    ) -> Result<Response<api::ListInstrumentsResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size, 100)?;
        let after = page::key(&request.page_token)?;
        let listed = self.market()?.listed();
        let mut found = listed.iter().map(|(_, instrument)| instrument).filter(|instrument| {
            let symbol = instrument.symbol.as_str();
            after.as_deref().is_none_or(|after| symbol > after)
        });
        let instruments: Vec<api::Instrument> = found
            .by_ref()
            .take(size)
            .map(|instrument| codec::instrument(instrument, &self.venue))
            .collect();
        let next_page_token = match (found.next(), instruments.last()) {
            (Some(_), Some(last)) => page::token(&last.symbol),
            _ => String::new(),
        };
        Ok(Response::new(api::ListInstrumentsResponse {
            instruments,
            next_page_token,
        }))
    }

    async fn get_instrument(
        &self,
        request: Request<api::GetInstrumentRequest>,
    ) -> Result<Response<api::GetInstrumentResponse>, Status> {
        let (market, place) = self.find(&request.get_ref().symbol)?;
        let instrument = codec::instrument(&market.instrument(place), &self.venue);
        Ok(Response::new(api::GetInstrumentResponse {
            instrument: Some(instrument),
        }))
    }

    async fn get_book(&self, request: Request<api::GetBookRequest>) -> Result<Response<api::GetBookResponse>, Status> {
        let request = request.into_inner();
        let depth = depth(request.depth);
        let (market, place) = self.find(&request.symbol)?;
        let view = market.book(place, depth, self.clock.monotonic());
        Ok(Response::new(api::GetBookResponse {
            book: Some(codec::book(&view)),
        }))
    }

    async fn list_quotes(
        &self,
        request: Request<api::ListQuotesRequest>,
    ) -> Result<Response<api::ListQuotesResponse>, Status> {
        let symbols = &request.get_ref().symbols;
        let (market, mut places) = self.find_all(symbols)?;
        if symbols.is_empty() {
            places = market.listed().into_iter().map(|(place, _)| place).collect();
        }
        let now = self.clock.monotonic();
        let quotes = places
            .into_iter()
            .map(|place| codec::quote(&market.book(place, 1, now)))
            .collect();
        Ok(Response::new(api::ListQuotesResponse { quotes }))
    }

    async fn list_trades(
        &self,
        request: Request<api::ListTradesRequest>,
    ) -> Result<Response<api::ListTradesResponse>, Status> {
        let request = request.into_inner();
        let size = page::size(request.page_size, 100)?;
        let before = match page::key(&request.page_token)? {
            Some(key) => Some(key.parse::<u64>().map_err(|_| page::bad_token())?),
            None => None,
        };
        let (market, place) = self.find(&request.symbol)?;
        let mut trades = market.state(place).ring.older_than(before, size + 1);
        let next_page_token = match trades.get(size - 1) {
            Some(last) if trades.len() > size => page::token(&last.trade_id.to_string()),
            _ => String::new(),
        };
        trades.truncate(size);
        let trades = trades.iter().map(codec::trade).collect();
        Ok(Response::new(api::ListTradesResponse {
            trades,
            next_page_token,
        }))
    }

    async fn list_bars(
        &self,
        request: Request<api::ListBarsRequest>,
    ) -> Result<Response<api::ListBarsResponse>, Status> {
        Ok(Response::new(self.bars_page(request.get_ref()).await?))
    }

    async fn stream_books(
        &self,
        request: Request<api::StreamBooksRequest>,
    ) -> Result<Response<BoxStream<api::StreamBooksResponse>>, Status> {
        let request = request.into_inner();
        let depth = depth(request.depth);
        let (market, places) = self.find_all(&request.symbols)?;
        let clock = self.clock.clone();
        let changes = market.books.subscribe(places);
        let stream = unfold(
            (changes, market, clock),
            move |(mut changes, market, clock)| async move {
                let place = changes.next().await;
                let book = codec::book(&market.book(place, depth, clock.monotonic()));
                Some((
                    Ok(api::StreamBooksResponse { book: Some(book) }),
                    (changes, market, clock),
                ))
            },
        );
        Ok(Response::new(Box::pin(stream)))
    }

    async fn stream_quotes(
        &self,
        request: Request<api::StreamQuotesRequest>,
    ) -> Result<Response<BoxStream<api::StreamQuotesResponse>>, Status> {
        let (market, places) = self.watched(&request.get_ref().symbols)?;
        let clock = self.clock.clone();
        let changes = market.books.subscribe(places);
        let stream = unfold(
            (changes, market, clock),
            move |(mut changes, market, clock)| async move {
                let place = known_place(&mut changes, &market).await;
                let quote = codec::quote(&market.book(place, 1, clock.monotonic()));
                Some((
                    Ok(api::StreamQuotesResponse { quote: Some(quote) }),
                    (changes, market, clock),
                ))
            },
        );
        Ok(Response::new(Box::pin(stream)))
    }

    async fn stream_trades(
        &self,
        request: Request<api::StreamTradesRequest>,
    ) -> Result<Response<BoxStream<api::StreamTradesResponse>>, Status> {
        let (market, places) = self.watched(&request.get_ref().symbols)?;
        let cursors: BTreeMap<usize, u64> = places
            .iter()
            .filter(|&&place| place < market.place_count())
            .map(|&place| (place, market.state(place).ring.end()))
            .collect();
        let changes = market.trades.subscribe(places);
        let state = (changes, market, cursors, VecDeque::new());
        let stream = unfold(
            state,
            move |(mut changes, market, mut cursors, mut waiting)| async move {
                loop {
                    if let Some(message) = waiting.pop_front() {
                        return Some((Ok(message), (changes, market, cursors, waiting)));
                    }
                    let place = known_place(&mut changes, &market).await;
                    let cursor = cursors.entry(place).or_default();
                    waiting = new_trades(&market.state(place).ring, cursor);
                }
            },
        );
        Ok(Response::new(Box::pin(stream)))
    }

    async fn stream_bars(
        &self,
        request: Request<api::StreamBarsRequest>,
    ) -> Result<Response<BoxStream<api::StreamBarsResponse>>, Status> {
        let interval = codec::interval(request.get_ref().interval)?;
        let (market, places) = self.find_all(&request.get_ref().symbols)?;
        let seen: BTreeMap<usize, Timestamp> = places.iter().map(|&place| (place, Timestamp::EPOCH)).collect();
        let bar_places = places.iter().map(|&place| Market::bar_place(place, interval)).collect();
        let changes = market.bars.subscribe(bar_places);
        let state = (changes, market, seen, VecDeque::new());
        let stream = unfold(state, move |(mut changes, market, mut seen, mut waiting)| async move {
            loop {
                if let Some(message) = waiting.pop_front() {
                    return Some((Ok(message), (changes, market, seen, waiting)));
                }
                let place = changes.next().await / crate::core::series::INTERVALS.len();
                let closed_until = seen.entry(place).or_insert(Timestamp::EPOCH);
                waiting = new_bars(&market, place, interval, closed_until);
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_feed(&self, _request: Request<api::GetFeedRequest>) -> Result<Response<api::GetFeedResponse>, Status> {
        let totals = self.market.get().map(|market| market.totals()).unwrap_or_default();
        Ok(Response::new(codec::feed(&totals, &self.venue)))
    }
}

/// The next place that changed, of those that a symbol has.
async fn known_place(changes: &mut Subscription, market: &Market) -> usize {
    loop {
        let place = changes.next().await;
        if place < market.place_count() {
            return place;
        }
    }
}

/// The trades from `cursor` on in messages of bounded size, the first of which says how many are gone.
fn new_trades(ring: &TradeRing, cursor: &mut u64) -> VecDeque<api::StreamTradesResponse> {
    let (trades, missed) = ring.since(*cursor);
    *cursor = ring.end();
    let mut messages: VecDeque<api::StreamTradesResponse> = trades
        .chunks(TRADES_AT_ONCE)
        .map(|part| api::StreamTradesResponse {
            trades: part.iter().map(codec::trade).collect(),
            missed: 0,
        })
        .collect();
    if let Some(first) = messages.front_mut() {
        first.missed = i64::try_from(missed).unwrap_or(i64::MAX);
    }
    messages
}

/// The newest closed bar, unless `closed_until` says that it was sent, and the running one.
fn new_bars(
    market: &Market,
    place: usize,
    interval: Interval,
    closed_until: &mut Timestamp,
) -> VecDeque<api::StreamBarsResponse> {
    let state = market.state(place);
    let closed = state.last_closed[interval_place(interval)]
        .as_ref()
        .filter(|bar| bar.open_time > *closed_until);
    if let Some(closed) = closed {
        *closed_until = closed.open_time;
    }
    let running = state.series.current(interval);
    closed
        .into_iter()
        .chain(running)
        .map(|bar| api::StreamBarsResponse {
            bar: Some(codec::bar(bar)),
        })
        .collect()
}
