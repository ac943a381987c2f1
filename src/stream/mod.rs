//! Response streaming: [`ResponseStream`], which a handler writes to, and the pipe behind it, which
//! a sink reads from.
//!
//! From the bottom up: `pipe.rs` holds the chunks that were written and not read yet, up to the
//! high-water mark, and the outcome that follows them. `response_stream.rs` is the writing end,
//! `poll.rs` implements its traits, `http.rs` is the metadata of an HTTP response, and
//! `streamed.rs` is the response as tests receive it.

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

/// The default content type of a stream, as in Node.
pub(crate) const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// The content type of a stream that begins with the metadata of an HTTP response.
pub(crate) const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// The delimiter between the metadata of an HTTP response and its body.
pub(crate) const DELIMITER: [u8; 8] = [0; 8];

/// Returns the bytes that are sent before the body of an HTTP response.
fn prelude(metadata: &[u8]) -> Bytes {
    [metadata, &DELIMITER].concat().into()
}

/// The default high-water mark. With that of Node, 64 KiB, the writer and the reader, which may be on
/// different threads, wait for each other more often: 1 MB then takes half as long again.
pub(crate) const HIGH_WATER_MARK: usize = 256 * 1024;
