//! Slow clients: each time limit ends what it is meant for, and not too early. Time is paused, so
//! that a test that only waits passes at once. For that, the server runs on the runtime of the
//! test, where `Runtime::serve` would start a thread of its own.

#[path = "raw.rs"]
mod raw;

use super::{LocalSettings, OwnHosts, Server, app, connection};
use crate::{
    Bytes, Callback, Context, Error, Value,
    invocation::{Function, Functions, Handler},
};
use raw::{PATH, RawResponse, assert_ok, raw, read_all, send};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

/// A local server with one handler. Ending it waits for the requests in flight.
struct LocalServer {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl LocalServer {
    async fn serve<M>(handler: impl Handler<M>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut functions = Functions::default();
        functions.export(None, Function::new(handler));
        let (hosts, stop) = (OwnHosts::new(address, Vec::new()), CancellationToken::new());
        let settings = LocalSettings::default();
        let server = Server::new(
            functions,
            &settings,
            hosts,
            Default::default(),
            stop.clone(),
        );
        let server = Arc::new(server.unwrap());
        let limits = Arc::clone(&server.limits);
        let stopped = stop.clone().cancelled_owned();
        LocalServer {
            address,
            stop,
            served: tokio::spawn(connection::serve(listener, app(server), limits, stopped)),
        }
    }

    async fn echo() -> Self {
        LocalServer::serve(|event: Value, _: Context, callback: Callback| callback.succeed(event))
            .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.served.await.unwrap();
    }
}

/// Sends `start`, and then a byte of `rest` after each `pause`, until the server closes the
/// connection.
async fn trickle(
    address: SocketAddr,
    start: &str,
    rest: &'static [u8],
    pause: Duration,
) -> (String, Duration) {
    let began = Instant::now();
    let (mut read, mut write) = send(address, start).await.into_split();
    let trickle = tokio::spawn(async move {
        for byte in rest.iter().cycle() {
            time::sleep(pause).await;
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    let response = read_all(&mut read).await;
    trickle.abort();
    (response, began.elapsed())
}

#[track_caller]
fn assert_about(took: Duration, seconds: u64) {
    let expected = Duration::from_secs(seconds);
    assert!(
        took >= expected && took < expected + Duration::from_secs(1),
        "it took {took:?} and not {expected:?}"
    );
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn headers_that_trickle_time_out_after_30_seconds() {
    let server = LocalServer::echo().await;
    let start = format!("POST {PATH} HTTP/1.1\r\nx-slow: ");
    let (response, took) = trickle(server.address, &start, b"y", SECOND).await;
    RawResponse::parse(&response).assert_rejected(408, "RequestTimeoutException");
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    assert_about(took, 30);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_times_out_after_60_seconds() {
    let server = LocalServer::echo().await;
    let start = format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n");
    let (response, took) = trickle(server.address, &start, b" ", SECOND).await;
    RawResponse::parse(&response).assert_rejected(408, "RequestTimeoutException");
    assert!(response.contains("The body of the request"), "{response}");
    assert_about(took, 60);

    let chunked =
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    let (response, took) = trickle(server.address, &chunked, b"1\r\n \r\n", SECOND).await;
    RawResponse::parse(&response).assert_rejected(408, "RequestTimeoutException");
    assert_about(took, 60);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_times_out_after_10_seconds() {
    let server = LocalServer::echo().await;
    let began = Instant::now();
    let request =
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{");
    let response = raw(server.address, request).await;
    RawResponse::parse(&response).assert_rejected(408, "RequestTimeoutException");
    assert!(response.contains("next piece of the body"), "{response}");
    assert_about(began.elapsed(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_30_seconds_without_a_response() {
    let server = LocalServer::echo().await;
    let began = Instant::now();
    assert_eq!(raw(server.address, "").await, "");
    assert_about(began.elapsed(), 30);

    // The same after a response.
    let began = Instant::now();
    let request = format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n7");
    let responses = raw(server.address, request).await;
    assert_eq!(responses.matches("HTTP/1.1").count(), 1, "{responses}");
    assert_ok(&RawResponse::parse(&responses), "7");
    assert_about(began.elapsed(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_response_is_disconnected() {
    let large = async |_: Value| Ok::<_, Error>(Bytes::from(vec![b'1'; 6_000_000]));
    let server = LocalServer::serve(large).await;
    let request = format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    let mut client = send(server.address, request).await;
    let mut first = [0];
    client.read_exact(&mut first).await.unwrap();
    let began = Instant::now();
    // The server waits for the connection to end.
    time::timeout(60 * SECOND, server.end())
        .await
        .expect("the client is disconnected");
    assert_about(began.elapsed(), 30);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_slow_headers_no_longer_than_their_time_limit() {
    let server = LocalServer::echo().await;
    let _idle = send(server.address, "").await;
    let half = send(server.address, format!("POST {PATH} HTTP/1.1\r\n")).await;
    // Both connections are accepted before a later one.
    assert_ne!(raw(server.address, "?\r\n\r\n").await, "");
    let began = Instant::now();
    server.end().await;
    assert!(began.elapsed() <= 33 * SECOND, "{:?}", began.elapsed());
    drop(half);
}
