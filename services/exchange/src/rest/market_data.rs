//! Endpoints that everyone may call.

use super::endpoint::{Answer, Api, Endpoint};
use super::params::Params;
use crate::core::bars::Interval;
use crate::core::market::{Market, TAPE};
use crate::error::ApiError;
use crate::wire::{info, market as wire};
use serde_json::{Value, json};

/// Depth levels that one answer holds at most.
const MOST_LEVELS: usize = 5_000;

/// Candles that one answer holds at most.
const MOST_KLINES: usize = 1_000;

pub(super) fn exchange_info(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limits = api.meter.lock().limits();
    let halts = api.halts.lock().clone();
    let stated = |symbol: usize| {
        let mut info = api.info[symbol].clone();
        if let Some(halt) = halts.get(&symbol) {
            info["status"] = halt.name().into();
        }
        info
    };
    let symbols: Value = chosen(api, params)?.into_iter().map(stated).collect();
    Ok(Answer::json(&json!({
        "timezone": "UTC",
        "serverTime": api.millis(),
        "rateLimits": info::rate_limits(&limits),
        "exchangeFilters": [],
        "symbols": symbols,
    })))
}

/// The symbols that `symbol` or `symbols` names, or all.
fn chosen(api: &Api, params: &Params) -> Result<Vec<usize>, ApiError> {
    match (params.text("symbol")?, params.symbols()?) {
        (Some(_), Some(_)) => Err(ApiError::bad(-1128, "Combination of optional parameters invalid.")),
        (Some(name), None) => Ok(vec![api.symbol_named(name)?]),
        (None, Some(names)) => names.iter().map(|name| api.symbol_named(name)).collect(),
        (None, None) => Ok((0..api.listings.len()).collect()),
    }
}

/// Asks for one market's view.
async fn look<F>(api: &Api, params: &Params, view: F) -> Result<Answer, ApiError>
where
    F: FnOnce(&Market) -> String + Send + 'static,
{
    let symbol = api.symbol(params)?;
    api.handle
        .read(move |venue| view(&venue.markets()[symbol]))
        .await
        .map(Answer::text)
}

pub(super) async fn depth(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limit = params.limit(100, MOST_LEVELS)?;
    look(api, params, move |market| wire::depth(market, limit)).await
}

pub(super) async fn trades(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limit = params.limit(500, TAPE)?;
    look(api, params, move |market| {
        let skipped = market.tape().len().saturating_sub(limit);
        wire::trades(&market.listing, market.tape().iter().skip(skipped))
    })
    .await
}

pub(super) async fn historical_trades(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limit = params.limit(500, TAPE)?;
    let Some(from) = params.number("fromId")? else {
        return trades(api, params).await;
    };
    look(api, params, move |market| {
        wire::trades(
            &market.listing,
            market.tape().iter().filter(|print| print.id as i64 >= from).take(limit),
        )
    })
    .await
}

pub(super) async fn aggregates(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limit = params.limit(500, TAPE)?;
    let (from, start, end) = (
        params.number("fromId")?,
        params.number("startTime")?,
        params.number("endTime")?,
    );
    look(api, params, move |market| {
        let wanted = |each: &&crate::core::market::Aggregate| {
            let time = crate::wire::millis(each.time);
            from.is_none_or(|from| each.id as i64 >= from)
                && start.is_none_or(|start| time >= start)
                && end.is_none_or(|end| time <= end)
        };
        let all = market.aggregates();
        let latest = from.is_none() && start.is_none();
        let skipped = if latest {
            all.iter().filter(wanted).count().saturating_sub(limit)
        } else {
            0
        };
        wire::aggregates(&market.listing, all.iter().filter(wanted).skip(skipped).take(limit))
    })
    .await
}

pub(super) async fn klines(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    let limit = params.limit(500, MOST_KLINES)?;
    let symbol = params.required("symbol")?;
    let name = params.required("interval")?;
    api.symbol_named(symbol)?;
    let interval = Interval::parse(name).ok_or_else(|| ApiError::bad(-1120, "Invalid interval."))?;
    let (start, end) = (params.number("startTime")?, params.number("endTime")?);
    look(api, params, move |market| {
        let wanted = |bar: &&crate::core::bars::Bar| {
            let open = crate::wire::millis(bar.open_time);
            start.is_none_or(|start| open >= start) && end.is_none_or(|end| open <= end)
        };
        let all: Vec<_> = market.bars(interval).filter(wanted).collect();
        // from a start forwards, else the latest
        let skipped = if start.is_some() {
            0
        } else {
            all.len().saturating_sub(limit)
        };
        wire::klines(&market.listing, interval, all.into_iter().skip(skipped).take(limit))
    })
    .await
}

pub(super) async fn average_price(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    look(api, params, |market| wire::average_price(market).to_string()).await
}

pub(super) async fn ticker(api: &Api, endpoint: Endpoint, params: &Params) -> Result<Answer, ApiError> {
    let single = params.text("symbol")?.is_some();
    let symbols = chosen(api, params)?;
    let answer = api.handle.read(move |venue| {
        let entry = |symbol: &usize| {
            let market = &venue.markets()[*symbol];
            match endpoint {
                Endpoint::TickerPrice => wire::ticker_price(market),
                Endpoint::TickerBook => wire::ticker_book(market),
                _ => wire::ticker_day(market, venue.now()),
            }
        };
        if single {
            entry(&symbols[0])
        } else {
            symbols.iter().map(entry).collect()
        }
    });
    Ok(Answer::json(&answer.await?))
}
