//! One invocation from entering its handler to the outcome, and the work that follows the response.

use super::{
    context::Context,
    current,
    deadline::{before, no_response, timed_out},
    event_loop::Turn,
    handler::Work,
    queue::Left,
    settings::{InvocationSettings, NeverCalled},
    state::{ClaimedBy, Invocation},
    timeline::{AbortCause, Recorder},
    unfinished::UnfinishedTask,
};
use crate::{
    completion::{CallSite, DuplicateSignal, InvocationWaiter, Signal},
    error::{Error, Result},
    guard::guarded,
    panic_place,
};
use bytes::Bytes;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

/// A running invocation. [`start`](Self::start) enters the handler, [`outcome`](Self::outcome)
/// waits for the outcome, and [`finish`](Self::finish) waits for the work that follows the
/// response.
pub(super) struct Running<'a> {
    pub(super) invocation: &'a Arc<Invocation>,
    waiter: InvocationWaiter,
    settings: InvocationSettings,
    /// A failure while the handler was entered: an invalid event, an error, or a panic.
    failed: Option<Error>,
    /// The body of a success that is deferred until the tasks finish.
    deferred: Option<Bytes>,
    /// Whether a success was deferred by a task that was not aborted.
    pub(super) was_deferred: bool,
    /// Whether the event loop still has to be polled.
    left: Left,
    /// Whether the accepted signal had no effect, since something else ended the invocation.
    is_overtaken: bool,
}

impl<'a> Running<'a> {
    pub(super) fn start(
        invocation: &'a Arc<Invocation>,
        context: Context,
        waiter: InvocationWaiter,
        settings: InvocationSettings,
        enter: impl FnOnce(Context) -> Result<Work>,
        entered: impl FnOnce(),
    ) -> Self {
        // The hook records where a panic happens, for its trace.
        panic_place::install();
        let run = || match enter(context)? {
            Work::Done => Ok(()),
            Work::Future(future) => {
                // The stream of a response is sent from its first byte on.
                entered();
                invocation.run_handler(future)
            }
            Work::Blocking(f) => {
                // The task signals the result in its last poll. The driver takes the signal after
                // that poll has ended the task, so the task does not defer its own response.
                let signal = |signal: Box<dyn FnOnce() + Send>| {
                    signal();
                    None
                };
                invocation.add_blocking(UnfinishedTask::Handler, f, signal, None);
                Ok(())
            }
        };
        let ran = current::enter(invocation, || guarded(run));
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
            is_overtaken: false,
        }
    }

    /// Waits for the outcome: the bytes of the response, or the error.
    pub(super) async fn outcome(&mut self) -> Result<Bytes> {
        let outcome = match self.failed.take() {
            Some(error) => Err(error),
            None => match self.waiter.try_take().map(|signal| self.on_signal(signal)) {
                // Most handlers have signalled by the time they return.
                Some(Some(outcome)) => outcome,
                Some(None) => self.after_deferral().await,
                None => self.signalled().await,
            },
        };
        self.close();
        outcome
    }

    /// Closes the slot, so that later signals are rejected.
    ///
    /// A signal may have been accepted just before that, while something else ended the invocation.
    /// It has no effect, so it is reported as rejected. The exception is a success that would have
    /// been deferred: in Node, too, an error of a task replaces such a success without a warning.
    fn close(&mut self) {
        let closed = self.waiter.close();
        // Each call of the callback sets `first` before it stores its signal, so `first` is set if
        // the signal is an outcome.
        let first = self.waiter.slot.first.get();
        let accepted = match closed {
            Some(Signal::Outcome { outcome, waits }) => !(waits && outcome.is_ok()),
            _ => false,
        };
        if let Some(first) = first.filter(|_| accepted) {
            let shared = &self.waiter.slot.attached;
            shared.reject(CallSite::Closed, first, false);
            self.is_overtaken = true;
        }
    }

    /// Waits for a signal, a failure, or the deadline.
    ///
    /// A success that is deferred before [`Time::end_of_waiting`](super::deadline::Time) waits for
    /// its tasks. Between that time and the deadline, a success is sent without waiting for tasks.
    /// If the invocation is set to fail before its deadline, it fails instead of entering this
    /// second phase.
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
        // The second phase: there is no signal yet, and little time is left.
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
        // Closes the slot. A signal that was accepted before this still counts, and all later
        // signals are rejected.
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

    /// Waits for the tasks that a success was deferred for.
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

    /// Stops the tasks that a success was deferred for, and returns the success.
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

    /// Polls for the outcome. Returns `None` as soon as a success is deferred.
    fn poll_signal(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.poll_outcome(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.deferred.is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Runs the event loop until there is an outcome. A deferred success becomes the outcome when
    /// the tasks that it waits for have ended.
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
                    // No task is ready. If the loop is also empty, only handles that other code
                    // keeps can signal from here on, and dropping the last of them ends the
                    // invocation.
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

    /// Returns the outcome that a signal leads to. Returns `None` if it is deferred until the tasks
    /// finish.
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

    /// Claims the outcome. Returns false if the watchdog or a layer's error has claimed it.
    pub(super) fn claim_outcome(&mut self) -> bool {
        let claimed = self.invocation.claim_outcome(ClaimedBy::Driver);
        self.left = claimed.unwrap_or(self.left);
        claimed.is_some()
    }

    /// Awaits a future, such as a post, and polls the event loop in the meantime.
    ///
    /// The future is passed by reference, since that of a post is large, and an async function would
    /// hold it twice: as its argument, and pinned.
    pub(super) fn poll_during<F: Future>(
        &self,
        mut ours: Pin<&mut F>,
    ) -> impl Future<Output = F::Output> {
        poll_fn(move |cx| {
            let polled = ours.as_mut().poll(cx);
            // Nothing can end the turn early: the outcome is claimed, so failures are only logged.
            if polled.is_pending() && self.left == Left::Tasks {
                let _: Turn<Infallible> = self.invocation.turn(cx, || None);
            }
            polled
        })
    }

    /// Waits for the work that has to finish before the next poll, until shortly before the
    /// deadline. Returns the tasks that keep running after that.
    ///
    /// After a response that is not a stream, this is the work of `wait_until`. After a stream, it
    /// also includes the handler and, unless `callbackWaitsForEmptyEventLoop` is false, all tasks.
    pub(super) async fn finish(&self) -> Vec<UnfinishedTask> {
        if self.left == Left::Nothing {
            return vec![];
        }
        let streams = self.invocation.stream.get().is_some();
        // The end of a stream is not deferred. As in Node, the next event waits for the tasks
        // instead.
        let all = streams && self.waiter.slot.attached.waits();
        let is_busy = || match streams {
            true => self.invocation.is_busy(all),
            false => self.invocation.is_waiting(),
        };
        if self.invocation.recorder.is_some() && is_busy() {
            self.invocation.record(Recorder::waits_for_work);
        }
        let ended = poll_fn(|cx| {
            // A turn may end the last task that this waits for, so the condition is checked again
            // after it. Otherwise the turn has stored or called the waker.
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

    /// Returns where the first signal came from.
    pub(super) fn first_signal(&self) -> Option<CallSite> {
        self.waiter.slot.first.get()
    }

    /// Returns where the signal came from that ended the invocation, if one did.
    pub(super) fn ended_by(&self) -> Option<CallSite> {
        self.first_signal().filter(|_| !self.is_overtaken)
    }

    /// Returns the first duplicate signals, and how many there were in total.
    pub(super) fn duplicates(&self) -> (Vec<DuplicateSignal>, usize) {
        self.waiter.slot.attached.tracker.duplicates()
    }
}

impl Drop for Running<'_> {
    /// Ends the invocation. If a layer or a caller drops it before its outcome is claimed, its
    /// tasks are stopped. Otherwise the tasks that are left keep running during the next
    /// invocation, as in Node.
    fn drop(&mut self) {
        if !self.invocation.is_claimed() {
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
            self.invocation.poll_rest();
        }
    }
}

const NULL: Bytes = Bytes::from_static(b"null");
