//! Keeping a request so that it can be sent again.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tonic::Status;
use tonic::body::Body;

/// A request's body.
pub(super) enum Replay {
    /// Kept whole: can be sent again.
    Kept(Vec<Bytes>),
    /// Longer than the bound, or a stream: can be sent once.
    Once(Body),
}

impl Replay {
    /// Reads a body that is at most `bound` bytes long.
    pub(super) async fn keep(mut body: Body, bound: usize) -> Replay {
        let mut kept = Vec::new();
        let mut length = 0;
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => {
                    length += data.len();
                    kept.push(data);
                }
                Ok(Err(_trailers)) => {}
                Err(status) => return Replay::Once(resumed(kept, stream::iter([Err(status)]))),
            }
            if length > bound {
                return Replay::Once(resumed(kept, BodyStream::new(body)));
            }
        }
        Replay::Kept(kept)
    }

    /// The body for the next attempt, and what is left for attempts after that.
    pub(super) fn next(self) -> (Body, Option<Replay>) {
        match self {
            Replay::Kept(kept) => {
                let body = resumed(kept.clone(), stream::empty());
                (body, Some(Replay::Kept(kept)))
            }
            Replay::Once(body) => (body, None),
        }
    }
}

fn resumed<S>(kept: Vec<Bytes>, rest: S) -> Body
where
    S: futures::Stream<Item = Result<Frame<Bytes>, Status>> + Send + 'static,
{
    let kept = stream::iter(kept.into_iter().map(|data| Ok(Frame::data(data))));
    Body::new(StreamBody::new(kept.chain(rest)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use tonic::Status;
    use tonic::body::Body;

    use super::Replay;

    fn body(frames: Vec<Result<Frame<Bytes>, Status>>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, Status> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    async fn text(body: Body) -> String {
        String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap()
    }

    #[tokio::test]
    async fn a_short_body_is_sent_as_often_as_needed() {
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        let mut replay = Replay::keep(body(vec![data("ab"), data("cd"), trailers]), 4).await;
        for _ in 0..3 {
            let (body, rest) = replay.next();
            assert_eq!(text(body).await, "abcd");
            replay = rest.unwrap();
        }
    }

    #[tokio::test]
    async fn a_long_body_is_sent_once_and_whole() {
        let replay = Replay::keep(body(vec![data("ab"), data("cd"), data("ef")]), 3).await;
        let (body, rest) = replay.next();
        assert!(rest.is_none());
        assert_eq!(text(body).await, "abcdef");
    }

    #[tokio::test]
    async fn a_failing_body_fails_where_it_failed() {
        let replay = Replay::keep(body(vec![data("ab"), Err(Status::cancelled("gone"))]), 10).await;
        let (body, rest) = replay.next();
        assert!(rest.is_none());
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn an_empty_body_is_kept() {
        let (body, rest) = Replay::keep(Body::empty(), 0).await.next();
        assert!(rest.is_some());
        assert_eq!(text(body).await, "");
    }
}
