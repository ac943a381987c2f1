//! Streams responses to the Runtime API, in the same format as Node's runtime.

use super::{
    backoff::Backoff,
    client::{Body, BoxError, Client},
    event::{INVOCATION_ID, InvocationIds, PostAddress},
    post::{ATTEMPTS, ERROR_TYPE, describe, insert, read_reply, rejection, visible},
};
use crate::{
    error::{Error, Result},
    guard::guarded,
    stream::{Head, StreamReader},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures::future::{Either, select};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, TRAILER},
};
use http_body::{Body as HttpBody, Frame};
use serde_json::json;
use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time;
use tracing::Span;

const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// The names of the trailers, as Node writes them.
const TRAILERS: [&str; 2] = [
    "Lambda-Runtime-Function-Error-Type",
    "Lambda-Runtime-Function-Error-Body",
];

/// How long the Runtime API may take after the end of a stream to read the rest and to reply.
const REST: Duration = Duration::from_secs(10);

/// The maximum length of the JSON of an error in a trailer.
const TRAILER_LIMIT: usize = 32 * 1024;

impl PostAddress {
    /// Posts a stream as it is written. A failure of the post is logged, and further writes fail
    /// with its reason.
    ///
    /// # Errors
    ///
    /// If the Runtime API responds with status 500, after which the process has to exit.
    pub(super) async fn stream(
        &self,
        client: &Client,
        stream: StreamReader,
        span: &Span,
    ) -> Result<()> {
        let stream = Arc::new(stream);
        let head = stream.head().await;
        let mut backoff = Backoff::new();
        loop {
            let progress = Arc::new(Progress::default());
            let body = StreamBody {
                stream: Arc::clone(&stream),
                prelude: head.prelude(),
                ended: false,
                progress: Arc::clone(&progress),
                span: span.clone(),
            };
            let request = match self.request(client, &head, body) {
                Ok(request) => request,
                Err(error) => return post_failed(&stream, &describe(&*error), false),
            };
            let posted = {
                let call = pin!(post(client, request));
                match select(call, pin!(rest_of(&stream))).await {
                    Either::Left((posted, _)) => posted,
                    Either::Right(_) => {
                        let seconds = REST.as_secs();
                        let why = format!(
                            "the rest of the stream was not read within {seconds} s of its end"
                        );
                        return post_failed(&stream, &why, false);
                    }
                }
            };
            match posted {
                Ok((status, _)) if status.is_success() && progress.has_ended() => return Ok(()),
                Ok((status, _)) if status.is_success() => {
                    return post_failed(
                        &stream,
                        "the Runtime API replied before the end of the stream",
                        false,
                    );
                }
                Ok((status, body)) => {
                    let fatal = status == StatusCode::INTERNAL_SERVER_ERROR;
                    return post_failed(&stream, &rejection(status, &body), fatal);
                }
                // A chunk that was read from the stream is gone, so the post can be repeated only
                // if none was read.
                Err(error) if progress.has_begun() || !backoff.pause(ATTEMPTS).await => {
                    return post_failed(&stream, &describe(&*error), false);
                }
                Err(_) => {}
            }
        }
    }

    fn request(
        &self,
        client: &Client,
        head: &Head,
        body: StreamBody,
    ) -> Result<Request<Body>, BoxError> {
        let InvocationIds {
            request_id,
            invocation_id,
        } = &*self.0;
        let path = ["/invocation/", request_id, "/response"];
        let mut request = client.request(Method::POST, &path, Body::new(body))?;
        let headers = request.headers_mut();
        headers.insert(RESPONSE_MODE, HeaderValue::from_static("streaming"));
        for name in TRAILERS {
            headers.append(TRAILER, HeaderValue::from_static(name));
        }
        insert(headers, CONTENT_TYPE, &head.content_type);
        if let Some(id) = invocation_id {
            headers.insert(INVOCATION_ID, id.clone());
        }
        Ok(request)
    }
}

/// Posts the request, and reads the reply.
async fn post(client: &Client, request: Request<Body>) -> Result<(StatusCode, Bytes), BoxError> {
    read_reply(client.call(request).await?).await
}

/// Waits until the outcome of the stream is known, and then for the time that its rest may take.
async fn rest_of(stream: &StreamReader) {
    stream.finished().await;
    time::sleep(REST).await;
}

/// Logs that the post failed, and closes the stream. `fatal` is whether the process has to exit.
fn post_failed(stream: &StreamReader, why: &str, fatal: bool) -> Result<()> {
    tracing::error!("posting the outcome failed: {why}");
    if let Some(error) = stream.close(why) {
        error.log();
    }
    if fatal {
        Err(super::stopped(why))
    } else {
        Ok(())
    }
}

/// How far a body has been read.
#[derive(Default)]
struct Progress {
    begun: AtomicBool,
    ended: AtomicBool,
}

// ORDERING: SeqCst, whose cost does not matter here: the flags are accessed a few times for each
// chunk, next to a system call.
impl Progress {
    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

/// A stream as the body of a request. An error is sent as trailers.
struct StreamBody {
    stream: Arc<StreamReader>,
    prelude: Option<Bytes>,
    ended: bool,
    progress: Arc<Progress>,
    span: Span,
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // The metadata is sent with the first chunk or with the end, since a failure before the
        // first byte is sent without metadata.
        let read = ready!(self.stream.poll_chunk(cx));
        self.progress.begun.store(true, Ordering::SeqCst);
        Poll::Ready(Some(Ok(match read {
            Some(Ok(chunk)) => Frame::data(self.after_prelude(chunk)),
            // The stream was closed after the Runtime API had replied early. An error from here
            // closes the connection.
            Some(Err(error)) if self.stream.is_gone() => {
                return Poll::Ready(Some(Err(error.message().to_owned().into())));
            }
            Some(Err(error)) => {
                self.end();
                // A panic of the user's `tracing` subscriber must not break the connection, which
                // sends the trailers next.
                let _ = guarded(|| self.span.in_scope(|| error.log()));
                Frame::trailers(trailers(&error))
            }
            None => {
                self.end();
                match self.prelude.take() {
                    Some(prelude) => Frame::data(prelude),
                    None => return Poll::Ready(None),
                }
            }
        })))
    }
}

impl StreamBody {
    fn after_prelude(&mut self, chunk: Bytes) -> Bytes {
        let Some(prelude) = self.prelude.take() else {
            return chunk;
        };
        [prelude, chunk].concat().into()
    }

    fn end(&mut self) {
        self.ended = true;
        self.progress.ended.store(true, Ordering::SeqCst);
    }
}

fn trailers(error: &Error) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let mut json = error.to_json();
    if json.len() > TRAILER_LIMIT {
        let message = "(too long for a trailer)";
        json = json!({ "errorType": visible(error.error_type()), "errorMessage": message, "trace": [] }).to_string();
    }
    insert(&mut trailers, ERROR_TYPE, &visible(error.error_type()));
    insert(&mut trailers, ERROR_BODY, &BASE64.encode(json));
    trailers
}
