//! The end of a stream that a handler writes to.

use super::{chunk::IntoChunk, pipe::Pipe, poll::Room};
use crate::{
    completion::{CallSite, Callback, at},
    error::{Error, IntoError, Result},
};
use bytes::Bytes;
use std::{fmt, future::Future, sync::Arc};

/// Node's `responseStream`: the response of a handler of [`streamify_response`](crate::streamify_response()), which is sent
/// as it is written.
///
/// Clones of it write to the same stream, from any task or thread. [`write`](Self::write) waits while whoever reads is
/// slower: no more than the high-water mark is held in memory, which is 64 KiB unless
/// [`high_water_mark`](crate::StreamingHandler::high_water_mark) sets another number, or one chunk that is larger. Where the
/// client is gone, `write` fails with `Runtime.StreamClosed`.
///
/// # One end
///
/// A stream is ended once: by [`end`](Self::end), by an error that the handler returns, by [`fail`](Self::fail), or at the
/// deadline. A later end changes nothing, and is logged at WARN with both call sites. When the last clone is dropped before,
/// the invocation fails with `Runtime.StreamNotEnded`, since whoever reads could not tell such a response from a whole one;
/// with [`NeverCalled::Null`](crate::NeverCalled::Null) that is an end like another.
///
/// An error after the first byte cannot take back what was sent. The client is told behind the last byte: of a function URL
/// the connection breaks off, and `InvokeWithResponseStream` has the error in its last event.
///
/// # As a writer, and as a sink
///
/// It implements [`AsyncWrite`](tokio::io::AsyncWrite), for `tokio::io::copy`, and `futures::Sink` of [`Bytes`], for
/// `forward`. `shutdown` and `close` end the stream.
///
/// ```
/// use nodeback::{Context, ResponseStream, Result, StreamedResponse, Value, json, streamify_response};
///
/// async fn countdown(event: Value, stream: ResponseStream, _: Context) -> Result<()> {
///     stream.set_content_type("text/plain")?;
///     for n in (1..=event["from"].as_u64().unwrap_or(3)).rev() {
///         stream.write(format!("{n} ")).await?;
///     }
///     stream.end_with("liftoff").await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let context = Context::default();
/// let outcome = nodeback::invoke(streamify_response(countdown), json!({ "from": 2 }), context).await;
/// let StreamedResponse { content_type, chunks, .. } = outcome.stream.unwrap();
/// assert_eq!(content_type, "text/plain");
/// assert_eq!(chunks, ["2 ", "1 ", "liftoff"]);
/// assert!(outcome.result.is_ok());
/// # }
/// ```
pub struct ResponseStream {
    pub(super) pipe: Arc<Pipe>,
    /// `None` where this handle has ended the stream.
    end: Option<Callback<()>>,
    /// What `AsyncWrite` and `Sink` wait for.
    pub(super) room: Room,
}

impl ResponseStream {
    /// The stream of an invocation, which ends with the signal of its callback.
    pub(crate) fn new(pipe: Arc<Pipe>, callback: Callback<()>) -> Self {
        ResponseStream {
            pipe,
            end: Some(callback.of_stream()),
            room: Room::default(),
        }
    }

    /// Writes a chunk, after a wait for room. Once this returns, the chunk is sent, unless the client goes.
    ///
    /// Cancel safety: a future that is dropped before it is ready has written nothing.
    ///
    /// # Errors
    ///
    /// Where the stream is ended, an error whose code is Node's `ERR_STREAM_WRITE_AFTER_END`; where nobody reads any more,
    /// `Runtime.StreamClosed`.
    pub async fn write(&self, chunk: impl IntoChunk + Send) -> Result<()> {
        let chunk = chunk.into_chunk();
        self.write_chunk(chunk).await
    }

    async fn write_chunk(&self, chunk: Bytes) -> Result<()> {
        let room = self.pipe.room_for(chunk.len());
        match self.pipe.room.acquire_many(room).await {
            Ok(permit) => {
                permit.forget();
                self.pipe.push(chunk, room)
            }
            Err(_) => Err(self.pipe.rejection()),
        }
    }

    /// Ends the stream: Node's `end()`.
    ///
    /// # Errors
    ///
    /// None so far. A later end changes nothing, as in Node.
    #[track_caller]
    pub fn end(mut self) -> impl Future<Output = Result<()>> + Send {
        let call_site = at();
        async move {
            self.end_here(Ok(()), call_site);
            Ok(())
        }
    }

    /// Writes a last chunk, and ends the stream: Node's `end(chunk)`.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    #[track_caller]
    pub fn end_with(
        mut self,
        chunk: impl IntoChunk + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        let call_site = at();
        async move {
            self.write(chunk).await?;
            self.end_here(Ok(()), call_site);
            Ok(())
        }
    }

    /// Ends the stream with an error, as if the handler had returned it: Node's `destroy(error)`.
    ///
    /// ```
    /// use nodeback::{Context, ResponseStream, Result, Value, error};
    ///
    /// async fn handler(_: Value, stream: ResponseStream, _: Context) -> Result<()> {
    ///     std::thread::spawn(move || stream.fail(error!("the disk is gone")));
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn fail<M>(mut self, error: impl IntoError<M>) {
        self.end_here(Err(error.into_error()), at());
    }

    /// Sets the content type, which is `application/octet-stream` otherwise: Node's `setContentType`.
    ///
    /// # Errors
    ///
    /// `Runtime.InvalidStreamingOperation` after the first byte, as in Node, and a `TypeError` where no header can hold the
    /// text.
    pub fn set_content_type(&self, content_type: impl Into<String>) -> Result<()> {
        let content_type = content_type.into();
        if !content_type
            .chars()
            .all(|c| c == '\t' || (' '..='~').contains(&c))
        {
            let message = r#"Invalid character in header content ["Content-Type"]"#;
            return Err(Error::ours("TypeError", message).with_code("ERR_INVALID_CHAR"));
        }
        self.pipe.set_head(|head| head.content_type = content_type)
    }

    /// Ends the stream, unless this handle has done so.
    pub(super) fn end_here(&mut self, outcome: Result<()>, call_site: CallSite) {
        let Some(callback) = self.end.take() else {
            return;
        };
        let succeeded = outcome.is_ok();
        callback.signal(outcome.map(|()| None), call_site);
        self.pipe.end(call_site, succeeded);
    }
}

impl Clone for ResponseStream {
    /// Another handle to the same stream. If it turns out to be the last one, and is dropped before the stream is ended,
    /// the error names where it was cloned.
    #[track_caller]
    fn clone(&self) -> Self {
        ResponseStream {
            pipe: Arc::clone(&self.pipe),
            end: self.end.clone(),
            room: Room::default(),
        }
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream").finish_non_exhaustive()
    }
}
