//! Verifies who calls. Whether they may is decided per method, once the request is decoded.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;

use super::{Around, around};
use crate::channel::method;
use crate::error::{Error, Result};
use crate::identity::{self, CALLER_HEADER, Caller, Principal, SERVICE_HEADER, Verifier};
use crate::registry::LocalService;
use crate::server::body::{Hook, hooked};

/// The service that made a call, in the request's extensions, whomever it calls for.
#[derive(Debug, Clone)]
pub struct CallingService(pub Arc<Principal>);

pub(in crate::server) fn authentication(
    verifier: Verifier,
) -> Around<impl Fn(Request<Body>, LocalService) -> BoxFuture<'static, Response<Body>> + Clone> {
    around(move |request: Request<Body>, inner: LocalService| {
        let verifier = verifier.clone();
        Box::pin(async move {
            authenticated(request, inner, &verifier)
                .await
                .unwrap_or_else(|error| Status::from(error).into_http())
        }) as BoxFuture<'static, _>
    })
}

async fn authenticated(mut request: Request<Body>, inner: LocalService, verifier: &Verifier) -> Result<Response<Body>> {
    let public = method(request.uri().path()).public;
    let (service, caller) = match identify(request.headers(), verifier).await {
        Ok(identified) => identified,
        // Whoever renews an expired token may well send it along.
        Err(_) if public => (None, None),
        Err(error) => return Err(error),
    };
    let principal = caller.as_ref().map(|caller| &caller.principal).or(service.as_ref());
    match principal {
        Some(principal) => {
            request.extensions_mut().insert(principal.clone());
        }
        None if public => {}
        None => return Err(Error::unauthenticated("TOKEN_ABSENT", "this call needs a token")),
    }
    if let Some(service) = service {
        request.extensions_mut().insert(CallingService(service));
    }
    let response = identity::with(caller.clone(), inner.serve(request)).await;
    Ok(hooked(response, OnBehalf(caller)))
}

async fn identify(headers: &HeaderMap, verifier: &Verifier) -> Result<(Option<Arc<Principal>>, Option<Caller>)> {
    Ok((
        calling_service(headers, verifier).await?,
        caller(headers, verifier).await?,
    ))
}

async fn caller(headers: &HeaderMap, verifier: &Verifier) -> Result<Option<Caller>> {
    let Some(value) = headers.get(CALLER_HEADER) else {
        return Ok(None);
    };
    let malformed = || Error::unauthenticated("TOKEN_MALFORMED", "authorization is not 'Bearer <token>'");
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(malformed());
    }
    let principal = verifier.verify_fresh(token).await?;
    Ok(Some(Caller {
        principal,
        token: token.into(),
    }))
}

async fn calling_service(headers: &HeaderMap, verifier: &Verifier) -> Result<Option<Arc<Principal>>> {
    let Some(value) = headers.get(SERVICE_HEADER) else {
        return Ok(None);
    };
    let malformed = |_| Error::unauthenticated("TOKEN_MALFORMED", "the service's token is not a token");
    let token = value.to_str().map_err(malformed)?;
    verifier.verify_service_fresh(token).await.map(Some)
}

struct OnBehalf(Option<Caller>);

impl Hook for OnBehalf {
    fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        identity::with_sync(self.0.clone(), poll)
    }
}
