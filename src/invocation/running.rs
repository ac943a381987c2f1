//! One invocation, from entering its handler to the outcome, and what follows that.

use super::{
    context::Context,
    current,
    deadline::{before, no_response, timed_out},
    event_loop::Turn,
    handler::Work,
    queue::Left,
    settings::{InvocationSettings, NeverCalled},
    state::{AnsweredBy, Invocation},
    timeline::{AbortCause, Recorder},
    unfinished::UnfinishedTask,
};
use crate::{
    completion::{CallSite, DuplicateSignal, InvocationWaiter, Signal, before_notices},
    error::{Error, Result},
    panic_place,
};
use bytes::Bytes;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{self, Poll},
};

/// An invocation under way: [`start`](Self::start) enters the handler, [`outcome`](Self::outcome)
/// waits for what is to be sent, [`finish`](Self::finish) for what may follow that.
pub(super) struct Running {
    pub(super) invocation: Arc<Invocation>,
    waiter: InvocationWaiter,
    settings: InvocationSettings,
    /// A failure that came before the handler could signal: a bad event, a panic on entry.
    failed: Option<Error>,
    /// The body of a success that waits for the tasks.
    deferred: Option<Bytes>,
    /// Whether there was one.
    pub(super) was_deferred: bool,
    /// Whether the event loop is still to be polled.
    left: Left,
}

impl Running {
    pub(super) fn start(
        context: Context,
        waiter: InvocationWaiter,
        settings: InvocationSettings,
        enter: impl FnOnce(Context) -> Result<Work>,
        entered: impl FnOnce(),
    ) -> Self {
        // Its panics are to have a place in their traces.
        panic_place::install();
        let invocation = Arc::clone(&context.invocation);
        // Up to where it first waits, the handler runs as one piece of code.
        let run = || match enter(context)? {
            Work::Done => Ok(()),
            Work::Future(future) => {
                // The stream of a response is sent from its first byte on.
                entered();
                invocation.run_handler(future)
            }
            Work::Blocking(f) => {
                // Its result is signalled when the function has ended and is off the list.
                let signal = |signal: Box<dyn FnOnce() + Send>| {
                    signal();
                    None
                };
                invocation.add_blocking(UnfinishedTask::Handler, f, signal, None);
                Ok(())
            }
        };
        let ran = current::enter(&invocation, || before_notices(run));
        invocation.record(|recorder| {
            let is_pending = invocation.queue.lock().handler.is_some();
            recorder.handler_ran(&ran, is_pending);
        });
        let failed = ran.unwrap_or_else(|panic| Err(Error::panic(panic))).err();
        Running {
            invocation,
            waiter,
            settings,
            failed,
            deferred: None,
            was_deferred: false,
            left: Left::Tasks,
        }
    }

    /// Waits for the outcome: the response's bytes, or the error.
    pub(super) async fn outcome(&mut self) -> Result<Bytes> {
        let outcome = match self.failed.take() {
            Some(error) => Err(error),
            None => match self.waiter.try_take().map(|signal| self.on_signal(signal)) {
                // Most often a handler has signalled when it returns.
                Some(Some(outcome)) => outcome,
                Some(None) => self.after_deferral().await,
                None => self.signalled().await,
            },
        };
        self.close();
        outcome
    }

    /// Waits for no signal any more. One that was accepted in the instant in which something else
    /// ended the invocation is reported as rejected, unless it is a success that would have waited for
    /// the tasks: such a one gives way to an error, as in Node.
    fn close(&mut self) {
        let closed = self.waiter.close();
        // It was set before the signal was accepted.
        let first = self.waiter.slot.first.get();
        let accepted = match closed {
            Some(Signal::Outcome { outcome, waits }) => !(waits && outcome.is_ok()),
            _ => false,
        };
        if let Some(first) = first.filter(|_| accepted) {
            let shared = &self.waiter.slot.attached;
            shared.reject(CallSite::Closed, first, false);
        }
    }

    async fn signalled(&mut self) -> Result<Bytes> {
        let (settings, time) = (self.settings, self.invocation.time);
        let until = || match time.margin(settings) {
            Some(margin) => time.before_deadline(margin),
            None => time.end_of_waiting(),
        };
        match before(until, poll_fn(|cx| self.poll_signal(cx))).await {
            Some(Some(outcome)) => return outcome,
            Some(None) => return self.after_deferral().await,
            None => {}
        }
        let margin = time.margin(settings);
        if margin.is_none() {
            self.invocation
                .record(|recorder| recorder.deadline_is_near(self.invocation.running().len()));
            self.invocation.span.in_scope(|| {
                for name in self.invocation.running() {
                    tracing::warn!("to be aborted at the deadline: the {name}");
                }
            });
            match before(|| time.deadline, poll_fn(|cx| self.poll_signal(cx))).await {
                Some(Some(outcome)) => return outcome,
                Some(None) => return self.abort_and_respond(),
                None => {}
            }
        }
        // A signal that comes while time runs out was accepted, or it is rejected from here on.
        if let Some(signal) = poll_fn(|cx| self.waiter.poll_close(cx)).await {
            return match self.on_signal(signal) {
                Some(outcome) => outcome,
                None => self.abort_and_respond(),
            };
        }
        let aborted = self.invocation.stop(AbortCause::Deadline, |_| true);
        Err(match margin {
            Some(margin) => no_response(margin, &aborted),
            None => {
                let allowed = time.allowed().unwrap_or_default();
                timed_out(self.invocation.request_id(), allowed)
            }
        })
    }

    /// Waits for the tasks, with a response at hand.
    async fn after_deferral(&mut self) -> Result<Bytes> {
        let time = self.invocation.time;
        match before(
            || time.end_of_waiting(),
            poll_fn(|cx| self.poll_outcome(cx)),
        )
        .await
        {
            Some(outcome) => outcome,
            None => self.abort_and_respond(),
        }
    }

    fn abort_and_respond(&mut self) -> Result<Bytes> {
        let aborted = self
            .invocation
            .stop(AbortCause::Deadline, |name| name.defers_the_response());
        self.invocation.span.in_scope(|| {
            for name in aborted {
                tracing::warn!(
                    "aborted at the deadline, and the response was sent without it: the {name}"
                );
            }
        });
        Ok(self.deferred.take().unwrap_or(NULL))
    }

    /// Ready with the outcome, or with `None` as soon as there is a success that waits for tasks.
    fn poll_signal(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.poll_outcome(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.deferred.is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Runs the event loop until there is an outcome.
    fn poll_outcome(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Bytes>> {
        loop {
            let turned = self.invocation.turn(cx, || self.waiter.try_take());
            let signal = match turned {
                Turn::Found(signal) => signal,
                Turn::Failed(error) => return Poll::Ready(Err(error)),
                Turn::Yielded => return Poll::Pending,
                Turn::Idle { empty } => {
                    if empty {
                        if let Some(body) = self.deferred.take() {
                            return Poll::Ready(Ok(body));
                        }
                    }
                    self.invocation.release_callback();
                    match self.waiter.poll(cx) {
                        Poll::Ready(signal) => signal,
                        Poll::Pending => return Poll::Pending,
                    }
                }
            };
            if let Some(outcome) = self.on_signal(signal) {
                return Poll::Ready(outcome);
            }
        }
    }

    /// The outcome, unless it is deferred until the tasks finish.
    fn on_signal(&mut self, signal: Signal) -> Option<Result<Bytes>> {
        let (outcome, waits) = match signal {
            Signal::Outcome { outcome, waits } => (outcome, waits),
            Signal::NeverCalled(error) => {
                self.invocation
                    .record(|recorder| recorder.never_called(&error));
                return Some(match self.settings.never_called {
                    NeverCalled::Fail => Err(error),
                    NeverCalled::Null => Ok(NULL),
                });
            }
        };
        match outcome {
            Err(error) => Some(Err(error)),
            Ok(Some(_)) if self.invocation.stream.get().is_some() => Some(Err(Error::ours(
                "Runtime.InvalidStreamingOperation",
                "a result was given to `context.succeed` or `context.done`: expected a streaming \
                 handler to write to its stream",
            ))),
            Ok(body) => {
                let body = body.unwrap_or(NULL);
                if !waits || self.invocation.may_respond() {
                    return Some(Ok(body));
                }
                self.invocation.record(|recorder| {
                    let tasks = self.invocation.queue.lock().deferring;
                    recorder.deferred(tasks);
                });
                self.deferred = Some(body);
                self.was_deferred = self.invocation.is_deferring();
                None
            }
        }
    }

    /// Marks the invocation as answered. Returns false if the watchdog has answered it.
    pub(super) fn claim_answer(&mut self) -> bool {
        let claimed = self.invocation.claim_answer(AnsweredBy::Driver);
        self.left = claimed.unwrap_or(self.left);
        claimed.is_some()
    }

    /// Awaits a future while the event loop keeps running.
    pub(super) async fn beside<F: Future>(&self, ours: F) -> F::Output {
        let mut ours = pin!(ours);
        poll_fn(|cx| {
            let polled = ours.as_mut().poll(cx);
            if polled.is_pending() && self.left == Left::Tasks {
                let _: Turn<Infallible> = self.invocation.turn(cx, || None);
            }
            polled
        })
        .await
    }

    /// Waits for the work of `wait_until`, and after a stream for all that the next event waits for. Returns what goes on
    /// after that.
    pub(super) async fn finish(&self) -> Vec<UnfinishedTask> {
        if self.left == Left::Nothing {
            return vec![];
        }
        let streams = self.invocation.stream.get().is_some();
        // The end of a stream waits for nothing. What is waited for is the next event, as in Node.
        let all = streams && self.waiter.slot.attached.waits();
        let is_busy = || match streams {
            true => self.invocation.is_busy(all),
            false => self.invocation.is_waiting(),
        };
        if self.invocation.recorder.is_some() && is_busy() {
            self.invocation.record(Recorder::waits_for_work);
        }
        let ended = poll_fn(|cx| {
            if is_busy() {
                let _: Turn<Infallible> = self.invocation.turn(cx, || None);
            }
            if is_busy() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        if before(|| self.invocation.time.end_of_waiting(), ended)
            .await
            .is_none()
        {
            let aborted = self.invocation.stop(AbortCause::Deadline, |name| {
                streams || !name.defers_the_response()
            });
            self.invocation.span.in_scope(|| {
                for name in aborted {
                    tracing::warn!("aborted at the deadline: the {name}");
                }
            });
        }
        self.invocation.running()
    }

    /// Where the first signal came from.
    pub(super) fn first_signal(&self) -> Option<CallSite> {
        self.waiter.slot.first.get()
    }

    /// The rejected signals, the first few of them, and how many there were.
    pub(super) fn duplicates(&self) -> (Vec<DuplicateSignal>, usize) {
        self.waiter.slot.attached.tracker.duplicates()
    }
}

impl Drop for Running {
    /// An invocation that a layer or a caller gives up takes its tasks along. What an answered one
    /// leaves running goes on beside the next, as in Node.
    fn drop(&mut self) {
        if !self.invocation.is_answered() {
            self.invocation.record(Recorder::given_up);
            let aborted = self.invocation.stop(AbortCause::Invocation, |_| true);
            self.invocation.span.in_scope(|| {
                for name in aborted {
                    tracing::warn!("aborted with its invocation: the {name}");
                }
            });
        }
        self.close();
        if self.left == Left::Tasks && self.invocation.stop_polling_if_empty() == Left::Tasks {
            self.invocation.go_on();
        }
    }
}

const NULL: Bytes = Bytes::from_static(b"null");
