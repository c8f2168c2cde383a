//! Refusals as Binance words them: an HTTP status, a negative code and a sentence.

use crate::core::order::Refusal;
use crate::core::units::DecimalFault;

/// The shape that a decimal must have, as the refusal of a bad one quotes it.
const DECIMAL_SHAPE: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";

/// A refusal of the Binance surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Binance's code.
    pub code: i32,
    /// Binance's sentence.
    pub message: String,
    /// Seconds after which a retry can succeed.
    pub retry_after: Option<u64>,
    /// More about it, as Binance's `data`.
    pub data: Option<serde_json::Value>,
}

impl ApiError {
    /// A refusal with status 400.
    pub fn bad(code: i32, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            retry_after: None,
            data: None,
        }
    }

    fn at(status: u16, code: i32, message: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::bad(code, message)
        }
    }

    /// The venue could not do it: it stops, or failed.
    pub fn unavailable() -> Self {
        Self::at(
            503,
            -1001,
            "Internal error; unable to process your request. Please try again.",
        )
    }

    /// The venue may or may not have done it.
    pub fn unknown_outcome() -> Self {
        let message =
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
        Self::at(504, -1007, message)
    }

    /// The symbol does not trade now.
    pub fn market_closed() -> Self {
        Self::bad(-1013, "Market is closed.")
    }

    /// Too many requests wait already.
    pub fn busy() -> Self {
        let message = "Server is currently overloaded with other requests. Please try again in a few minutes.";
        Self {
            retry_after: Some(1),
            ..Self::at(503, -1008, message)
        }
    }

    /// The weight of a minute is used up.
    pub fn too_much_weight(limit: u32, retry_after: u64) -> Self {
        let message = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. \
             Please use WebSocket Streams for live updates to avoid polling the API."
        );
        Self {
            retry_after: Some(retry_after),
            ..Self::at(429, -1003, message)
        }
    }

    /// The address went on after it was told to stop; `until` is in µs.
    pub fn banned(until: i64, retry_after: u64) -> Self {
        let message = format!(
            "Way too much request weight used; IP banned until {}. \
             Please use WebSocket Streams for live updates to avoid bans.",
            until.div_euclid(1_000)
        );
        Self {
            retry_after: Some(retry_after),
            ..Self::at(418, -1003, message)
        }
    }

    /// The orders of a window are used up.
    pub fn too_many_orders(limit: u32, window: &str, retry_after: u64) -> Self {
        let message = format!("Too many new orders; current limit is {limit} orders per {window}.");
        Self {
            retry_after: Some(retry_after),
            ..Self::at(429, -1015, message)
        }
    }

    /// A parameter that must be sent was not, or was empty.
    pub fn missing(name: &str) -> Self {
        Self::bad(
            -1102,
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
        )
    }

    /// Characters that a parameter may not have.
    pub fn illegal(name: &str, range: &str) -> Self {
        Self::bad(
            -1100,
            format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."),
        )
    }

    /// A parameter that does not go with the others.
    pub fn not_required(name: &str) -> Self {
        Self::bad(-1106, format!("Parameter '{name}' sent when not required."))
    }

    /// A word that is none of the known ones.
    pub fn invalid(name: &str) -> Self {
        Self::bad(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// A decimal that was not taken.
    pub fn decimal(name: &str, fault: DecimalFault) -> Self {
        match fault {
            DecimalFault::Malformed => Self::illegal(name, DECIMAL_SHAPE),
            DecimalFault::TooPrecise => Self::bad(-1111, format!("Parameter '{name}' has too much precision.")),
        }
    }

    /// No such symbol.
    pub fn symbol() -> Self {
        Self::bad(-1121, "Invalid symbol.")
    }

    /// The key is not of the form of a key.
    pub fn key_format() -> Self {
        Self::at(401, -2014, "API-key format invalid.")
    }

    /// The key is not known.
    pub fn key() -> Self {
        Self::at(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    /// The signature is not the key's for this payload.
    pub fn signature() -> Self {
        Self::bad(-1022, "Signature for this request is not valid.")
    }

    /// A refusal to cancel.
    pub fn cancel(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownOrder | Refusal::NoSuchOrder => Self::bad(-2011, "Unknown order sent."),
            other => other.into(),
        }
    }

    /// A refusal to reduce an order.
    pub fn amend(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownOrder => Refusal::NoSuchOrder.into(),
            other => other.into(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Filter(name) => Self::bad(-1013, format!("Filter failure: {name}")),
            Refusal::InsufficientBalance => Self::bad(-2010, "Account has insufficient balance for requested action."),
            Refusal::DuplicateOrder => Self::bad(-2010, "Duplicate order sent."),
            Refusal::WouldTake => Self::bad(-2010, "Order would immediately match and take."),
            Refusal::NoLiquidity => Self::bad(
                -2010,
                "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.",
            ),
            Refusal::UnknownOrder => Self::bad(-2010, "Unknown order sent."),
            Refusal::NoSuchOrder => Self::bad(-2013, "Order does not exist."),
            Refusal::NoSuchList => Self::bad(-2018, "Order list does not exist."),
            Refusal::NoSuchAccount => Self::key(),
            Refusal::WouldTrigger => Self::bad(-2010, "Order would trigger immediately."),
            Refusal::IcebergExceeds => Self::bad(-2010, "IcebergQty exceeds QTY."),
            Refusal::PriceRelation => Self::bad(-2010, "The relationship of the prices for the orders is not correct."),
            Refusal::CancelRestricted => Self::bad(-2011, "Order was not canceled due to cancel restrictions."),
            Refusal::AmendIncrease => Self::bad(-2038, "Order amend (quantity increase) is not supported."),
            Refusal::AmendRejected => Self::bad(-2038, "The requested action is not supported for this order."),
            Refusal::AmendNothing => Self::bad(-2038, "The requested action would change no state; rejecting."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_code() {
        let table = [
            (Refusal::Filter("LOT_SIZE"), 400, -1013),
            (Refusal::InsufficientBalance, 400, -2010),
            (Refusal::DuplicateOrder, 400, -2010),
            (Refusal::WouldTake, 400, -2010),
            (Refusal::NoLiquidity, 400, -2010),
            (Refusal::UnknownOrder, 400, -2010),
            (Refusal::NoSuchOrder, 400, -2013),
            (Refusal::NoSuchList, 400, -2018),
            (Refusal::NoSuchAccount, 401, -2015),
            (Refusal::WouldTrigger, 400, -2010),
            (Refusal::IcebergExceeds, 400, -2010),
            (Refusal::PriceRelation, 400, -2010),
            (Refusal::CancelRestricted, 400, -2011),
            (Refusal::AmendIncrease, 400, -2038),
            (Refusal::AmendRejected, 400, -2038),
            (Refusal::AmendNothing, 400, -2038),
        ];
        for (refusal, status, code) in table {
            let error = ApiError::from(refusal);
            assert_eq!((error.status, error.code), (status, code), "{refusal:?}");
        }
        assert_eq!(ApiError::cancel(Refusal::UnknownOrder).code, -2011);
        assert_eq!(ApiError::amend(Refusal::UnknownOrder).code, -2013);
        assert_eq!(ApiError::amend(Refusal::AmendNothing).code, -2038);
        assert_eq!(ApiError::invalid("x").code, -1130);
        assert_eq!(ApiError::cancel(Refusal::NoSuchAccount).code, -2015);
        assert_eq!(ApiError::decimal("price", DecimalFault::TooPrecise).code, -1111);
        assert_eq!(ApiError::busy().status, 503);
        assert_eq!(
            (ApiError::unknown_outcome().status, ApiError::unknown_outcome().code),
            (504, -1007)
        );
        assert_eq!(ApiError::unavailable().code, -1001);
        assert_eq!(ApiError::not_required("price").code, -1106);
    }
}
