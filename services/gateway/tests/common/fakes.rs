//! Small services that answer by what they are asked.

use futures::stream::{self, StreamExt};
use mesh::app::Service;
use mesh::error::Error;
use mesh::identity;
use mesh::pb::auth::auth_service_server::{AuthService, AuthServiceServer};
use mesh::pb::auth::{LoginRequest, LoginResponse};
use mesh::pb::data::market_data_service_server::{MarketDataService, MarketDataServiceServer};
use mesh::pb::data::{
    GetInstrumentRequest, GetInstrumentResponse, Instrument, ListInstrumentsRequest, ListInstrumentsResponse, Quote,
    StreamQuotesRequest, StreamQuotesResponse,
};
use mesh::pb::guard;
use mesh::pb::trading::trading_service_server::{TradingService, TradingServiceServer};
use mesh::pb::trading::{
    GetOrderRequest, GetOrderResponse, Order, OrderType, Side, StreamOrderEventsRequest, StreamOrderEventsResponse,
    SubmitOrderRequest, SubmitOrderResponse,
};
use mesh::server::CallingService;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

pub fn data() -> Service {
    Service::new(
        "data",
        Routes::new(MarketDataServiceServer::new(guard::market_data_service(Data))),
    )
}

pub fn trading() -> Service {
    Service::new(
        "trading",
        Routes::new(TradingServiceServer::new(guard::trading_service(Trading))),
    )
}

pub fn auth() -> Service {
    Service::new("auth", Routes::new(AuthServiceServer::new(guard::auth_service(Auth))))
}

/// An order of `paper-1` that its fields allow.
#[allow(dead_code, reason = "not every test orders")]
pub fn order(symbol: &str) -> SubmitOrderRequest {
    SubmitOrderRequest {
        account_id: "paper-1".to_owned(),
        client_order_id: "1".to_owned(),
        symbol: symbol.to_owned(),
        side: Side::Buy.into(),
        r#type: OrderType::Limit.into(),
        quantity: "1".to_owned(),
        ..SubmitOrderRequest::default()
    }
}

struct Auth;

#[tonic::async_trait]
impl AuthService for Auth {
    async fn login(&self, _: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        Ok(Response::new(LoginResponse::default()))
    }
}

struct Data;

#[tonic::async_trait]
impl MarketDataService for Data {
    /// Many, so that they are worth compressing.
    async fn list_instruments(
        &self,
        _: Request<ListInstrumentsRequest>,
    ) -> Result<Response<ListInstrumentsResponse>, Status> {
        let instrument = |number| Instrument {
            symbol: format!("COIN{number}USDT"),
            ..Instrument::default()
        };
        Ok(Response::new(ListInstrumentsResponse {
            instruments: (0..200).map(instrument).collect(),
            next_page_token: String::new(),
        }))
    }

    /// Tells what came along with the request.
    async fn get_instrument(
        &self,
        request: Request<GetInstrumentRequest>,
    ) -> Result<Response<GetInstrumentResponse>, Status> {
        let header = |name| {
            let value = request.metadata().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        match request.get_ref().symbol.as_str() {
            "SLOW" => std::future::pending().await,
            "MISSING" => Err(Error::not_found("UNKNOWN_SYMBOL", "no such symbol").into()),
            symbol => Ok(Response::new(GetInstrumentResponse {
                instrument: Some(Instrument {
                    symbol: symbol.to_owned(),
                    venue: header("x-request-id"),
                    base_asset: header("traceparent"),
                    ..Instrument::default()
                }),
            })),
        }
    }

    /// The symbol says how the stream goes on after one quote.
    async fn stream_quotes(
        &self,
        request: Request<StreamQuotesRequest>,
    ) -> Result<Response<BoxStream<StreamQuotesResponse>>, Status> {
        let symbol = request.into_inner().symbols.pop().unwrap_or_default();
        let quote = Quote {
            symbol: symbol.clone(),
            ..Quote::default()
        };
        let one = stream::iter([Ok(StreamQuotesResponse { quote: Some(quote) })]);
        Ok(Response::new(match symbol.as_str() {
            "REFUSED" => return Err(Error::refused("FEED_CLOSED", "the feed is closed").into()),
            "ONE" => one.boxed(),
            "LOST" => one
                .chain(stream::iter([Err(
                    Error::unavailable("FEED_LOST", "the feed is gone").into()
                )]))
                .boxed(),
            "FLOOD" => flood(),
            _ => one.chain(stream::pending()).boxed(),
        }))
    }
}

/// Messages that fill sockets, without an end.
fn flood() -> BoxStream<StreamQuotesResponse> {
    let quote = Quote {
        symbol: "X".repeat(64 << 10),
        ..Quote::default()
    };
    let message = move || {
        Ok(StreamQuotesResponse {
            quote: Some(quote.clone()),
        })
    };
    stream::repeat_with(message).boxed()
}

struct Trading;

/// The order says who asked, and through which service.
fn echo<T>(request: &Request<T>, account_id: &str) -> Order {
    let service = request.extensions().get::<CallingService>();
    Order {
        order_id: identity::current()
            .map(|caller| caller.principal.subject.clone())
            .unwrap_or_default(),
        client_order_id: service.map(|service| service.0.subject.clone()).unwrap_or_default(),
        account_id: account_id.to_owned(),
        ..Order::default()
    }
}

#[tonic::async_trait]
impl TradingService for Trading {
    async fn submit_order(
        &self,
        request: Request<SubmitOrderRequest>,
    ) -> Result<Response<SubmitOrderResponse>, Status> {
        if request.get_ref().symbol == "CLOSED" {
            return Err(Error::refused("MARKET_CLOSED", "the market is closed").into());
        }
        let order = echo(&request, &request.get_ref().account_id);
        Ok(Response::new(SubmitOrderResponse { order: Some(order) }))
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        let order = echo(&request, &request.get_ref().account_id);
        Ok(Response::new(GetOrderResponse { order: Some(order) }))
    }

    async fn stream_order_events(
        &self,
        request: Request<StreamOrderEventsRequest>,
    ) -> Result<Response<BoxStream<StreamOrderEventsResponse>>, Status> {
        let order = echo(&request, &request.get_ref().account_id);
        let from = request.into_inner().from_sequence;
        let event = move |sequence| {
            Ok(StreamOrderEventsResponse {
                sequence,
                order: Some(order.clone()),
                fill: None,
            })
        };
        Ok(Response::new(
            stream::iter([event(from), event(from + 1)])
                .chain(stream::pending())
                .boxed(),
        ))
    }
}
