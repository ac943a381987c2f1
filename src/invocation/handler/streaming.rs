//! The shape whose response is a stream.

use super::{Handler, Work};
use crate::{
    completion::Callback,
    error::{Error, IntoError},
    invocation::context::Context,
    stream::{HIGH_WATER_MARK, ResponseStream},
};
use futures::FutureExt;
use serde::de::DeserializeOwned;
use std::{fmt, future::Future, sync::Arc};

/// Node's `awslambda.streamifyResponse(handler)`: makes a handler of an async function that writes its response to a
/// [`ResponseStream`], instead of returning it.
///
/// The function is `async fn(E, ResponseStream, Context) -> Result<(), Err>`. It can omit the
/// context. The response is sent as it is written, up to Lambda's limit of 200 MB. It ends when the
/// stream is ended or when the function returns an error. The next event waits until the function
/// has returned.
///
/// ```no_run
/// use nodeback::{Context, HttpResponseStream, ResponseStream, Value, json, streamify_response};
///
/// async fn handler(event: Value, stream: ResponseStream, _: Context) -> nodeback::Result<()> {
///     let metadata = json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain" } });
///     let stream = HttpResponseStream::from(stream, metadata);
///     for line in 0..10 {
///         stream.write(format!("line {line}\n")).await?;
///     }
///     stream.end().await
/// }
///
/// # #[cfg(any(feature = "lambda", feature = "local"))]
/// #[tokio::main]
/// async fn main() -> nodeback::Result<()> {
///     nodeback::run(streamify_response(handler)).await
/// }
/// # #[cfg(not(any(feature = "lambda", feature = "local")))]
/// # fn main() {}
/// ```
///
/// A client that calls such a function by `Invoke`, without streaming, receives everything that was
/// written as one response.
pub fn streamify_response<F>(handler: F) -> StreamingHandler<F> {
    StreamingHandler {
        handler,
        high_water_mark: HIGH_WATER_MARK,
    }
}

/// A handler whose response is a stream: see [`streamify_response`].
#[derive(Clone)]
pub struct StreamingHandler<F> {
    handler: F,
    high_water_mark: usize,
}

impl<F> StreamingHandler<F> {
    /// Sets how many bytes can be buffered between the handler and the client: Node's
    /// `highWaterMark`. The default is 256 KiB, while Node's is 64 KiB.
    ///
    /// With a higher mark, more bytes are sent at a time, but the stream takes more memory.
    ///
    /// ```
    /// use nodeback::{ResponseStream, Result, Value, streamify_response};
    ///
    /// async fn handler(_: Value, stream: ResponseStream) -> Result<()> {
    ///     stream.end().await
    /// }
    /// let handler = streamify_response(handler).high_water_mark(1024 * 1024);
    /// # drop(handler);
    /// ```
    #[must_use]
    pub fn high_water_mark(mut self, bytes: usize) -> Self {
        self.high_water_mark = bytes;
        self
    }

    fn start<Fut, Err, M>(
        &self,
        context: &Context,
        callback: Callback<()>,
        enter: impl FnOnce(&F, ResponseStream) -> Fut,
    ) -> Work
    where
        Fut: Future<Output = Result<(), Err>> + Send + 'static,
        Err: IntoError<M>,
    {
        let thrown = context.done_callback::<()>();
        let stream = ResponseStream::new(context.open_stream(self.high_water_mark), callback);
        let future = enter(&self.handler, stream);
        Work::Future(Box::pin(future.map(move |returned| {
            if let Err(error) = returned {
                throw(thrown, error.into_error());
            }
            None
        })))
    }
}

/// Signals the error that a streaming handler returned. After the end of the stream, it is logged
/// and has no effect, as in Node.
fn throw(thrown: Callback<()>, error: Error) {
    if thrown.is_signalled() {
        tracing::error!("the invocation failed after its outcome had been sent: {error:#}");
    }
    thrown.returned(Err(error));
}

impl<F> fmt::Debug for StreamingHandler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingHandler")
            .field("high_water_mark", &self.high_water_mark)
            .finish_non_exhaustive()
    }
}

/// The type parameter `M` of each shape.
mod marker {
    #[derive(Debug)]
    pub enum Streaming {}
    #[derive(Debug)]
    pub enum StreamingWithoutContext {}
}

/// `async fn(E, ResponseStream, Context) -> Result<(), Err>`
#[diagnostic::do_not_recommend]
impl<F, E, Fut, Err, M> Handler<(marker::Streaming, E, Fut, Err, M)> for StreamingHandler<F>
where
    F: Fn(E, ResponseStream, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Err>> + Send + 'static,
    E: DeserializeOwned + Send + 'static,
    Err: IntoError<M>,
{
    type Event = E;
    type Response = ();

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<()>) -> Work {
        let given = context.clone();
        self.start(&context, callback, |handler, stream| {
            handler(event, stream, given)
        })
    }
}

/// `async fn(E, ResponseStream) -> Result<(), Err>`
#[diagnostic::do_not_recommend]
impl<F, E, Fut, Err, M> Handler<(marker::StreamingWithoutContext, E, Fut, Err, M)>
    for StreamingHandler<F>
where
    F: Fn(E, ResponseStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Err>> + Send + 'static,
    E: DeserializeOwned + Send + 'static,
    Err: IntoError<M>,
{
    type Event = E;
    type Response = ();

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<()>) -> Work {
        self.start(&context, callback, |handler, stream| handler(event, stream))
    }
}
