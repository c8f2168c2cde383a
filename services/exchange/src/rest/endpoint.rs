//! The endpoints: what each asks of its caller, one table of their routes and weights, and what they stand on.

use super::params::Params;
use crate::accounts::Accounts;
use crate::actor::{Handle, Now};
use crate::core::listing::Listing;
use crate::error::ApiError;
use crate::faults::{Faults, Scope};
use crate::hub::Hub;
use crate::limits::{Meter, OrderCount};
use crate::ws::clients::Clients;
use http::Method;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What the surface stands on.
pub struct Api {
    /// The venue.
    pub handle: Handle,
    /// Streams.
    pub hub: Arc<Hub>,
    /// Keys.
    pub accounts: Accounts,
    /// Used limits.
    pub meter: Arc<Mutex<Meter>>,
    /// The time in µs.
    pub now: Now,
    /// What is traded, in the venue's order.
    pub listings: Vec<Listing>,
    /// Where each symbol is in this order.
    pub places: BTreeMap<String, usize>,
    /// `symbols` of exchangeInfo, in the same order.
    pub info: Vec<Value>,
    /// Maker and taker commission.
    pub fees_bps: (u32, u32),
    /// Largest request body.
    pub max_body_bytes: usize,
    /// The WebSockets.
    pub clients: Arc<Clients>,
    /// What goes wrong on purpose.
    pub faults: Arc<Faults>,
    /// Symbols that do not trade now, each with its status.
    pub halts: Mutex<BTreeMap<usize, Halt>>,
    /// How stream connections are kept.
    pub streams: crate::ws::Bounds,
}

/// Why a symbol does not trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It was stopped.
    Halt,
    /// It pauses.
    Break,
}

impl Halt {
    /// The symbol's `status`.
    pub fn name(self) -> &'static str {
        match self {
            Halt::Halt => "HALT",
            Halt::Break => "BREAK",
        }
    }
}

impl Api {
    /// Stops a symbol's market with its crowd, or lets it trade again.
    ///
    /// # Errors
    /// Those of the venue's task.
    pub async fn set_halt(&self, symbol: usize, halt: Option<Halt>) -> Result<(), ApiError> {
        // refused first and stopped then, resumed first and taken then: no order is taken into a market that stands still
        if let Some(halt) = halt {
            self.halts.lock().insert(symbol, halt);
        }
        let halted = halt.is_some();
        self.handle
            .ask(move |venue, _, _| venue.set_halted(symbol, halted))
            .await?;
        if halt.is_none() {
            self.halts.lock().remove(&symbol);
        }
        Ok(())
    }

    /// Charges a request to its address; who goes on after a refusal is banned in the end.
    ///
    /// # Errors
    /// 429 when the weight of the minute is used up, 418 from a banned address.
    pub fn charge(&self, address: IpAddr, weight: u32) -> Result<(), ApiError> {
        let (mut meter, now) = (self.meter.lock(), (self.now)());
        let charged = meter.weigh(address, weight, now).map(|_| ());
        if charged.as_ref().is_err_and(|error| error.status == 429) {
            meter.refused(address, now);
        }
        charged
    }

    /// The index of the symbol that the request names.
    pub fn symbol(&self, params: &Params) -> Result<usize, ApiError> {
        self.symbol_named(params.required("symbol")?)
    }

    /// The index of a symbol.
    pub fn symbol_named(&self, name: &str) -> Result<usize, ApiError> {
        if name.is_empty()
            || name.len() > 20
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(ApiError::illegal("symbol", "^[A-Z0-9-_.]{1,20}$"));
        }
        self.places.get(name).copied().ok_or_else(ApiError::symbol)
    }

    /// The current time in milliseconds.
    pub fn millis(&self) -> i64 {
        crate::wire::millis((self.now)())
    }
}

/// Every endpoint of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
    AvgPrice,
    TickerDay,
    TickerPrice,
    TickerBook,
    TickerWindow,
    TradingDay,
    NewOrder,
    TestOrder,
    QueryOrder,
    CancelOrder,
    CancelReplace,
    Amend,
    Amendments,
    NewOco,
    NewOto,
    NewOtoco,
    LegacyOco,
    CancelList,
    QueryList,
    AllLists,
    OpenLists,
    PreventedMatches,
    Commission,
    FeeAsset,
    SetFeeAsset,
    OpenOrders,
    CancelAll,
    AllOrders,
    MyTrades,
    Account,
    OrderCount,
}

impl Endpoint {
    /// The narrowest scope of faults that holds it.
    pub(crate) fn scope(self) -> Scope {
        match self.access() {
            Access::Public => Scope::All,
            Access::Read => Scope::Signed,
            Access::Cancel | Access::Place => Scope::Trade,
        }
    }

    /// What it asks of its caller, and does.
    pub(super) fn access(self) -> Access {
        match self {
            E::Ping | E::Time | E::ExchangeInfo | E::Depth | E::Trades | E::HistoricalTrades | E::AggTrades => {
                Access::Public
            }
            E::Klines
            | E::AvgPrice
            | E::TickerDay
            | E::TickerPrice
            | E::TickerBook
            | E::TickerWindow
            | E::TradingDay => Access::Public,
            E::NewOrder | E::TestOrder | E::CancelReplace | E::Amend => Access::Place,
            E::NewOco | E::NewOto | E::NewOtoco | E::LegacyOco => Access::Place,
            E::CancelOrder | E::CancelAll | E::CancelList => Access::Cancel,
            E::QueryList | E::AllLists | E::OpenLists | E::Amendments | E::PreventedMatches => Access::Read,
            E::Commission | E::FeeAsset | E::SetFeeAsset => Access::Read,
            E::QueryOrder | E::OpenOrders | E::AllOrders | E::MyTrades | E::Account | E::OrderCount => Access::Read,
        }
    }
}

/// What an endpoint asks of its caller, and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everyone may ask.
    Public,
    /// Signed; changes no order.
    Read,
    /// Signed; ends orders.
    Cancel,
    /// Signed; may begin orders, so the symbol must trade.
    Place,
}

use Endpoint as E;

/// Method, path below `/api/v3/` or from the root, endpoint, weight.
const ROUTES: &[(Method, &str, Endpoint, u32)] = &[
    (Method::GET, "ping", E::Ping, 1),
    (Method::GET, "time", E::Time, 1),
    (Method::GET, "exchangeInfo", E::ExchangeInfo, 20),
    (Method::GET, "depth", E::Depth, 5),
    (Method::GET, "trades", E::Trades, 25),
    (Method::GET, "historicalTrades", E::HistoricalTrades, 25),
    (Method::GET, "aggTrades", E::AggTrades, 4),
    (Method::GET, "klines", E::Klines, 2),
    (Method::GET, "uiKlines", E::Klines, 2),
    (Method::GET, "avgPrice", E::AvgPrice, 2),
    (Method::GET, "ticker/24hr", E::TickerDay, 2),
    (Method::GET, "ticker/price", E::TickerPrice, 2),
    (Method::GET, "ticker/bookTicker", E::TickerBook, 2),
    (Method::GET, "ticker/tradingDay", E::TradingDay, 4),
    (Method::GET, "ticker", E::TickerWindow, 4),
    (Method::POST, "order", E::NewOrder, 1),
    (Method::POST, "order/test", E::TestOrder, 1),
    (Method::GET, "order", E::QueryOrder, 4),
    (Method::DELETE, "order", E::CancelOrder, 1),
    (Method::POST, "order/cancelReplace", E::CancelReplace, 1),
    (Method::PUT, "order/amend/keepPriority", E::Amend, 4),
    (Method::GET, "order/amendments", E::Amendments, 4),
    (Method::POST, "order/oco", E::LegacyOco, 1),
    (Method::POST, "orderList/oco", E::NewOco, 1),
    (Method::POST, "orderList/oto", E::NewOto, 1),
    (Method::POST, "orderList/otoco", E::NewOtoco, 1),
    (Method::DELETE, "orderList", E::CancelList, 1),
    (Method::GET, "orderList", E::QueryList, 4),
    (Method::GET, "allOrderList", E::AllLists, 20),
    (Method::GET, "openOrderList", E::OpenLists, 6),
    (Method::GET, "myPreventedMatches", E::PreventedMatches, 20),
    (Method::GET, "account/commission", E::Commission, 20),
    (Method::GET, "/sapi/v1/bnbBurn", E::FeeAsset, 1),
    (Method::POST, "/sapi/v1/bnbBurn", E::SetFeeAsset, 1),
    (Method::GET, "openOrders", E::OpenOrders, 6),
    (Method::DELETE, "openOrders", E::CancelAll, 1),
    (Method::GET, "allOrders", E::AllOrders, 20),
    (Method::GET, "myTrades", E::MyTrades, 20),
    (Method::GET, "account", E::Account, 20),
    (Method::GET, "rateLimit/order", E::OrderCount, 40),
];

/// An endpoint, and the weight that the table states.
pub(crate) type Route = (Endpoint, u32);

/// The route of a method and a path below `/api/v3`.
pub(crate) fn route(method: &Method, path: &str) -> Option<Route> {
    let found = ROUTES.iter().find(|(each, name, ..)| each == method && *name == path);
    found.map(|(_, _, endpoint, base)| (*endpoint, *base))
}

/// The weight where it depends on the parameters.
pub(super) fn weight(endpoint: Endpoint, base: u32, params: &Params) -> u32 {
    let all_symbols = params.text("symbol").ok().flatten().is_none();
    match endpoint {
        E::Depth => match params.limit(100, 5_000) {
            Ok(limit) if limit > 1_000 => 250,
            Ok(limit) if limit > 500 => 50,
            Ok(limit) if limit > 100 => 25,
            _ => base,
        },
        E::TickerDay if all_symbols => match params.symbols() {
            Ok(Some(some)) if some.len() <= 20 => 2,
            Ok(Some(some)) if some.len() <= 100 => 40,
            _ => 80,
        },
        E::TickerWindow | E::TradingDay => match params.symbols() {
            Ok(Some(some)) => base * some.len().clamp(1, 50) as u32,
            _ => base,
        },
        E::TickerPrice | E::TickerBook if all_symbols => 4,
        E::MyTrades if params.text("orderId").is_ok_and(|id| id.is_some()) => 5,
        E::TestOrder
            if params
                .text("computeCommissionRates")
                .is_ok_and(|asked| asked == Some("true")) =>
        {
            20
        }
        E::OpenOrders if all_symbols => 80,
        _ => base,
    }
}

/// What an endpoint answers with.
pub(crate) struct Answer {
    pub(crate) body: String,
    pub(crate) orders: Option<OrderCount>,
}

impl Answer {
    pub(super) fn text(body: String) -> Self {
        Self { body, orders: None }
    }

    pub(super) fn json(body: &impl Serialize) -> Self {
        Self::text(crate::wire::text(body))
    }

    /// The same, with what the account's orders count up to.
    pub(super) fn counted(self, orders: OrderCount) -> Self {
        Self {
            orders: Some(orders),
            ..self
        }
    }
}
