//! New, test, cancel, replaced and reduced orders.

use super::endpoint::{Answer, Api};
use super::params::Params;
use crate::core::amend::Replace;
use crate::core::contingent::PlacedList;
use crate::core::order::{Order, OrderKey, OrderType, Refusal, SelfTradePrevention, Side, TimeInForce};
use crate::core::request::{CancelRestriction, NewOrder, ReplaceMode, Terms, Trigger};
use crate::core::units::Atoms;
use crate::error::ApiError;
use crate::wire;
use crate::wire::order::ResponseType;
use serde_json::json;

/// What the parameters of one order are called: plainly, or after the leg of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    /// `above` in `abovePrice`; empty for a single order.
    pub(super) prefix: &'static str,
    /// The quantity; legs may share one.
    pub(super) quantity: &'static str,
    /// The client's id of the order.
    pub(super) client_id: &'static str,
}

/// A single order.
const PLAIN: Names = Names {
    prefix: "",
    quantity: "quantity",
    client_id: "newClientOrderId",
};

impl Names {
    fn of(self, name: &str) -> String {
        let mut letters = name.chars();
        match letters.next() {
            Some(first) if !self.prefix.is_empty() => {
                format!("{}{}{}", self.prefix, first.to_ascii_uppercase(), letters.as_str())
            }
            _ => name.to_owned(),
        }
    }
}

fn time_in_force(params: &Params, name: &str) -> Result<TimeInForce, ApiError> {
    match params.required(name)? {
        "GTC" => Ok(TimeInForce::Gtc),
        "IOC" => Ok(TimeInForce::Ioc),
        "FOK" => Ok(TimeInForce::Fok),
        _ => Err(ApiError::bad(-1115, "Invalid timeInForce.")),
    }
}

fn refuse_extra(params: &Params, names: Names, extra: &[&str]) -> Result<(), ApiError> {
    for name in extra {
        let name = names.of(name);
        if params.text(&name)?.is_some() {
            return Err(ApiError::not_required(&name));
        }
    }
    Ok(())
}

/// A decimal that may be absent, and is above zero when it is there.
fn positive(params: &Params, name: &str) -> Result<Option<Atoms>, ApiError> {
    match params.text(name)? {
        None => Ok(None),
        Some(_) => params.required_decimal(name).map(Some),
    }
}

fn trigger(params: &Params, names: Names) -> Result<Trigger, ApiError> {
    let (stop, trailing) = (names.of("stopPrice"), names.of("trailingDelta"));
    let from = positive(params, &stop)?;
    match (from, params.number(&trailing)?) {
        (from, Some(delta)) => Ok(Trigger::Trailing {
            delta: u32::try_from(delta).unwrap_or(u32::MAX),
            from,
        }),
        (Some(price), None) => Ok(Trigger::Stop(price)),
        (None, None) => {
            let message = format!("Param '{stop}' or '{trailing}' must be sent, but both were empty/null!");
            Err(ApiError::bad(-1102, message))
        }
    }
}

/// The visible quantity; what has one must wait until it is cancelled.
fn iceberg(params: &Params, names: Names, time_in_force: TimeInForce) -> Result<Option<Atoms>, ApiError> {
    let name = names.of("icebergQty");
    let iceberg = positive(params, &name)?;
    if iceberg.is_some() && time_in_force != TimeInForce::Gtc {
        if names.prefix.is_empty() {
            return Err(ApiError::bad(-1014, "Unsupported order combination."));
        }
        let message = format!(
            "Parameter '{name}' is not supported if '{}' is not GTC.",
            names.of("timeInForce")
        );
        return Err(ApiError::bad(-1160, message));
    }
    Ok(iceberg)
}

/// The terms of one order.
pub(super) fn terms(params: &Params, names: Names, kind: OrderType) -> Result<Terms, ApiError> {
    let quantity = || params.required_decimal(names.quantity);
    let (price_name, force_name) = (names.of("price"), names.of("timeInForce"));
    let take_profit = kind.is_take_profit();
    match kind {
        OrderType::Limit => {
            refuse_extra(params, names, &["quoteOrderQty", "stopPrice", "trailingDelta"])?;
            let time_in_force = time_in_force(params, &force_name)?;
            let quantity = quantity()?;
            Ok(Terms::Limit {
                price: params.required_decimal(&price_name)?,
                quantity,
                time_in_force,
                iceberg: iceberg(params, names, time_in_force)?,
            })
        }
        OrderType::LimitMaker => {
            refuse_extra(
                params,
                names,
                &["quoteOrderQty", "stopPrice", "trailingDelta", "timeInForce"],
            )?;
            let quantity = quantity()?;
            Ok(Terms::LimitMaker {
                price: params.required_decimal(&price_name)?,
                quantity,
                iceberg: iceberg(params, names, TimeInForce::Gtc)?,
            })
        }
        OrderType::Market => {
            refuse_extra(
                params,
                names,
                &["price", "timeInForce", "stopPrice", "trailingDelta", "icebergQty"],
            )?;
            match (params.text(names.quantity)?, params.text("quoteOrderQty")?) {
                (Some(_), None) => Ok(Terms::Market { quantity: quantity()? }),
                (None, Some(_)) if names.prefix.is_empty() => Ok(Terms::MarketByValue {
                    value: params.required_decimal("quoteOrderQty")?,
                }),
                (_, Some(_)) => Err(ApiError::not_required("quoteOrderQty")),
                (None, None) if names.prefix.is_empty() => {
                    let message = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!";
                    Err(ApiError::bad(-1102, message))
                }
                (None, None) => Err(ApiError::missing(names.quantity)),
            }
        }
        OrderType::StopLoss | OrderType::TakeProfit => {
            refuse_extra(params, names, &["price", "timeInForce", "icebergQty", "quoteOrderQty"])?;
            let quantity = quantity()?;
            Ok(Terms::Stop {
                take_profit,
                trigger: trigger(params, names)?,
                quantity,
            })
        }
        OrderType::StopLossLimit | OrderType::TakeProfitLimit => {
            refuse_extra(params, names, &["quoteOrderQty"])?;
            let time_in_force = time_in_force(params, &force_name)?;
            let quantity = quantity()?;
            Ok(Terms::StopLimit {
                take_profit,
                trigger: trigger(params, names)?,
                price: params.required_decimal(&price_name)?,
                quantity,
                time_in_force,
                iceberg: iceberg(params, names, time_in_force)?,
            })
        }
    }
}

pub(super) fn side(params: &Params, name: &str) -> Result<Side, ApiError> {
    match params.required(name)? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(ApiError::bad(-1117, "Invalid side.")),
    }
}

pub(super) fn kind(params: &Params, name: &str) -> Result<OrderType, ApiError> {
    OrderType::parse(params.required(name)?).ok_or_else(|| ApiError::bad(-1116, "Invalid orderType."))
}

pub(super) fn prevention(params: &Params) -> Result<SelfTradePrevention, ApiError> {
    let name = "selfTradePreventionMode";
    match params.text(name)? {
        None => Ok(SelfTradePrevention::default()),
        Some("TRANSFER") => {
            let message = "This symbol does not allow the specified self-trade prevention mode.";
            Err(ApiError::bad(-1013, message))
        }
        Some(word) => SelfTradePrevention::parse(word).ok_or_else(|| ApiError::invalid(name)),
    }
}

fn order(api: &Api, account: String, params: &Params) -> Result<NewOrder, ApiError> {
    let symbol = api.symbol(params)?;
    let side = side(params, "side")?;
    let terms = terms(params, PLAIN, kind(params, "type")?)?;
    Ok(NewOrder {
        account,
        symbol,
        client_id: params.client_id(PLAIN.client_id)?,
        side,
        terms,
        prevention: prevention(params)?,
    })
}

/// How much of the answer is wanted.
pub(super) fn response_type(params: &Params, default: ResponseType) -> Result<ResponseType, ApiError> {
    match params.text("newOrderRespType")? {
        Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(ApiError::invalid("newOrderRespType")),
        None => Ok(default),
    }
}

/// Orders that may trade at once are answered with their fills, all others with an acknowledgement.
fn response_of(params: &Params, terms: &Terms) -> Result<ResponseType, ApiError> {
    let default = match terms.kind() {
        OrderType::Limit | OrderType::Market => ResponseType::Full,
        _ => ResponseType::Ack,
    };
    response_type(params, default)
}

pub(super) async fn new_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let new = order(api, account, params)?;
    let response = response_of(params, &new.terms)?;
    let count = api.meter.lock().order(&new.account, (api.now)())?;
    let placed = api
        .handle
        .ask(move |venue, now, effects| venue.place(&new, now, effects))
        .await??;
    Ok(Answer::json(&wire::order::placed(&placed, response)).counted(count))
}

pub(super) async fn test_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let new = order(api, account, params)?;
    response_of(params, &new.terms)?;
    let (computes, fees) = (flag(params, "computeCommissionRates")?, api.fees_bps);
    let commissions = api.handle.read(move |venue| {
        venue.check(&new)?;
        let account = venue.ledger().account(&new.account).ok_or(Refusal::NoSuchAccount)?;
        let is_listed = venue.fee_asset_price().is_some();
        Ok::<_, Refusal>(wire::account::commission_for_order(account, fees, is_listed))
    });
    let commissions = commissions.await??;
    Ok(if computes {
        Answer::json(&commissions)
    } else {
        Answer::text("{}".to_owned())
    })
}

/// A boolean parameter.
pub(super) fn flag(params: &Params, name: &str) -> Result<bool, ApiError> {
    match params.text(name)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ApiError::illegal(name, "true|false")),
    }
}

/// Names something by id or by client id; the id wins.
pub(super) fn key(params: &Params, id_name: &str, client_name: &str) -> Result<OrderKey, ApiError> {
    if let Some(id) = params.number(id_name)? {
        return Ok(OrderKey::Id(id.unsigned_abs()));
    }
    match params.client_id(client_name)? {
        Some(id) => Ok(OrderKey::Client(id)),
        None => {
            let message = format!("Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!");
            Err(ApiError::bad(-1102, message))
        }
    }
}

fn restriction(params: &Params) -> Result<Option<CancelRestriction>, ApiError> {
    match params.text("cancelRestrictions")? {
        None => Ok(None),
        Some("ONLY_NEW") => Ok(Some(CancelRestriction::OnlyNew)),
        Some("ONLY_PARTIALLY_FILLED") => Ok(Some(CancelRestriction::OnlyPartiallyFilled)),
        Some(_) => {
            let message = "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.";
            Err(ApiError::bad(-1145, message))
        }
    }
}

pub(super) async fn cancel_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params, "orderId", "origClientOrderId")?);
    let client_id = params.client_id("newClientOrderId")?;
    let (asked, restriction) = (client_id.clone(), restriction(params)?);
    let cancelled = api.handle.ask(move |venue, now, effects| {
        venue.cancel_if(&account, symbol, &key, asked.as_deref(), restriction, now, effects)
    });
    let order = cancelled.await?.map_err(ApiError::cancel)?;
    Ok(Answer::json(&wire::order::cancelled(&order, client_id.as_deref())))
}

pub(super) async fn cancel_all(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let cancelled = api.handle.ask(move |venue, now, effects| {
        let orders = venue.cancel_all(&account, symbol, now, effects)?;
        let mut ids: Vec<u64> = orders.iter().filter_map(|order| order.list).collect();
        ids.dedup();
        let lists = ids.into_iter().filter_map(|id| venue.list(&account, &OrderKey::Id(id)));
        Ok((lists.collect(), orders))
    });
    let (ended, orders): (Vec<PlacedList>, Vec<Order>) = cancelled.await?.map_err(ApiError::cancel)?;
    Ok(Answer::text(wire::lists::all_ended(&orders, &ended)))
}

pub(super) async fn replace(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let new = order(api, account, params)?;
    let response = response_of(params, &new.terms)?;
    let mode = match params.required("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => ReplaceMode::StopOnFailure,
        "ALLOW_FAILURE" => ReplaceMode::AllowFailure,
        _ => return Err(ApiError::invalid("cancelReplaceMode")),
    };
    let cancel_client_id = params.client_id("cancelNewClientOrderId")?;
    let asked = Replace {
        key: key(params, "cancelOrderId", "cancelOrigClientOrderId")?,
        cancel_client_id: cancel_client_id.clone(),
        restriction: restriction(params)?,
        mode,
        new,
    };
    let count = api.meter.lock().order(&asked.new.account, (api.now)())?;
    let replaced = api
        .handle
        .ask(move |venue, now, effects| venue.replace(&asked, now, effects));
    let replaced = replaced.await??;
    let cancelled = replaced.cancelled.map_err(ApiError::cancel);
    let placed = replaced.placed.map(|placed| placed.map_err(ApiError::from));
    let data = wire::replace::replaced((&cancelled, cancel_client_id.as_deref()), (placed.as_ref(), response));
    match (cancelled.is_ok(), placed.as_ref().is_some_and(|placed| placed.is_ok())) {
        (true, true) => Ok(Answer::json(&data).counted(count)),
        (false, false) => Err(ApiError {
            data: Some(json!(data)),
            ..ApiError::bad(-2022, "Order cancel-replace failed.")
        }),
        _ => Err(ApiError {
            status: 409,
            data: Some(json!(data)),
            ..ApiError::bad(-2021, "Order cancel-replace partially failed.")
        }),
    }
}

pub(super) async fn amend(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params, "orderId", "origClientOrderId")?);
    let (client_id, quantity) = (
        params.client_id("newClientOrderId")?,
        params.required_decimal("newQty")?,
    );
    let amended = api.handle.ask(move |venue, now, effects| {
        venue.amend((&account, symbol), &key, client_id.as_deref(), quantity, now, effects)
    });
    let (order, amendment) = amended.await?.map_err(ApiError::amend)?;
    Ok(Answer::json(&wire::amendment::amended(&order, &amendment)))
}
