//! A token lets its bearer in until it expires, and so do streams that it has opened.

use futures::stream::{self, Stream, StreamExt};
use mesh::error::Error;
use mesh::identity::Caller;
use mesh::time::Clock;
use std::future::ready;
use std::time::Duration;

/// How long the caller's token is good for.
pub(crate) fn left(caller: &Caller, clock: &Clock) -> Duration {
    let micros = caller.principal.expires_at_micros - clock.now_micros();
    Duration::from_micros(micros.max(0).unsigned_abs())
}

/// What a stream ends with once its token has expired.
pub(crate) fn expired() -> Error {
    Error::unauthenticated(
        "TOKEN_EXPIRED",
        "the token has expired: open the stream again with a new one",
    )
}

/// The items as they come; once `left` is over, `last` and nothing more.
pub(crate) fn until<T: Send + 'static>(
    items: impl Stream<Item = T> + Send + 'static,
    left: Duration,
    last: impl FnOnce() -> T + Send + 'static,
) -> impl Stream<Item = T> + Send + 'static {
    let expiry = stream::once(async move {
        tokio::time::sleep(left).await;
        [Some(last()), None]
    });
    let items = items.map(Some).chain(stream::once(ready(None)));
    stream::select(items, expiry.flat_map(stream::iter))
        .take_while(|item| ready(item.is_some()))
        .filter_map(ready)
}

#[cfg(test)]
mod tests {
    use super::until;
    use futures::stream::{self, StreamExt};
    use std::time::Duration;

    #[tokio::test]
    async fn a_stream_ends_by_itself_or_when_its_time_is_over() {
        let short = until(stream::iter([1, 2]), Duration::from_secs(3_600), || 9);
        assert_eq!(short.collect::<Vec<_>>().await, [1, 2]);
        let endless = until(
            stream::iter([1]).chain(stream::pending()),
            Duration::from_millis(20),
            || 9,
        );
        assert_eq!(endless.collect::<Vec<_>>().await, [1, 9]);
    }
}
