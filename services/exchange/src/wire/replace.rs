//! `POST /api/v3/order/cancelReplace`: what became of its two halves.

use super::order::{Cancelled, PlacedOrder, ResponseType, cancelled, placed};
use crate::core::order::Order;
use crate::core::venue::Placed;
use crate::error::ApiError;
use serde::Serialize;

/// The answer to a half: what it did, or why it did nothing.
#[derive(Serialize)]
#[serde(untagged)]
enum Half<'a, T> {
    Done(T),
    Failed { code: i32, msg: &'a str },
}

impl<'a, T> Half<'a, T> {
    fn of<V>(result: &'a Result<V, ApiError>, shown: impl FnOnce(&'a V) -> T) -> Self {
        match result {
            Ok(value) => Half::Done(shown(value)),
            Err(error) => Half::Failed {
                code: error.code,
                msg: &error.message,
            },
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Half::Done(_) => "SUCCESS",
            Half::Failed { .. } => "FAILURE",
        }
    }
}

/// Both halves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced<'a> {
    cancel_result: &'static str,
    new_order_result: &'static str,
    cancel_response: Half<'a, Cancelled<'a>>,
    new_order_response: Option<Half<'a, PlacedOrder<'a>>>,
}

/// A cancel that `client_id` names, and the placement after it when it was tried.
pub fn replaced<'a>(
    (cancel, client_id): (&'a Result<Order, ApiError>, Option<&'a str>),
    (placement, response): (Option<&'a Result<Placed, ApiError>>, ResponseType),
) -> Replaced<'a> {
    let cancel = Half::of(cancel, |order| cancelled(order, client_id));
    let new = placement.map(|result| Half::of(result, |new| placed(new, response)));
    Replaced {
        cancel_result: cancel.word(),
        new_order_result: new.as_ref().map_or("NOT_ATTEMPTED", Half::word),
        cancel_response: cancel,
        new_order_response: new,
    }
}
