//! One invocation, from event bytes to response bytes or failure.

use super::{Settings, Unsignalled};
use crate::{
    callback::{Invoked, Signal, Spare},
    completion::Refused,
    context::{ContextBuilder, Members},
    error::Error,
    handler::{Handler, Work},
    panic::{self, Catcher},
    slot::Waiter,
    tasks::{Leftover, Tasks},
};
use bytes::Bytes;
use futures::future::{BoxFuture, FusedFuture, FutureExt};
use std::{
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

/// How much before its deadline an invocation ends its waits, so that the answer is still taken;
/// of a timeout below half a second it is a tenth.
pub(super) const GAP: Duration = Duration::from_millis(50);

/// An invocation under way: [`start`](Function::start) enters the handler, [`answer`](Self::answer)
/// waits for what is to be sent, [`finish`](Self::finish) for what may follow that.
pub(crate) struct Invocation {
    work: Option<BoxFuture<'static, ()>>,
    /// Until it has finished.
    waiter: Option<Waiter<Signal, Invoked>>,
    pub(crate) spare: Spare,
    /// A failure that came before the handler could signal: a bad event, a panic on entry.
    failed: Option<Error>,
    /// The loss of the last handle in a run of a task that may yet say why.
    lost: Option<(Catcher, Signal)>,
    tasks: Arc<Tasks>,
    members: Arc<Members>,
    deadline: Option<Instant>,
    allowed: Option<Duration>,
    settings: Settings,
}

impl Invocation {
    pub(super) fn start<M, H: Handler<M>>(
        handler: &Arc<H>,
        event: impl FnOnce() -> Result<H::Event, Error>,
        context: ContextBuilder,
        settings: Settings,
        spare: &Spare,
    ) -> Self {
        let (context, waiter) = context.start(spare.take());
        let mut invocation = Invocation {
            work: None,
            waiter: Some(waiter),
            spare: spare.clone(),
            failed: None,
            lost: None,
            tasks: Arc::clone(context.tasks()),
            members: Arc::clone(context.members()),
            deadline: context.deadline(),
            allowed: context.allowed(),
            settings,
        };
        let entered = invocation.tasks.span().in_scope(|| {
            let event = event()?;
            let callback = context.callback();
            panic::caught(panic::NOBODY, || handler.call(event, context, callback))
                .map_err(Error::panic)
        });
        match entered {
            Ok(Work::Done) => {}
            Ok(Work::Future(future)) => invocation.work = Some(future),
            Ok(Work::Blocking(f)) => {
                invocation.tasks.spawn_blocking(Leftover::Handler, f);
            }
            Err(error) => invocation.failed = Some(error),
        }
        invocation
    }

    /// Waits for the answer: the response's bytes, or the failure.
    pub(crate) async fn answer(&mut self) -> Result<Bytes, Error> {
        let tasks = Arc::clone(&self.tasks);
        let answer = {
            let mut settled = pin!(self.settled());
            poll_fn(|cx| tasks.span().in_scope(|| settled.as_mut().poll(cx))).await
        };
        tasks.answered();
        let late = self.waiter.as_mut().and_then(Waiter::close);
        if late.is_some_and(|signal| !gives_way(&signal)) {
            // Accepted in the instant in which something else failed.
            self.tasks.span().in_scope(|| {
                tracing::warn!("a signal came while the invocation failed: ignored");
            });
        }
        // What the handler has still to do, it does beside the next invocation, as in Node.
        if let Some(work) = self.work.take() {
            self.tasks.spawn(Leftover::Handler, work);
        }
        answer
    }

    async fn settled(&mut self) -> Result<Bytes, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let ended = match before(self.early(), poll_fn(|cx| self.poll(cx))).await {
            Some(ended) => ended,
            None => self.late().await,
        };
        let Signal { outcome, waits } = ended?;
        let body = match outcome {
            Ok(body) => body.unwrap_or(Bytes::from_static(b"null")),
            Err(error)
                if error.lost_under().is_some()
                    && self.settings.unsignalled == Unsignalled::Null =>
            {
                Bytes::from_static(b"null")
            }
            Err(error) => return Err(error),
        };
        if waits && (self.work.is_some() || self.tasks.any_held()) {
            self.hold(body).await
        } else {
            Ok(body)
        }
    }

    /// Polls the handler, and what may answer: a signal, or a failure instead of one.
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Signal, Error>> {
        if let Poll::Ready(Some(error)) = self.poll_work(cx) {
            return Poll::Ready(Err(error));
        }
        if let Some(Poll::Ready(signal)) = self.waiter.as_mut().map(|waiter| waiter.poll(cx)) {
            match self.lost_in_a_task(&signal) {
                // What it says of itself, an error or a panic, says more than the loss.
                Some(catcher) => self.lost = Some((catcher, signal)),
                None if !gives_way(&signal) => return Poll::Ready(Ok(signal)),
                None => return Poll::Ready(self.failure_or(signal)),
            }
        }
        if let Poll::Ready(error) = self.tasks.poll_failure(cx) {
            return Poll::Ready(Err(error));
        }
        match self.lost.take() {
            Some((catcher, signal)) if self.tasks.has_said_all(catcher) => {
                Poll::Ready(self.failure_or(signal))
            }
            lost => {
                self.lost = lost;
                Poll::Pending
            }
        }
    }

    fn failure_or(&self, signal: Signal) -> Result<Signal, Error> {
        self.tasks.take_failure().map_or(Ok(signal), Err)
    }

    /// The run of one of the own tasks in which the last handle was dropped, if so it was.
    fn lost_in_a_task(&self, signal: &Signal) -> Option<Catcher> {
        let catcher = signal.outcome.as_ref().err()?.lost_under()?;
        (catcher.owner == self.tasks.id()).then_some(catcher)
    }

    /// The handler's future: ready when there is none (any more), with an error if it panicked.
    fn poll_work(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Error>> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        let polled = panic::caught(panic::NOBODY, || work.as_mut().poll(cx));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        self.work = None;
        Poll::Ready(polled.err().map(Error::panic))
    }

    /// Holds a success back until the tasks of the invocation have ended.
    async fn hold(&mut self, body: Bytes) -> Result<Bytes, Error> {
        let until = self.end_of_waits();
        let tasks = Arc::clone(&self.tasks);
        let mut idle = pin!(tasks.idle().fuse());
        let held = poll_fn(|cx| {
            let work = self.poll_work(cx);
            if let Poll::Ready(Some(error)) = work {
                return Poll::Ready(Err(error));
            }
            // Ready once; terminated from then on.
            let _ = idle.as_mut().poll(cx);
            if let Poll::Ready(error) = self.tasks.poll_failure(cx) {
                return Poll::Ready(Err(error));
            }
            if idle.is_terminated() && work.is_ready() {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        });
        match before(until, held).await {
            Some(Err(error)) => Err(error),
            Some(Ok(())) => Ok(body),
            None => {
                for name in self.cut_off(|name| !matches!(name, Leftover::WaitUntil(_))) {
                    tracing::warn!("cut off at the deadline, and answered without it: the {name}");
                }
                Ok(body)
            }
        }
    }

    /// When it waits no longer for tasks, so that the answer is still taken.
    fn end_of_waits(&self) -> Option<Instant> {
        self.before_deadline(GAP.min(self.allowed? / 10))
    }

    fn before_deadline(&self, margin: Duration) -> Option<Instant> {
        let deadline = self.deadline?;
        Some(deadline.checked_sub(margin).unwrap_or(deadline))
    }

    /// Stops the handler and those of its tasks, and says what of them was still running.
    fn cut_off(&mut self, which: impl Fn(&Leftover) -> bool) -> Vec<Leftover> {
        let mut cut_off = self.tasks.abort(which);
        if let Some(work) = self.work.take() {
            cut_off.push(Leftover::Handler);
            // What it holds may panic when it is dropped.
            let _ = panic::caught(panic::NOBODY, || drop(work));
        }
        cut_off
    }

    /// Until when an invocation waits for its answer, and says nothing.
    fn early(&self) -> Option<Instant> {
        match self.settings.answer_before_deadline {
            Some(margin) => self.before_deadline(margin),
            None => self.end_of_waits(),
        }
    }

    /// Says what is in the way of an answer while it can still be said: at the deadline the
    /// environment stops the process.
    async fn late(&mut self) -> Result<Signal, Error> {
        let margin = self.settings.answer_before_deadline;
        if margin.is_none() {
            let running = self.leftover().into_iter();
            for name in running.chain(self.work.is_some().then_some(Leftover::Handler)) {
                tracing::warn!("to be cut off at the deadline: the {name}");
            }
            if let Some(ended) = before(self.deadline, poll_fn(|cx| self.poll(cx))).await {
                return ended;
            }
        }
        // A signal that comes while time runs out was accepted, or it is refused from here on.
        if let Some(waiter) = &mut self.waiter
            && let Some(signal) = poll_fn(|cx| waiter.poll_close(cx)).await
        {
            return Ok(signal);
        }
        let cut_off = self.cut_off(|_| true);
        Err(match margin {
            Some(margin) => no_answer(margin, &cut_off),
            None => timed_out(
                &self.members.aws_request_id,
                self.allowed.unwrap_or_default(),
            ),
        })
    }

    /// Waits for the work of `wait_until`, and gives the refused signals and how many there were.
    pub(crate) async fn finish(&mut self) -> (Vec<Refused>, usize) {
        if before(self.end_of_waits(), pin!(self.tasks.after()))
            .await
            .is_none()
        {
            for name in self
                .tasks
                .abort(|name| matches!(name, Leftover::WaitUntil(_)))
            {
                self.tasks.span().in_scope(|| {
                    tracing::warn!("cut off at the deadline: the {name}");
                });
            }
        }
        self.waiter.take().map_or_else(Default::default, |waiter| {
            let refused = waiter.0.attached.tracker.refused();
            self.spare.put(waiter);
            refused
        })
    }

    /// What of it is running.
    pub(super) fn leftover(&self) -> Vec<Leftover> {
        self.tasks.running()
    }

    /// The span that belongs to its lines in the log.
    #[cfg(feature = "lambda")]
    pub(crate) fn span(&self) -> &tracing::Span {
        self.tasks.span()
    }

    /// The one line that a failed invocation leaves in the log, as Node writes it.
    pub(crate) fn log_failure(&self, error: &Error) {
        self.tasks.span().in_scope(|| error.log());
    }
}

impl Drop for Invocation {
    /// One that a layer or a caller gives up takes its tasks along, and nobody waits for them.
    fn drop(&mut self) {
        if self.tasks.has_answered() {
            return;
        }
        let cut_off = self.cut_off(|_| true);
        self.tasks.span().in_scope(|| {
            for name in cut_off {
                tracing::warn!("cut off with its invocation: the {name}");
            }
        });
    }
}

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

/// Whether what a task fails with meanwhile is the answer instead: of a success that is held, and
/// of a loss. Anything else is sent at once.
fn gives_way(signal: &Signal) -> bool {
    match &signal.outcome {
        Ok(_) => signal.waits,
        Err(error) => error.lost_under().is_some(),
    }
}

/// The future's output, or `None` when the deadline comes first.
async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    let (mut future, mut timer) = (pin!(future), pin!(None));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        // Most never wait, and need no timer. A task that has used up its turn still sees it.
        if timer.is_none() {
            timer.set(Some(unconstrained(time::sleep_until(deadline))));
        }
        let timer = timer.as_mut().as_pin_mut();
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| None))
    })
    .await
}

#[cfg(test)]
#[cfg(any(feature = "lambda", feature = "local"))]
#[path = "../../tests/fuzz/event.rs"]
mod fuzz;
