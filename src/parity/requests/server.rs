//! The servers that stand in for AWS: one for the original, which forwards its requests and keeps
//! them, and one for the port, which replays the responses that the original got.

use super::{
    exchanges::{Exchange, Exchanges, Source},
    http::{self, BODY_LIMIT, Reply},
    request::Request,
};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{Method, Response, StatusCode, header::CONTENT_LENGTH, request::Parts},
};
use parking_lot::Mutex;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{runtime, sync::Notify, sync::oneshot, time};

/// The header of a control request, which the comparison itself sends. It goes to the port's
/// server, whose address all processes know.
pub(super) const CONTROL: &str = "x-nodeback-comparison";

/// The delay of each response to the original. Requests that it sends concurrently arrive within
/// this time. Otherwise, if the server responded immediately, they could not be distinguished from
/// requests that wait for each other.
const HOLD: Duration = Duration::from_millis(5);

/// How long the port waits for a response that the original does not have yet.
const LATE: Duration = Duration::from_secs(2);

/// Both servers, in a thread of their own: a port that blocks its thread must not keep them from
/// responding.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) original: SocketAddr,
    pub(super) port: SocketAddr,
    /// The servers stop when this is dropped.
    _stop: oneshot::Sender<()>,
}

struct Shared {
    /// `HOST:PORT` of the server that stands in for AWS, if there is one.
    server: Option<String>,
    exchanges: Mutex<Exchanges>,
    /// Notified when the original has got a response.
    responded: Notify,
}

impl Servers {
    pub(super) fn start(server: Option<String>) -> io::Result<Self> {
        let listen = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>((listener.local_addr()?, listener))
        };
        let (original, for_original) = listen()?;
        let (port, for_port) = listen()?;
        let shared = Arc::new(Shared {
            server,
            exchanges: Mutex::default(),
            responded: Notify::new(),
        });
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let original = Router::new()
                .fallback(of_original)
                .with_state(Arc::clone(&shared));
            let port = Router::new().fallback(of_port).with_state(shared);
            let (Ok(for_original), Ok(for_port)) = (
                tokio::net::TcpListener::from_std(for_original),
                tokio::net::TcpListener::from_std(for_port),
            ) else {
                return;
            };
            tokio::select! {
                _ = axum::serve(for_original, original) => {}
                _ = axum::serve(for_port, port) => {}
                _ = stopped => {}
            }
        };
        thread::Builder::new()
            .name("nodeback-requests".into())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Servers {
            original,
            port,
            _stop: stop,
        })
    }
}

async fn of_original(
    State(shared): State<Arc<Shared>>,
    request: axum::http::Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return too_large();
    };
    let ticket = shared
        .exchanges
        .lock()
        .original(&Request::new(&parts, &body));
    let reply = shared.forward(parts, body).await;
    if let Some(ticket) = ticket {
        time::sleep(HOLD).await;
        shared.exchanges.lock().responded(ticket, reply.clone());
        shared.responded.notify_waiters();
    }
    reply.into_response()
}

async fn of_port(
    State(shared): State<Arc<Shared>>,
    request: axum::http::Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let limit = if parts.headers.contains_key(CONTROL) {
        usize::MAX
    } else {
        BODY_LIMIT
    };
    let Ok(body) = to_bytes(body, limit).await else {
        return too_large();
    };
    if let Some(control) = parts.headers.get(CONTROL) {
        return shared.control(control.as_bytes(), &body);
    }
    let request = Request::new(&parts, &body);
    let source = shared.exchanges.lock().port(&request);
    let reply = match source {
        Source::Server => shared.forward(parts, body).await,
        Source::Original(ticket) => {
            let response = async {
                loop {
                    let responded = shared.responded.notified();
                    let response = shared.exchanges.lock().response(ticket).cloned();
                    match response {
                        Some(response) => return response,
                        None => responded.await,
                    }
                }
            };
            time::timeout(LATE, response).await.unwrap_or_else(|_| {
                let message = "the original got no response to this request";
                Reply::error(
                    StatusCode::GATEWAY_TIMEOUT,
                    "NoResponse",
                    message,
                    is_xml(&parts),
                )
            })
        }
        Source::Nowhere => {
            let message = "the original did not send this request";
            Reply::error(
                StatusCode::BAD_REQUEST,
                "NotSentByOriginal",
                message,
                is_xml(&parts),
            )
        }
    };
    reply.into_response()
}

impl Shared {
    /// Sends a request to the server, and returns its response. Its `Host` header stays the same,
    /// since it is part of the signature, and of the URLs in some responses.
    async fn forward(&self, mut parts: Parts, body: Bytes) -> Reply {
        let as_xml = is_xml(&parts);
        let failed =
            |why: &str| Reply::error(StatusCode::BAD_GATEWAY, "ServerUnavailable", why, as_xml);
        let Some(server) = &self.server else {
            return failed("no server is named by AWS_ENDPOINT_URL");
        };
        let method: Method = parts.method.clone();
        http::remove_hop_by_hop(&mut parts.headers);
        // The body of a request may have come in chunks.
        parts.headers.remove(CONTENT_LENGTH);
        let request = axum::http::Request::from_parts(parts, Body::from(body));
        match http::send(server, request).await {
            Ok((parts, body)) => Reply::new(&method, parts, &body),
            Err(error) => failed(&format!("{server}: {error}")),
        }
    }

    /// Handles a control request of the comparison.
    fn control(&self, control: &[u8], body: &[u8]) -> Response<Body> {
        let json = match control {
            b"begin" => match serde_json::from_slice::<Vec<Exchange>>(body) {
                Ok(recorded) => {
                    self.exchanges.lock().begin(recorded);
                    Ok(Vec::new())
                }
                Err(error) => Err(error),
            },
            _ => serde_json::to_vec(&self.exchanges.lock().take()),
        };
        let (status, body) = match json {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into()),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
    }
}

/// Returns whether the service of a request responds in XML.
fn is_xml(parts: &Parts) -> bool {
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    !kind.is_some_and(|kind| kind.contains("json"))
}

fn too_large() -> Response<Body> {
    let message = "the request is larger than the comparison takes";
    Reply::error(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestTooLarge",
        message,
        false,
    )
    .into_response()
}
