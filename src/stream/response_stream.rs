//! The writing end of a response stream.

use super::{chunk::IntoChunk, pipe::Pipe, poll::Room};
use crate::{
    completion::{CallSite, Callback, at},
    error::{Error, IntoError, Result},
};
use bytes::Bytes;
use std::{fmt, future::Future, sync::Arc};

/// Node's `responseStream`: the response of a handler of
/// [`streamify_response`](crate::streamify_response()), which is sent as it is written.
///
/// Clones write to the same stream, from any task or thread. If the client reads more slowly than
/// the handler writes, [`write`](Self::write) waits: at most the high-water mark is held in memory,
/// or one chunk if that is larger. The mark is 256 KiB unless
/// [`high_water_mark`](crate::StreamingHandler::high_water_mark) sets another number. After the
/// client has disconnected, `write` fails with `Runtime.StreamClosed`.
///
/// # The end of a stream
///
/// A stream ends once: by [`end`](Self::end), by an error that the handler returns, by
/// [`fail`](Self::fail), or at the deadline. A later end changes nothing, and is logged at WARN
/// with both call sites. If the last clone is dropped before any of these, the invocation fails
/// with `Runtime.StreamNotEnded`, since a client could not distinguish such a response from a
/// complete one. With [`NeverCalled::Null`](crate::NeverCalled::Null), dropping the last clone ends
/// the stream like [`end`](Self::end).
///
/// An error after the first byte cannot undo what was sent. The client learns of it after the last
/// byte: a function URL closes the connection early, and `InvokeWithResponseStream` reports the
/// error in its last event.
///
/// # `AsyncWrite` and `Sink`
///
/// A stream implements [`AsyncWrite`](tokio::io::AsyncWrite), for `tokio::io::copy`, and
/// `futures::Sink` of [`Bytes`], for `forward`. `shutdown` and `close` end the stream.
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
    /// The callback whose signal ends the stream. `None` after this handle has ended it.
    end: Option<Callback<()>>,
    /// The room that `AsyncWrite` and `Sink` wait for.
    pub(super) room: Room,
}

impl ResponseStream {
    /// Returns the stream of an invocation, which ends with the signal of its callback.
    pub(crate) fn new(pipe: Arc<Pipe>, callback: Callback<()>) -> Self {
        ResponseStream {
            pipe,
            end: Some(callback.of_stream()),
            room: Room::default(),
        }
    }

    /// Writes a chunk, after waiting for room. A chunk whose write has returned is sent, unless the
    /// client disconnects.
    ///
    /// This is cancel safe: a future that is dropped before it is ready has written nothing.
    ///
    /// # Errors
    ///
    /// After the end of the stream, an error with Node's code `ERR_STREAM_WRITE_AFTER_END`. After
    /// the client has disconnected, `Runtime.StreamClosed`.
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
    /// This always succeeds so far. A later end changes nothing, as in Node.
    #[track_caller]
    pub fn end(mut self) -> impl Future<Output = Result<()>> + Send {
        let call_site = at();
        async move {
            self.end_here(Ok(()), call_site);
            Ok(())
        }
    }

    /// Writes a last chunk and ends the stream: Node's `end(chunk)`.
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

    /// Sets the content type: Node's `setContentType`. The default is `application/octet-stream`.
    ///
    /// # Errors
    ///
    /// `Runtime.InvalidStreamingOperation` after the first byte, as in Node, and a `TypeError` if
    /// the text contains characters that are invalid in a header.
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

    /// Ends the stream, unless this handle has ended it already.
    pub(super) fn end_here(&mut self, outcome: Result<()>, call_site: CallSite) {
        let Some(callback) = self.end.take() else {
            return;
        };
        let succeeded = outcome.is_ok();
        let signalled = callback.signal_first(outcome.map(|()| None), call_site);
        let first = signalled.err().unwrap_or(call_site);
        self.pipe.end(first, succeeded && signalled.is_ok());
    }
}

impl Clone for ResponseStream {
    /// Returns another handle to the same stream. If it is the last handle to be dropped and the
    /// stream was not ended, the error names where the handle was cloned.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::{Origin, Responder, into_callback};
    use futures::FutureExt;
    use parking_lot::Mutex;
    use std::task::{self, Wake, Waker};
    use tracing::Span;

    /// Ends a stream within the call that wakes it.
    struct Ends(Mutex<Option<ResponseStream>>);

    impl Wake for Ends {
        fn wake(self: Arc<Self>) {
            if let Some(stream) = self.0.lock().take() {
                stream.end().now_or_never().unwrap().unwrap();
            }
        }
    }

    #[test]
    fn a_duplicate_end_during_the_first_does_not_replace_its_call_site() {
        let (responder, mut waiter) = Responder::new(Span::none(), None);
        let callback = into_callback(responder.clone_as(Origin::first(), true), |()| {
            Ok(Bytes::new())
        });
        let pipe = Pipe::new(1, None);
        let stream = ResponseStream::new(Arc::clone(&pipe), callback);
        let waker = Waker::from(Arc::new(Ends(Mutex::new(Some(stream.clone())))));
        let signal = waiter.poll(&mut task::Context::from_waker(&waker));
        assert!(signal.is_pending());
        let late = stream.clone();
        let first = line!() + 1;
        stream.fail(Error::new("Failed", ""));
        let error = late.write("1").now_or_never().unwrap().unwrap_err();
        let call_site = format!("{}:{first}:", file!());
        assert!(error.message().contains(&call_site), "{error}");
        // The success was rejected, so the head is not sent.
        assert!(pipe.reader().head().now_or_never().is_none());
    }
}
