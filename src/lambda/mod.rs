//! On AWS Lambda: polls the Runtime API for events, and posts the outcomes.

mod backoff;
mod client;
mod environment;
mod event;
mod own_wakes;
mod poll;
mod post;
mod service;
mod snapstart;
mod stream;
mod worker;

pub use service::{HandlerService, service};

use crate::{
    error::{Error, Result},
    invocation::Functions,
};
use client::Client;
use environment::LambdaEnvironment;
use lambda_runtime::SnapStartResource;
use poll::Poller;
use std::{env, sync::Arc};
use tokio::{runtime::Handle, sync::mpsc};
use worker::Worker;

/// Runs invocations until the environment is shut down, or the Runtime API fails.
pub(crate) async fn run(
    functions: &Functions,
    resources: &[Arc<dyn SnapStartResource>],
) -> Result<()> {
    let LambdaEnvironment {
        endpoint,
        context,
        handler,
        snapstart,
        concurrency,
    } = match environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            failed_init(&error).await;
            return Err(error);
        }
    };
    keep_freed_memory();
    let client = Client::new(endpoint);
    let function = match functions.named(&handler) {
        Ok(function) => function.clone(),
        Err(mistake) => {
            let error = mistake.into_error();
            post::init_error(&client, &error).await;
            return Err(error);
        }
    };
    if snapstart {
        snapstart::restored(&client, resources).await?;
    }
    let (exit, mut exits) = mpsc::unbounded_channel();
    let worker = Worker {
        function,
        client,
        poller: Arc::new(Poller::default()),
        context,
        runtime: Handle::current(),
        exit,
    };
    for _ in 1..concurrency {
        worker.another().spawn();
    }
    worker.spawn();
    // Each worker runs until it sends the reason why the process has to exit.
    exits.recv().await.map_or(Ok(()), Err)
}

/// Keeps glibc from returning memory to the system at the end of each invocation, when nearly
/// everything is freed at once, and from requesting it again in the next one. That took a quarter
/// of the time of an invocation of 100 kB.
///
/// glibc returns the end of its heap when more than a threshold of it is free: 128 KiB at first,
/// and twice the size of the largest block that was mapped on its own and freed. This is such a
/// block. It is never written to, so it takes no memory. Other allocators are not affected, and a
/// threshold that the environment sets (`MALLOC_TRIM_THRESHOLD_`) stays.
fn keep_freed_memory() {
    const MAPPED: usize = 8 * 1024 * 1024;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(MAPPED)));
}

/// Reports to the Runtime API why the function cannot start, if the API's address is known.
pub(crate) async fn failed_init(error: &Error) {
    if let Some(endpoint) = environment::endpoint(|name| env::var(name).ok()) {
        post::init_error(&Client::new(endpoint), error).await;
    }
}

/// Returns the error with which the process exits.
fn stopped(why: impl std::fmt::Display) -> Error {
    Error::ours(
        "Runtime.ExitError",
        format!("the Runtime API failed: {why}"),
    )
}

/// Registers a hook that runs when the environment is shut down.
///
/// # Errors
///
/// The reason why lambda_runtime could not register it, which has been reported to the Runtime API.
#[cfg(feature = "graceful-shutdown")]
pub(crate) async fn on_shutdown<F>(hook: impl FnOnce() -> F + Send + 'static) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    use futures::FutureExt;
    let registered = lambda_runtime::spawn_graceful_shutdown_handler(hook);
    // lambda_runtime panics if it cannot register the hook.
    let registered = std::panic::AssertUnwindSafe(registered)
        .catch_unwind()
        .await;
    match registered {
        Ok(()) => Ok(()),
        Err(panic) => {
            let why = crate::guard::Panic::of(panic).0;
            let error = Error::ours("Runtime.ShutdownHookError", why);
            failed_init(&error).await;
            Err(error)
        }
    }
}
