//! The end of a connection whose client still sends.
//!
//! A socket that is closed with bytes unread is reset, and the reset takes the answer with it: who sends a body that is
//! refused before its end would never read the refusal. So the sending side is closed first, and what still comes is
//! read and dropped until the client has closed its side, within bounds (RFC 9112, section 9.6).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest silence of a client that has not closed its side.
const QUIET_WITHIN: Duration = Duration::from_millis(500);
/// The longest that a client is read from in all.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// The most that is read and dropped, in bytes.
const MOST_DROPPED: usize = 64 << 20;

/// A stream that reads on, and drops what it reads, once it is shut down.
pub(super) struct Lingering<S> {
    stream: S,
    end: Option<End>,
}

/// What is left of the time and the bytes.
struct End {
    /// When the client has been silent for too long.
    quiet: Pin<Box<Sleep>>,
    until: Instant,
    dropped: usize,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S) -> Lingering<S> {
        Lingering { stream, end: None }
    }
}

impl End {
    fn begins() -> End {
        let now = Instant::now();
        End {
            quiet: Box::pin(sleep_until(now + QUIET_WITHIN)),
            until: now + ENDS_WITHIN,
            dropped: 0,
        }
    }

    /// Ready once the client has closed its side, or a bound is reached.
    fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [MaybeUninit::<u8>::uninit(); 8_192];
        while self.dropped < MOST_DROPPED {
            if self.quiet.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            let bytes = buffer.filled().len();
            if read.is_err() || bytes == 0 {
                return Poll::Ready(());
            }
            self.dropped += bytes;
            let quiet = Instant::now() + QUIET_WITHIN;
            self.quiet.as_mut().reset(quiet.min(self.until));
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Lingering { stream, end } = self.get_mut();
        if end.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        end.get_or_insert_with(End::begins).poll(stream, context).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::{ENDS_WITHIN, Lingering, MOST_DROPPED, QUIET_WITHIN};

    const ANSWER: &[u8] = b"refused";

    /// The server's end: it answers, and ends. How long that took.
    async fn end(stream: DuplexStream) -> Duration {
        let begun = Instant::now();
        let mut stream = Lingering::new(stream);
        stream.write_all(ANSWER).await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_sends_reads_its_answer() {
        let (server, mut client) = duplex(16);
        let server = tokio::spawn(end(server));
        client.write_all(&[1; 100_000]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, ANSWER);
        drop(client);
        assert!(
            server.await.unwrap() < QUIET_WITHIN,
            "a closed client is not waited for"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_waited_for_a_little() {
        let (server, client) = duplex(16);
        assert!(end(server).await >= QUIET_WITHIN);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_ends_is_left() {
        let (server, mut client) = duplex(16);
        let drip = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(QUIET_WITHIN / 2).await
            }
        });
        let took = end(server).await;
        assert!(took >= ENDS_WITHIN && took < ENDS_WITHIN + QUIET_WITHIN, "{took:?}");
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_dropped_than_the_bound() {
        let (server, mut client) = duplex(1 << 20);
        let sent = tokio::spawn(async move {
            let mut sent = 0;
            while let Ok(bytes) = client.write(&[0; 8_192]).await {
                sent += bytes;
            }
            sent
        });
        end(server).await;
        let sent = sent.await.unwrap();
        assert!((MOST_DROPPED..MOST_DROPPED + (2 << 20)).contains(&sent), "{sent}");
    }
}
