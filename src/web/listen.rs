//! Taking connections: how many at once, how long a request's head may take, and an end that lets answers finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::guesses::Peer;

/// Connections that are open at once; whoever comes then waits to be taken. Each browser's tab holds one or two, and a process has
/// 1,024 open files where nobody raised that.
const CONNECTIONS_MAX: usize = 512;

/// How long the head of a request may take, and so how long a connection may say nothing between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long answers may take to finish once the server ends. Events end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Serves `router` until `ends` says so.
///
/// # Errors
/// If the listener cannot take connections any more.
pub(super) async fn listen(listener: TcpListener, router: Router, mut ends: watch::Receiver<bool>) -> io::Result<()> {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let open = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    loop {
        let place = Arc::clone(&free).acquire_owned();
        let taken = async {
            let place = place.await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((take(&listener).await?, place))
        };
        let ((stream, peer), place) = tokio::select! {
            taken = taken => taken?,
            _ = ends.wait_for(|ends| *ends) => break,
        };
        let routed = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            routed.call(request)
        });
        let connection = open.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A connection that breaks is its browser's matter: it comes again.
            let _ = connection.await;
            drop(place);
        });
    }
    let _ = tokio::time::timeout(FAREWELL, open.shutdown()).await;
    Ok(())
}

/// The next connection. One that breaks before it is taken is passed over; where the machine has no room for one, it waits a little.
async fn take(listener: &TcpListener) -> io::Result<(TcpStream, Peer)> {
    loop {
        match listener.accept().await {
            Ok((stream, at)) => return Ok((stream, Peer(at.ip()))),
            Err(error) if is_of_one(&error) => {}
            Err(error) if is_of_machine(&error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Too many open files, in this process or on this machine.
fn is_of_machine(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
