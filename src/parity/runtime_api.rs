//! The Runtime API that the original polls: it hands out events, and receives what is posted.

use super::{
    open_stream::{Open, trailer},
    stream::{StreamEnd, Streamed},
};
use axum::{
    Router,
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{Path, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE,
    },
    routing::{get, post},
};
use std::{future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

/// The maximum size of a response that is read. It exceeds Lambda's limit, so that a response that
/// is too large for Lambda is still compared.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The time to read the rest of what a process sent before it ended.
const REST: Duration = Duration::from_secs(2);

const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

/// An event for the original.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) body: Bytes,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What the original posted.
#[derive(Debug)]
pub(super) enum Posted {
    Response {
        body: Bytes,
        /// What kept the event loop from being empty while the response waited.
        pending: Vec<String>,
    },
    /// A stream that ended, or whose process posted an error before that.
    Stream(Streamed),
    /// The JSON of an error of an invocation or of initialization.
    Error(Bytes),
}

#[derive(Debug)]
pub(super) struct RuntimeApi {
    pub(super) address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    posted: mpsc::UnboundedReceiver<Posted>,
    polls: watch::Receiver<usize>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    /// The request id of the event that was handed out last, until it has an outcome.
    current: parking_lot::Mutex<String>,
    stream: parking_lot::Mutex<Option<Open>>,
    /// How many streams are being read.
    reading: watch::Sender<usize>,
    posted: mpsc::UnboundedSender<Posted>,
    polls: watch::Sender<usize>,
}

impl RuntimeApi {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (events, to_hand_out) = mpsc::unbounded_channel();
        let (to_take, posted) = mpsc::unbounded_channel();
        let (count, polls) = watch::channel(0);
        let shared = Arc::new(Shared {
            events: Mutex::new(to_hand_out),
            current: parking_lot::Mutex::default(),
            stream: parking_lot::Mutex::default(),
            reading: watch::Sender::new(0),
            posted: to_take,
            polls: count,
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(take))
            .route("/2018-06-01/runtime/init/error", post(take_init_error))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // The server runs until it is aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(RuntimeApi {
            address,
            events,
            posted,
            polls,
            shared,
            server,
        })
    }

    pub(super) fn send(&self, event: Event) {
        // The server holds the other end as long as this value exists.
        let _ = self.events.send(event);
    }

    /// Waits for the next outcome.
    ///
    /// Cancel safety: nothing is lost if the future is dropped.
    pub(super) async fn posted(&mut self) -> Option<Posted> {
        self.posted.recv().await
    }

    /// Waits for the first poll, or for an initialization error.
    pub(super) async fn polled_or_posted(&mut self) -> Result<(), Posted> {
        tokio::select! {
            // The server holds the other ends as long as this value exists.
            _ = self.polls.wait_for(|polls| *polls > 0) => Ok(()),
            Some(posted) = self.posted.recv() => Err(posted),
        }
    }

    /// Returns the outcome of a process that has ended, after reading the rest of what it sent.
    pub(super) async fn posted_at_exit(&mut self) -> Option<Posted> {
        let mut reading = self.shared.reading.subscribe();
        // The connections of the process end with it.
        let _ = timeout(REST, reading.wait_for(|reading| *reading == 0)).await;
        let posted = self.posted.try_recv().ok();
        posted.or_else(|| self.take_stream(true))
    }

    /// Takes the stream that has not ended, if there is one.
    pub(super) fn take_stream(&self, is_cut: bool) -> Option<Posted> {
        let open = self.shared.stream.lock().take()?;
        Some(Posted::Stream(open.broken_off(is_cut)))
    }

    /// Waits until there have been `times` polls since the start.
    pub(super) async fn polled(&mut self, times: usize) {
        // The server holds the other end as long as this value exists.
        let _ = self.polls.wait_for(|polls| *polls >= times).await;
    }

    pub(super) fn polls(&self) -> usize {
        *self.polls.borrow()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.polls.send_modify(|polls| *polls += 1);
    let Some(event) = shared.events.lock().await.recv().await else {
        return empty(StatusCode::GONE);
    };
    shared.current.lock().clone_from(&event.request_id);
    let mut response = Response::new(Body::from(event.body));
    // The native HTTP module of AWS's client does not accept an event without a content type.
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    for (name, value) in event.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((request_id, outcome)): Path<(String, String)>,
    request: Request<Body>,
) -> Response<Body> {
    let is_error = outcome == "error";
    let is_stream = !is_error
        && request
            .headers()
            .get(RESPONSE_MODE)
            .is_some_and(|mode| mode == "streaming");
    {
        let mut current = shared.current.lock();
        let mut stream = shared.stream.lock();
        if *current == request_id {
            // Each event has one outcome.
            current.clear();
            if is_stream {
                *stream = Some(Open::new(request_id, request.headers()));
            }
        } else if !(is_error && stream.as_ref().is_some_and(|open| open.is_of(&request_id))) {
            // An unfinished task of an earlier event posts too late, which Lambda also rejects.
            return empty(StatusCode::BAD_REQUEST);
        }
    }
    if is_stream {
        stream(&shared, request.into_body()).await
    } else {
        taken(&shared, is_error, request).await
    }
}

async fn take_init_error(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Response<Body> {
    taken(&shared, true, request).await
}

async fn taken(shared: &Shared, is_error: bool, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let posted = if is_error {
        if let Some(open) = shared.stream.lock().as_mut() {
            open.fail(&body);
            return empty(StatusCode::ACCEPTED);
        }
        Posted::Error(body)
    } else {
        let pending = pending(&parts.headers);
        Posted::Response { body, pending }
    };
    // If the receiver was dropped, the comparison has ended.
    let _ = shared.posted.send(posted);
    empty(StatusCode::ACCEPTED)
}

/// Receives a stream as it arrives.
async fn stream(shared: &Shared, body: Body) -> Response<Body> {
    let _reading = Reading::new(shared);
    let mut body = pin!(body);
    let mut end = StreamEnd::Ended;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(frame) = frame else {
            return empty(StatusCode::BAD_REQUEST);
        };
        match frame.into_data() {
            Ok(data) => {
                if !shared.add(&data) {
                    end = StreamEnd::TooLarge;
                    break;
                }
            }
            Err(frame) => {
                if let Some(error) = frame.into_trailers().ok().as_ref().and_then(trailer) {
                    end = StreamEnd::Error(error);
                }
            }
        }
    }
    let status = match end {
        StreamEnd::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::ACCEPTED,
    };
    if let Some(open) = shared.stream.lock().take() {
        // If the receiver was dropped, the comparison has ended.
        let _ = shared.posted.send(Posted::Stream(open.end(end)));
    }
    empty(status)
}

/// Counts a stream as being read until this is dropped, which also happens when the connection
/// breaks.
struct Reading<'a>(&'a Shared);

impl<'a> Reading<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.reading.send_modify(|reading| *reading += 1);
        Reading(shared)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.break_off();
        self.0.reading.send_modify(|reading| *reading -= 1);
    }
}

impl Shared {
    /// Ends the stream whose connection broke, if its process has posted an error. Otherwise the
    /// process may still post one.
    fn break_off(&self) {
        let mut stream = self.stream.lock();
        if let Some(open) = stream.take_if(|open| open.has_failed()) {
            // If the receiver was dropped, the comparison has ended.
            let _ = self.posted.send(Posted::Stream(open.broken_off(true)));
        }
    }

    /// Adds received data to the stream. Returns whether the stream is still within the limit.
    fn add(&self, data: &[u8]) -> bool {
        // If there is no stream, its invocation is over.
        let mut stream = self.stream.lock();
        stream.as_mut().is_some_and(|open| open.add(data))
    }
}

fn pending(headers: &HeaderMap) -> Vec<String> {
    let names = headers
        .get("x-nodeback-pending")
        .and_then(|names| names.to_str().ok());
    names.map_or(vec![], |names| names.split(',').map(String::from).collect())
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
