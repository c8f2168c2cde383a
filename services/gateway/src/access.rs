//! Who calls, whether they may, and how often: the same three questions for REST, gRPC and the WebSocket.

use crate::limits::{Allowance, Limits};
use http::HeaderMap;
use mesh::error::{Error, Result};
use mesh::identity::{Caller, Verifier};
use mesh::policy::{self, Method, Scope};
use std::net::IpAddr;

/// The gateway's doorkeeper.
pub(crate) struct Access {
    verifier: Verifier,
    limits: Limits,
}

impl Access {
    /// A doorkeeper that knows tokens and limits.
    pub(crate) fn new(verifier: Verifier, limits: Limits) -> Self {
        Self { verifier, limits }
    }

    /// The verified caller; none when the request carries no token.
    ///
    /// # Errors
    /// `Unauthenticated` when there is a token and it does not verify.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else {
            return Ok(None);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| Error::unauthenticated("TOKEN_INVALID", "the authorization header is not 'Bearer TOKEN'"))?;
        let principal = self.verifier.verify_fresh(token).await?;
        Ok(Some(Caller {
            principal,
            token: token.into(),
        }))
    }

    /// Counts the request: for its caller, or for the address when it names none or its token does not verify.
    /// `Exhausted` when there were too many.
    pub(crate) fn count(&self, caller: &Result<Option<Caller>>, peer: IpAddr) -> (Allowance, Result<()>) {
        match caller {
            Ok(Some(caller)) => self.count_caller(caller),
            Ok(None) | Err(_) => self.limits.address(peer),
        }
    }

    /// Counts what a caller asks on a connection that it has opened.
    pub(crate) fn count_caller(&self, caller: &Caller) -> (Allowance, Result<()>) {
        self.limits.principal(&caller.principal.subject)
    }

    /// The caller for a method. Whoever logs in again may well send an expired token along: where anybody may call, a
    /// bad token is none.
    ///
    /// # Errors
    /// `Unauthenticated` when the token does not verify.
    pub(crate) fn identified(method: &Method, caller: Result<Option<Caller>>) -> Result<Option<Caller>> {
        match caller {
            Err(_) if method.scope == Scope::Public => Ok(None),
            caller => caller,
        }
    }

    /// Whether the caller may make the call, on the account that it names. `None`: the account is not known yet, and the
    /// service will check it.
    ///
    /// # Errors
    /// `Unauthenticated` without a token, `Denied` without the permission or the grant.
    pub(crate) fn allow(&self, method: &Method, caller: Option<&Caller>, account: Option<&str>) -> Result<()> {
        match caller {
            Some(caller) => policy::check(method, &caller.principal, account),
            None if method.scope == Scope::Public => Ok(()),
            None => Err(Error::unauthenticated("UNAUTHENTICATED", "a token is needed")),
        }
    }
}
