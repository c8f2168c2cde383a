//! What the protos state of each rpc, as tables; and the check that every service makes of every request.

use std::sync::Arc;

use http::Extensions;

use crate::error::Error;
use crate::identity::{Principal, Role};
pub use crate::pb::tables::{METHODS, method};

/// An rpc and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// The gRPC path, `/trademesh.trading.v1.TradingService/SubmitOrder`.
    pub path: &'static str,
    /// The service's full name.
    pub service: &'static str,
    /// The area of the service, which is the name that it is called by: `trading`.
    pub area: &'static str,
    /// The rpc's name.
    pub name: &'static str,
    /// The permission's name, or `public`.
    pub permission: &'static str,
    /// What the permission is granted on.
    pub scope: Scope,
    /// The request field that names the account, as a dotted path.
    pub account_field: Option<&'static str>,
    /// The field numbers of that path, for readers of undecoded bytes.
    pub account_field_tags: &'static [u32],
    /// The roles that hold the permission.
    pub roles: &'static [Role],
    /// What may be done when the outcome is not known.
    pub idempotency: Idempotency,
    /// Whether a call leaves an audit record.
    pub audit: bool,
    /// Whether the client streams.
    pub client_streaming: bool,
    /// Whether the server streams.
    pub server_streaming: bool,
    /// The HTTP methods and paths; none for an rpc that is internal or not built yet.
    pub http: &'static [HttpBinding],
}

/// What a permission is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nobody needs to say who calls.
    Public,
    /// The whole platform.
    Platform,
    /// One account.
    Account,
}

/// What may be done when the outcome of a call is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Never send it again.
    Unknown,
    /// Retry and hedge.
    NoSideEffects,
    /// Retry with the same client-made id; never hedge.
    Idempotent,
}

/// One HTTP method and path of an rpc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpBinding {
    /// The HTTP method.
    pub method: &'static str,
    /// The path template.
    pub template: &'static str,
    /// What the body fills.
    pub body: Body,
    /// The response field that is answered alone.
    pub response_body: Option<&'static str>,
}

/// What the body of a request fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// Every field that the path does not name.
    Whole,
    /// This field.
    Field(&'static str),
}

/// Refuses a caller that may not make this call.
///
/// # Errors
/// `UNAUTHENTICATED` without a principal in the extensions, `PERMISSION_DENIED` without the permission, and
/// `ACCOUNT_NOT_GRANTED` without a grant on the account that the request names.
pub fn authorise(method: &Method, extensions: &Extensions, account: Option<&str>) -> Result<(), Error> {
    if method.scope == Scope::Public {
        return Ok(());
    }
    let principal = extensions
        .get::<Arc<Principal>>()
        .ok_or_else(|| Error::unauthenticated("UNAUTHENTICATED", "this call needs a valid token"))?;
    check(method, principal, account)
}

/// The same for a principal at hand.
///
/// # Errors
/// `PERMISSION_DENIED` and `ACCOUNT_NOT_GRANTED`.
pub fn check(method: &Method, principal: &Principal, account: Option<&str>) -> Result<(), Error> {
    let held = method.scope == Scope::Public || principal.roles.iter().any(|role| method.roles.contains(role));
    if !held {
        let message = format!("the caller does not hold the permission '{}'", method.permission);
        return Err(Error::denied("PERMISSION_DENIED", message).with("permission", method.permission));
    }
    match account {
        Some(account) if method.scope == Scope::Account && !principal.may_access(account) => Err(Error::denied(
            "ACCOUNT_NOT_GRANTED",
            "the caller has no grant on this account",
        )
        .with("account", account)),
        _ => Ok(()),
    }
}

/// Reads the account that an encoded request names, and nothing else of it. `None` when the rpc has no account field;
/// an absent field reads as the empty string, as it does when decoded.
///
/// # Errors
/// `MALFORMED_MESSAGE` when the bytes are no message.
pub fn account_of(method: &Method, message: &[u8]) -> Result<Option<String>, Error> {
    if method.account_field_tags.is_empty() {
        return Ok(None);
    }
    let malformed = || Error::invalid("MALFORMED_MESSAGE", "the request is not a protobuf message");
    let found = last_string(message, method.account_field_tags).ok_or_else(malformed)?;
    let text = std::str::from_utf8(found.unwrap_or_default()).map_err(|_| malformed())?;
    Ok(Some(text.to_owned()))
}

/// The last value at a path of field numbers, as a decoder that merges would leave it. The outer `None`: no message.
fn last_string<'a>(mut message: &'a [u8], tags: &[u32]) -> Option<Option<&'a [u8]>> {
    let (wanted, inner) = tags.split_first()?;
    let mut found = None;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let tag = u32::try_from(key >> 3).ok().filter(|tag| *tag != 0)?;
        let value = skip_value(&mut message, key & 7)?;
        if tag != *wanted {
            continue;
        }
        let bytes = value?;
        found = if inner.is_empty() {
            Some(bytes)
        } else {
            last_string(bytes, inner)?.or(found)
        };
    }
    Some(found)
}

/// Steps over a value; the inner `Some` holds the bytes of a length-delimited one.
fn skip_value<'a>(message: &mut &'a [u8], wire_type: u64) -> Option<Option<&'a [u8]>> {
    let length = match wire_type {
        0 => return varint(message).map(|_| None),
        1 => 8,
        2 => usize::try_from(varint(message)?).ok()?,
        5 => 4,
        // Groups are not written by any proto3 peer.
        _ => return None,
    };
    let (value, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some((wire_type == 2).then_some(value))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte holds one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
