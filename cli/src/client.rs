//! A connection to the gateway with the session's token on every call.

use crate::args;
use crate::session::{self, Session};
use mesh::error::{Error, Result};
use mesh::pb::auth::auth_service_client::AuthServiceClient;
use mesh::pb::auth::{RefreshTokenRequest, Tokens};
use mesh::time::Clock;
use std::path::PathBuf;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// A token is renewed when it has less than this left, in microseconds.
const RENEW_BEFORE_MICROS: i64 = 30_000_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A channel that carries the session's token.
pub(crate) type Authorised = InterceptedService<Channel, Bearer>;

/// Puts the access token on every call.
#[derive(Debug, Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Connects to the gateway, without a token.
///
/// # Errors
/// When the address is not a URL, or nothing answers there.
pub(crate) async fn connect(server: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|error| Error::invalid("BAD_SERVER", format!("'{server}' is not an address: {error}")))?;
    endpoint.connect_timeout(CONNECT_TIMEOUT).connect().await.map_err(|_| {
        Error::unavailable(
            "UNREACHABLE",
            format!("nothing answers at {server}: is `trademesh up` running?"),
        )
    })
}

/// Connects to the gateway with the kept session, renewed when it is about to expire.
///
/// # Errors
/// When nobody is logged in, or the gateway does not answer.
pub(crate) async fn authorised(options: &args::Client) -> Result<Authorised> {
    let (channel, session) = session(options).await?;
    let bearer: MetadataValue<Ascii> = format!("Bearer {}", session.access_token).parse().map_err(|_| {
        Error::unauthenticated(
            "SESSION_DAMAGED",
            "the kept token is damaged: run `trademesh login` again",
        )
    })?;
    Ok(InterceptedService::new(channel, Bearer(bearer)))
}

/// Connects to the gateway, and reads the kept session, renewed when it is about to expire.
///
/// # Errors
/// As [`authorised`].
pub(crate) async fn session(options: &args::Client) -> Result<(Channel, Session)> {
    let path = session_path(options)?;
    let mut session = Session::load(&path)?;
    let channel = connect(&options.server).await?;
    if session.expires_at_micros - Clock::system().now_micros() < RENEW_BEFORE_MICROS {
        session = renew(channel.clone(), session).await?;
        session.save(&path)?;
    }
    Ok((channel, session))
}

/// A unary request that gives up after ten seconds.
pub(crate) fn unary<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

/// Where the session is kept.
///
/// # Errors
/// When no flag names a file and there is no home.
pub(crate) fn session_path(options: &args::Client) -> Result<PathBuf> {
    options.session.clone().map_or_else(session::default_path, Ok)
}

/// The session that these tokens make.
///
/// # Errors
/// When the answer carries no tokens.
pub(crate) fn session_of(server: &str, user: &str, tokens: Option<Tokens>) -> Result<Session> {
    let tokens = tokens.ok_or_else(|| Error::internal("NO_TOKENS", "the answer carries no tokens"))?;
    Ok(Session {
        server: server.to_owned(),
        user: user.to_owned(),
        access_token: tokens.access_token,
        expires_at_micros: Clock::system().now_micros() + tokens.expires_in_s * 1_000_000,
        refresh_token: tokens.refresh_token,
    })
}

async fn renew(channel: Channel, session: Session) -> Result<Session> {
    let request = RefreshTokenRequest {
        refresh_token: session.refresh_token.clone(),
    };
    let answer = AuthServiceClient::new(channel)
        .refresh_token(unary(request))
        .await
        .map_err(|status| {
            let error = Error::from(status);
            match error.kind() {
                mesh::error::Kind::Unauthenticated => {
                    Error::unauthenticated("SESSION_OVER", "the session is over: run `trademesh login` again")
                }
                _ => error,
            }
        })?;
    session_of(&session.server, &session.user, answer.into_inner().tokens)
}
