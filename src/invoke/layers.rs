//! Tower layers round the invocations.

use super::answering::Answering;
use crate::{
    context::ContextBuilder,
    error::{Error, IntoError},
    panic::Panic,
};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use http::Response;
use lambda_runtime::LambdaInvocation;
use lambda_runtime_api_client::BoxError;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{self, Poll},
};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};

/// An invocation as layers see it: lambda_runtime's own type, so that its layers fit too.
pub(crate) type Boxed = BoxCloneSyncService<LambdaInvocation, (), BoxError>;

/// The layers of a function, with what they are laid on.
#[derive(Clone, Default)]
pub(crate) struct Layers(Option<Boxed>);

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
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Lays one more round those that are there.
    pub(crate) fn add<L>(&mut self, layer: L)
    where
        L: Layer<Boxed>,
        L::Service: Service<LambdaInvocation, Response = (), Error: Into<BoxError>>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<LambdaInvocation>>::Future: Send + 'static,
    {
        let inner = self.0.take().unwrap_or_else(|| Boxed::new(Innermost));
        let outer = layer.layer(inner).map_err(Into::into);
        self.0 = Some(Boxed::new(outer));
    }

    /// Does the work through the layers, if there are any and the event could be had. What they
    /// say instead of doing it comes back as an error. They may cut it off, but not once it has its
    /// answer: then it is done to its end, whatever they say.
    pub(crate) async fn around<F, T>(
        &self,
        event: Result<Bytes, Error>,
        context: &ContextBuilder,
        work: impl FnOnce(Result<Bytes, Error>, Answering) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let answering = Answering::default();
        let (Some(layers), Ok(body)) = (&self.0, &event) else {
            return Ok(work(event, answering).await);
        };
        let done = Arc::new(Mutex::new(None));
        let work = {
            let (done, answering) = (Arc::clone(&done), answering.clone());
            let work = |body| async move {
                let output = work(Ok(body), answering).await;
                *done.lock() = Some(output);
            };
            let new: New = Box::new(|body| Box::pin(work(body)));
            Work(Arc::new(Mutex::new(State::New(new))))
        };
        let invocation = invocation(body.clone(), context, work.clone());
        let layers = layers.clone();
        let called = async move { layers.oneshot(invocation).await };
        let called = match AssertUnwindSafe(called).catch_unwind().await {
            Ok(called) => called,
            Err(payload) => Err(Error::panic(Panic::of(payload)).into()),
        };
        let rest = work.take();
        if let Err(error) = &called
            && answering.has_begun()
        {
            context.span().in_scope(|| {
                tracing::error!("a layer failed after the answer: {error}");
            });
        }
        if let (State::Running(rest), true) = (rest, answering.has_begun()) {
            rest.await;
        }
        let output = done.lock().take();
        match (output, called) {
            (Some(output), _) => Ok(output),
            (None, Ok(())) => Err(Error::ours(
                "Runtime.NotInvoked",
                "a layer came to its end without running the handler to its own",
            )),
            (None, Err(error)) => Err(of_layer(error)),
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

fn invocation(body: Bytes, context: &ContextBuilder, work: Work) -> LambdaInvocation {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.extensions.insert(work);
    LambdaInvocation {
        parts,
        body,
        context: context.for_layers(),
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
