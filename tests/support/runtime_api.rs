//! A small Lambda Runtime API that records what a function posts.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::IntoResponse,
    routing::{get, post},
    serve::ListenerExt,
};
use serde_json::Value;
use std::{
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};

/// What a function posted.
#[derive(Debug)]
pub struct Posted {
    /// `response`, `error`, `init/error`, `restore/error` or `extension/register`.
    pub endpoint: String,
    pub request_id: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Posted {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }
}

/// An event as the API hands it out.
#[derive(Debug, Default)]
pub struct Event {
    pub request_id: String,
    pub body: String,
    /// Additional headers, which replace the usual ones of the same name.
    pub headers: Vec<(&'static str, String)>,
}

pub struct RuntimeApi {
    pub address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    posted: mpsc::UnboundedReceiver<Posted>,
    state: Arc<Shared>,
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    posted: mpsc::UnboundedSender<Posted>,
    connections: Arc<AtomicUsize>,
    polls: watch::Sender<usize>,
    restored: watch::Sender<bool>,
    /// The status of the reply to a post.
    status: std::sync::Mutex<StatusCode>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (events, event_queue) = mpsc::unbounded_channel();
        let (post_queue, posted) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let state = Arc::new(Shared {
            events: Mutex::new(event_queue),
            posted: post_queue,
            connections: Arc::clone(&connections),
            polls: watch::Sender::new(0),
            restored: watch::Sender::new(false),
            status: std::sync::Mutex::new(StatusCode::ACCEPTED),
        });
        let runtime = "/2018-06-01/runtime";
        let app = Router::new()
            .route(&format!("{runtime}/invocation/next"), get(next))
            .route(
                &format!("{runtime}/invocation/{{id}}/{{endpoint}}"),
                post(post_outcome),
            )
            .route(
                &format!("{runtime}/init/error"),
                post(|state, headers, body| record("init/error", state, headers, body)),
            )
            .route(&format!("{runtime}/restore/next"), get(restored))
            .route(
                &format!("{runtime}/restore/error"),
                post(|state, headers, body| record("restore/error", state, headers, body)),
            )
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(no_extension_event))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
        let listener = listener.tap_io(move |io| {
            // Without `TCP_NODELAY`, the second of two small writes would wait for the
            // acknowledgment of the first.
            let _ = io.set_nodelay(true);
            connections.fetch_add(1, Ordering::SeqCst);
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        RuntimeApi {
            address,
            events,
            posted,
            state,
        }
    }

    /// Hands out an event to the next poll.
    pub fn send(&self, event: Event) {
        self.events.send(event).expect("the API runs");
    }

    /// Waits for the next post. A test that waits for more than 30 s fails.
    pub async fn posted(&mut self) -> Posted {
        let posted = tokio::time::timeout(Duration::from_secs(30), self.posted.recv());
        posted
            .await
            .expect("a post within 30 s")
            .expect("the API runs")
    }

    /// Returns the next post if it has already arrived.
    pub fn try_posted(&mut self) -> Option<Posted> {
        self.posted.try_recv().ok()
    }

    /// Sends one event and waits for its outcome.
    pub async fn invoke(&mut self, event: Event) -> Posted {
        self.send(event);
        self.posted().await
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Returns the number of polls for an event so far.
    pub fn polls(&self) -> usize {
        *self.state.polls.borrow()
    }

    /// Waits until the function has polled for an event `count` times.
    pub async fn wait_for_polls(&self, count: usize) {
        let mut polls = self.state.polls.subscribe();
        let polls = polls.wait_for(|polls| *polls >= count).await;
        polls.expect("the API runs");
    }

    /// Replies to `restore/next`, as Lambda does when it restores a snapshot.
    pub fn restore(&self) {
        self.state.restored.send_replace(true);
    }

    /// Sets the status of the replies to posts and to the registration of an extension.
    pub fn reply_with(&self, status: StatusCode) {
        *self.state.status.lock().expect("no panic") = status;
    }
}

async fn next(State(state): State<Arc<Shared>>) -> impl IntoResponse {
    state.polls.send_modify(|polls| *polls += 1);
    let event = state.events.lock().await.recv().await;
    let Some(event) = event else {
        return (HeaderMap::new(), String::new());
    };
    let deadline = SystemTime::now() + Duration::from_secs(3);
    let deadline = deadline
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
    };
    set("lambda-runtime-aws-request-id", &event.request_id);
    set("lambda-runtime-deadline-ms", &deadline.to_string());
    set(
        "lambda-runtime-invoked-function-arn",
        "arn:aws:lambda:eu-west-1:123456789012:function:cases",
    );
    set("content-type", "application/json");
    for (name, value) in &event.headers {
        set(name, value);
    }
    (headers, event.body)
}

async fn post_outcome(
    State(state): State<Arc<Shared>>,
    Path((request_id, endpoint)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let _ = state.posted.send(Posted {
        endpoint,
        request_id,
        headers,
        body,
    });
    (
        *state.status.lock().expect("no panic"),
        r#"{"status":"recorded"}"#,
    )
}

fn record(
    endpoint: &str,
    State(state): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Ready<StatusCode> {
    let _ = state.posted.send(Posted {
        endpoint: endpoint.into(),
        request_id: String::new(),
        headers,
        body,
    });
    ready(StatusCode::ACCEPTED)
}

async fn restored(State(state): State<Arc<Shared>>) {
    let mut restored = state.restored.subscribe();
    let restored = restored.wait_for(|restored| *restored).await;
    restored.expect("the API runs");
}

async fn register(
    state: State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, &'static str) {
    let status = *state.status.lock().expect("no panic");
    record("extension/register", state, headers, body).await;
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_static("extension-1");
    headers.insert("lambda-extension-identifier", id);
    let body = r#"{"functionName":"f","functionVersion":"1","handler":"f","accountId":"1"}"#;
    (status, headers, body)
}

/// An extension that registers for no events gets none.
async fn no_extension_event() {
    std::future::pending().await
}
