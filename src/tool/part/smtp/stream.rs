//! The bytes from a mail server, of which there is an end: a server that never stops talking is not listened to for ever. What
//! it says in the clear is taken a byte at a time, so that nothing of it is left over to be taken for what it says under TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a server may say until it is allowed more: certificates, and the answers that a mail takes.
const SAID_BYTES_MAX: usize = 128 << 10;

/// What is known of a connection beside it.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    left: Arc<AtomicUsize>,
    is_plain: Arc<AtomicBool>,
}

impl Bounds {
    pub(super) fn new(is_plain: bool) -> Self {
        let left = Arc::new(AtomicUsize::new(SAID_BYTES_MAX));
        Self { left, is_plain: Arc::new(AtomicBool::new(is_plain)) }
    }

    /// It may say as much again.
    pub(super) fn renew(&self) {
        self.left.store(SAID_BYTES_MAX, Ordering::Relaxed);
    }

    /// What it says from here on is under TLS, or there will be none.
    pub(super) fn set_settled(&self) {
        self.is_plain.store(false, Ordering::Relaxed);
    }
}

/// A connection within bounds.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    pub(super) inner: S,
    pub(super) bounds: Bounds,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.bounds.is_plain.load(Ordering::Relaxed) {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut one))?;
            into.put_slice(one.filled());
            return Poll::Ready(self.count(one.filled().len()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, into))?;
        Poll::Ready(self.count(into.filled().len() - before))
    }
}

impl<S> Bounded<S> {
    fn count(&self, bytes: usize) -> io::Result<()> {
        let left = self.bounds.left.load(Ordering::Relaxed).checked_sub(bytes);
        self.bounds.left.store(left.unwrap_or_default(), Ordering::Relaxed);
        match left {
            Some(_) => Ok(()),
            None => Err(io::Error::other(format!("it says more than {SAID_BYTES_MAX} bytes"))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Bounded<TcpStream> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }
}

impl AsyncTokioStream for Bounded<tokio_rustls::client::TlsStream<TcpStream>> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get_ref().0.peer_addr()
    }
}
