//! A streamed response, for tests.

use super::pipe::StreamReader;
use crate::error::Result;
use bytes::{Bytes, BytesMut};
use serde_json::Value;

/// The response of a streaming handler, as [`invoke`](crate::invoke()) returns it: see
/// [`Outcome::stream`](crate::Outcome::stream).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamedResponse {
    /// The content type. The default is `application/octet-stream`.
    pub content_type: String,
    /// The metadata that was passed to
    /// [`HttpResponseStream::from`](crate::HttpResponseStream::from), if any.
    pub metadata: Option<Value>,
    /// The chunks in the order in which they were written. Each write is a chunk.
    pub chunks: Vec<Bytes>,
}

impl StreamedResponse {
    /// Returns all chunks as one.
    ///
    /// ```
    /// use nodeback::{Context, ResponseStream, Result, Value, streamify_response};
    ///
    /// async fn handler(_: Value, stream: ResponseStream, _: Context) -> Result<()> {
    ///     stream.write("a").await?;
    ///     stream.end_with("b").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let outcome = nodeback::invoke(streamify_response(handler), (), Context::default()).await;
    /// assert_eq!(outcome.stream.unwrap().body(), "ab");
    /// # }
    /// ```
    pub fn body(&self) -> Bytes {
        let mut body = BytesMut::new();
        self.chunks
            .iter()
            .for_each(|chunk| body.extend_from_slice(chunk));
        body.freeze()
    }

    /// Returns the metadata and the chunks as the bytes that a client of `Invoke` receives.
    pub(crate) fn raw(&self) -> Bytes {
        match &self.metadata {
            Some(metadata) => {
                let prelude = super::prelude(metadata.to_string().as_bytes());
                [prelude, self.body()].concat().into()
            }
            None => self.body(),
        }
    }

    /// Reads a stream to its end, and returns how it ended.
    pub(crate) async fn read(reader: &StreamReader) -> (Self, Result<()>) {
        let head = reader.head().await;
        let mut streamed = StreamedResponse {
            content_type: head.content_type,
            // The metadata is always valid JSON.
            metadata: head
                .metadata
                .and_then(|json| serde_json::from_slice(&json).ok()),
            chunks: vec![],
        };
        let outcome = loop {
            match reader.chunk().await {
                None => break Ok(()),
                Some(Ok(chunk)) => streamed.chunks.push(chunk),
                Some(Err(error)) => break Err(error),
            }
        };
        (streamed, outcome)
    }
}
