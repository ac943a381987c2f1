//! Runs invocations one after another.

use super::{
    client::Client,
    event::{PolledEvent, PostAddress},
    poll::Poller,
    post::ATTEMPT,
};
use crate::{
    error::{Error, Result},
    guard::{Panic, guarded},
    invocation::{ContextBuilder, Function, Sink},
    stream::StreamReader,
};
use bytes::Bytes;
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::{runtime::Handle, sync::mpsc, time};
use tracing::{Instrument, Span};

/// A polling loop. There is one for each concurrent invocation.
pub(super) struct Worker {
    pub(super) function: Function,
    pub(super) client: Client,
    pub(super) poller: Arc<Poller>,
    /// The part of the context that all invocations share.
    pub(super) context: ContextBuilder,
    /// Where the handlers run.
    pub(super) runtime: Handle,
    /// Where to send the reason why the process has to exit.
    pub(super) exit: mpsc::UnboundedSender<Error>,
}

/// What a worker does after an invocation.
enum Next {
    Poll,
    /// Nothing: the watchdog has responded, and started another worker in its place.
    Stop,
}

impl Worker {
    /// Returns a worker with a client of its own, so that neither waits for the connection or the
    /// timer of the other.
    pub(super) fn another(&self) -> Self {
        Worker {
            function: self.function.clone(),
            client: self.client.another(),
            poller: Arc::clone(&self.poller),
            context: self.context.clone(),
            runtime: self.runtime.clone(),
            exit: self.exit.clone(),
        }
    }

    pub(super) fn spawn(self) {
        let runtime = self.runtime.clone();
        // The sink of each invocation shares the worker.
        let worker = Arc::new(self);
        runtime.spawn(async move {
            loop {
                // Panics of handlers and layers are caught elsewhere. After any other panic, the
                // state of this crate is unknown, so the process exits.
                let ran = AssertUnwindSafe(worker.run_one()).catch_unwind().await;
                match ran.unwrap_or_else(|panic| Err(Error::panic(Panic::of(panic)))) {
                    Ok(Next::Poll) => {}
                    Ok(Next::Stop) => return,
                    Err(error) => {
                        // If another worker has sent a reason before, the receiver may be gone.
                        let _ = worker.exit.send(error);
                        return;
                    }
                }
            }
        });
    }

    async fn run_one(self: &Arc<Self>) -> Result<Next> {
        let PolledEvent {
            address,
            context,
            body,
            problems,
        } = self.poller.next(&self.client, &self.context).await?;
        if !problems.is_empty() {
            context.span().in_scope(|| {
                for problem in problems {
                    tracing::warn!("{problem}");
                }
            });
        }
        let sink = Post {
            worker: Arc::clone(self),
            address,
        };
        let driven = self.function.drive(body, context, sink).await;
        match driven.sent {
            Some(posted) => posted.map(|()| Next::Poll),
            None if driven.by_watchdog => Ok(Next::Stop),
            None => Ok(Next::Poll),
        }
    }
}

/// Posts the outcome of an invocation.
#[derive(Clone)]
struct Post {
    worker: Arc<Worker>,
    address: PostAddress,
}

impl Sink for Post {
    type Sent = Result<()>;
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, span: &Span) -> Result<()> {
        if let Err(error) = &outcome {
            span.in_scope(|| error.log());
        }
        let post = self.address.post(&self.worker.client, outcome);
        post.instrument(span.clone()).await
    }

    async fn stream(self, stream: StreamReader, span: Span) -> Result<()> {
        let post = self.address.stream(&self.worker.client, stream, &span);
        post.instrument(span.clone()).await
    }

    async fn send_for_blocked(self, error: Error) {
        let Post { worker, address } = self;
        // A subscriber that panics must not keep the error from being posted.
        let _ = guarded(|| error.log());
        // The watchdog's runtime needs a client of its own.
        let posted = address.post(&worker.client.another(), Err(error)).await;
        match posted {
            // It takes the place of the worker that is blocked.
            Ok(()) => worker.another().spawn(),
            Err(error) => drop(worker.exit.send(error)),
        }
    }

    async fn ended_for_blocked(self, error: Error, closed: impl Future<Output = ()> + Send) {
        // The end of the stream is sent if a thread other than the blocked one drives the
        // connection. Otherwise, Lambda ends the stream.
        if time::timeout(ATTEMPT, closed).await.is_err() {
            let _ = guarded(|| error.log());
        }
        self.worker.another().spawn();
    }
}
