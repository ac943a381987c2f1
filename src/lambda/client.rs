//! Requests to the Runtime API, over hyper's connections.
//!
//! A connection is driven only by the task that waits for the reply. A separate task for each
//! connection takes a third more processor time for an invocation of 100 bytes, since every reply
//! then wakes two tasks.

use super::own_wakes::OwnWakes;
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{self, Either, Fuse},
};
use http::{
    Method, Request, Response, Uri,
    header::{HOST, HeaderValue, USER_AGENT},
    uri::{Authority, InvalidUri},
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{self, Instant, Sleep},
};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request.
pub(super) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// Returns a body whose content is already known.
pub(super) fn full(body: Bytes) -> Body {
    Body::new(http_body_util::Full::new(body).map_err(|never| match never {}))
}

/// What each path of the Runtime API begins with.
const ROOT: &str = "/2018-06-01/runtime";

/// A client of one Runtime API. It opens a connection when none is idle.
pub(super) struct Client {
    endpoint: Uri,
    host: HeaderValue,
    /// The path of the endpoint, and [`ROOT`].
    root: String,
    idle: Idle,
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

type Idle = Arc<Mutex<Vec<Connection>>>;

/// Returns the host and the port of a Runtime API.
fn address(endpoint: &Uri) -> &str {
    endpoint.authority().map_or("", Authority::as_str)
}

/// How many bytes of a reply may be buffered, as in lambda_runtime.
const BUFFER: usize = 1024 * 1024;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("nodeback/", env!("CARGO_PKG_VERSION")));

impl Client {
    pub(super) fn new(endpoint: Uri) -> Self {
        Client {
            host: HeaderValue::from_str(address(&endpoint)).unwrap_or(HeaderValue::from_static("")),
            // Emulators that run several functions give each of them a path of its own.
            root: [endpoint.path().trim_end_matches('/'), ROOT].concat(),
            endpoint,
            idle: Idle::default(),
            timer: Mutex::default(),
        }
    }

    /// Returns a client with connections of its own, for another runtime or thread.
    pub(super) fn another(&self) -> Self {
        Client::new(self.endpoint.clone())
    }

    /// Joins the parts of a path of the Runtime API, and returns a request for it.
    pub(super) fn request(
        &self,
        method: Method,
        path: &[&str],
        body: Body,
    ) -> Result<Request<Body>, InvalidUri> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from([&[&*self.root], path].concat().concat())?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, AGENT);
        Ok(request)
    }

    /// Waits for a future, for at most `limit`. Returns `None` if it takes longer. The timer is
    /// kept for the next call, since a new one wakes the runtime's driver, which takes a twentieth
    /// of the time of an invocation of 100 bytes.
    ///
    /// Cancel safety: that of the future.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let kept = self.timer.lock().take();
        let mut timer = kept.unwrap_or_else(|| Box::pin(time::sleep(limit)));
        timer.as_mut().reset(Instant::now() + limit);
        match future::select(pin!(future), &mut timer).await {
            Either::Left((done, _)) => {
                *self.timer.lock() = Some(timer);
                Some(done)
            }
            Either::Right(_) => None,
        }
    }

    /// Closes the idle connections, which do not survive a snapshot.
    pub(super) fn close_idle(&self) {
        self.idle.lock().clear();
    }

    /// Sends a request, and waits for the head of its reply. An idle connection that turns out to
    /// be closed is replaced.
    ///
    /// Cancel safety: the connection is closed if the future is dropped.
    pub(super) async fn call(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Reply>, BoxError> {
        loop {
            // This is a statement of its own, so that the lock is not held while a connection is
            // opened.
            let idle = self.idle.lock().pop();
            let is_new = idle.is_none();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::open(&self.endpoint).await?,
            };
            if !is_new && !connection.is_ready().await {
                continue;
            }
            let response = connection.sender.try_send_request(request);
            match connection.drive(response).await {
                Ok(response) => {
                    let idle = Arc::clone(&self.idle);
                    return Ok(response.map(|body| Reply::new(body, connection, idle)));
                }
                Err(mut error) => match error.take_message() {
                    // Nothing of the request has been sent, so another connection can take it.
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }
}

/// The future that reads from and writes to a connection while it is polled.
type Driver = Pin<Box<Fuse<http1::Connection<TokioIo<TcpStream>, Body>>>>;

struct Connection {
    sender: SendRequest<Body>,
    driver: Driver,
    own_wakes: OwnWakes,
}

impl Connection {
    async fn open(endpoint: &Uri) -> Result<Self, BoxError> {
        let host = endpoint.host().unwrap_or_default();
        // A name resolves without the brackets of an IPv6 address.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let connected = TcpStream::connect((host, endpoint.port_u16().unwrap_or(80))).await;
        let stream = connected
            .map_err(|error| format!("unable to connect to {}: {error}", address(endpoint)))?;
        stream.set_nodelay(true)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Connection {
            sender,
            driver: Box::pin(driver.fuse()),
            own_wakes: OwnWakes::new(),
        })
    }

    /// Returns whether the connection can take a request at once. It cannot if it is closed, or if
    /// it is still sending the previous request because the reply came before the end of that
    /// request: the server may never read the rest.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.own_wakes.poll(cx, |cx| {
                let mut polled = self.sender.poll_ready(cx);
                if polled.is_pending() {
                    // If this is the end of the connection, the sender sees it below.
                    let _ = self.driver.poll_unpin(cx);
                    polled = self.sender.poll_ready(cx);
                }
                Poll::Ready(matches!(polled, Poll::Ready(Ok(()))))
            })
        })
        .await
    }

    /// Waits for a future that needs the connection to be driven.
    async fn drive<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.own_wakes.poll(cx, |cx| {
                let polled = future.as_mut().poll(cx);
                if polled.is_pending() {
                    // If this is the end of the connection, it wakes the future, which resolves
                    // with the reason if the connection failed.
                    let _ = self.driver.poll_unpin(cx);
                }
                polled
            })
        })
        .await
    }
}

/// The body of a reply. At its end the connection is kept for the next request.
pub(super) struct Reply {
    body: Incoming,
    connection: Option<Connection>,
    idle: Idle,
}

impl Reply {
    fn new(body: Incoming, connection: Connection, idle: Idle) -> Self {
        let mut reply = Reply {
            body,
            connection: Some(connection),
            idle,
        };
        if reply.body.is_end_stream() {
            reply.keep_connection();
        }
        reply
    }

    fn keep_connection(&mut self) {
        self.idle.lock().extend(self.connection.take());
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let reply = self.get_mut();
        let mut body = Pin::new(&mut reply.body);
        let polled = match &mut reply.connection {
            Some(connection) => connection.own_wakes.poll(cx, |cx| {
                let polled = body.as_mut().poll_frame(cx);
                if polled.is_pending() {
                    // If this is the end of the connection, it wakes the body.
                    let _ = connection.driver.poll_unpin(cx);
                }
                polled
            }),
            None => body.poll_frame(cx),
        };
        // A body of known length is at its end with its last frame, and any other only with the
        // `None` after it.
        if matches!(polled, Poll::Ready(None)) || reply.body.is_end_stream() {
            reply.keep_connection();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::Notify,
    };

    /// Serves `each` requests on each connection, and then closes it. Returns the heads of all
    /// requests.
    async fn serve(
        listener: TcpListener,
        each: usize,
        connections: usize,
        closed: Arc<Notify>,
    ) -> Vec<String> {
        let mut heads = Vec::new();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..each {
                heads.push(head(&mut stream).await);
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                stream.write_all(reply).await.unwrap();
            }
            drop(stream);
            closed.notify_one();
        }
        heads
    }

    /// Reads the head of a request.
    async fn head(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn get(client: &Client, path: &str) -> Result<Bytes, BoxError> {
        let request = client.request(Method::GET, &[path], full(Bytes::new()))?;
        let reply = client.call(request).await?;
        Ok(reply.into_body().collect().await?.to_bytes())
    }

    async fn server(
        each: usize,
        connections: usize,
    ) -> (Client, Arc<Notify>, impl Future<Output = Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::new(format!("http://{address}/base/").parse().unwrap());
        let closed = Arc::new(Notify::new());
        let served = tokio::spawn(serve(listener, each, connections, Arc::clone(&closed)));
        (client, closed, async move { served.await.unwrap() })
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_request() {
        let (client, _, served) = server(3, 1).await;
        for path in ["/a", "/b", "/c"] {
            assert_eq!(get(&client, path).await.unwrap(), "ok");
        }
        let heads = served.await;
        for (head, path) in heads.iter().zip(["/a", "/b", "/c"]) {
            assert!(
                head.starts_with(&format!("GET /base{ROOT}{path} HTTP/1.1\r\n")),
                "{head}"
            );
            assert!(head.contains("host: 127.0.0.1:") && head.contains("user-agent: nodeback/"));
        }
    }

    /// Counts how often the task of a future is woken while it polls the future.
    struct OwnWakeCount<F> {
        future: Pin<Box<F>>,
        shared: Arc<Counted>,
    }

    #[derive(Default)]
    struct Counted {
        state: Mutex<(bool, usize)>,
        task: futures::task::AtomicWaker,
    }

    impl std::task::Wake for Counted {
        fn wake(self: Arc<Self>) {
            let (polling, count) = &mut *self.state.lock();
            *count += usize::from(*polling);
            self.task.wake();
        }
    }

    impl<F: Future> Future for OwnWakeCount<F> {
        type Output = (F::Output, usize);

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let shared = Arc::clone(&self.shared);
            shared.task.register(cx.waker());
            shared.state.lock().0 = true;
            let waker = Arc::clone(&shared).into();
            let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            let (polling, count) = &mut *shared.state.lock();
            *polling = false;
            polled.map(|output| (output, *count))
        }
    }

    #[tokio::test]
    async fn the_halves_of_a_connection_do_not_wake_their_task() {
        let (client, _, served) = server(3, 1).await;
        let calls = OwnWakeCount {
            future: Box::pin(async {
                for path in ["/a", "/b", "/c"] {
                    assert_eq!(get(&client, path).await.unwrap(), "ok");
                }
            }),
            shared: Arc::default(),
        };
        assert_eq!(calls.await, ((), 0));
        served.await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_that_was_closed_is_replaced() {
        let (client, closed, served) = server(1, 3).await;
        for path in ["/a", "/b", "/c"] {
            assert_eq!(get(&client, path).await.unwrap(), "ok");
            closed.notified().await;
            // The clock is paused, so this takes no time, but it lets the runtime notice the end of
            // the connection.
            time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(served.await.len(), 3);
    }

    #[tokio::test]
    async fn a_connection_is_kept_after_a_reply_whose_length_was_not_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::new(format!("http://{address}").parse().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                head(&mut stream).await;
                let reply =
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
                stream.write_all(reply).await.unwrap();
            }
        });
        for _ in 0..2 {
            assert_eq!(get(&client, "/a").await.unwrap(), "ok");
            assert_eq!(client.idle.lock().len(), 1);
        }
        served.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_whose_request_was_not_sent_completely_is_replaced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::new(format!("http://{address}").parse().unwrap());
        let served = tokio::spawn(async move {
            let mut streams = Vec::new();
            for status in ["413 Payload Too Large", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                head(&mut stream).await;
                let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                stream.write_all(reply.as_bytes()).await.unwrap();
                // The server reads no further, and keeps the connection open.
                streams.push(stream);
            }
            streams
        });
        // More than the buffers of a connection hold.
        let body = full(Bytes::from(vec![0; 32 * 1024 * 1024]));
        let request = client.request(Method::POST, &["/response"], body).unwrap();
        let reply = client.call(request).await.unwrap();
        assert_eq!(reply.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(reply.into_body().collect().await.unwrap().to_bytes(), "ok");
        let next = time::timeout(Duration::from_secs(60), get(&client, "/next"));
        let next = next
            .await
            .expect("it waits for the connection whose server reads no further");
        assert_eq!(next.unwrap(), "ok");
        served.await.unwrap();
    }

    #[tokio::test]
    async fn connections_that_were_idle_before_a_snapshot_are_not_used_after_it() {
        let (client, _, served) = server(1, 2).await;
        get(&client, "/before").await.unwrap();
        client.close_idle();
        assert!(client.idle.lock().is_empty());
        get(&client, "/after").await.unwrap();
        assert_eq!(served.await.len(), 2);
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = Client::new(format!("http://{address}").parse().unwrap());
        let error = get(&client, "/a").await.unwrap_err().to_string();
        let expected = format!("unable to connect to {address}: Connection refused");
        assert!(error.starts_with(&expected), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_call_has_the_whole_limit() {
        let client = Client::new("http://127.0.0.1:1".parse().unwrap());
        let (limit, short) = (Duration::from_secs(5), Duration::from_secs(4));
        for _ in 0..3 {
            assert_eq!(client.within(limit, time::sleep(short)).await, Some(()));
        }
        let begin = Instant::now();
        assert_eq!(client.within(limit, future::pending::<()>()).await, None);
        assert_eq!(begin.elapsed(), limit);
        assert_eq!(client.within(limit, time::sleep(short)).await, Some(()));
    }
}
