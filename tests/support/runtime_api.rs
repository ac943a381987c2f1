//! A small Lambda Runtime API, which records what a function posts.

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
    /// Further headers, or others.
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
    asked: watch::Sender<usize>,
    restored: watch::Sender<bool>,
    /// What answers are answered with.
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
            asked: watch::Sender::new(0),
            restored: watch::Sender::new(false),
            status: std::sync::Mutex::new(StatusCode::ACCEPTED),
        });
        let runtime = "/2018-06-01/runtime";
        let app = Router::new()
            .route(&format!("{runtime}/invocation/next"), get(next))
            .route(
                &format!("{runtime}/invocation/{{id}}/{{endpoint}}"),
                post(answer),
            )
            .route(
                &format!("{runtime}/init/error"),
                post(|state, headers, body| told("init/error", state, headers, body)),
            )
            .route(&format!("{runtime}/restore/next"), get(restored))
            .route(
                &format!("{runtime}/restore/error"),
                post(|state, headers, body| told("restore/error", state, headers, body)),
            )
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(no_extension_event))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
        let listener = listener.tap_io(move |io| {
            // Two small writes in a row would wait for each other's acknowledgement.
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

    /// Hands out an event to whoever asks next.
    pub fn send(&self, event: Event) {
        self.events.send(event).expect("the API runs");
    }

    /// The next answer; a test that waits too long for it fails.
    pub async fn posted(&mut self) -> Posted {
        let posted = tokio::time::timeout(Duration::from_secs(30), self.posted.recv());
        posted
            .await
            .expect("an answer within 30 s")
            .expect("the API runs")
    }

    /// An answer that is there already.
    pub fn try_posted(&mut self) -> Option<Posted> {
        self.posted.try_recv().ok()
    }

    /// One event, and the answer to it.
    pub async fn invoke(&mut self, event: Event) -> Posted {
        self.send(event);
        self.posted().await
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many events were asked for so far.
    pub fn asked(&self) -> usize {
        *self.state.asked.borrow()
    }

    /// Ends when so many events were asked for.
    pub async fn asked_for(&self, events: usize) {
        let mut asked = self.state.asked.subscribe();
        let asked = asked.wait_for(|asked| *asked >= events).await;
        asked.expect("the API runs");
    }

    /// Ends the wait for the snapshot to be restored.
    pub fn restore(&self) {
        self.state.restored.send_replace(true);
    }

    /// What answers, and the registration of an extension, are answered with.
    pub fn answer_with(&self, status: StatusCode) {
        *self.state.status.lock().expect("no panic") = status;
    }
}

async fn next(State(state): State<Arc<Shared>>) -> impl IntoResponse {
    state.asked.send_modify(|asked| *asked += 1);
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

async fn answer(
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

fn told(
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
    told("extension/register", state, headers, body).await;
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_static("extension-1");
    headers.insert("lambda-extension-identifier", id);
    let body = r#"{"functionName":"f","functionVersion":"1","handler":"f","accountId":"1"}"#;
    (status, headers, body)
}

/// An extension that asks for no events is told of none.
async fn no_extension_event() {
    std::future::pending().await
}
