//! Sessions on the wire: a stream that holds one, and the goodbye.

use super::{Rpcs, fields};
use crate::codec;
use crate::core::SessionOpened;
use domain::Timestamp;
use futures::StreamExt;
use mesh::Result;
use mesh::pb::trading as pb;
use std::time::Duration;
use tokio_stream::wrappers::IntervalStream;
use tonic::codegen::BoxStream;

/// A message is sent this often, so that a connection that is gone is noticed by writing to it.
const BEAT: Duration = Duration::from_secs(2);

/// Opens a session, and holds it while the stream is.
pub(super) async fn open(rpcs: &Rpcs, request: pb::OpenSessionRequest) -> Result<BoxStream<pb::OpenSessionResponse>> {
    let (account, shard) = rpcs.account(&request.account_id)?;
    let opened = SessionOpened {
        account,
        session: fields::session_id(&request.session_id)?,
        grace_micros: fields::grace_micros(request.grace_ms),
        covers: fields::order_match(&request.symbol, &request.strategy)?,
    };
    let held = rpcs.open()?.sessions.hold(shard, opened).await?;
    let (over, clock) = (held.over.clone(), rpcs.clock.clone());
    let beats = IntervalStream::new(tokio::time::interval(BEAT)).map(move |_| {
        // Dropped with the stream, and the session with it.
        let _holds = &held;
        Ok(pb::OpenSessionResponse {
            time: codec::time(Timestamp::from_micros(clock.now_micros())),
            interval_ms: i32::try_from(BEAT.as_millis()).unwrap_or(i32::MAX),
        })
    });
    Ok(Box::pin(beats.take_until(over.cancelled_owned())))
}

/// Says goodbye.
pub(super) async fn close(rpcs: &Rpcs, request: pb::CloseSessionRequest) -> Result<pb::CloseSessionResponse> {
    let (account, shard) = rpcs.account(&request.account_id)?;
    let session = fields::session_id(&request.session_id)?;
    rpcs.open()?.sessions.close(shard, account, session).await?;
    Ok(pb::CloseSessionResponse {})
}
