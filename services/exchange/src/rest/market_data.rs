//! Endpoints that everyone may call.

use super::endpoint::{Answer, Api, Endpoint};
use super::params::Params;
use crate::core::interval::Interval;
use crate::core::market::{Market, TAPE};
use crate::error::ApiError;
use crate::wire::ticker::{self, Detail};
use crate::wire::{info, market as wire};
use serde_json::{Value, json};

/// Depth levels that one answer holds at most.
const MOST_LEVELS: usize = 5_000;

/// One minute, µs.
const MINUTE: i64 = 60_000_000;

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
        (None, Some(names)) => {
            let repeated = (1..names.len()).any(|at| names[..at].contains(&names[at]));
            if repeated {
                return Err(ApiError::bad(-1151, "Symbol is present multiple times in the list."));
            }
            names.iter().map(|name| api.symbol_named(name)).collect()
        }
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
    let offset = time_zone(params)?;
    look(api, params, move |market| {
        let mut candles = market.candles(interval, offset);
        candles.retain(|bar| {
            let open = crate::wire::millis(bar.open_time);
            start.is_none_or(|start| open >= start) && end.is_none_or(|end| open <= end)
        });
        // from a start forwards, else the latest
        let skipped = if start.is_some() {
            0
        } else {
            candles.len().saturating_sub(limit)
        };
        let shown = candles.into_iter().skip(skipped).take(limit);
        wire::klines(&market.listing, interval, offset, shown)
    })
    .await
}

/// `timeZone`: hours, or hours and minutes, from -12:00 to +14:00; in microseconds east of UTC.
fn time_zone(params: &Params) -> Result<i64, ApiError> {
    let Some(text) = params.text("timeZone")? else {
        return Ok(0);
    };
    let invalid = || ApiError::bad(-1130, "Data sent for parameter 'timeZone' is not valid.");
    let (negative, plain) = match text.strip_prefix('-') {
        Some(plain) => (true, plain),
        None => (false, text.strip_prefix(['+', ' ']).unwrap_or(text)),
    };
    let (hours, minutes) = plain.split_once(':').unwrap_or((plain, "0"));
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten().ok_or_else(invalid)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    let most = if negative { 12 * 60 } else { 14 * 60 };
    if minutes > 59 || total > most {
        return Err(invalid());
    }
    Ok(if negative { -total } else { total } * 60_000_000)
}

pub(super) async fn average_price(api: &Api, params: &Params) -> Result<Answer, ApiError> {
    look(api, params, |market| ticker::average(market).to_string()).await
}

/// `type`: how much of a statistic is told.
fn detail(params: &Params) -> Result<Detail, ApiError> {
    match params.text("type")? {
        None | Some("FULL") => Ok(Detail::Full),
        Some("MINI") => Ok(Detail::Mini),
        Some(_) => Err(ApiError::bad(-1139, "Invalid ticker type.")),
    }
}

/// `windowSize`: 1m to 59m, 1h to 23h, 1d to 7d; in minutes.
fn window(params: &Params) -> Result<i64, ApiError> {
    let text = params.text("windowSize")?.unwrap_or("1d");
    let invalid = || ApiError::bad(-1130, "Data sent for parameter 'windowSize' is not valid.");
    let units = [("m", 59, 1), ("h", 23, 60), ("d", 7, 1_440)];
    let read = |(unit, most, minutes): (&str, i64, i64)| {
        let digits = text.strip_suffix(unit)?;
        let plain = digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count = digits.parse::<i64>().ok().filter(|_| plain)?;
        (1..=most).contains(&count).then_some(count * minutes)
    };
    units.into_iter().find_map(read).ok_or_else(invalid)
}

pub(super) async fn ticker(api: &Api, endpoint: Endpoint, params: &Params) -> Result<Answer, ApiError> {
    let single = params.text("symbol")?.is_some();
    let symbols = chosen(api, params)?;
    let spans = matches!(endpoint, Endpoint::TickerWindow | Endpoint::TradingDay);
    if spans && !single && params.symbols()?.is_none() {
        let message = "Param 'symbol' or 'symbols' must be sent, but both were empty/null!";
        return Err(ApiError::bad(-1102, message));
    }
    let (detail, minutes, offset) = (detail(params)?, window(params)?, time_zone(params)?);
    let answer = api.handle.read(move |venue| {
        let now = venue.now();
        let entry = |symbol: &usize| {
            let market = &venue.markets()[*symbol];
            match endpoint {
                Endpoint::TickerPrice => ticker::price(market),
                Endpoint::TickerBook => ticker::book(market),
                Endpoint::TickerWindow => {
                    let from = now - now.rem_euclid(MINUTE) - (minutes - 1) * MINUTE;
                    ticker::span(market, &market.span(from, now), now, detail)
                }
                Endpoint::TradingDay => {
                    let from = Interval::D1.open(now, offset);
                    let closes = Interval::D1.end(from, offset) - 1;
                    ticker::span(market, &market.span(from, now), closes, detail)
                }
                _ => ticker::day(market, now, detail),
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
