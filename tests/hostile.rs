//! Tests the local server against greedy, broken and malicious clients, over raw sockets. No test
//! here may run into a time limit of the server; `src/tests/slow_clients.rs` tests those limits.

mod common;
#[path = "../src/tests/raw.rs"]
mod raw;
mod support;

use common::Log;
use nodeback::{Callback, Context, Handler, Runtime, Value};
use raw::{PATH, RawResponse, assert_ok, raw, read_all, send};
use std::{
    io::BufRead,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{Process, example};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time,
};

const SECOND: Duration = Duration::from_secs(1);

/// A served handler. Its `end` waits for the invocations in flight.
struct LocalServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<nodeback::Result<()>>,
}

impl LocalServer {
    async fn serve<M>(handler: impl Handler<M>) -> Self {
        LocalServer::run(Runtime::new(handler)).await
    }

    async fn run(runtime: Runtime) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or(()) };
        LocalServer {
            address,
            stop,
            served: tokio::spawn(runtime.serve(listener, shutdown)),
        }
    }

    async fn echo() -> Self {
        LocalServer::serve(|event: Value, _: Context, callback: Callback| callback.succeed(event))
            .await
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// Sends a request with only these headers, on its own connection.
async fn call(address: SocketAddr, line: &str, headers: &str, body: &str) -> RawResponse {
    let length = body.len();
    let request =
        format!("{line}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    RawResponse::parse(&raw(address, request).await)
}

async fn post(address: SocketAddr, headers: &str, body: &str) -> RawResponse {
    call(address, &format!("POST {PATH} HTTP/1.1"), headers, body).await
}

/// Asserts that a well-behaved client is served.
async fn assert_good_call(address: SocketAddr) {
    let response = time::timeout(20 * SECOND, post(address, "host: localhost\r\n", "7"));
    assert_ok(&response.await.expect("a response within 20 s"), "7");
}

#[tokio::test]
async fn a_client_that_shuts_down_its_sending_side_gets_a_response() {
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gate = (Arc::clone(&entered), Arc::clone(&go));
    let server = LocalServer::serve(move |event: Value, _: Context, callback: Callback| {
        let (entered, go) = gate.clone();
        async move {
            if event == 7 {
                return callback.succeed(event);
            }
            entered.notify_one();
            go.notified().await;
            callback.succeed(event);
        }
    })
    .await;
    let request = |body: &str| {
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n{body}")
    };
    let mut stream = send(server.address, request("[7]")).await;
    entered.notified().await;
    stream.shutdown().await.unwrap();
    // By the time of this response, the server has seen the end of the other client's sending side.
    assert_good_call(server.address).await;
    go.notify_one();
    assert_ok(&RawResponse::parse(&read_all(&mut stream).await), "[7]");

    let mut stream = send(server.address, request("[7")).await;
    stream.shutdown().await.unwrap();
    RawResponse::parse(&read_all(&mut stream).await)
        .assert_rejected(400, "InvalidRequestContentException");
    let mut stream = send(server.address, "POST / HT").await;
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
    server.end().await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_can_read_why_its_request_was_rejected() {
    let server = LocalServer::serve(never_entered).await;
    let large = "y".repeat(10_000_000);
    for (request, status) in [
        (format!("POST {PATH} HTTP/1.1\r\nx: {large}"), 431),
        (format!("nonsense\r\n\r\n{large}"), 400),
        (
            format!(
                "POST {PATH} HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 10000000\r\n\r\n{large}"
            ),
            403,
        ),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert_eq!(RawResponse::parse(&response).status, status);
    }
    server.end().await;
}

fn never_entered(_: Value, _: Context, _: Callback) {
    panic!("the handler was entered")
}

#[tokio::test]
async fn headers_over_the_limit_get_status_431() {
    let server = LocalServer::serve(never_entered).await;
    let headers = |value: usize| format!("host: localhost\r\nx: {}\r\n", "y".repeat(value));
    let response = post(server.address, &headers(17_000), "{}").await;
    response.assert_rejected(431, "RequestHeaderSectionTooLargeException");
    let line = format!("POST {PATH}?{} HTTP/1.1", "q".repeat(17_000));
    let response = call(server.address, &line, "host: localhost\r\n", "{}").await;
    response.assert_rejected(431, "RequestHeaderSectionTooLargeException");

    // The parser itself rejects these, without a body. The client can still read the status.
    for (name, headers) in [
        ("a long header", headers(10_000_000)),
        (
            "many headers",
            "x: y\r\n".repeat(1_000) + "host: localhost\r\n",
        ),
    ] {
        let response = post(server.address, &headers, "{}").await;
        assert_eq!((response.status, &*response.body), (431, ""), "{name}");
    }
    let line = format!("POST {PATH}?{} HTTP/1.1", "q".repeat(10_000_000));
    let response = call(server.address, &line, "host: localhost\r\n", "{}").await;
    assert!([414, 431].contains(&response.status), "{response:?}");
    server.end().await;

    let server = LocalServer::echo().await;
    let response = post(server.address, &headers(16_000), "7").await;
    assert_ok(&response, "7");
}

#[tokio::test]
async fn an_endless_body_is_rejected_and_the_connection_closed() {
    let server = LocalServer::serve(never_entered).await;
    let start = format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\n");
    for (headers, piece) in [
        ("content-length: 1000000000000", " ".repeat(65_536)),
        (
            "transfer-encoding: chunked",
            format!("10000\r\n{}\r\n", " ".repeat(65_536)),
        ),
    ] {
        let stream = send(server.address, format!("{start}{headers}\r\n\r\n")).await;
        let (mut read, mut write) = stream.into_split();
        let sent = tokio::spawn(async move {
            let mut sent = 0;
            while write.write_all(piece.as_bytes()).await.is_ok() {
                sent += piece.len();
            }
            sent
        });
        RawResponse::parse(&read_all(&mut read).await)
            .assert_rejected(413, "RequestEntityTooLargeException");
        drop(read);
        let sent = sent.await.unwrap();
        assert!(sent < 200_000_000, "the server accepted {sent} bytes");
    }
    server.end().await;
}

#[tokio::test]
async fn requests_that_are_not_http_are_rejected_and_the_next_client_is_served() {
    let server = LocalServer::echo().await;
    let with = |headers: &str, body: &str| {
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n{body}").into_bytes()
    };
    for (name, request) in [
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        ("zeros", vec![0; 1_000]),
        ("a line", b"nonsense\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec()),
        ("a header", with("no colon", "")),
        ("a header name", with("a b: c", "")),
        ("a control character", with("a: \x01\x00", "")),
        ("a folded header", with("a: b\r\n c", "")),
        ("a length", with("content-length: -1", "")),
        (
            "a length of many digits",
            with(&format!("content-length: {}", "9".repeat(30)), ""),
        ),
        (
            "two lengths",
            with("content-length: 1\r\ncontent-length: 2", "77"),
        ),
        ("an encoding", with("transfer-encoding: gzip", "7")),
        (
            "a chunk",
            with("transfer-encoding: chunked", "z\r\n7\r\n0\r\n\r\n"),
        ),
        (
            "a chunk's length",
            with("transfer-encoding: chunked", "fffffffffffffffff\r\n7"),
        ),
    ] {
        let response = raw(server.address, request).await;
        assert!(
            response.starts_with("HTTP/1.1 400 "),
            "{name}: `{response}`"
        );
    }
    let http2 = raw(server.address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(http2, "", "the connection is closed");
    assert_good_call(server.address).await;
    server.end().await;
}

#[tokio::test]
async fn pipelined_requests_get_their_responses_in_order() {
    let server = LocalServer::serve(|event: u64, context: Context, callback: Callback<u64>| {
        // The first request takes the longest.
        let pause = Duration::from_millis(30 * (3 - event));
        context.spawn(async move {
            time::sleep(pause).await;
            callback.succeed(event);
        });
    })
    .await;
    let request =
        |n: u64| format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n{n}");
    let pipeline = request(1) + &request(2) + &request(3) + "end\r\n\r\n" + &request(1);
    let responses = raw(server.address, pipeline).await;
    let responses: Vec<_> = responses.split("HTTP/1.1 ").skip(1).collect();
    let bodies = responses
        .iter()
        .map(|response| response.split("\r\n\r\n").nth(1).unwrap());
    assert_eq!(bodies.collect::<Vec<_>>(), ["1", "2", "3", ""]);
    // The server ignores whatever follows an invalid request.
    assert!(responses[3].starts_with("400 "), "{responses:?}");
    server.end().await;
}

#[tokio::test]
async fn only_post_is_served() {
    let server = LocalServer::serve(never_entered).await;
    for method in [
        "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PURGE", "post",
    ] {
        let line = format!("{method} {PATH} HTTP/1.1");
        let response = call(server.address, &line, "host: localhost\r\n", "").await;
        response.assert_rejected(405, "MethodNotAllowedException");
    }
    let line = format!("HEAD {PATH} HTTP/1.1");
    let response = call(server.address, &line, "host: localhost\r\n", "").await;
    assert_eq!((response.status, &*response.body), (405, ""));
    let line = "CONNECT 127.0.0.1:9000 HTTP/1.1";
    let response = call(server.address, line, "host: localhost\r\n", "").await;
    response.assert_rejected(405, "MethodNotAllowedException");
    let line = "POST /2015-03-31/functions HTTP/1.1";
    let response = call(server.address, line, "host: localhost\r\n", "").await;
    response.assert_rejected(404, "UnknownOperationException");
    server.end().await;
}

#[tokio::test]
async fn a_function_name_that_could_be_a_path_does_not_reach_the_handler() {
    let server = LocalServer::serve(never_entered).await;
    for (name, status) in [
        ("", 400),
        ("..", 404),
        ("../..", 404),
        ("../../etc/passwd", 404),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", 400),
        ("..%5c..%5cwindows", 400),
        ("%2fetc%2fpasswd", 400),
        ("f%00", 400),
        ("f%0d%0ax-injected:%20y", 400),
        ("f:..", 400),
        ("arn:aws:lambda:eu-west-1:1:function:..", 400),
        ("%ff", 400),
    ] {
        let line = format!("POST /2015-03-31/functions/{name}/invocations HTTP/1.1");
        let response = call(server.address, &line, "host: localhost\r\n", "{}").await;
        assert_eq!(response.status, status, "{name}: {response:?}");
        assert!(!response.head.contains("x-injected"), "{response:?}");
    }
    let line = format!("POST {PATH}?Qualifier=..%2f.. HTTP/1.1");
    let response = call(server.address, &line, "host: localhost\r\n", "{}").await;
    response.assert_rejected(400, "ValidationException");
    server.end().await;
}

#[tokio::test]
async fn no_response_header_repeats_what_the_client_sent() {
    let server = LocalServer::echo().await;
    const MARK: &str = "zzmarkzz";
    let headers = format!(
        "host: localhost\r\nx-amzn-trace-id: {MARK}\r\nx-amz-tenant-id: {MARK}\r\n\
         x-amzn-requestid: {MARK}\r\ncontent-type: {MARK}\r\naccept: {MARK}\r\n"
    );
    for (more, status) in [
        ("", 200),
        ("x-amz-log-type: Tail\r\n", 200),
        ("x-amz-invocation-type: Event\r\n", 202),
        ("x-amz-invocation-type: DryRun\r\n", 204),
        ("x-amz-invocation-type: zzmarkzz\r\n", 400),
        ("x-amz-log-type: zzmarkzz\r\n", 400),
        ("x-amz-client-context: zzmarkzz\r\n", 400),
        ("origin: http://zzmarkzz\r\n", 403),
    ] {
        let line =
            format!("POST /2015-03-31/functions/{MARK}/invocations?Qualifier={MARK} HTTP/1.1");
        let body = format!("\"{MARK}\\r\\nx: y\"");
        let response = call(server.address, &line, &format!("{headers}{more}"), &body).await;
        assert_eq!(response.status, status, "{more}: {response:?}");
        assert!(!response.head.contains(MARK), "{more}: {response:?}");
    }
    let response = call(
        server.address,
        &format!("{MARK} /{MARK} HTTP/1.1"),
        &headers,
        "",
    )
    .await;
    assert!(!response.head.contains(MARK), "{response:?}");
    server.end().await;
}

#[tokio::test]
async fn a_host_header_of_another_server_gets_status_403() {
    let server = LocalServer::serve(never_entered).await;
    for host in [
        "evil.example",
        "evil.example:9000",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "",
    ] {
        let headers = format!("host: {host}\r\n");
        let response = post(server.address, &headers, "{}").await;
        response.assert_rejected(403, "AccessDeniedException");
    }
    // The host of an absolute request target is checked too, whatever the header contains.
    for headers in ["host: localhost\r\n", "host: evil.example\r\n"] {
        let line = format!("POST http://evil.example{PATH} HTTP/1.1");
        let response = call(server.address, &line, headers, "{}").await;
        response.assert_rejected(403, "AccessDeniedException");
    }
    for headers in ["", "host: localhost\r\nhost: localhost\r\n"] {
        let response = post(server.address, headers, "{}").await;
        response.assert_rejected(400, "InvalidRequestContentException");
    }
    server.end().await;

    let server = LocalServer::echo().await;
    for host in ["localhost", "127.0.0.1:9000", "[::1]", "orders.localhost"] {
        let response = post(server.address, &format!("host: {host}\r\n"), "7").await;
        assert_ok(&response, "7");
    }
    let line = format!("POST http://{}{PATH} HTTP/1.1", server.address);
    assert_ok(
        &call(server.address, &line, "host: localhost\r\n", "7").await,
        "7",
    );
    let line = format!("POST {PATH} HTTP/1.0");
    assert_ok(&call(server.address, &line, "", "7").await, "7");
    server.end().await;
}

#[tokio::test]
async fn a_web_page_of_another_origin_gets_status_403_and_no_cors_headers() {
    let server = LocalServer::serve(never_entered).await;
    for origin in [
        "http://evil.example",
        "http://localhost:3000",
        "https://localhost",
        "null",
        "",
    ] {
        for method in ["POST", "OPTIONS", "GET"] {
            let headers = format!(
                "host: localhost\r\norigin: {origin}\r\ncontent-type: text/plain\r\n\
                 access-control-request-method: POST\r\n\
                 access-control-request-private-network: true\r\n"
            );
            let line = format!("{method} {PATH} HTTP/1.1");
            let response = call(server.address, &line, &headers, "{}").await;
            response.assert_rejected(403, "AccessDeniedException");
            assert!(!response.head.contains("access-control-"), "{response:?}");
        }
    }
    server.end().await;

    let server = LocalServer::echo().await;
    let headers = "host: localhost:9000\r\norigin: http://localhost:9000\r\n";
    let response = post(server.address, headers, "7").await;
    assert_ok(&response, "7");
    assert!(!response.head.contains("access-control-"), "{response:?}");
    server.end().await;
}

#[tokio::test]
async fn a_request_caused_by_a_web_page_of_another_origin_gets_status_403_and_is_logged() {
    let log = Log::start();
    let server = LocalServer::serve(never_entered).await;
    let same_site = "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors";
    let mut rejected = 0;
    for (headers, reason) in [
        (same_site, "sec-fetch-site is `same-site`"),
        (
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1",
            "sec-fetch-site is `cross-site`",
        ),
        (
            "Origin: http://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade",
            "origin is `http://evil.example`",
        ),
        (
            "Referer: http://192.168.1.5:3000/page",
            "referer is `http://192.168.1.5:3000/page`",
        ),
    ] {
        // A path of the function, a path of the Invoke API, and a path of neither.
        for path in ["/orders?delete=7", PATH, "/2015-03-31/functions/f"] {
            for method in ["GET", "POST", "DELETE", "HEAD", "OPTIONS"] {
                let line = format!("{method} {path} HTTP/1.1");
                let all_headers = format!("host: localhost\r\n{headers}\r\n");
                let response = call(server.address, &line, &all_headers, "").await;
                assert_eq!(response.status, 403, "{method} {path}: {headers}");
                assert!(!response.head.contains("access-control-"), "{response:?}");
                // A browser that displays this response must not request an icon either.
                let policy = "content-security-policy: default-src 'none'";
                assert!(response.head.contains(policy), "{response:?}");
                let path = path.split('?').next().unwrap();
                let message = format!(
                    "rejected {method} {path}, which a web page of another origin caused: {reason}"
                );
                rejected += 1;
                let warnings = log.warnings();
                assert_eq!(warnings.len(), rejected);
                assert_eq!(warnings.last().unwrap().message, message);
            }
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_user_navigation_and_a_page_of_the_server_itself_reach_the_function() {
    let server = LocalServer::echo().await;
    for headers in [
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate",
        "Sec-Fetch-Site: same-origin\r\nReferer: http://localhost/",
        "Referer: http://localhost/page",
    ] {
        let headers = format!("host: localhost\r\n{headers}\r\n");
        assert_ok(&post(server.address, &headers, "7").await, "7");
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_that_disconnects_causes_no_failure() {
    for resets in [false, true] {
        let mut timer = Process::spawn(example("timer").args(["--listen", "127.0.0.1:0"]));
        let address = address(&mut timer);
        let body = r#"{ "ms": 200 }"#;
        let length = body.len();
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let stream = send(address, request).await;
        timer = seen(timer, "START RequestId: ").await;
        if resets {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        timer = seen(timer, "REPORT RequestId: ").await;
        assert_eq!(post(address, "host: localhost\r\n", body).await.status, 200);
        let log = timer.log();
        for bad in ["ERROR", "WARN", "Invoke Error", "panicked"] {
            assert!(!log.contains(bad), "{log}");
        }
    }
}

/// Reads the address that the local server prints.
fn address(process: &mut Process) -> SocketAddr {
    let mut line = String::new();
    process.stdout().read_line(&mut line).unwrap();
    let (_, address) = line.trim().split_once("http://").expect("an address");
    address.parse().unwrap()
}

/// Waits until the log contains `text`, without blocking the tasks of the test.
async fn seen(mut process: Process, text: &'static str) -> Process {
    let wait = move || {
        process.wait_for(text);
        process
    };
    tokio::task::spawn_blocking(wait).await.unwrap()
}

#[tokio::test]
async fn a_server_reachable_from_the_network_logs_so_and_accepts_addresses_but_no_host_names() {
    let mut hello = Process::spawn(example("hello").args(["--listen", "0.0.0.0:0"]));
    let port = address(&mut hello).port();
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    hello = seen(hello, "WARN\treachable from the network").await;
    let body = r#"{"name":"Ada"}"#;
    for (host, status) in [
        ("localhost", 200),
        ("10.0.0.7:9000", 200),
        ("[fd00::7]:9000", 200),
        ("evil.example", 403),
        ("host.docker.internal:9000", 403),
    ] {
        let response = post(here, &format!("host: {host}\r\n"), body).await;
        assert_eq!(response.status, status, "{host}: {response:?}");
    }
    drop(hello);

    let mut hello = Process::spawn(example("hello").args(["--listen", "127.0.0.1:0"]));
    let here = address(&mut hello);
    assert_eq!(post(here, "host: localhost\r\n", body).await.status, 200);
    assert!(!hello.log().contains("WARN"));
}

#[tokio::test]
async fn a_call_gets_its_response_despite_ten_thousand_idle_connections() {
    const IDLE: usize = 10_000;
    const FILES: u64 = IDLE as u64 + 1_000;
    let files = rlimit::increase_nofile_limit(FILES).unwrap();
    if files < FILES {
        eprintln!("SKIPPED: the test needs {FILES} open files, but `ulimit -Hn` is {files}");
        return;
    }
    // The example inherits the limit.
    let mut hello = Process::spawn(example("hello").args(["--listen", "127.0.0.1:0"]));
    let address = address(&mut hello);
    let before = hello.memory("VmRSS");
    let began = std::time::Instant::now();
    let body = r#"{"name":"Ada"}"#;
    let good_call = async || {
        let called = std::time::Instant::now();
        let response = time::timeout(20 * SECOND, post(address, "host: localhost\r\n", body));
        let response = response.await.expect("a response within 20 s");
        assert_eq!(response.status, 200);
        called.elapsed()
    };
    let mut idle = Vec::new();
    let mut took = Vec::new();
    for n in 0..IDLE {
        // Some clients have started to send a request.
        let start = match n % 100 {
            0 => format!("POST {PATH} HTTP/1.1\r\nx: "),
            1 => format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n["),
            _ => String::new(),
        };
        idle.push(send(address, start).await);
        // The system limits how many connections may wait to be accepted. A response to a call
        // proves that the server has accepted every connection before it.
        if n % 100 == 99 {
            took.push(good_call().await);
        }
    }
    // The server closed none of them to make room.
    let open = idle.iter().filter(|stream| is_open(stream)).count();
    assert_eq!(open, IDLE);
    took.sort();
    println!(
        "opened {IDLE} connections in {:?}; of {} calls in between, the median took {:?} and the \
         slowest {:?}; the memory rose from {before:?} to {:?} kB",
        began.elapsed(),
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1],
        hello.memory("VmRSS")
    );
}

fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_server_out_of_sockets_closes_idle_connections_and_keeps_serving() {
    let hello = example("hello");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64; exec \"$0\" --listen 127.0.0.1:0"])
        .arg(hello.get_program());
    let mut hello = Process::spawn(&mut limited);
    let address = address(&mut hello);
    let mut idle = Vec::new();
    let connected = time::timeout(30 * SECOND, async {
        for _ in 0..300 {
            idle.push(send(address, "").await);
        }
    });
    connected
        .await
        .expect("idle connections are closed to make room");
    let body = r#"{"name":"Ada"}"#;
    for _ in 0..3 {
        let response = time::timeout(20 * SECOND, post(address, "host: localhost\r\n", body));
        let response = response.await.expect("a response within 20 s");
        assert_eq!(response.status, 200);
    }
    let log = hello.log();
    let lines = log.matches("no more connections for now: ").count();
    // One line for each shortage, not one for each failed attempt to accept a connection.
    assert!((1..100).contains(&lines), "{log}");
}

#[tokio::test]
async fn many_slow_clients_do_not_delay_a_good_one() {
    let entered = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&entered);
    let server = LocalServer::serve(move |event: Value, _: Context, callback: Callback| {
        count.fetch_add(1, Ordering::Relaxed);
        callback.succeed(event);
    })
    .await;
    let starts = [
        String::new(),
        "P".into(),
        format!("POST {PATH} HTTP/1.1\r\nhost: local"),
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"),
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n9\r\n[1"
        ),
    ];
    let mut slow = Vec::new();
    for start in starts.iter().cycle().take(200) {
        slow.push(send(server.address, start).await);
    }
    for _ in 0..10 {
        assert_good_call(server.address).await;
    }
    assert!(slow.iter().all(is_open));
    assert_eq!(entered.load(Ordering::Relaxed), 10);
    drop(slow);
    server.end().await;
}

#[tokio::test]
async fn a_hundred_clients_that_reset_their_connections_do_no_harm() {
    let server = LocalServer::echo().await;
    for n in 0..100 {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n[{}",
            &"7]"[..n % 3]
        );
        let stream = send(server.address, request).await;
        stream.set_zero_linger().unwrap();
    }
    assert_good_call(server.address).await;
    server.end().await;
}

#[tokio::test]
async fn more_concurrent_invocations_than_aws_allows_get_status_429() {
    let (release, hold) = tokio::sync::watch::channel(());
    let waits = move |_: Value, context: Context, callback: Callback| {
        let mut hold = hold.clone();
        context.spawn(async move {
            let _ = hold.changed().await;
            callback.succeed(Value::Null);
        });
    };
    let server = LocalServer::run(Runtime::new(waits).local_timeout(Duration::ZERO)).await;
    let line = format!("POST {PATH} HTTP/1.1");
    let event = "host: localhost\r\nx-amz-invocation-type: Event\r\n";
    for _ in 0..1_000 {
        assert_eq!(call(server.address, &line, event, "{}").await.status, 202);
    }
    let response = call(server.address, &line, "host: localhost\r\n", "{}").await;
    response.assert_rejected(429, "TooManyRequestsException");
    let response = call(server.address, "GET / HTTP/1.1", "host: localhost\r\n", "").await;
    response.assert_rejected(429, "TooManyRequestsException");
    drop(release);
    server.end().await;
}
