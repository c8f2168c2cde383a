//! Order lists: new, cancelled, asked for.

use super::endpoint::{Answer, Api};
use super::order_entry::{self as entry, Names, key};
use super::page::{MOST, page, span, within};
use super::params::Params;
use crate::core::order::{OrderKey, OrderType, Refusal, Side, TimeInForce};
use crate::core::request::{Legs, NewList, NewOrder, Terms, Trigger};
use crate::error::ApiError;
use crate::limits::OrderCount;
use crate::wire::order::ResponseType;
use crate::wire::{lists, rows, text};

const ABOVE: Names = Names {
    prefix: "above",
    quantity: "quantity",
    client_id: "aboveClientOrderId",
};
const BELOW: Names = Names {
    prefix: "below",
    quantity: "quantity",
    client_id: "belowClientOrderId",
};
const WORKING: Names = Names {
    prefix: "working",
    quantity: "workingQuantity",
    client_id: "workingClientOrderId",
};
const PENDING: Names = Names {
    prefix: "pending",
    quantity: "pendingQuantity",
    client_id: "pendingClientOrderId",
};
const PENDING_ABOVE: Names = Names {
    prefix: "pendingAbove",
    quantity: "pendingQuantity",
    client_id: "pendingAboveClientOrderId",
};
const PENDING_BELOW: Names = Names {
    prefix: "pendingBelow",
    quantity: "pendingQuantity",
    client_id: "pendingBelowClientOrderId",
};

/// What the legs of one list share.
struct Common<'a> {
    account: String,
    symbol: usize,
    params: &'a Params,
}

impl Common<'_> {
    fn leg(&self, side: Side, names: Names) -> Result<NewOrder, ApiError> {
        let kind = entry::kind(self.params, &format!("{}Type", names.prefix))?;
        self.order(side, names.client_id, entry::terms(self.params, names, kind)?)
    }

    fn order(&self, side: Side, client_id: &str, terms: Terms) -> Result<NewOrder, ApiError> {
        Ok(NewOrder {
            account: self.account.clone(),
            symbol: self.symbol,
            client_id: self.params.client_id(client_id)?,
            side,
            terms,
            prevention: entry::prevention(self.params)?,
        })
    }

    /// A pair of which one cancels the other.
    fn pair(&self, side: Side, above: Names, below: Names) -> Result<(NewOrder, NewOrder), ApiError> {
        let kind = |names: Names| entry::kind(self.params, &format!("{}Type", names.prefix));
        check_pair(side, kind(above)?, kind(below)?)?;
        Ok((self.leg(side, above)?, self.leg(side, below)?))
    }

    fn working(&self) -> Result<NewOrder, ApiError> {
        let kind = entry::kind(self.params, "workingType")?;
        if !matches!(kind, OrderType::Limit | OrderType::LimitMaker) {
            return Err(ApiError::bad(-1116, "Invalid orderType."));
        }
        self.leg(entry::side(self.params, "workingSide")?, WORKING)
    }
}

/// Which types may lie above and below the market.
fn check_pair(side: Side, above: OrderType, below: OrderType) -> Result<(), ApiError> {
    for kind in [above, below] {
        if matches!(kind, OrderType::Limit | OrderType::Market) {
            return Err(ApiError::bad(-1158, "Order type not supported in OCO."));
        }
    }
    if above == OrderType::LimitMaker && below == OrderType::LimitMaker {
        return Err(ApiError::bad(-1168, "At least one OCO order must be contingent."));
    }
    let (gains, loses) = match side {
        Side::Sell => (above, below),
        Side::Buy => (below, above),
    };
    let wrong = match (side, gains, loses) {
        (Side::Buy, _, OrderType::LimitMaker) => Some((-1165, "A limit order in a buy OCO must be below.")),
        (Side::Sell, _, OrderType::LimitMaker) => Some((-1166, "A limit order in a sell OCO must be above.")),
        (Side::Buy, gains, _) if gains.is_stop_loss() => Some((-1196, "A stop loss order in a buy OCO must be above.")),
        (Side::Sell, gains, _) if gains.is_stop_loss() => {
            Some((-1197, "A stop loss order in a sell OCO must be below."))
        }
        (Side::Buy, _, loses) if loses.is_take_profit() => {
            Some((-1198, "A take profit order in a buy OCO must be below."))
        }
        (Side::Sell, _, loses) if loses.is_take_profit() => {
            Some((-1199, "A take profit order in a sell OCO must be above."))
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |(code, message)| Err(ApiError::bad(code, message)))
}

fn oco(common: &Common<'_>) -> Result<Legs, ApiError> {
    let side = entry::side(common.params, "side")?;
    let (above, below) = common.pair(side, ABOVE, BELOW)?;
    Ok(Legs::Oco { above, below })
}

fn oto(common: &Common<'_>) -> Result<Legs, ApiError> {
    let working = common.working()?;
    let pending = common.leg(entry::side(common.params, "pendingSide")?, PENDING)?;
    Ok(Legs::Oto { working, pending })
}

fn otoco(common: &Common<'_>) -> Result<Legs, ApiError> {
    let working = common.working()?;
    let side = entry::side(common.params, "pendingSide")?;
    let (above, below) = common.pair(side, PENDING_ABOVE, PENDING_BELOW)?;
    Ok(Legs::Otoco { working, above, below })
}

/// The older form of a pair: a limit-maker order and a stop-loss order.
fn legacy(common: &Common<'_>) -> Result<Legs, ApiError> {
    let params = common.params;
    let side = entry::side(params, "side")?;
    let quantity = params.required_decimal("quantity")?;
    let price = params.required_decimal("price")?;
    let limit = Terms::LimitMaker {
        price,
        quantity,
        iceberg: params.decimal("limitIcebergQty")?,
    };
    let stop_price = params.decimal("stopPrice")?;
    let trigger = match (params.number("trailingDelta")?, stop_price) {
        (Some(delta), from) => Trigger::Trailing {
            delta: u32::try_from(delta).unwrap_or(u32::MAX),
            from,
        },
        (None, Some(price)) => Trigger::Stop(price),
        (None, None) => return Err(ApiError::missing("stopPrice")),
    };
    let stop = match params.decimal("stopLimitPrice")? {
        None => Terms::Stop {
            take_profit: false,
            trigger,
            quantity,
        },
        Some(price) => Terms::StopLimit {
            take_profit: false,
            trigger,
            price,
            quantity,
            time_in_force: match params.required("stopLimitTimeInForce")? {
                "GTC" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                _ => return Err(ApiError::bad(-1115, "Invalid timeInForce.")),
            },
            iceberg: params.decimal("stopIcebergQty")?,
        },
    };
    let limit = common.order(side, "limitClientOrderId", limit)?;
    let stop = common.order(side, "stopClientOrderId", stop)?;
    let (above, below) = match side {
        Side::Sell => (limit, stop),
        Side::Buy => (stop, limit),
    };
    Ok(Legs::Oco { above, below })
}

/// Which kind of list is placed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Oco,
    Oto,
    Otoco,
    Legacy,
}

pub(super) async fn place(api: &Api, account: String, params: &Params, form: Form) -> Result<Answer, ApiError> {
    let common = Common {
        account,
        symbol: api.symbol(params)?,
        params,
    };
    let legs = match form {
        Form::Oco => oco(&common)?,
        Form::Oto => oto(&common)?,
        Form::Otoco => otoco(&common)?,
        Form::Legacy => legacy(&common)?,
    };
    let response = entry::response_type(params, ResponseType::Result)?;
    let client_id = params.client_id("listClientOrderId")?;
    let mut count = OrderCount::default();
    for _ in legs.all() {
        count = api.meter.lock().order(&common.account, (api.now)())?;
    }
    let new = NewList { client_id, legs };
    let placed = api
        .handle
        .ask(move |venue, now, effects| venue.place_list(&new, now, effects))
        .await??;
    Ok(Answer::json(&lists::placed(&placed, response)).counted(count))
}

pub(super) async fn cancel(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params, "orderListId", "listClientOrderId")?);
    let client_id = params.client_id("newClientOrderId")?;
    let asked = client_id.clone();
    let cancelled = api
        .handle
        .ask(move |venue, now, effects| venue.cancel_list(&account, symbol, &key, asked.as_deref(), now, effects));
    let ended = cancelled.await?.map_err(ApiError::cancel)?;
    Ok(Answer::json(&lists::ended(&ended, client_id.as_deref())))
}

pub(super) async fn query(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let key: OrderKey = key(params, "orderListId", "origClientOrderId")?;
    let found = api.handle.read(move |venue| {
        let state = venue.ledger().account(&account)?;
        state.list(&key).map(|list| text(&lists::asked(list)))
    });
    let found = found.await?.ok_or(Refusal::NoSuchList)?;
    Ok(Answer::text(found))
}

pub(super) async fn all(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (limit, from, span) = (params.limit(500, MOST)?, params.number("fromId")?, span(params)?);
    if from.is_some() && (span.0.is_some() || span.1.is_some()) {
        return Err(ApiError::bad(-1128, "Combination of optional parameters invalid."));
    }
    let found = api.handle.read(move |venue| {
        let known = venue.ledger().account(&account).map(|state| state.lists.values());
        let wanted = known.into_iter().flatten();
        let wanted = wanted.filter(|list| within(span, list.created));
        let wanted = wanted.filter(|list| from.is_none_or(|from| list.id.cast_signed() >= from));
        rows(page(wanted.collect(), from.is_some() || span.0.is_some(), limit).map(lists::asked))
    });
    Ok(Answer::text(found.await?))
}

pub(super) async fn open(api: &Api, account: String) -> Result<Answer, ApiError> {
    let found = api.handle.read(move |venue| {
        let state = venue.ledger().account(&account);
        rows(state.into_iter().flat_map(|state| state.open_lists().map(lists::asked)))
    });
    Ok(Answer::text(found.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_legs_make_a_pair() {
        use OrderType::{Limit, LimitMaker, StopLoss, StopLossLimit, TakeProfit, TakeProfitLimit};
        let table = [
            (Side::Sell, LimitMaker, StopLoss, None),
            (Side::Sell, TakeProfit, StopLossLimit, None),
            (Side::Buy, StopLossLimit, LimitMaker, None),
            (Side::Buy, StopLoss, TakeProfitLimit, None),
            (Side::Sell, Limit, StopLoss, Some(-1158)),
            (Side::Buy, StopLoss, OrderType::Market, Some(-1158)),
            (Side::Buy, LimitMaker, LimitMaker, Some(-1168)),
            (Side::Buy, LimitMaker, TakeProfit, Some(-1165)),
            (Side::Sell, TakeProfit, LimitMaker, Some(-1166)),
            (Side::Buy, StopLoss, StopLossLimit, Some(-1196)),
            (Side::Sell, StopLoss, StopLoss, Some(-1197)),
            (Side::Buy, TakeProfit, LimitMaker, Some(-1198)),
            (Side::Sell, LimitMaker, TakeProfitLimit, Some(-1199)),
        ];
        for (side, above, below, expected) in table {
            let code = check_pair(side, above, below).err().map(|error| error.code);
            assert_eq!(code, expected, "{side:?} {above:?} {below:?}");
        }
    }
}
