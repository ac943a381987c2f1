//! A tower service of HTTP requests, for a handler of function URL events.

use super::{event::UrlRequest, response};
use crate::{
    error::{Error, Result},
    invocation::{self, Context, ContextBuilder, Handler, InvocationSettings, json},
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Extensions, Request, Response};
use http_body_util::{BodyExt, Full};
use std::{
    env,
    error::Error as StdError,
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tower::Service;

/// Turns a handler of API Gateway events (payload format 2.0) or function URL events into a tower
/// service of HTTP requests, for `lambda_http::run`, an axum router, and the layers of
/// `tower-http`.
///
/// The request becomes the event, and the handler's
/// `{statusCode, headers, cookies, body, isBase64Encoded}` becomes the response. If the invocation
/// fails, so does the service, with the same error.
///
/// Under `lambda_http::run`, the handler's [`Context`] is that of the Lambda invocation, with its
/// deadline. Elsewhere it has a new request id and no deadline, because the server that runs the
/// service has time limits of its own. Neither is ever taken from a header of the request, which
/// any client can set.
///
/// ```
/// use http::Request;
/// use nodeback::{Callback, Context, Value, json};
/// use tower::ServiceExt;
///
/// fn handler(event: Value, _: Context, callback: Callback) {
///     callback(None, Some(json!({ "statusCode": 418, "body": event["rawPath"] })));
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let request = Request::get("/tea?milk=1").body(String::new()).unwrap();
/// let response = nodeback::http_service(handler).oneshot(request).await.unwrap();
/// assert_eq!(response.status(), 418);
/// # }
/// ```
pub fn http_service<M, H: Handler<M>>(handler: H) -> HttpService<H, M> {
    HttpService {
        handler: Arc::new(handler),
        shape: PhantomData,
    }
}

/// The service that [`http_service`] returns.
pub struct HttpService<H, M> {
    handler: Arc<H>,
    shape: PhantomData<fn() -> M>,
}

impl<H, M> Clone for HttpService<H, M> {
    fn clone(&self) -> Self {
        HttpService {
            handler: Arc::clone(&self.handler),
            shape: PhantomData,
        }
    }
}

impl<H, M> fmt::Debug for HttpService<H, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}

impl<M, H, B> Service<Request<B>> for HttpService<H, M>
where
    M: 'static,
    H: Handler<M>,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Full<Bytes>>>>;

    /// Always returns ready.
    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let handler = Arc::clone(&self.handler);
        Box::pin(async move {
            let settings = InvocationSettings::default().overridden()?;
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| {
                let why: Box<dyn StdError + Send + Sync> = error.into();
                Error::ours("Runtime.RequestBodyError", why.to_string())
            })?;
            let context = context(&parts.extensions);
            let members = context.members();
            let request = UrlRequest {
                parts: &parts,
                path: parts.uri.path().to_owned(),
                function: &members.function_name,
                request_id: &members.aws_request_id,
            };
            let event = request.event(&body.to_bytes());
            let event = || json::from_json(event.into());
            let result = invocation::parsed(&handler, event, settings, context).await?;
            let response = response::of(&result).map_err(|why| {
                Error::ours(
                    "Runtime.InvalidResponse",
                    format!("the result is not an HTTP response: {why}"),
                )
            })?;
            Ok(response.map(Full::new))
        })
    }
}

/// Returns the context of the Lambda invocation, which `lambda_http` stores in the extensions of
/// the request, or else a new one.
fn context(extensions: &Extensions) -> ContextBuilder {
    match extensions.get::<lambda_runtime::Context>() {
        Some(context) => context.clone().into(),
        None => Context::builder()
            .function_name(env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default())
            .aws_request_id(uuid::Uuid::new_v4().to_string())
            .timeout(Duration::ZERO),
    }
}
