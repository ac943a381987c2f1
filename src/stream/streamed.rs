//! What a test sees of a stream.

use super::pipe::StreamReader;
use crate::error::Result;
use bytes::{Bytes, BytesMut};
use serde_json::Value;

/// The response of a handler that streams, as [`invoke`](crate::invoke()) gives it: see
/// [`Outcome::stream`](crate::Outcome::stream).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamedResponse {
    /// The content type, `application/octet-stream` if the handler set none.
    pub content_type: String,
    /// What [`HttpResponseStream::from`](crate::HttpResponseStream::from) was given, where it was.
    pub metadata: Option<Value>,
    /// What was written, in its order: each write is a chunk.
    pub chunks: Vec<Bytes>,
}

impl StreamedResponse {
    /// All the chunks as one.
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

    /// All of it as the bytes that `Invoke` gets, which the metadata comes before.
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
            // It was made from JSON.
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
