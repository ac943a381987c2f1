//! Response streaming: [`ResponseStream`], which a handler writes to, and the pipe behind it, which whoever sends the
//! response reads from.
//!
//! From the bottom up: `pipe.rs` holds the chunks that were written and not read, within the high-water mark, and the
//! outcome that comes after them. `response_stream.rs` is the end that is written to, `poll.rs` its traits, `http.rs` the
//! metadata of an HTTP response, and `streamed.rs` what a test sees.

mod chunk;
mod http;
mod observer;
mod pipe;
mod poll;
mod response_stream;
mod streamed;

pub use chunk::IntoChunk;
pub use http::HttpResponseStream;
pub(crate) use observer::StreamObserver;
#[cfg(any(feature = "lambda", feature = "local"))]
pub(crate) use pipe::Head;
pub(crate) use pipe::{Pipe, StreamReader};
pub use response_stream::ResponseStream;
pub use streamed::StreamedResponse;

use bytes::Bytes;

/// The content type of a response that nobody gave one, as in Node.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// The content type of a stream that begins with the metadata of an HTTP response.
pub(crate) const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What stands between the metadata of an HTTP response and its body.
pub(crate) const DELIMITER: [u8; 8] = [0; 8];

/// The metadata of an HTTP response, as it is sent before the body.
fn prelude(metadata: &[u8]) -> Bytes {
    [metadata, &DELIMITER].concat().into()
}

/// How many bytes are written and not read yet, at most, if a handler does not set another number: as of Node 22.
pub(crate) const HIGH_WATER_MARK: usize = 64 * 1024;
