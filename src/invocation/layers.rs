//! The tower layers around invocations.

use super::state::Invocation;
use crate::{
    error::{Error, IntoError, Result},
    guard::Guarded,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;
use lambda_runtime::LambdaInvocation;
use parking_lot::Mutex;
use std::{
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn},
    sync::Arc,
    task::{self, Poll},
};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

/// The service that a layer of [`Runtime::layer`](crate::Runtime::layer) wraps: it runs one
/// invocation. Its request is the type of lambda_runtime, so that layers for lambda_runtime can be
/// used.
///
/// ```
/// use nodeback::InvocationService;
/// use tower::{Layer, ServiceExt, layer::layer_fn};
///
/// /// A layer that adds context to the errors of the layers that it wraps.
/// fn explained() -> impl Layer<InvocationService, Service = InvocationService> {
///     layer_fn(|inner: InvocationService| {
///         InvocationService::new(inner.map_err(|error| format!("a layer: {error}")))
///     })
/// }
///
/// let handler = async |event: nodeback::Value| Ok::<_, nodeback::Error>(event);
/// let runtime = nodeback::Runtime::new(handler).layer(explained());
/// # drop(runtime);
/// ```
#[derive(Clone)]
pub struct InvocationService(BoxCloneSyncService<LambdaInvocation, (), BoxError>);

impl InvocationService {
    /// Erases the type of a service, so that a layer can name the type that it returns.
    ///
    /// See [`InvocationService`] for an example.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<LambdaInvocation, Response = (), Error: Into<BoxError>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        InvocationService(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

impl Service<LambdaInvocation> for InvocationService {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        self.0.call(invocation)
    }
}

impl fmt::Debug for InvocationService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationService").finish_non_exhaustive()
    }
}

type BoxError = Box<dyn StdError + Send + Sync>;

/// The layers of a program around the innermost service.
#[derive(Clone)]
pub(crate) struct Layers(Arc<InvocationService>);

impl Default for Layers {
    fn default() -> Self {
        Layers(Arc::new(InvocationService::new(Innermost)))
    }
}

/// The work of an invocation that runs within the layers. It reaches the innermost service in the
/// extensions of the request.
///
/// It is shared with [`Layers::around`], which takes the work back and completes it if the layers
/// drop it after the outcome is claimed.
#[derive(Clone)]
struct Inner(Arc<Mutex<InnerState>>);

type New = Box<dyn FnOnce(Bytes) -> BoxFuture<'static, ()> + Send>;

enum InnerState {
    /// The innermost service has not been called.
    New(New),
    /// The work has begun. It is stored here between polls.
    Running(BoxFuture<'static, ()>),
    /// The work is being polled, has ended, or was taken back.
    Taken,
}

impl Layers {
    /// Wraps the layers in another one.
    pub(crate) fn add<L>(self, layer: &L) -> Self
    where
        L: Layer<InvocationService>,
        L::Service: Service<LambdaInvocation, Response = (), Error: Into<BoxError>>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<LambdaInvocation>>::Future: Send + 'static,
    {
        let inner = Arc::unwrap_or_clone(self.0);
        Layers(Arc::new(InvocationService::new(layer.layer(inner))))
    }

    /// Runs the work within the layers, and returns its output. The layers can cancel the work
    /// until the outcome is claimed. After that, the work runs to completion even if they drop it.
    ///
    /// # Errors
    ///
    /// The error of the layers, if they end without completing the work.
    pub(super) async fn around<F, T>(
        &self,
        invocation: &Invocation,
        body: Bytes,
        work: impl FnOnce(Bytes) -> F + Send + 'static,
    ) -> Result<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (end, mut ended) = oneshot::channel();
        let work = {
            let work = |body| async move {
                // The receiver is gone if the invocation was dropped.
                let _ = end.send(work(body).await);
            };
            let new: New = Box::new(|body| Box::pin(work(body)));
            Inner(Arc::new(Mutex::new(InnerState::New(new))))
        };
        let seen = seen_by_layers(body, invocation, work.clone());
        let layers = Arc::clone(&self.0);
        // All code of the layers runs in this future, including their `clone`, so that a panic
        // fails only this invocation.
        let called: BoxFuture<'_, _> =
            Box::pin(async move { InvocationService::clone(&layers).oneshot(seen).await });
        let called = match Guarded::new(called).await {
            Ok(called) => called.map_err(of_layer),
            Err(panic) => Err(Error::panic(panic)),
        };
        let rest = work.take();
        if invocation.is_claimed() {
            if let Err(error) = &called {
                invocation.span.in_scope(|| {
                    tracing::error!(
                        "a layer failed after the outcome had been sent: {}",
                        error.message()
                    );
                });
            }
            if let InnerState::Running(rest) = rest {
                rest.await;
            }
            // If a layer runs the innermost service in a tokio task, the work ends there.
            if let Ok(output) = (&mut ended).await {
                return Ok(output);
            }
        }
        match (ended.try_recv().ok(), called) {
            (Some(output), _) => Ok(output),
            (None, Ok(())) => Err(Error::ours(
                "Runtime.NotInvoked",
                "a layer returned successfully without running the handler to its end",
            )),
            (None, Err(error)) => Err(error),
        }
    }
}

impl Inner {
    fn take(&self) -> InnerState {
        std::mem::replace(&mut *self.0.lock(), InnerState::Taken)
    }

    /// Polls the work. It is taken out for the poll, so that no lock is held while user code runs.
    fn poll(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        let InnerState::Running(mut work) = self.take() else {
            return Poll::Ready(Err(
                "a layer polled the inner service after it had ended".into()
            ));
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            *self.0.lock() = InnerState::Running(work);
        }
        polled.map(Ok)
    }
}

/// Converts the error of a layer. The timeout of tower gets the name of its type.
fn of_layer(error: BoxError) -> Error {
    let elapsed = error.is::<tower::timeout::error::Elapsed>();
    let error = error.into_error();
    if elapsed {
        error.with_type("Elapsed")
    } else {
        error
    }
}

/// Creates the request that the layers receive.
fn seen_by_layers(body: Bytes, invocation: &Invocation, work: Inner) -> LambdaInvocation {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.extensions.insert(work);
    LambdaInvocation {
        parts,
        body,
        context: invocation.context_for_layers(),
    }
}

/// The service inside all layers, which runs the work.
#[derive(Clone)]
struct Innermost;

impl Service<LambdaInvocation> for Innermost {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let work = invocation.parts.extensions.remove::<Inner>();
        Box::pin(async move {
            let Some((work, InnerState::New(new))) = work.map(|work| (work.clone(), work.take()))
            else {
                return Err(
                    "a layer ran an invocation twice, or created a request of its own".into(),
                );
            };
            *work.0.lock() = InnerState::Running(new(invocation.body));
            poll_fn(|cx| work.poll(cx)).await
        })
    }
}
