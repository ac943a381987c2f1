//! The one driver of an invocation, wherever it runs: layers, handler, outcome, sending, and what may
//! follow that. Each place has a [`Sink`] for the outcome, and nothing else of its own.

#[cfg(feature = "lambda")]
use super::{Settings, handler::Work, state::Invocation};
use super::{
    context::{Context, ContextBuilder},
    function::Function,
    running::Running,
    state::AnsweredBy,
    task::Leftover,
    watchdog::watch,
};
use crate::{
    completion::{InvocationWaiter, Refused},
    error::Error,
};
use bytes::Bytes;
use std::future::Future;
#[cfg(feature = "lambda")]
use std::sync::Arc;
use tracing::Span;

/// Where the outcome of an invocation goes: it is posted, sent, printed or returned.
pub(crate) trait Sink: Clone + Send + Sync + 'static {
    type Sent: Send + 'static;

    /// Sends the outcome, and logs a failure. Lines about it belong into `span`. The tasks of the
    /// invocation go on meanwhile.
    fn send(
        self,
        outcome: Result<Bytes, Error>,
        span: &Span,
    ) -> impl Future<Output = Self::Sent> + Send;

    /// Whether somebody could receive an outcome while the thread of the handler is blocked.
    const WATCHED: bool;

    /// Sends the error of an invocation whose handler blocks its thread beyond the deadline, from a
    /// thread and a runtime of our own.
    fn send_for_blocked(self, error: Error) -> impl Future<Output = ()> + Send;
}

/// What has become of an invocation.
pub(crate) struct Driven<T> {
    /// `None` if somebody else has sent an outcome instead.
    pub(crate) sent: Option<T>,
    /// Whether that was the watchdog.
    #[cfg_attr(
        not(feature = "lambda"),
        allow(dead_code, reason = "only Lambda has workers")
    )]
    pub(crate) by_watchdog: bool,
    pub(crate) refused: Vec<Refused>,
    pub(crate) refused_count: usize,
    /// What goes on beside the next invocation.
    pub(crate) leftover: Vec<Leftover>,
}

impl Function {
    /// Runs an invocation to its end, within the layers. An event that could not be had fails it.
    pub(crate) async fn drive<S: Sink>(
        &self,
        event: Result<Bytes, Error>,
        context: ContextBuilder,
        sink: S,
    ) -> Driven<S::Sent> {
        let (context, waiter) = context.start();
        let _watched = watch(&context.invocation, &sink);
        #[cfg(feature = "lambda")]
        if let (Ok(event), Some(layers)) = (&event, &self.layers) {
            let invocation = Arc::clone(&context.invocation);
            let run = {
                let (function, sink) = (self.clone(), sink.clone());
                async move |event| function.run(Ok(event), context, waiter, sink).await
            };
            return match layers.around(&invocation, event.clone(), run).await {
                Ok(driven) => driven,
                Err(error) => failed_by_a_layer(&invocation, error, sink).await,
            };
        }
        self.run(event, context, waiter, sink).await
    }

    async fn run<S: Sink>(
        &self,
        event: Result<Bytes, Error>,
        context: Context,
        waiter: InvocationWaiter,
        sink: S,
    ) -> Driven<S::Sent> {
        let enter = |context| (self.enter)(event?, context);
        let running = Running::start(context, waiter, self.settings, enter);
        drive_on(running, sink).await
    }
}

/// An invocation of a handler whose event is parsed already, without layers.
#[cfg(feature = "lambda")]
pub(crate) async fn drive_parsed<S: Sink>(
    enter: impl FnOnce(Context) -> Result<Work, Error>,
    settings: Settings,
    context: ContextBuilder,
    sink: S,
) -> Driven<S::Sent> {
    let (context, waiter) = context.start();
    drive_on(Running::start(context, waiter, settings, enter), sink).await
}

async fn drive_on<S: Sink>(mut running: Running, sink: S) -> Driven<S::Sent> {
    let outcome = running.outcome().await;
    let (mut sent, mut leftover) = (None, vec![]);
    if running.claim_answer() {
        let send = sink.send(outcome, &running.invocation.span);
        sent = Some(running.beside(send).await);
        leftover = running.finish().await;
    } else if let Err(error) = outcome {
        running.invocation.span.in_scope(|| {
            tracing::error!("the invocation failed after it was answered: {error:#}");
        });
    }
    let (refused, refused_count) = running.refused();
    Driven {
        sent,
        by_watchdog: running.invocation.is_answered_by(AnsweredBy::Watchdog),
        refused,
        refused_count,
        leftover,
    }
}

/// The layers ended the invocation, and not its handler.
#[cfg(feature = "lambda")]
async fn failed_by_a_layer<S: Sink>(
    invocation: &Invocation,
    error: Error,
    sink: S,
) -> Driven<S::Sent> {
    let mut sent = None;
    if invocation.claim_answer(AnsweredBy::Layer).is_some() {
        sent = Some(sink.send(Err(error), &invocation.span).await);
    }
    Driven {
        sent,
        by_watchdog: invocation.is_answered_by(AnsweredBy::Watchdog),
        refused: vec![],
        refused_count: 0,
        leftover: vec![],
    }
}
