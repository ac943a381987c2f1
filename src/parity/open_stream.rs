//! A stream of the original while it is posted.

use super::{
    outcome::without_trace,
    stream::{LIMIT, StreamEnd, Streamed},
};
use axum::http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::BytesMut;
use serde_json::Value;

const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// A stream that has not come to its end.
#[derive(Debug)]
pub(super) struct Open {
    request_id: String,
    content_type: String,
    sent: BytesMut,
    /// What its process posted before it ended.
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

    /// Adds what has come. Returns whether it is still within the limit.
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        let room = LIMIT - self.sent.len();
        self.sent
            .extend_from_slice(data.get(..room).unwrap_or(data));
        data.len() <= room
    }

    /// The process has posted an error, which is its last post. The end of the stream may have been sent before.
    pub(super) fn fail(&mut self, error: &[u8]) {
        self.error = Some(without_trace(error));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn end(self, end: StreamEnd) -> Streamed {
        Streamed::new(self.content_type, self.sent.freeze(), end, false)
    }

    /// The stream without an end.
    pub(super) fn broken_off(self, is_cut: bool) -> Streamed {
        let is_cut = is_cut || self.error.is_some();
        let end = self.error.map_or(StreamEnd::NotEnded, StreamEnd::Error);
        Streamed::new(self.content_type, self.sent.freeze(), end, is_cut)
    }
}

/// The error that follows the last chunk, without its trace.
pub(super) fn trailer(trailers: &HeaderMap) -> Option<Value> {
    let error = BASE64.decode(trailers.get(ERROR_BODY)?).ok()?;
    Some(without_trace(&error))
}
