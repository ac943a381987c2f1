//! The metadata of a streamed HTTP response.

use super::{HTTP_INTEGRATION, response_stream::ResponseStream};
use crate::{
    completion::at,
    error::{Error, Result},
    guard::guarded,
};
use bytes::Bytes;
use serde::Serialize;

/// Node's `awslambda.HttpResponseStream`: see [`from`](Self::from).
#[derive(Debug)]
#[non_exhaustive]
pub struct HttpResponseStream;

impl HttpResponseStream {
    /// Sets the status, the headers and the cookies of the HTTP response that a function URL or API
    /// Gateway sends, and returns the stream. They are sent with the first byte, or with the end.
    ///
    /// The metadata is an object with any of `statusCode`, `headers` and `cookies`. If this
    /// is called after the first byte, the stream fails with `Runtime.InvalidStreamingOperation`, as
    /// in Node.
    ///
    /// ```
    /// use nodeback::{Context, HttpResponseStream, ResponseStream, Result, Value, json, streamify_response};
    ///
    /// async fn handler(_: Value, stream: ResponseStream, _: Context) -> Result<()> {
    ///     let metadata = json!({ "statusCode": 200, "headers": { "Content-Type": "text/html" } });
    ///     let stream = HttpResponseStream::from(stream, metadata);
    ///     stream.write("<h1>At once</h1>").await?;
    ///     stream.end_with("<p>Later</p>").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let outcome = nodeback::invoke(streamify_response(handler), (), Context::default()).await;
    /// let streamed = outcome.stream.unwrap();
    /// assert_eq!(streamed.metadata.as_ref().unwrap()["statusCode"], 200);
    /// assert_eq!(streamed.body(), "<h1>At once</h1><p>Later</p>");
    /// # }
    /// ```
    #[track_caller]
    pub fn from(mut stream: ResponseStream, metadata: impl Serialize) -> ResponseStream {
        let call_site = at();
        let set = json(&metadata).and_then(|json| {
            stream.pipe.set_head(|head| {
                head.content_type = HTTP_INTEGRATION.into();
                head.metadata = Some(json);
            })
        });
        if let Err(error) = set {
            stream.end_here(Err(error), call_site);
        }
        stream
    }
}

fn json(metadata: &impl Serialize) -> Result<Bytes> {
    match guarded(|| serde_json::to_vec(metadata)) {
        Ok(Ok(json)) => Ok(json.into()),
        Ok(Err(error)) => Err(error.into()),
        Err(panic) => Err(Error::panic(panic)),
    }
}
