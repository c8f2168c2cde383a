//! From a request, however it came, to its answer: charge, authenticate, refuse what is halted, do it.

use super::endpoint::{Access, Answer, Api, Endpoint, weight};
use super::params::Params;
use super::{market_data, trade};
use crate::error::ApiError;
use std::net::IpAddr;
use std::sync::Arc;

use Endpoint as E;

/// Who asks for something of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller<'a> {
    /// Who signed the request with this key.
    Key(Option<&'a str>),
    /// Who logged this account on before.
    LoggedOn(&'a str),
}

/// Performs one request; `base` is the weight that the table of routes states.
pub(crate) async fn perform(
    api: &Arc<Api>,
    (endpoint, base): (Endpoint, u32),
    address: IpAddr,
    caller: Caller<'_>,
    params: Result<Params, ApiError>,
) -> Result<Answer, ApiError> {
    let cost = params.as_ref().map_or(base, |params| weight(endpoint, base, params));
    api.charge(address, cost)?;
    let answer = answer(api, endpoint, caller, params?).await;
    if answer.as_ref().is_err_and(|refused| refused.status == 429) {
        api.meter.lock().refused(address, (api.now)());
    }
    answer
}

async fn answer(api: &Arc<Api>, endpoint: Endpoint, caller: Caller<'_>, params: Params) -> Result<Answer, ApiError> {
    match endpoint {
        E::Ping => Ok(Answer::text("{}".to_owned())),
        E::Time => Ok(Answer::text(format!("{{\"serverTime\":{}}}", api.millis()))),
        E::ExchangeInfo => market_data::exchange_info(api, &params),
        E::Depth => market_data::depth(api, &params).await,
        E::Trades => market_data::trades(api, &params).await,
        E::HistoricalTrades => market_data::historical_trades(api, &params).await,
        E::AggTrades => market_data::aggregates(api, &params).await,
        E::Klines => market_data::klines(api, &params).await,
        E::AvgPrice => market_data::average_price(api, &params).await,
        E::TickerDay | E::TickerPrice | E::TickerBook | E::TickerWindow | E::TradingDay => {
            market_data::ticker(api, endpoint, &params).await
        }
        private => {
            let account = match caller {
                Caller::Key(key) => api.accounts.authenticate(key, &params).await?.account,
                Caller::LoggedOn(account) => {
                    api.accounts.check_time(&params)?;
                    account.to_owned()
                }
            };
            if endpoint.access() == Access::Place {
                refuse_halted(api, &params)?;
            }
            trade::handle(api, private, account, &params).await
        }
    }
}

/// New orders wait until the symbol trades; a symbol that cannot be read is refused by what reads it.
fn refuse_halted(api: &Api, params: &Params) -> Result<(), ApiError> {
    match api.symbol(params) {
        Ok(symbol) if api.halts.lock().contains_key(&symbol) => Err(ApiError::market_closed()),
        _ => Ok(()),
    }
}
