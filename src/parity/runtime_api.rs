//! The Runtime API that the original polls: it hands out events, and takes what is posted.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE,
    },
    routing::{get, post},
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
};

/// As much of a response as is read: more than Lambda takes, so that a response that is too large can be told from one
/// that is not.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// An event for the original.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) body: Bytes,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What the original posted.
#[derive(Debug)]
pub(super) struct Posted {
    /// Whether that was an error, of an invocation or of the start.
    pub(super) is_error: bool,
    /// Why a success waited: what kept the event loop from being empty.
    pub(super) pending: Vec<String>,
    pub(super) body: Bytes,
}

#[derive(Debug)]
pub(super) struct RuntimeApi {
    pub(super) address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    posted: mpsc::UnboundedReceiver<Posted>,
    polls: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    /// The request id of the event that was handed out last, until it has an outcome.
    current: parking_lot::Mutex<String>,
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
        let shared = Shared {
            events: Mutex::new(to_hand_out),
            current: parking_lot::Mutex::default(),
            posted: to_take,
            polls: count,
        };
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(take))
            .route("/2018-06-01/runtime/init/error", post(take_init_error))
            .with_state(Arc::new(shared));
        let server = tokio::spawn(async move {
            // It ends when it is aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(RuntimeApi {
            address,
            events,
            posted,
            polls,
            server,
        })
    }

    pub(super) fn send(&self, event: Event) {
        // The server has the other end as long as this lives.
        let _ = self.events.send(event);
    }

    /// Waits for the next outcome.
    ///
    /// Cancel safety: nothing is lost if the future is dropped.
    pub(super) async fn posted(&mut self) -> Option<Posted> {
        self.posted.recv().await
    }

    /// Waits for the first poll, or for an error of the start.
    pub(super) async fn polled_or_posted(&mut self) -> Result<(), Posted> {
        tokio::select! {
            // The server has the other ends as long as this lives.
            _ = self.polls.wait_for(|polls| *polls > 0) => Ok(()),
            Some(posted) = self.posted.recv() => Err(posted),
        }
    }

    /// An outcome that is there already.
    pub(super) fn try_posted(&mut self) -> Option<Posted> {
        self.posted.try_recv().ok()
    }

    /// Waits until there have been so many polls since the start.
    pub(super) async fn polled(&mut self, times: usize) {
        // The server has the other end as long as this lives.
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
    // The native HTTP module of AWS's client takes no event without it.
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
    {
        let mut current = shared.current.lock();
        if *current != request_id {
            // What an earlier event left running posts too late, which Lambda rejects, too.
            return empty(StatusCode::BAD_REQUEST);
        }
        // It takes one outcome of each.
        current.clear();
    }
    taken(&shared, outcome == "error", request).await
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
    let posted = Posted {
        is_error,
        pending: pending(&parts.headers),
        body,
    };
    // Nobody waits for it any more if the receiver is gone.
    let _ = shared.posted.send(posted);
    empty(StatusCode::ACCEPTED)
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
