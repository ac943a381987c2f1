//! Tower layers round the invocations.

use super::state::Invocation;
use crate::{
    error::{Error, IntoError},
    guard::Guarded,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;
use lambda_runtime::LambdaInvocation;
use lambda_runtime_api_client::BoxError;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::{self, Poll},
};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

/// An invocation as layers see it: lambda_runtime's own type, so that its layers fit too.
pub(crate) type Boxed = BoxCloneSyncService<LambdaInvocation, (), BoxError>;

/// The layers of a program, with what they are laid on.
#[derive(Clone)]
pub(crate) struct Layers(Arc<Boxed>);

impl Default for Layers {
    fn default() -> Self {
        Layers(Arc::new(Boxed::new(Innermost)))
    }
}

/// What is done with the event's body when it has come through the layers. It travels in the
/// extensions of the invocation.
#[derive(Clone)]
struct Work(Arc<Mutex<State>>);

type New = Box<dyn FnOnce(Bytes) -> BoxFuture<'static, ()> + Send>;

enum State {
    New(New),
    /// Here between two polls.
    Running(BoxFuture<'static, ()>),
    Taken,
}

impl Layers {
    /// Lays one more round those that are there.
    pub(crate) fn add<L>(self, layer: &L) -> Self
    where
        L: Layer<Boxed>,
        L::Service: Service<LambdaInvocation, Response = (), Error: Into<BoxError>>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<LambdaInvocation>>::Future: Send + 'static,
    {
        let inner = Arc::unwrap_or_clone(self.0);
        Layers(Arc::new(Boxed::new(layer.layer(inner).map_err(Into::into))))
    }

    /// Does the work through the layers. What they end with instead of doing it is the error. They may
    /// cut the work off, but not once the invocation is answered: then it is done to its end, whatever
    /// they come to.
    pub(super) async fn around<F, T>(
        &self,
        invocation: &Invocation,
        body: Bytes,
        work: impl FnOnce(Bytes) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (end, mut ended) = oneshot::channel();
        let work = {
            let work = |body| async move {
                // Nobody waits for it if the invocation is given up.
                let _ = end.send(work(body).await);
            };
            let new: New = Box::new(|body| Box::pin(work(body)));
            Work(Arc::new(Mutex::new(State::New(new))))
        };
        let seen = seen_by_layers(body, invocation, work.clone());
        let layers = Arc::clone(&self.0);
        // A layer's own code runs in here, and in nothing before: its `clone` as well.
        let called: BoxFuture<'_, _> =
            Box::pin(async move { Boxed::clone(&layers).oneshot(seen).await });
        let called = match Guarded::new(called).await {
            Ok(called) => called.map_err(of_layer),
            Err(panic) => Err(Error::panic(panic)),
        };
        let rest = work.take();
        if invocation.is_answered() {
            if let Err(error) = &called {
                invocation.span.in_scope(|| {
                    tracing::error!("a layer failed after the answer: {}", error.message());
                });
            }
            if let State::Running(rest) = rest {
                rest.await;
            }
            // A layer may have given it to a task of its own.
            if let Ok(output) = (&mut ended).await {
                return Ok(output);
            }
        }
        match (ended.try_recv().ok(), called) {
            (Some(output), _) => Ok(output),
            (None, Ok(())) => Err(Error::ours(
                "Runtime.NotInvoked",
                "a layer came to its end without running the handler to its own",
            )),
            (None, Err(error)) => Err(error),
        }
    }
}

impl Work {
    fn take(&self) -> State {
        std::mem::replace(&mut *self.0.lock(), State::Taken)
    }

    /// Polls what runs, which is out of its place meanwhile: it is the handler's code.
    fn poll(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        let State::Running(mut work) = self.take() else {
            return Poll::Ready(Err("a layer goes on with what it has ended".into()));
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            *self.0.lock() = State::Running(work);
        }
        polled.map(Ok)
    }
}

fn of_layer(error: BoxError) -> Error {
    let elapsed = error.is::<tower::timeout::error::Elapsed>();
    let error = error.into_error();
    if elapsed {
        error.with_type("Elapsed")
    } else {
        error
    }
}

fn seen_by_layers(body: Bytes, invocation: &Invocation, work: Work) -> LambdaInvocation {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.extensions.insert(work);
    LambdaInvocation {
        parts,
        body,
        context: invocation.context_for_layers(),
    }
}

/// What the layers are laid on.
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
        let work = invocation.parts.extensions.remove::<Work>();
        Box::pin(async move {
            let Some((work, State::New(new))) = work.map(|work| (work.clone(), work.take())) else {
                return Err("an invocation was run twice, or made by a layer".into());
            };
            *work.0.lock() = State::Running(new(invocation.body));
            poll_fn(|cx| work.poll(cx)).await
        })
    }
}
