//! One invocation, from entering its handler to the outcome, and what follows that.

use super::{
    Settings, Unsignalled,
    context::Context,
    current,
    event_loop::Turn,
    handler::Work,
    queue::Left,
    state::{AnsweredBy, Invocation, Time},
    task::Leftover,
};
use crate::{
    completion::{InvocationWaiter, Place, Refused, Signal, before_notices},
    error::Error,
};
use bytes::Bytes;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tokio::{
    task::coop::unconstrained,
    time::{self, Instant},
};

/// How much before its deadline an invocation ends its waits, so that the response is still taken. Of
/// a timeout below half a second it is a tenth.
pub(super) const GAP: Duration = Duration::from_millis(50);

type Outcome = Result<Bytes, Error>;

/// An invocation under way: [`start`](Self::start) enters the handler, [`outcome`](Self::outcome)
/// waits for what is to be sent, [`finish`](Self::finish) for what may follow that.
pub(super) struct Running {
    pub(super) invocation: Arc<Invocation>,
    waiter: InvocationWaiter,
    settings: Settings,
    /// A failure that came before the handler could signal: a bad event, a panic on entry.
    failed: Option<Error>,
    /// The body of a success that waits for the tasks.
    deferred: Option<Bytes>,
    /// Whether the event loop is still to be polled.
    left: Left,
}

impl Running {
    pub(super) fn start(
        context: Context,
        waiter: InvocationWaiter,
        settings: Settings,
        enter: impl FnOnce(Context) -> Result<Work, Error>,
    ) -> Self {
        let invocation = Arc::clone(&context.invocation);
        // Up to where it first waits, the handler runs as one piece of code.
        let run = || match enter(context)? {
            Work::Done => Ok(()),
            Work::Future(future) => invocation.run_handler(future),
            Work::Blocking(f) => {
                // Its result is signalled when the function has ended and is off the list.
                let signal = |signal: Box<dyn FnOnce() + Send>| {
                    signal();
                    None
                };
                invocation.add_blocking(Leftover::Handler, f, signal, None);
                Ok(())
            }
        };
        let ran = current::enter(&invocation, || before_notices(run));
        let failed = ran.unwrap_or_else(|panic| Err(Error::panic(panic))).err();
        Running {
            invocation,
            waiter,
            settings,
            failed,
            deferred: None,
            left: Left::Tasks,
        }
    }

    /// Waits for the outcome: the response's bytes, or the error.
    pub(super) async fn outcome(&mut self) -> Outcome {
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
        if let (Some(Signal::Outcome { outcome, waits }), Some(first)) = (closed, first)
            && !(waits && outcome.is_ok())
        {
            let invoked = &self.waiter.slot.attached;
            invoked.refuse(Place::Closed, first, false);
        }
    }

    async fn signalled(&mut self) -> Outcome {
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
            self.invocation.span.in_scope(|| {
                for name in self.invocation.running() {
                    tracing::warn!("to be cut off at the deadline: the {name}");
                }
            });
            match before(|| time.deadline, poll_fn(|cx| self.poll_signal(cx))).await {
                Some(Some(outcome)) => return outcome,
                Some(None) => return self.cut_off_and_respond(),
                None => {}
            }
        }
        // A signal that comes while time runs out was accepted, or it is rejected from here on.
        if let Some(signal) = poll_fn(|cx| self.waiter.poll_close(cx)).await {
            return match self.on_signal(signal) {
                Some(outcome) => outcome,
                None => self.cut_off_and_respond(),
            };
        }
        let cut_off = self.invocation.stop(|_| true);
        Err(match margin {
            Some(margin) => no_answer(margin, &cut_off),
            None => {
                let allowed = time.allowed().unwrap_or_default();
                timed_out(self.invocation.request_id(), allowed)
            }
        })
    }

    /// Waits for the tasks, with a response at hand.
    async fn after_deferral(&mut self) -> Outcome {
        let time = self.invocation.time;
        match before(
            || time.end_of_waiting(),
            poll_fn(|cx| self.poll_outcome(cx)),
        )
        .await
        {
            Some(outcome) => outcome,
            None => self.cut_off_and_respond(),
        }
    }

    fn cut_off_and_respond(&mut self) -> Outcome {
        let cut_off = self.invocation.stop(|name| name.holds_the_response());
        self.invocation.span.in_scope(|| {
            for name in cut_off {
                tracing::warn!("cut off at the deadline, and answered without it: the {name}");
            }
        });
        Ok(self.deferred.take().unwrap_or(NULL))
    }

    /// Ready with the outcome, or with `None` as soon as there is a success that waits for tasks.
    fn poll_signal(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Outcome>> {
        match self.poll_outcome(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.deferred.is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Runs the event loop until there is an outcome.
    fn poll_outcome(&mut self, cx: &mut task::Context<'_>) -> Poll<Outcome> {
        loop {
            let turned = self.invocation.turn(cx, || self.waiter.try_take());
            let signal = match turned {
                Turn::Found(signal) => signal,
                Turn::Failed(error) => return Poll::Ready(Err(error)),
                Turn::Yielded => return Poll::Pending,
                Turn::Idle { empty } => {
                    if empty && let Some(body) = self.deferred.take() {
                        return Poll::Ready(Ok(body));
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
    fn on_signal(&mut self, signal: Signal) -> Option<Outcome> {
        let (outcome, waits) = match signal {
            Signal::Outcome { outcome, waits } => (outcome, waits),
            Signal::NeverCalled(error) => {
                return Some(match self.settings.unsignalled {
                    Unsignalled::Fail => Err(error),
                    Unsignalled::Null => Ok(NULL),
                });
            }
        };
        match outcome {
            Err(error) => Some(Err(error)),
            Ok(body) => {
                let body = body.unwrap_or(NULL);
                if !waits || self.invocation.may_respond() {
                    return Some(Ok(body));
                }
                self.deferred = Some(body);
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

    /// Waits for the work of `wait_until`, and returns what goes on after that.
    pub(super) async fn finish(&self) -> Vec<Leftover> {
        if self.left == Left::Nothing {
            return vec![];
        }
        let ended = poll_fn(|cx| {
            if self.invocation.is_waiting() {
                let _: Turn<Infallible> = self.invocation.turn(cx, || None);
            }
            if self.invocation.is_waiting() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        if before(|| self.invocation.time.end_of_waiting(), ended)
            .await
            .is_none()
        {
            let cut_off = self.invocation.stop(|name| !name.holds_the_response());
            self.invocation.span.in_scope(|| {
                for name in cut_off {
                    tracing::warn!("cut off at the deadline: the {name}");
                }
            });
        }
        self.invocation.running()
    }

    /// The rejected signals, the first few of them, and how many there were.
    pub(super) fn refused(&self) -> (Vec<Refused>, usize) {
        self.waiter.slot.attached.tracker.refused()
    }
}

impl Drop for Running {
    /// An invocation that a layer or a caller gives up takes its tasks along. What an answered one
    /// leaves running goes on beside the next, as in Node.
    fn drop(&mut self) {
        if !self.invocation.is_answered() {
            let cut_off = self.invocation.stop(|_| true);
            self.invocation.span.in_scope(|| {
                for name in cut_off {
                    tracing::warn!("cut off with its invocation: the {name}");
                }
            });
        }
        self.close();
        if self.left == Left::Tasks && self.invocation.stop_polling_if_empty() == Left::Tasks {
            self.invocation.go_on();
        }
    }
}

impl Time {
    /// When it no longer waits for tasks, so that the response is still taken.
    fn end_of_waiting(&self) -> Option<Instant> {
        self.before_deadline(GAP.min(self.allowed()? / 10))
    }

    /// How long before the deadline it fails by itself, if it is set to: at most half of the time that
    /// it has.
    fn margin(&self, settings: Settings) -> Option<Duration> {
        let margin = settings.answer_before_deadline?;
        Some(margin.min(self.allowed()? / 2))
    }

    fn before_deadline(&self, margin: Duration) -> Option<Instant> {
        let deadline = self.deadline?;
        Some(deadline.checked_sub(margin).unwrap_or(deadline))
    }
}

const NULL: Bytes = Bytes::from_static(b"null");

/// AWS's error for an invocation without an answer at its deadline.
pub(super) fn timed_out(request_id: &str, allowed: Duration) -> Error {
    let seconds = allowed.as_secs_f64();
    let message =
        format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
    Error::ours("Sandbox.Timedout", message)
}

/// Ours, for one that is to have it by then.
fn no_answer(margin: Duration, running: &[Leftover]) -> Error {
    let mut message = format!("no answer {} ms before the deadline", margin.as_millis());
    for (n, name) in running.iter().enumerate() {
        let before = if n == 0 { "; cut off: the " } else { ", the " };
        message.push_str(&format!("{before}{name}"));
    }
    Error::ours("Runtime.NoAnswerBeforeDeadline", message)
}

/// The future's output, or `None` when the deadline comes first. Most never wait, and look at no clock.
async fn before<F: Future>(
    deadline: impl FnOnce() -> Option<Instant>,
    future: F,
) -> Option<F::Output> {
    let (mut future, mut timer) = (pin!(future), pin!(None));
    let mut deadline = Some(deadline);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if let Some(deadline) = deadline.take() {
            // It goes off for a task that has used up its turn, too.
            timer.set(deadline().map(|at| unconstrained(time::sleep_until(at))));
        }
        let timer = timer.as_mut().as_pin_mut();
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| None))
    })
    .await
}
