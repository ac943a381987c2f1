//! Streams to a Runtime API that fails in the middle. The table in `src/docs/reliability.md`
//! describes what happens at each fault.

use crate::{api::Api, event, port};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Mutex, Notify, mpsc},
    time::timeout,
};

/// What the API does with the post of the first event, once its body has begun.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Reset,
    /// It replies with this status, and continues to read.
    Reply(u16),
    /// It replies with this status, and closes the connection.
    ReplyAndClose(u16),
    /// It stops reading.
    Stall,
    /// It closes the connection after handing out the event, and accepts no other one for a while.
    NoConnection,
}

struct BadApi {
    fault: Fault,
    events: Mutex<Vec<&'static str>>,
    /// The endpoint and the body of each post that was complete, as they were sent.
    posts: mpsc::UnboundedSender<(String, String)>,
    polled: Notify,
}

async fn start(
    fault: Fault,
    case: &'static str,
) -> (SocketAddr, mpsc::UnboundedReceiver<(String, String)>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = match fault {
        Fault::NoConnection => bound(any).listen(16).unwrap(),
        _ => TcpListener::bind(any).await.unwrap(),
    };
    let address = listener.local_addr().unwrap();
    let (posts, posted) = mpsc::unbounded_channel();
    let api = Arc::new(BadApi {
        fault,
        events: Mutex::new(vec!["write_text", case]),
        posts,
        polled: Notify::new(),
    });
    tokio::spawn(async move {
        let listener = match fault {
            Fault::NoConnection => api.outage(listener).await,
            _ => listener,
        };
        while let Ok((stream, _)) = listener.accept().await {
            let api = Arc::clone(&api);
            tokio::spawn(async move { api.serve(stream).await });
        }
    });
    (address, posted)
}

/// Returns a socket whose address another socket may also have. Connections to the address are
/// refused until the socket listens.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// The time for which connections are refused. A post is retried for 10 s.
const OUTAGE: Duration = Duration::from_millis(100);

impl BadApi {
    /// Serves one connection, and refuses others from then on until the end of the outage.
    async fn outage(&self, listener: TcpListener) -> TcpListener {
        let next = bound(listener.local_addr().unwrap());
        let (stream, _) = listener.accept().await.unwrap();
        drop(listener);
        self.serve(stream).await;
        tokio::time::sleep(OUTAGE).await;
        next.listen(16).unwrap()
    }

    /// Serves a connection, until it breaks.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (path, _) = head(&mut stream).await?;
            if path.ends_with("/next") {
                let (id, body, allowed) = {
                    let mut events = self.events.lock().await;
                    // A stall lasts until the deadline.
                    let is_stalled = events.len() == 2 && self.fault == Fault::Stall;
                    let allowed = if is_stalled { 2 } else { 20 };
                    (events.len(), events.pop(), allowed)
                };
                let Some(case) = body else {
                    self.polled.notified().await;
                    return None;
                };
                let body = event(case);
                let deadline = SystemTime::now() + Duration::from_secs(allowed);
                let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
                let last = self.fault == Fault::NoConnection && id == 2;
                let connection = if last { "close" } else { "keep-alive" };
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nconnection: {connection}\r\nlambda-runtime-aws-request-id: id-{id}\r\nlambda-runtime-deadline-ms: {deadline}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(reply.as_bytes()).await.ok()?;
                if last {
                    return None;
                }
                continue;
            }
            let first = path.contains("/id-2/");
            if first && self.fault != Fault::NoConnection {
                // The body has begun.
                stream.fill_buf().await.ok()?;
                match self.fault {
                    Fault::Reset => {
                        let stream = stream.into_inner();
                        let _ = stream.set_zero_linger();
                        return None;
                    }
                    Fault::ReplyAndClose(status) => {
                        stream.write_all(&reply(status)).await.ok()?;
                        stream.shutdown().await.ok()?;
                        return None;
                    }
                    Fault::Reply(status) => stream.write_all(&reply(status)).await.ok()?,
                    Fault::Stall => {
                        self.polled.notified().await;
                        return None;
                    }
                    Fault::NoConnection => {}
                }
            }
            let body = chunked(&mut stream).await?;
            let _ = self.posts.send((path, body));
            stream.write_all(&reply(202)).await.ok()?;
        }
    }
}

fn reply(status: u16) -> Vec<u8> {
    let body = r#"{"errorType":"Injected"}"#;
    format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads a request up to its body. Returns the path and the other lines.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut lines = String::new();
    while !lines.ends_with("\r\n\r\n") {
        stream.read_line(&mut lines).await.ok().filter(|n| *n > 0)?;
    }
    let path = lines.split(' ').nth(1)?.to_owned();
    Some((path, lines))
}

/// Reads a chunked body with its trailers.
async fn chunked(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut body = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        if length == 0 {
            break;
        }
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        body += std::str::from_utf8(&chunk[..length]).ok()?;
    }
    while !body.ends_with("\r\n\r\n") && !body.ends_with("\n\r\n") {
        let before = body.len();
        stream.read_line(&mut body).await.ok()?;
        if body[before..] == *"\r\n" {
            break;
        }
    }
    Some(body.trim().to_owned())
}

/// Runs the port of `case`, then that of `write_text`, and returns the complete posts, the log, and
/// the exit code of the process, if it ended.
async fn run(fault: Fault, case: &'static str) -> (Vec<(String, String)>, String, Option<i32>) {
    let (address, mut posted) = start(fault, case).await;
    let log = format!("fault-{case}-{fault:?}").replace(['(', ')'], "-");
    let mut process = port(address, "handler", &log);
    let mut posts = Vec::new();
    let is_last = |(path, body): &(String, String)| path.contains("/id-1/") && body == "hello";
    let code = timeout(Duration::from_secs(60), async {
        loop {
            tokio::select! {
                biased;
                post = posted.recv() => {
                    posts.push(post.unwrap());
                    if posts.last().is_some_and(is_last) {
                        return None;
                    }
                }
                status = process.wait() => return status.unwrap().code(),
            }
        }
    });
    let code = code.await.unwrap_or_else(|_| panic!("{fault:?} hangs"));
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{log}.log"));
    (posts, fs::read_to_string(log).unwrap(), code)
}

#[tokio::test]
async fn a_fault_in_the_middle_of_a_stream_ends_it_and_not_the_process() {
    let cases = [
        (Fault::Reset, "posting the outcome failed: "),
        // A reply just before the connection breaks may be lost with it.
        (Fault::ReplyAndClose(413), "posting the outcome failed: "),
        (
            Fault::Reply(413),
            "posting the outcome failed: the Runtime API responded with 413 Payload Too Large (it is larger than Lambda accepts): {",
        ),
        (
            Fault::Reply(410),
            "posting the outcome failed: the Runtime API responded with 410 Gone",
        ),
        (Fault::ReplyAndClose(202), "posting the outcome failed: "),
        (
            Fault::Stall,
            "posting the outcome failed: the rest of the stream was not read within 10 s of its end",
        ),
    ];
    let runs = cases.map(async |(fault, expected)| {
        let (posts, log, code) = run(fault, "writes_on").await;
        assert_eq!(posts.len(), 1, "{fault:?}: {posts:?}");
        assert_eq!(code, None, "{fault:?}");
        assert!(log.contains(expected), "{fault:?}: {log}");
        // The handler gets an error. If nothing is read, it gets none and is stopped at the
        // deadline.
        let ends_with = match fault {
            Fault::Stall => "Sandbox.Timedout",
            _ => "the response stream was closed: ",
        };
        assert!(log.contains(ends_with), "{fault:?}: {log}");
    });
    futures::future::join_all(runs).await;
}

/// The stream is sent by another thread than the one that the handler blocks.
#[tokio::test]
async fn the_watchdog_ends_the_stream_of_a_handler_that_blocks_its_thread() {
    let api = Api::start().await;
    let mut process = port(api.address, "handler", "fault-blocks");
    api.polled(1).await;
    api.send(event("blocks"), Duration::from_secs(1));
    tokio::select! {
        polled = timeout(Duration::from_secs(4), api.polled(2)) => polled.expect("another worker polls"),
        status = process.wait() => panic!("the process ended with {status:?}"),
    }
    let posts = api.posts();
    let [post] = posts.as_slice() else {
        panic!("{posts:?}")
    };
    assert_eq!(
        (post.endpoint.as_str(), post.body.as_str()),
        ("response", "a")
    );
    let error_type = post.trailers.get("lambda-runtime-function-error-type");
    assert_eq!(
        error_type.map(String::as_str),
        Some("Sandbox.Timedout"),
        "{post:?}"
    );
    api.send(event("write_text"), Duration::from_secs(20));
    api.polled(3).await;
    assert_eq!(api.posts()[0].body, "hello");
}

#[tokio::test]
async fn a_status_500_in_the_middle_of_a_stream_ends_the_process() {
    let (posts, log, code) = run(Fault::Reply(500), "writes_on").await;
    assert_eq!((posts.len(), code), (0, Some(101)), "{posts:?}");
    assert!(
        log.contains("the Runtime API failed: the Runtime API responded with 500"),
        "{log}"
    );
}

#[tokio::test]
async fn a_stream_of_which_nothing_was_read_is_posted_again() {
    let (posts, log, code) = run(Fault::NoConnection, "write_in_turns").await;
    assert_eq!(code, None, "{log}");
    let first = &posts[0];
    assert!(
        first.0.contains("/id-2/") && first.1 == "onetwothree",
        "{posts:?} {log}"
    );
}

/// A layer that ends the invocation in the middle of a stream ends the stream with its error. After
/// the end of the stream, the layer error changes nothing, and the rest of the invocation goes on.
#[tokio::test]
async fn a_layer_that_ends_an_invocation_ends_its_stream() {
    let api = Api::start().await;
    let _process = port(api.address, "layered", "fault-layered");
    for (at, (case, error_type)) in [
        ("never_returns", Some("Elapsed")),
        ("ended_and_never_returns", None),
        ("write_text", None),
    ]
    .into_iter()
    .enumerate()
    {
        api.polled(at + 1).await;
        api.send(event(case), Duration::from_secs(2));
        api.polled(at + 2).await;
        let posts = api.posts();
        let [post] = posts.as_slice() else {
            panic!("{posts:?}")
        };
        let expected = if case == "write_text" { "hello" } else { "a" };
        assert_eq!((&*post.endpoint, &*post.body), ("response", expected));
        let found = post.trailers.get("lambda-runtime-function-error-type");
        assert_eq!(found.map(String::as_str), error_type, "{post:?}");
    }
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault-layered.log");
    let log = fs::read_to_string(log).unwrap();
    let after = "a layer failed after the outcome had been sent: request timed out";
    assert_eq!(log.matches(after).count(), 1, "{log}");
}
