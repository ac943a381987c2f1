//! The one driver of an invocation, wherever it runs: layers, handler, outcome, sending, and what may
//! follow that.

use super::{
    context::Context,
    context_builder::ContextBuilder,
    function::Function,
    running::Running,
    sending::{Sending, sent},
    sink::Sink,
    state::AnsweredBy,
    timeline::{Recorder, RespondedBy},
    unfinished::UnfinishedTask,
    watchdog::watch,
};
#[cfg(feature = "lambda")]
use super::{handler::Work, settings::InvocationSettings, state::Invocation};
#[cfg(feature = "lambda")]
use crate::error::Error;
use crate::{
    completion::{DuplicateSignal, InvocationWaiter},
    error::Result,
    phases::{self, Phase},
};
use bytes::Bytes;
#[cfg(feature = "lambda")]
use std::sync::Arc;

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
    /// Whether a success waited for the tasks.
    pub(crate) deferred: bool,
    pub(crate) duplicate_signals: Vec<DuplicateSignal>,
    pub(crate) duplicate_signal_count: usize,
    /// What goes on beside the next invocation.
    pub(crate) unfinished_tasks: Vec<UnfinishedTask>,
}

impl Function {
    /// Runs an invocation to its end, within the layers. An event that could not be had fails it.
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
        let _watched = watch(&context.invocation, &sink);
        let sending = Sending::new(&context.invocation);
        #[cfg(feature = "lambda")]
        if let (Ok(event), Some(layers)) = (&event, &self.layers) {
            let invocation = Arc::clone(&context.invocation);
            let sending = Arc::new(sending);
            let run = {
                let (function, sink) = (self.clone(), sink.clone());
                let sending = Arc::clone(&sending);
                async move |event| {
                    let entered = || sending.start(&sink);
                    let mut running = function.start(Ok(event), context, waiter, entered);
                    drive_on(&mut running, sink, &sending).await
                }
            };
            return match layers.around(&invocation, event.clone(), run).await {
                Ok(driven) => driven,
                Err(error) => failed_by_a_layer(&invocation, error, sink, &sending).await,
            };
        }
        let mut running = self.start(event, context, waiter, || sending.start(&sink));
        drive_on(&mut running, sink, &sending).await
    }

    fn start(
        &self,
        event: Result<Bytes>,
        context: Context,
        waiter: InvocationWaiter,
        entered: impl FnOnce(),
    ) -> Running {
        let enter = |context| (self.enter)(event?, context);
        Running::start(context, waiter, self.settings, enter, entered)
    }
}

/// An invocation of a handler whose event is parsed already, without layers.
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
    let mut running = Running::start(context, waiter, settings, enter, entered);
    drive_on(&mut running, sink, &sending).await
}

async fn drive_on<S: Sink>(
    running: &mut Running,
    sink: S,
    sending: &Sending<S::Sent>,
) -> Driven<S::Sent> {
    let outcome = running.outcome().await;
    phases::mark(Phase::Outcome);
    let (mut has_sent, mut unfinished_tasks) = (None, vec![]);
    if running.claim_answer() {
        running.invocation.record(|recorder| {
            recorder.responded(RespondedBy::EventLoop, outcome.as_ref());
        });
        has_sent = match sending.finish(outcome) {
            Ok(task) => running.beside(sent(task)).await,
            Err(outcome) => {
                let send = sink.send(outcome, &running.invocation.span);
                Some(running.beside(send).await)
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
            tracing::error!("the invocation failed after it was answered: {error:#}");
        });
    }
    let (duplicate_signals, duplicate_signal_count) = running.duplicates();
    Driven {
        sent: has_sent,
        by_watchdog: running.invocation.is_answered_by(AnsweredBy::Watchdog),
        deferred: running.was_deferred,
        duplicate_signals,
        duplicate_signal_count,
        unfinished_tasks,
    }
}

/// The layers ended the invocation, and not its handler.
#[cfg(feature = "lambda")]
async fn failed_by_a_layer<S: Sink>(
    invocation: &Invocation,
    error: Error,
    sink: S,
    sending: &Sending<S::Sent>,
) -> Driven<S::Sent> {
    let mut has_sent = None;
    if invocation.claim_answer(AnsweredBy::Layer).is_some() {
        invocation.record(|recorder| recorder.responded(RespondedBy::Layer, Err(&error)));
        has_sent = match sending.finish::<Bytes>(Err(error)) {
            Ok(task) => sent(task).await,
            Err(outcome) => Some(sink.send(outcome, &invocation.span).await),
        };
        invocation.record(Recorder::sent);
        invocation.record(|recorder| recorder.polls_next(0));
    }
    Driven {
        sent: has_sent,
        by_watchdog: invocation.is_answered_by(AnsweredBy::Watchdog),
        deferred: false,
        duplicate_signals: vec![],
        duplicate_signal_count: 0,
        unfinished_tasks: vec![],
    }
}
