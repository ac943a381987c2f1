//! A Runtime API that records posts as they arrive: headers, body and trailers.

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Request, StatusCode},
    routing::{get, post},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, sync::watch};

/// A post to an endpoint, `response` or `error`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) endpoint: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) trailers: BTreeMap<String, String>,
    /// Whether its end did not arrive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
}

#[derive(Default)]
struct Received {
    endpoint: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The number of bytes after those that are kept.
    beyond: usize,
    trailers: HeaderMap,
    finished: bool,
}

/// The size of a body after which no further chunk is kept.
const KEPT: usize = 1024 * 1024;

#[derive(Default)]
struct Record {
    polls: usize,
    posts: Vec<Received>,
}

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    record: watch::Sender<Record>,
    /// The body of the next event, and the time that it may take.
    event: Mutex<Option<(String, Duration)>>,
    sent: watch::Sender<usize>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            record: watch::Sender::new(Record::default()),
            event: Mutex::default(),
            sent: watch::Sender::new(0),
        });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/{endpoint}",
                post(taken),
            )
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Api { address, shared }
    }

    /// Hands out an event at the next poll.
    pub(crate) fn send(&self, event: String, allowed: Duration) {
        *self.shared.event.lock() = Some((event, allowed));
        self.shared.sent.send_modify(|sent| *sent += 1);
    }

    /// Waits until there have been `times` polls.
    pub(crate) async fn polled(&self, times: usize) {
        let mut record = self.shared.record.subscribe();
        record
            .wait_for(|record| record.polls >= times)
            .await
            .unwrap();
    }

    /// Returns the posts since the last call.
    pub(crate) fn posts(&self) -> Vec<Post> {
        let mut posts = Vec::new();
        self.shared
            .record
            .send_modify(|record| posts = std::mem::take(&mut record.posts));
        posts.into_iter().map(Received::post).collect()
    }
}

impl Received {
    fn post(self) -> Post {
        let text = |headers: &HeaderMap| {
            let mut texts = BTreeMap::<String, String>::new();
            for (name, value) in headers {
                let value = value.to_str().unwrap();
                let text = texts.entry(name.to_string()).or_default();
                let comma = if text.is_empty() { "" } else { ", " };
                *text += &format!("{comma}{value}");
            }
            texts
        };
        let mut headers = text(&self.headers);
        // These depend on the connection and on the client.
        for name in ["host", "connection", "user-agent"] {
            headers.remove(name);
        }
        let mut trailers = text(&self.trailers);
        const BODY: &str = "lambda-runtime-function-error-body";
        if let Some(body) = trailers.get_mut(BODY) {
            *body = error(&base64(body));
        }
        let is_error = self.endpoint == "error";
        if is_error {
            // The X-Ray cause contains the stack.
            headers.remove("lambda-runtime-function-xray-error-cause");
            headers.remove("content-length");
        }
        let body = match String::from_utf8(self.body) {
            Ok(text) if is_error => error(&text),
            Ok(text) if text.len() <= 400 => text,
            Ok(text) => summary(text.as_bytes()),
            Err(error) if error.as_bytes().len() <= 400 => format!("{:?}", error.as_bytes()),
            Err(error) => summary(error.as_bytes()),
        };
        let body = match self.beyond {
            0 => body,
            beyond => format!("{body}, and {beyond} more bytes"),
        };
        Post {
            endpoint: self.endpoint,
            headers,
            body,
            trailers,
            unfinished: !self.finished,
        }
    }
}

/// Returns the JSON of an error without its stack, but with a note on whether there is one, and
/// without the time that was left when the event arrived.
fn error(json: &str) -> String {
    const TIMED_OUT: &str = "Task timed out after ";
    if let Some((before, (_, after))) = json
        .split_once(TIMED_OUT)
        .and_then(|(before, rest)| Some((before, rest.split_once(" seconds")?)))
    {
        return error(&format!("{before}The task timed out{after}"));
    }
    match json.split_once(r#","trace":["#) {
        Some((error, "]}")) => format!("{error}}} with an empty trace"),
        Some((error, _)) => format!("{error}}} with a trace"),
        None => json.into(),
    }
}

fn base64(text: &str) -> String {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("no base64: {text}"),
    };
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte));
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn summary(bytes: &[u8]) -> String {
    // FNV-1a, which stays the same from one release to the next.
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{} bytes, {sum:016x}", bytes.len())
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, String) {
    shared.record.send_modify(|record| record.polls += 1);
    let mut sent = shared.sent.subscribe();
    let (event, allowed) = loop {
        if let Some(event) = shared.event.lock().take() {
            break event;
        }
        sent.changed().await.unwrap();
    };
    let deadline = SystemTime::now() + allowed;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_static("00000000-0000-4000-8000-000000000000");
    headers.insert("lambda-runtime-aws-request-id", id);
    let deadline = HeaderValue::from_str(&deadline.to_string()).unwrap();
    headers.insert("lambda-runtime-deadline-ms", deadline);
    (headers, event)
}

async fn taken(
    State(shared): State<Arc<Shared>>,
    Path((_, endpoint)): Path<(String, String)>,
    request: Request<Body>,
) -> (StatusCode, &'static str) {
    let (parts, body) = request.into_parts();
    let mut at = 0;
    shared.record.send_modify(|record| {
        at = record.posts.len();
        record.posts.push(Received {
            endpoint,
            headers: parts.headers,
            ..Received::default()
        });
    });
    let mut body = pin!(body);
    let mut finished = true;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(frame) = frame else {
            finished = false;
            break;
        };
        shared.record.send_modify(|record| {
            let Some(post) = record.posts.get_mut(at) else {
                return;
            };
            match frame.into_data() {
                Ok(data) if post.body.len() < KEPT => post.body.extend_from_slice(&data),
                Ok(data) => post.beyond += data.len(),
                Err(frame) => post.trailers = frame.into_trailers().unwrap_or_default(),
            }
        });
    }
    shared.record.send_modify(|record| {
        if let Some(post) = record.posts.get_mut(at) {
            post.finished = finished;
        }
    });
    (StatusCode::ACCEPTED, r#"{"status":"recorded"}"#)
}
