//! Responses that are streamed to a client of the local server.

use super::{
    event_stream,
    history::{Body as Kept, Streamed},
    limits::{RESPONSE_LIMIT, STREAM_LIMIT},
};
use crate::{
    error::{Error, Result},
    log::Tail,
    stream::{Head, StreamReader},
};
use axum::body::{Body, HttpBody};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use serde_json::{Map, Value};
use std::{
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::runtime::Handle;

/// Called when a stream ends, with its error or with the start of what was sent.
type AtEnd = Box<dyn FnOnce(Result<Kept, &Error>) + Send>;

/// A response that is sent as the handler writes it.
pub(super) struct LocalStream {
    pub(super) head: Head,
    reader: StreamReader,
    /// The first read, which shows whether the response began at all.
    first: Option<Option<Result<Bytes>>>,
    /// How many more bytes the response may have.
    left: usize,
    sent: Streamed,
    at_end: Option<AtEnd>,
}

impl LocalStream {
    /// Waits for the first chunk or for the end.
    pub(super) async fn begin(reader: StreamReader, at_end: AtEnd) -> Self {
        let head = reader.head().await;
        let first = Some(reader.chunk().await);
        LocalStream {
            head,
            reader,
            first,
            left: STREAM_LIMIT,
            sent: Streamed::default(),
            at_end: Some(at_end),
        }
    }

    /// Returns the error of a stream that failed before its first byte. Another response can be
    /// sent then.
    pub(super) fn failed_at_once(&mut self) -> Option<Error> {
        match self.first.take() {
            Some(Some(Err(error))) => {
                self.over(Some(&error));
                Some(error)
            }
            first => {
                self.first = first;
                None
            }
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let read = match self.first.take() {
            Some(read) => read,
            None => ready!(self.reader.poll_chunk(cx)),
        };
        let read = match read {
            Some(Ok(chunk)) => match self.left.checked_sub(chunk.len()) {
                Some(left) => {
                    self.left = left;
                    self.sent.add(&chunk);
                    return Poll::Ready(Some(Ok(chunk)));
                }
                None => {
                    let error = too_large("a streamed response", STREAM_LIMIT);
                    drop(self.reader.close(error.message()));
                    Some(Err(error))
                }
            },
            read => read,
        };
        self.over(read.as_ref().and_then(|read| read.as_ref().err()));
        Poll::Ready(read)
    }

    fn over(&mut self, error: Option<&Error>) {
        if let Some(at_end) = self.at_end.take() {
            let sent = mem::take(&mut self.sent);
            at_end(match error {
                None => Ok(sent.body()),
                Some(error) => Err(error),
            });
        }
    }

    /// Returns the body of a function URL's response. If the invocation fails, the connection is
    /// aborted, since no error can be sent after the first byte.
    pub(super) fn into_body(self) -> Body {
        Body::new(UrlBody {
            stream: Some(self),
            is_read: false,
        })
    }

    /// Returns the response body of `InvokeWithResponseStream`.
    pub(super) fn into_events(self, tail: Option<Tail>) -> Body {
        let prelude = self.head.prelude();
        Body::new(EventBody {
            stream: self,
            prelude,
            tail,
            ended: false,
        })
    }
}

impl Drop for LocalStream {
    /// Closes a stream that has not ended, since its client has disconnected.
    fn drop(&mut self) {
        let unread = self.reader.close("the client is gone");
        // A failure before the first byte was read to know that.
        let first = match self.first.take() {
            Some(Some(Err(error))) => Some(error),
            _ => None,
        };
        self.over(first.or(unread).as_ref());
    }
}

/// A stream as the body of a response. The HTTP server drops a body that it must not send, such as that of a response to
/// `HEAD`. Its client is not gone, so what the handler writes is read and discarded.
struct UrlBody {
    stream: Option<LocalStream>,
    is_read: bool,
}

impl Drop for UrlBody {
    fn drop(&mut self) {
        if self.is_read {
            return;
        }
        if let (Some(mut stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            runtime.spawn(async move {
                while let Some(Ok(_)) = poll_fn(|cx| stream.poll_chunk(cx)).await {}
            });
        }
    }
}

impl HttpBody for UrlBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.is_read = true;
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let read = ready!(stream.poll_chunk(cx));
        Poll::Ready(read.map(|read| {
            // The error has been logged.
            read.map(Frame::data)
                .map_err(|error| io::Error::other(error.message().to_owned()))
        }))
    }
}

struct EventBody {
    stream: LocalStream,
    prelude: Option<Bytes>,
    tail: Option<Tail>,
    ended: bool,
}

impl HttpBody for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let (chunk, end) = match ready!(this.stream.poll_chunk(cx)) {
            Some(Ok(chunk)) => (chunk, None),
            Some(Err(error)) => (Bytes::new(), Some(Err(error))),
            None => (Bytes::new(), Some(Ok(()))),
        };
        this.ended = end.is_some();
        let mut frames = BytesMut::new();
        // A failure before the first byte has no metadata.
        if !matches!(end, Some(Err(_))) {
            if let Some(prelude) = this.prelude.take() {
                frames.extend_from_slice(&event_stream::payload_chunk(&prelude));
            }
        }
        frames.extend_from_slice(&event_stream::payload_chunk(&chunk));
        if let Some(end) = end {
            frames.extend_from_slice(&complete(end.err().as_ref(), this.tail.as_ref()));
        }
        Poll::Ready(Some(Ok(Frame::data(frames.freeze()))))
    }
}

/// Returns the last message of `InvokeWithResponseStream`.
pub(super) fn complete(error: Option<&Error>, tail: Option<&Tail>) -> Bytes {
    let mut members = Map::new();
    if let Some(error) = error {
        members.insert("ErrorCode".into(), error.error_type().into());
        members.insert("ErrorDetails".into(), error.to_json().into());
    }
    if let Some(tail) = tail {
        members.insert("LogResult".into(), BASE64.encode(tail.text()).into());
    }
    event_stream::invoke_complete(&Value::Object(members).to_string())
}

/// Collects a stream into one response, for a client that does not accept a stream.
pub(super) async fn whole(reader: &StreamReader) -> Result<Bytes> {
    let head = reader.head().await;
    let mut body = BytesMut::new();
    let mut prelude = head.prelude();
    loop {
        let read = reader.chunk().await.transpose()?;
        if let Some(prelude) = prelude.take() {
            body.extend_from_slice(&prelude);
        }
        let Some(chunk) = read else {
            return Ok(body.freeze());
        };
        if body.len() + chunk.len() > RESPONSE_LIMIT {
            // Frees the memory now, since the handler may still write for some time.
            drop(mem::take(&mut body));
            let error = too_large("a response that is not streamed", RESPONSE_LIMIT);
            drop(reader.close(error.message()));
            return Err(error);
        }
        body.extend_from_slice(&chunk);
    }
}

fn too_large(what: &str, limit: usize) -> Error {
    Error::ours(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload exceeded maximum allowed payload size ({limit} bytes) of {what}."
        ),
    )
}
