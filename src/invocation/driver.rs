//! The driver of an invocation, which is the same in every environment. It runs the layers and the
//! handler, waits for the outcome, sends it, and waits for work that may follow the response.

use super::{
    context::Context,
    context_builder::ContextBuilder,
    function::Function,
    running::Running,
    sending::{Sending, sent},
    sink::Sink,
    state::ClaimedBy,
    timeline::{Recorder, RespondedBy},
    unfinished::UnfinishedTask,
    watchdog::watch,
};
#[cfg(feature = "lambda")]
use super::{handler::Work, layers::Layers, settings::InvocationSettings, state::Invocation};
#[cfg(feature = "lambda")]
use crate::error::Error;
use crate::{
    completion::{DuplicateSignal, InvocationWaiter},
    error::Result,
    phases::{self, Phase},
};
use bytes::Bytes;
use std::pin::pin;
#[cfg(feature = "lambda")]
use std::sync::Arc;

/// The result of driving an invocation to its end.
pub(crate) struct Driven<T> {
    /// What the sink returned. `None` if another part of the crate has sent the outcome, or if the
    /// runtime was shut down.
    pub(crate) sent: Option<T>,
    /// Whether the watchdog has sent the outcome.
    #[cfg_attr(
        not(feature = "lambda"),
        allow(dead_code, reason = "only Lambda has workers")
    )]
    pub(crate) by_watchdog: bool,
    /// Whether a success was deferred until the tasks finished.
    pub(crate) deferred: bool,
    /// The first of the duplicate signals.
    pub(crate) duplicate_signals: Vec<DuplicateSignal>,
    /// How many duplicate signals there were in total.
    pub(crate) duplicate_signal_count: usize,
    /// The tasks that keep running during the next invocation.
    pub(crate) unfinished_tasks: Vec<UnfinishedTask>,
}

impl Function {
    /// Runs an invocation to its end, within the layers. If `event` is an error, the invocation
    /// fails with it, and the layers are skipped.
    pub(crate) async fn drive<S: Sink>(
        &self,
        event: Result<Bytes>,
        context: ContextBuilder,
        sink: S,
    ) -> Driven<S::Sent> {
        if let (Some(recorder), Ok(event)) = (context.recorder(), &event) {
            recorder.event_read(event.len());
        }
        let (context, waiter) = context.start();
        // Until this function returns or is dropped, the watchdog responds if the thread is
        // blocked.
        let _watched = watch(&context.invocation, &sink);
        let sending = Sending::new(&context.invocation);
        #[cfg(feature = "lambda")]
        let event = match (event, &self.layers) {
            (Ok(event), Some(layers)) => {
                let driving = self.drive_within(layers, event, context, waiter, sink, sending);
                return driving.await;
            }
            (event, _) => event,
        };
        let mut running = self.start(event, context, waiter, &sink, &sending);
        drive_on(&mut running, sink, &sending).await
    }

    /// Runs an invocation to its end, within layers.
    #[cfg(feature = "lambda")]
    async fn drive_within<S: Sink>(
        &self,
        layers: &Layers,
        event: Bytes,
        context: Context,
        waiter: InvocationWaiter,
        sink: S,
        sending: Sending<S::Sent>,
    ) -> Driven<S::Sent> {
        let sending = Arc::new(sending);
        let run = {
            let (function, sink) = (self.clone(), sink.clone());
            let sending = Arc::clone(&sending);
            async move |event| {
                let mut running = function.start(Ok(event), context, waiter, &sink, &sending);
                drive_on(&mut running, sink, &sending).await
            }
        };
        let invocation = &sending.invocation;
        // The layers may drop the future of `run` or fail without calling it. `around` completes it
        // once the outcome is claimed. Before that, the error of the layers is the outcome.
        match layers.around(invocation, event, run).await {
            Ok(driven) => driven,
            Err(error) => failed_by_a_layer(invocation, error, sink, &sending).await,
        }
    }

    fn start<'a, S: Sink>(
        &self,
        event: Result<Bytes>,
        context: Context,
        waiter: InvocationWaiter,
        sink: &S,
        sending: &'a Sending<S::Sent>,
    ) -> Running<'a> {
        let enter = |context| (self.enter)(event?, context);
        let entered = || sending.start(sink);
        let invocation = &sending.invocation;
        Running::start(invocation, context, waiter, self.settings, enter, entered)
    }
}

/// Runs an invocation to its end, without layers and without the watchdog. `enter` enters the
/// handler.
#[cfg(feature = "lambda")]
pub(crate) async fn drive_parsed<S: Sink>(
    enter: impl FnOnce(Context) -> Result<Work>,
    settings: InvocationSettings,
    context: ContextBuilder,
    sink: S,
) -> Driven<S::Sent> {
    let (context, waiter) = context.start();
    let sending = Sending::new(&context.invocation);
    let entered = || sending.start(&sink);
    let invocation = &sending.invocation;
    let mut running = Running::start(invocation, context, waiter, settings, enter, entered);
    drive_on(&mut running, sink, &sending).await
}

/// Waits for the outcome of an invocation whose handler was entered, sends it, and waits for the
/// work that follows.
async fn drive_on<S: Sink>(
    running: &mut Running<'_>,
    sink: S,
    sending: &Sending<S::Sent>,
) -> Driven<S::Sent> {
    let outcome = running.outcome().await;
    phases::mark(Phase::Outcome);
    let (mut has_sent, mut unfinished_tasks) = (None, vec![]);
    // If the watchdog or a layer's error has claimed the outcome, that part of the crate sends its
    // own.
    if running.claim_outcome() {
        running.invocation.record(|recorder| {
            recorder.responded(RespondedBy::EventLoop, outcome.as_ref());
        });
        has_sent = match sending.task() {
            Some(task) => {
                sending.end(outcome.map(drop), running.ended_by());
                running.poll_during(pin!(sent(task))).await
            }
            None => {
                let send = pin!(sink.send(outcome, &running.invocation.span));
                Some(running.poll_during(send).await)
            }
        };
        running.invocation.record(Recorder::sent);
        unfinished_tasks = running.finish().await;
        running.invocation.record(|recorder| {
            recorder.took(running.first_signal());
            recorder.polls_next(unfinished_tasks.len());
        });
    } else if let Err(error) = outcome {
        running.invocation.span.in_scope(|| {
            tracing::error!("the invocation failed after its outcome had been sent: {error:#}");
        });
    }
    let (duplicate_signals, duplicate_signal_count) = running.duplicates();
    Driven {
        sent: has_sent,
        by_watchdog: running.invocation.is_claimed_by(ClaimedBy::Watchdog),
        deferred: running.was_deferred,
        duplicate_signals,
        duplicate_signal_count,
        unfinished_tasks,
    }
}

/// Sends the error of the layers, which ended the invocation before its handler did.
#[cfg(feature = "lambda")]
async fn failed_by_a_layer<S: Sink>(
    invocation: &Invocation,
    error: Error,
    sink: S,
    sending: &Sending<S::Sent>,
) -> Driven<S::Sent> {
    let mut has_sent = None;
    if invocation.claim_outcome(ClaimedBy::Layer).is_some() {
        invocation.record(|recorder| recorder.responded(RespondedBy::Layer, Err(&error)));
        has_sent = match sending.task() {
            Some(task) => {
                sending.end(Err(error), None);
                sent(task).await
            }
            None => Some(sink.send(Err(error), &invocation.span).await),
        };
        invocation.record(Recorder::sent);
        invocation.record(|recorder| recorder.polls_next(0));
    }
    Driven {
        sent: has_sent,
        by_watchdog: invocation.is_claimed_by(ClaimedBy::Watchdog),
        deferred: false,
        duplicate_signals: vec![],
        duplicate_signal_count: 0,
        unfinished_tasks: vec![],
    }
}
