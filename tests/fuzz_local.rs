//! Sends arbitrary bytes to the local server over real connections. The server must send valid HTTP
//! replies with JSON or close the connection, and must serve a good call afterwards.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_debug_implementations,
    reason = "tests"
)]

#[path = "../src/tests/inputs.rs"]
mod inputs;

use nodeback::{Callback, Context, LocalRoutes, Runtime, Value};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    strategy::Union,
    test_runner::{Config, TestCaseError, TestRunner},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tokio::net::TcpSocket;

/// The number of requests on one connection is less than this.
const PIPELINED: usize = 24;

/// The number of concurrent connections.
const CLIENTS: u32 = 3;

/// A time limit that only a hang exceeds.
const AMPLE: Duration = Duration::from_secs(30);

/// The bytes of one request.
#[derive(Clone)]
struct Request {
    bytes: Vec<u8>,
    /// Whether this is a HEAD request, whose reply has no body despite its headers.
    head: bool,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.bytes.escape_ascii())
    }
}

/// A strategy for the values that a generator in `inputs` makes.
fn made<T: std::fmt::Debug>(by: fn(&mut fastrand::Rng) -> T) -> impl Strategy<Value = T> {
    any::<u64>().prop_map(move |seed| by(&mut fastrand::Rng::with_seed(seed)))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    made(inputs::bytes)
}

/// A strategy that chooses one of these values with equal probability.
fn any_of<T: std::fmt::Debug + Clone + 'static>(
    these: impl IntoIterator<Item = T>,
) -> impl Strategy<Value = T> {
    Union::new(these.into_iter().map(Just))
}

fn path() -> impl Strategy<Value = String> {
    let function = any_of([
        "f",
        "f:live",
        "arn:aws:lambda:us-east-1:123456789012:function:f:7",
        "%00",
        "%ff",
        "%",
        "%zz",
        "a%2Fb",
        "%0d%0a",
        "..",
        "f%20g",
        ":",
        "function:",
    ]);
    let query = any_of([
        "",
        "?",
        "?Qualifier=1",
        "?Qualifier=%ff",
        "?Qualifier=1&Qualifier=2",
        "?Qualifier",
        "?%",
        "?a=b&&=",
        "#x",
    ]);
    let long = (1_000_usize..20_000).prop_map(|length| "x".repeat(length));
    prop_oneof![
        30 => (function, query)
            .prop_map(|(name, query)| format!("/2015-03-31/functions/{name}/invocations{query}")),
        4 => any_of(["/", "*", "//", "/a/%", "/a/%ff?%ff=%", "/a/%253F//", "/2015-03-31/functions//invocations", "/2015-03-31/functions/",
            "http://other/2015-03-31/functions/f/invocations", "/\u{7f}", "/ż"])
            .prop_map(String::from),
        1 => long.prop_map(|name| format!("/2015-03-31/functions/{name}/invocations")),
    ]
}

fn headers() -> impl Strategy<Value = Vec<u8>> {
    let name = any_of([
        "X-Amz-Invocation-Type",
        "X-Amz-Log-Type",
        "X-Amz-Client-Context",
        "X-Amz-Tenant-Id",
        "X-Amzn-Trace-Id",
        "Content-Type",
        "Accept",
        "Origin",
        "Sec-Fetch-Site",
        "Referer",
        "Cookie",
        "Range",
        "Expect",
        "x",
    ]);
    let known = any_of([
        "Event",
        "DryRun",
        "RequestResponse",
        "Tail",
        "None",
        "same-origin",
        "e30=",
        "bnVsbA==",
        "e30",
        "=",
        "",
        "eyJhIjoiXHVkODAwIn0=",
        "100-continue",
        "application/json",
        "text/plain; charset=utf-7",
    ]);
    // Every byte that the value of a header may contain, including those that are not ASCII.
    let odd = bytes().prop_map(|mut value| {
        value.retain(|byte| !matches!(byte, b'\0'..=b'\x1f' | b'\x7f'));
        value
    });
    let long = (1_usize..5_000).prop_map(|length| vec![b'A'; length]);
    let value = prop_oneof![
        20 => known.prop_map(|value| value.as_bytes().to_vec()),
        5 => odd,
        1 => long,
    ];
    vec((name, value), 0..4).prop_map(|headers| {
        let lines = headers
            .into_iter()
            .map(|(name, value)| [name.as_bytes(), b": ", &value, b"\r\n"].concat());
        lines.collect::<Vec<_>>().concat()
    })
}

/// Encodes a body in chunks, which may have extensions and a trailer.
fn chunked(body: &[u8], size: usize, extension: &str) -> Vec<u8> {
    let mut bytes = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n");
    if !extension.is_empty() {
        bytes.extend(b"X-Trailer: t\r\n");
    }
    bytes.extend(b"\r\n");
    bytes
}

fn requests() -> impl Strategy<Value = Request> {
    let method = prop_oneof![
        12 => Just("POST"),
        3 => any_of(["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "BREW", "post"]),
    ];
    let host = prop_oneof![
        12 => Just("Host: 127.0.0.1\r\n"),
        1 => any_of(["", "Host:\r\n", "Host: evil.example\r\n", "Host: [::1\r\n", "host: localhost\r\n"]),
    ];
    let size = prop_oneof![2 => Just(0_usize), 1 => 1_usize..64];
    let extension = any_of(["", "", ";x=y", ";"]);
    let body = prop_oneof![4 => made(inputs::json_bytes), 1 => Just(vec![])];
    let parts = (method, path(), host, headers(), body, size, extension);
    parts.prop_map(|(method, path, host, headers, body, size, extension)| {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n{host}").into_bytes();
        bytes.extend(headers);
        if size == 0 {
            bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
            bytes.extend(body);
        } else {
            bytes.extend(chunked(&body, size, extension));
        }
        let head = method == "HEAD";
        Request { bytes, head }
    })
}

/// A strategy for the end of a connection: nothing, a damaged request, or garbage.
fn endings() -> impl Strategy<Value = Option<Request>> {
    let damaged = (requests(), any::<Index>(), bytes()).prop_map(|(request, at, garbage)| {
        let mut bytes = request.bytes;
        let at = at.index(bytes.len());
        bytes.splice(at..bytes.len().min(at + 2), garbage);
        bytes
    });
    let cut = (requests(), any::<Index>()).prop_map(|(request, at)| {
        let mut bytes = request.bytes;
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    let framing = any_of([
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}{}",
        "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        "Transfer-Encoding: gzip\r\n\r\n{}",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length : 2\r\n\r\n{}",
        "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        " folded: x\r\n\r\n",
    ])
    .prop_map(|rest| {
        let path = "/2015-03-31/functions/f/invocations";
        format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{rest}").into_bytes()
    });
    let preface = any_of([
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET /\r\n",
        "\r\n\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0",
        "GET / HTTP/1.1\r\n\0: x\r\n\r\n",
    ]);
    let many_headers = (50_usize..400).prop_map(|count| {
        let headers: String = (0..count).map(|n| format!("x-{n}: {n}\r\n")).collect();
        format!("GET / HTTP/1.1\r\n{headers}\r\n").into_bytes()
    });
    let bytes = prop_oneof![
        3 => damaged,
        2 => cut,
        3 => framing,
        1 => preface.prop_map(|text| text.as_bytes().to_vec()),
        1 => bytes(),
        1 => made(inputs::text).prop_map(String::into_bytes),
        1 => many_headers,
    ];
    let ending = bytes.prop_map(|bytes| {
        let head = bytes.starts_with(b"HEAD ");
        Some(Request { bytes, head })
    });
    prop_oneof![1 => Just(None), 3 => ending]
}

/// Connects from one of many addresses, so that the ports of closed connections do not run out.
fn connect(address: SocketAddr) -> TcpStream {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = (NEXT.fetch_add(1, Relaxed) % 2_000 + 2).to_be_bytes();
    thread_local! {
        static TOKIO: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
    }
    let connected = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, high, low], 0).into())?;
        socket.connect(address).await?.into_std()
    };
    let stream = TOKIO.with(|tokio| tokio.block_on(connected)).unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(AMPLE)).unwrap();
    stream
}

/// Writes the requests, and meanwhile reads until the end of the connection.
fn exchange(address: SocketAddr, bytes: Vec<u8>, half_close: bool) -> Vec<u8> {
    let mut stream = connect(address);
    let mut writing = stream.try_clone().unwrap();
    // Another thread writes: the requests may not fit into the buffers of the connection.
    let writer = move || {
        // The server may close the connection before it has read everything.
        let written = writing.write_all(&bytes);
        if half_close || written.is_err() {
            let _ = writing.shutdown(Shutdown::Write);
        }
    };
    let mut replies = Vec::new();
    let mut read = || match stream.read_to_end(&mut replies) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection did not end: {error}"),
    };
    thread::scope(|scope| {
        scope.spawn(writer);
        read();
    });
    replies
}

const CUT: &str = "a truncated reply";

/// A reply that was parsed from the bytes received.
struct Reply<'a> {
    status: u16,
    headers: Vec<(String, &'a str)>,
    body: &'a [u8],
}

impl<'a> Reply<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.map(|(_, value)| *value)
    }

    /// Parses the first reply in `rest`, and removes it from there.
    fn take(rest: &mut &'a [u8], head: bool) -> Result<Self, String> {
        let all = *rest;
        let end = all.windows(4).position(|end| end == b"\r\n\r\n");
        let end = end.ok_or(CUT)?;
        let text = std::str::from_utf8(&all[..end]).map_err(|error| error.to_string())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let status = status
            .strip_prefix("HTTP/1.1 ")
            .or(status.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|status| status.get(..3)?.parse().ok());
        let status = status.ok_or("no status")?;
        let headers = lines.map(|line| {
            let (name, value) = line
                .split_once(": ")
                .ok_or(format!("no header: {line:?}"))?;
            let control = value.chars().any(char::is_control);
            if control {
                Err(format!("a control character: {line:?}"))
            } else {
                Ok((name.to_ascii_lowercase(), value))
            }
        });
        let mut reply = Reply {
            status,
            headers: headers.collect::<Result<_, _>>()?,
            body: &[],
        };
        *rest = &all[end + 4..];
        if status == 100 {
            return Reply::take(rest, head);
        }
        if !head && status != 204 && status != 304 {
            let length = reply.header("content-length").ok_or("no length")?;
            let length = length.parse().map_err(|_| "no number")?;
            reply.body = rest.get(..length).ok_or(CUT)?;
            *rest = &rest[length..];
        }
        Ok(reply)
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!((200..600).contains(&self.status), "{}", self.status);
        if let Some(error) = self.header("x-amz-function-error") {
            prop_assert_eq!(error, "Unhandled");
        }
        if !self.body.is_empty() {
            prop_assert_eq!(self.header("content-type"), Some("application/json"));
            let body = serde_json::from_slice::<serde::de::IgnoredAny>(self.body);
            prop_assert!(body.is_ok(), "{}", String::from_utf8_lossy(self.body));
        }
        Ok(())
    }
}

const GOOD: &[u8] = b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n\
    Connection: close\r\nContent-Length: 7\r\n\r\n{\"n\":1}";

fn good_call(address: SocketAddr) -> Result<(), TestCaseError> {
    try_connection(address, &[], None)
}

fn try_connection(
    address: SocketAddr,
    requests: &[Request],
    ending: Option<&Request>,
) -> Result<(), TestCaseError> {
    let mut bytes: Vec<u8> = requests.iter().flat_map(|r| r.bytes.clone()).collect();
    bytes.extend(ending.map_or(GOOD, |ending| &ending.bytes));
    let replies = exchange(address, bytes, ending.is_some());
    let mut heads = requests.iter().map(|request| request.head);
    let (mut rest, mut count, mut last) = (&replies[..], 0, None);
    while !rest.is_empty() {
        let head = heads
            .next()
            .unwrap_or(ending.is_some_and(|ending| ending.head));
        let reply = match Reply::take(&mut rest, head) {
            Ok(reply) => reply,
            // The server may stop writing to a client that has shut down its sending side.
            Err(error) if ending.is_some() && error == CUT => return Ok(()),
            Err(error) => {
                let shown = replies.escape_ascii();
                return Err(TestCaseError::fail(format!("{error} in {shown}")));
            }
        };
        reply.check()?;
        count += 1;
        last = Some(reply);
    }
    // After such an ending, the server may close the connection at any time.
    if ending.is_some() {
        return Ok(());
    }
    let last = last.ok_or_else(|| TestCaseError::fail("there was no reply"))?;
    if count == requests.len() + 1 {
        prop_assert_eq!((last.status, last.body), (200, &b"{\"n\":1}"[..]));
    } else {
        // After rejecting a request without reading its body, the server may close the connection.
        let rejected = last.status >= 400;
        prop_assert!(
            rejected,
            "closed after {count} replies, the last: {}",
            last.status
        );
    }
    Ok(())
}

#[test]
fn any_bytes_get_http_replies_or_the_connection_is_closed() {
    assert_replies_to_any_bytes(LocalRoutes::new());
}

#[test]
fn any_bytes_get_http_replies_from_a_server_with_routes() {
    let routes = LocalRoutes::new().rest("/a/{id}").rest("POST /{proxy+}");
    assert_replies_to_any_bytes(routes.http_api("$default").binary_media_type("*/*"));
}

fn assert_replies_to_any_bytes(routes: LocalRoutes) {
    let handler = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    let (bound, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            let shutdown = async { stopped.await.unwrap_or(()) };
            Runtime::new(handler)
                .local_routes(routes)
                .serve(listener, shutdown)
                .await
                .unwrap();
        });
    });
    let address = address.recv().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let config = Config {
        // A case is one connection, whereas `NODEBACK_CASES` counts requests.
        cases: (inputs::cases(4_000) / (PIPELINED as u32 / 2) / CLIENTS).max(1),
        // Does not write files next to the sources.
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let connections = (vec(requests(), 0..PIPELINED), endings());
                let target = |(requests, ending): (Vec<Request>, Option<Request>)| {
                    let before = sent.fetch_add(requests.len() + 1, Relaxed);
                    try_connection(address, &requests, ending.as_ref())?;
                    if before / 1_000 != sent.load(Relaxed) / 1_000 {
                        good_call(address)?;
                    }
                    Ok(())
                };
                TestRunner::new(config.clone())
                    .run(&connections, target)
                    .unwrap_or_else(|failure| panic!("{failure}"));
            });
        }
    });
    good_call(address).unwrap();
    println!("{} requests", sent.load(Relaxed));
    stop.send(()).unwrap();
    server.join().unwrap();
}
