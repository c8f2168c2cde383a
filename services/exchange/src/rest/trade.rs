//! Endpoints of one account: orders, fills, balances.

use super::endpoint::{Answer, Api, Endpoint};
use super::order_entry::{self as entry, key};
use super::order_lists::{self, Form};
use super::page::{MOST, page, span, within};
use super::params::Params;
use crate::core::account::Account;
use crate::core::order::{Order, Refusal};
use crate::error::ApiError;
use crate::wire::{self, info};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn handle(
    api: &Arc<Api>,
    endpoint: Endpoint,
    account: String,
    params: &Params,
) -> Result<Answer, ApiError> {
    match endpoint {
        Endpoint::NewOrder => entry::new_order(api, account, params).await,
        Endpoint::TestOrder => entry::test_order(api, account, params).await,
        Endpoint::QueryOrder => query_order(api, account, params).await,
        Endpoint::CancelOrder => entry::cancel_order(api, account, params).await,
        Endpoint::CancelReplace => entry::replace(api, account, params).await,
        Endpoint::Amend => entry::amend(api, account, params).await,
        Endpoint::Amendments => amendments(api, account, params).await,
        Endpoint::OpenOrders => open_orders(api, account, params).await,
        Endpoint::CancelAll => entry::cancel_all(api, account, params).await,
        Endpoint::NewOco => order_lists::place(api, account, params, Form::Oco).await,
        Endpoint::NewOto => order_lists::place(api, account, params, Form::Oto).await,
        Endpoint::NewOtoco => order_lists::place(api, account, params, Form::Otoco).await,
        Endpoint::LegacyOco => order_lists::place(api, account, params, Form::Legacy).await,
        Endpoint::CancelList => order_lists::cancel(api, account, params).await,
        Endpoint::QueryList => order_lists::query(api, account, params).await,
        Endpoint::AllLists => order_lists::all(api, account, params).await,
        Endpoint::OpenLists => order_lists::open(api, account).await,
        Endpoint::PreventedMatches => prevented_matches(api, account, params).await,
        Endpoint::Commission => commission(api, account, params).await,
        Endpoint::FeeAsset => fee_asset(api, account).await,
        Endpoint::SetFeeAsset => set_fee_asset(api, account, params).await,
        Endpoint::AllOrders => all_orders(api, account, params).await,
        Endpoint::MyTrades => my_trades(api, account, params).await,
        Endpoint::OrderCount => order_count(api, &account),
        _ => balances(api, account, params).await,
    }
}

async fn query_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params, "orderId", "origClientOrderId")?);
    let found = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        venue
            .ledger()
            .account(&account)
            .and_then(|state| state.order(name, &key))
            .map(|order| wire::text(&wire::order::asked(order)))
    });
    let found = found.await?.ok_or(Refusal::NoSuchOrder)?;
    Ok(Answer::text(found))
}

async fn open_orders(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = match params.text("symbol")? {
        Some(name) => Some(api.listings[api.symbol_named(name)?].symbol.clone()),
        None => None,
    };
    // An account may have many thousands: the venue copies them, and writing them out keeps nobody else waiting.
    let open = api.handle.read(move |venue| -> Vec<Order> {
        let state = venue.ledger().account(&account);
        let open = state.map(|state| state.open_orders(symbol.as_deref()).cloned().collect());
        open.unwrap_or_default()
    });
    let open = open.await?;
    Ok(Answer::text(wire::rows(open.iter().map(wire::order::asked))))
}

async fn all_orders(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let (limit, from, span) = (params.limit(500, MOST)?, params.number("orderId")?, span(params)?);
    let orders = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        let known = venue.ledger().account(&account).map(|state| state.orders.values());
        let wanted = known
            .into_iter()
            .flatten()
            .filter(|order| &order.symbol == name && within(span, order.created));
        let wanted = wanted
            .filter(|order| from.is_none_or(|from| order.id as i64 >= from))
            .collect();
        wire::rows(page(wanted, from.is_some() || span.0.is_some(), limit).map(wire::order::asked))
    });
    Ok(Answer::text(orders.await?))
}

async fn my_trades(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let (limit, span) = (params.limit(500, MOST)?, span(params)?);
    let (from, order) = (params.number("fromId")?, params.number("orderId")?);
    let trades = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        let known = venue.ledger().account(&account).map(|state| &state.fills);
        let wanted = known
            .into_iter()
            .flatten()
            .filter(|fill| &fill.symbol == name && within(span, fill.time));
        let wanted = wanted.filter(|fill| from.is_none_or(|from| fill.trade as i64 >= from));
        let wanted = wanted
            .filter(|fill| order.is_none_or(|order| fill.order as i64 == order))
            .collect();
        wire::rows(page(wanted, from.is_some() || span.0.is_some(), limit).map(wire::fill::trade))
    });
    Ok(Answer::text(trades.await?))
}

fn order_count(api: &Api, account: &str) -> Result<Answer, ApiError> {
    let meter = api.meter.lock();
    let used = meter.orders(account, (api.now)());
    let [_, ten_seconds, day] = info::rate_limits(&meter.limits());
    let counted = [ten_seconds.used(used.ten_seconds), day.used(used.day)];
    Ok(Answer::json(&counted))
}

async fn balances(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let omit_zero = params.text("omitZeroBalances")? == Some("true");
    let fees = api.fees_bps;
    let found = api
        .handle
        .read(move |venue| venue.ledger().account(&account).map(Account::holdings));
    let found = found.await?.ok_or(Refusal::NoSuchAccount)?;
    Ok(Answer::json(&wire::account::holdings(&found, fees, omit_zero)))
}

async fn amendments(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let order = params.required("orderId").and(params.number("orderId"))?;
    let (limit, from) = (params.limit(500, MOST)?, params.number("fromExecutionId")?);
    let found = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        let amendments = venue.ledger().account(&account).map(|state| &state.amendments);
        let wanted = amendments.into_iter().flatten().filter(|each| {
            Some(each.order.cast_signed()) == order && from.is_none_or(|from| each.id.cast_signed() >= from)
        });
        wire::rows(wanted.take(limit).map(|each| wire::amendment::amendment(name, each)))
    });
    Ok(Answer::text(found.await?))
}

async fn prevented_matches(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let (id, order) = (params.number("preventedMatchId")?, params.number("orderId")?);
    let (from, limit) = (params.number("fromPreventedMatchId")?, params.limit(500, MOST)?);
    if id.is_some() == order.is_some() || (id.is_some() && from.is_some()) {
        return Err(ApiError::bad(-1128, "Combination of optional parameters invalid."));
    }
    let found = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        let prevented = venue.ledger().account(&account).map(|state| &state.prevented);
        let wanted = prevented.into_iter().flatten().filter(|each| {
            let one = each.id.cast_signed();
            let names = |order: i64| [each.taker, each.maker].contains(&order.unsigned_abs());
            each.symbol == *name
                && id.is_none_or(|id| id == one)
                && order.is_none_or(names)
                && from.is_none_or(|from| one >= from)
        });
        wire::rows(wanted.take(limit).map(wire::fill::prevented))
    });
    Ok(Answer::text(found.await?))
}

async fn commission(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, fees) = (api.symbol(params)?, api.fees_bps);
    let found = api.handle.read(move |venue| {
        let state = venue.ledger().account(&account)?;
        let name = &venue.markets()[symbol].listing.symbol;
        let is_listed = venue.fee_asset_price().is_some();
        Some(wire::text(&wire::account::commission(name, state, fees, is_listed)))
    });
    let found = found.await?.ok_or(Refusal::NoSuchAccount)?;
    Ok(Answer::text(found))
}

fn burns(pays: bool) -> Answer {
    Answer::json(&json!({"spotBNBBurn": pays, "interestBNBBurn": false}))
}

async fn fee_asset(api: &Api, account: String) -> Result<Answer, ApiError> {
    let pays = api
        .handle
        .read(move |venue| venue.ledger().account(&account).map(|state| state.pays_in_fee_asset));
    Ok(burns(pays.await?.ok_or(Refusal::NoSuchAccount)?))
}

async fn set_fee_asset(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    params.required("spotBNBBurn")?;
    let pays = entry::flag(params, "spotBNBBurn")?;
    let set = api
        .handle
        .ask(move |venue, now, effects| venue.pay_in_fee_asset(&account, pays, now, effects));
    if set.await? {
        Ok(burns(pays))
    } else {
        Err(Refusal::NoSuchAccount.into())
    }
}
