//! The connections of the local server, with their maximum number and their time limits.

use super::{
    configuration::new_id,
    history::Entry,
    limits::{DRAINED, Limits},
    rejection::Rejection,
};
use axum::{Router, extract::ConnectInfo, http::Request};
use futures::future::{Either, select};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The size at which hyper stops reading headers. Headers above the limit of `OriginCheck` and
/// below this one are read, so that the client gets AWS's response.
const HEADERS: usize = 4 * super::origin::HEADERS;

/// Accepts connections until `shutdown` ends, then waits for the requests in flight.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Arc<Limits>,
    shutdown: impl Future<Output = ()>,
) {
    let stopping = CancellationToken::new();
    let connections = TaskTracker::new();
    let mut acceptor = Acceptor {
        listener,
        free: Arc::new(Semaphore::new(limits.connections)),
        limits: Arc::clone(&limits),
        close_idle: stopping.child_token(),
        stopping,
        short: false,
    };
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, permit) = match select(shutdown.as_mut(), pin!(acceptor.accept())).await
        {
            Either::Left(_) => break,
            Either::Right((accepted, _)) => accepted,
        };
        let close_idle = acceptor.close_idle.clone();
        let connection = connection(stream, peer, app.clone(), Arc::clone(&limits), close_idle);
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    acceptor.stopping.cancel();
    drop(acceptor);
    connections.close();
    connections.wait().await;
}

/// Accepts connections, and closes idle ones to make room for others.
struct Acceptor {
    listener: TcpListener,
    free: Arc<Semaphore>,
    limits: Arc<Limits>,
    stopping: CancellationToken,
    /// Closes the connections that were accepted so far, at once if they are idle and after the
    /// current request otherwise.
    close_idle: CancellationToken,
    /// Whether the log has a line about the current shortage of sockets.
    short: bool,
}

impl Acceptor {
    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.short = false;
                    return (stream, peer, self.permit().await);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !self.short {
                        tracing::warn!("no more connections for now: {error}");
                    }
                    self.short = true;
                    self.make_room();
                    time::sleep(self.limits.retry).await;
                }
            }
        }
    }

    async fn permit(&mut self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return permit;
            }
            self.make_room();
            // Waits for a connection to end. The semaphore is never closed, so this is no error.
            // The loop then takes the permit.
            drop(self.free.acquire().await);
        }
    }

    fn make_room(&mut self) {
        self.close_idle.cancel();
        self.close_idle = self.stopping.child_token();
    }
}

/// Returns whether only the connection failed, before it was accepted. The next one can be accepted
/// at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: Arc<Limits>,
    close_idle: CancellationToken,
) {
    let grace = time::sleep(limits.grace);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_pause));
    let app = TowerToHyperService::new(app);
    let app = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = app.call(request);
        async move {
            let mut response = response.await?;
            // Axum has added its headers by now.
            if let Some(entry) = response.extensions_mut().remove::<Entry>() {
                entry.sends(&response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_header_size(HEADERS)
        // A client that has closed its sending side still waits for the response. As a consequence,
        // hyper notices that a client has disconnected only when it writes.
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), app);
    // A new connection may have sent a request that was not read yet.
    let closed = pin!(async {
        close_idle.cancelled().await;
        grace.await;
    });
    let served = match select(&mut connection, closed).await {
        Either::Left((served, _)) => served,
        Either::Right(_) => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    // Only the header timeout of hyper has no source. A write timeout has one.
    let late = served
        .as_ref()
        .is_err_and(|error| error.is_timeout() && std::error::Error::source(error).is_none());
    if late && parts.read_buf.is_empty() {
        // The connection was idle.
        return;
    }
    if let Some(error) = served.as_ref().err().filter(|error| error.is_parse()) {
        tracing::warn!("rejected a request that could not be read: {error}");
    }
    if late {
        tracing::warn!("rejected a request that could not be read: its headers took too long");
        let response = Rejection::timeout("headers", limits.headers).to_http(&new_id());
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
    let lingering = pin!(time::timeout(limits.linger, linger(&mut stream)));
    select(lingering, pin!(close_idle.cancelled())).await;
}

/// Reads until the client closes the connection. Closing it earlier would reset it, and the client
/// could lose a response that it has not read yet.
async fn linger(stream: &mut Stream) {
    if stream.shutdown().await.is_ok() {
        let rest = stream.take(DRAINED as u64);
        let _ = tokio::io::copy(&mut pin!(rest), &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    async fn response_to(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn idle_connections_are_closed_at_the_limit_of_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Arc::new(Limits {
            connections: 2,
            ..Limits::default()
        });
        let app = Router::new().route("/", get(async || "served"));
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, app, limits, stop.clone().cancelled_owned()));
        let connect = async || TcpStream::connect(address).await.unwrap();
        let (mut busy, mut idle) = (connect().await, connect().await);
        busy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        for _ in 0..3 {
            let request = "GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
            let response = response_to(&mut connect().await, request).await;
            assert!(response.ends_with("served"), "{response}");
        }
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "it was closed");
        // The busy connection completes its request and is closed after that.
        let response = response_to(&mut busy, "host: localhost\r\n\r\n").await;
        assert!(response.ends_with("served"), "{response}");
        stop.cancel();
        served.await.unwrap();
    }
}
