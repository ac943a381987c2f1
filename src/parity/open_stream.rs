//! A stream of the original that is still being posted.

use super::{
    outcome::without_trace,
    stream::{LIMIT, StreamEnd, Streamed},
};
use axum::http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::BytesMut;
use serde_json::Value;

const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// A stream that has not ended.
#[derive(Debug)]
pub(super) struct Open {
    request_id: String,
    content_type: String,
    sent: BytesMut,
    /// The error that the process posted before the stream ended.
    error: Option<Value>,
}

impl Open {
    pub(super) fn new(request_id: String, headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        Open {
            request_id,
            content_type: String::from_utf8_lossy(content_type.unwrap_or_default()).into_owned(),
            sent: BytesMut::new(),
            error: None,
        }
    }

    pub(super) fn is_of(&self, request_id: &str) -> bool {
        self.request_id == request_id
    }

    /// Adds received data. Returns whether the stream is still within the limit.
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        let room = LIMIT - self.sent.len();
        self.sent
            .extend_from_slice(data.get(..room).unwrap_or(data));
        data.len() <= room
    }

    /// Keeps an error that the process posted, as its last post. It may have sent the end of the
    /// stream before that.
    pub(super) fn fail(&mut self, error: &[u8]) {
        self.error = Some(without_trace(error));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn end(self, end: StreamEnd) -> Streamed {
        Streamed::new(self.content_type, self.sent.freeze(), end, false)
    }

    /// Returns the stream as one that did not end.
    pub(super) fn broken_off(self, is_cut: bool) -> Streamed {
        let is_cut = is_cut || self.error.is_some();
        let end = self.error.map_or(StreamEnd::NotEnded, StreamEnd::Error);
        Streamed::new(self.content_type, self.sent.freeze(), end, is_cut)
    }
}

/// Returns the error in the trailers, without its trace.
pub(super) fn trailer(trailers: &HeaderMap) -> Option<Value> {
    let error = BASE64.decode(trailers.get(ERROR_BODY)?).ok()?;
    Some(without_trace(&error))
}
