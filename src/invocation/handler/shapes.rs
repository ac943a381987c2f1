//! The implementation of each shape.

use super::{Handler, Returned, Work};
use crate::{
    completion::{Callback, unused},
    error::{Error, IntoError},
    invocation::{context::Context, task_output::Never},
};
use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{future::Future, sync::Arc};

/// The type parameter `M` of each shape.
mod marker {
    #[derive(Debug)]
    pub enum Callback {}
    #[derive(Debug)]
    pub enum FallibleCallback {}
    #[derive(Debug)]
    pub enum AsyncCallback {}
    #[derive(Debug)]
    pub enum FallibleAsyncCallback {}
    #[derive(Debug)]
    pub enum Async {}
    #[derive(Debug)]
    pub enum Blocking {}
    #[derive(Debug)]
    pub enum ContextOnly {}
    #[derive(Debug)]
    pub enum Never {}
    #[derive(Debug)]
    pub enum AsyncNever {}
}

/// `fn(E, Context, Callback<R>)`
#[diagnostic::do_not_recommend]
impl<F, E, R> Handler<(marker::Callback, E, R)> for F
where
    F: Fn(E, Context, Callback<R>) + Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    type Event = E;
    type Response = R;

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<R>) -> Work {
        self(event, context, callback);
        Work::Done
    }
}

/// `fn(E, Context, Callback<R>) -> Result<(), Err>`, whose `?` is Node's `throw`
#[diagnostic::do_not_recommend]
impl<F, E, R, Err, M> Handler<(marker::FallibleCallback, E, R, Err, M)> for F
where
    F: Fn(E, Context, Callback<R>) -> Result<(), Err> + Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    Err: IntoError<M>,
{
    type Event = E;
    type Response = R;

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<R>) -> Work {
        let thrown = context.done_callback::<R>();
        throw(thrown, self(event, context, callback));
        Work::Done
    }
}

/// `async fn(E, Context, Callback<R>)`, whose return is not a signal
#[diagnostic::do_not_recommend]
impl<F, E, R, Fut> Handler<(marker::AsyncCallback, E, R, Fut)> for F
where
    F: Fn(E, Context, Callback<R>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
{
    type Event = E;
    type Response = R;

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<R>) -> Work {
        let future = self(event, context, callback);
        Work::Future(Box::pin(future.map(|()| None)))
    }
}

/// `async fn(E, Context, Callback<R>) -> Result<(), Err>`
#[diagnostic::do_not_recommend]
impl<F, E, R, Fut, Err, M> Handler<(marker::FallibleAsyncCallback, E, R, Fut, Err, M)> for F
where
    F: Fn(E, Context, Callback<R>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Err>> + Send + 'static,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    Err: IntoError<M>,
{
    type Event = E;
    type Response = R;

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback<R>) -> Work {
        let thrown = context.done_callback::<R>();
        let future = self(event, context, callback);
        Work::Future(Box::pin(future.map(move |returned| {
            throw(thrown, returned);
            None
        })))
    }
}

/// `fn(E, Context)`, the oldest style: `context.succeed`, `fail` and `done`
#[diagnostic::do_not_recommend]
impl<F, E> Handler<(marker::ContextOnly, E)> for F
where
    F: Fn(E, Context) + Send + Sync + 'static,
    E: DeserializeOwned + Send + 'static,
{
    type Event = E;
    type Response = Value;

    fn call(self: &Arc<Self>, event: E, context: Context, callback: Callback) -> Work {
        unused(callback);
        self(event, context);
        Work::Done
    }
}

/// The shapes that return their result, async (Node) and blocking (Python).
macro_rules! returning {
    (|$event:ident, $context:ident| ($($argument:ident: $type:ty),+)) => {
        #[diagnostic::do_not_recommend]
        impl<F, E, R, Fut, Err, M> Handler<(marker::Async, ($($type,)+), E, R, Fut, Err, M)> for F
        where
            F: Fn($($type),+) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<R, Err>> + Send + 'static,
            E: DeserializeOwned + Send + 'static,
            R: Serialize + Send + 'static,
            Err: IntoError<M>,
        {
            type Event = E;
            type Response = R;

            fn call(self: &Arc<Self>, $event: E, $context: Context, callback: Callback<R>) -> Work {
                let future = self($($argument),+);
                Work::Future(Box::pin(future.map(move |returned| {
                    callback.returned(returned.map_err(IntoError::into_error));
                    None
                })))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<F, E, R, Err, M> Handler<(marker::Blocking, ($($type,)+), E, R, Err, M)> for F
        where
            F: Fn($($type),+) -> Result<R, Err> + Send + Sync + 'static,
            E: DeserializeOwned + Send + 'static,
            R: Serialize + Send + 'static,
            Err: IntoError<M>,
        {
            type Event = E;
            type Response = R;

            fn call(self: &Arc<Self>, $event: E, $context: Context, callback: Callback<R>) -> Work {
                let this = Arc::clone(self);
                Work::Blocking(Box::new(move || {
                    let result = this($($argument),+).map_err(IntoError::into_error);
                    let signal: Returned = Box::new(move || callback.returned(result));
                    signal
                }))
            }
        }
    };
}

returning!(|event, context| (event: E, context: Context));
returning!(|event, _context| (event: E));

/// Functions with the parameters of a handler that never return: `|..| todo!()`, `async |..| loop {
/// .. }`.
macro_rules! never_returning {
    (|$event:ident, $context:ident, $callback:ident|
        ($($argument:ident: $type:ty),+), [$($R:ident)?] $response:ty) => {
        #[diagnostic::do_not_recommend]
        impl<F, E $(, $R)?> Handler<(marker::Never, ($($type,)+))> for F
        where
            F: Fn($($type),+) -> Never + Send + Sync + 'static,
            E: DeserializeOwned + Send + 'static,
            $($R: Serialize + Send + 'static,)?
        {
            type Event = E;
            type Response = $response;

            fn call(
                self: &Arc<Self>,
                $event: E,
                $context: Context,
                $callback: Callback<$response>,
            ) -> Work {
                self($($argument),+)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<F, E, Fut $(, $R)?> Handler<(marker::AsyncNever, ($($type,)+), Fut)> for F
        where
            F: Fn($($type),+) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Never> + Send + 'static,
            E: DeserializeOwned + Send + 'static,
            $($R: Serialize + Send + 'static,)?
        {
            type Event = E;
            type Response = $response;

            fn call(
                self: &Arc<Self>,
                $event: E,
                $context: Context,
                $callback: Callback<$response>,
            ) -> Work {
                let future = self($($argument),+);
                Work::Future(Box::pin(future.map(|never| never)))
            }
        }
    };
}

never_returning!(|event, context, callback|
    (event: E, context: Context, callback: Callback<R>), [R] R);
never_returning!(|event, context, _callback| (event: E, context: Context), [] Value);
never_returning!(|event, _context, _callback| (event: E), [] Value);

/// Node's `throw`, which calls `callback(err)`.
fn throw<R, Err, M>(callback: Callback<R>, returned: Result<(), Err>)
where
    R: Send + 'static,
    Err: IntoError<M>,
{
    if let Err(error) = returned.map_err(IntoError::into_error) {
        let error: Error = error;
        callback.returned(Err(error));
    }
}
