//! A handler within two tower layers: a custom one that logs how long an invocation took, and
//! tower's timeout. Layers correspond to middy's middleware for Node functions.
//!
//! `cargo run --example layers -- examples/events/layers.json`

use nodeback::{Callback, Context, Runtime, Value, json};
use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
    time::{Duration, Instant},
};
use tower::{Layer, Service, timeout::TimeoutLayer};

/// Wraps a service in [`Timed`].
struct LogTime;

impl<S> Layer<S> for LogTime {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner }
    }
}

#[derive(Clone)]
struct Timed<S> {
    inner: S,
}

impl<S, Request> Service<Request> for Timed<S>
where
    S: Service<Request, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let start = Instant::now();
        let called = self.inner.call(request);
        Box::pin(async move {
            let ended = called.await;
            tracing::info!("took {:.1?}", start.elapsed());
            ended
        })
    }
}

fn handler(event: Value, context: Context, callback: Callback) {
    let ms = event["ms"].as_u64().unwrap_or(0);
    context.spawn(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        callback(None, Some(json!({ "waited": ms })));
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    Runtime::new(handler)
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        // The layer that is added last is the outermost.
        .layer(LogTime)
        .run()
        .await
}
