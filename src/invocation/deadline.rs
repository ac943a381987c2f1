//! How long an invocation may take, and its error at the deadline.

use super::{settings::InvocationSettings, unfinished::UnfinishedTask};
use crate::{clock, error::Error};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::{
    task::coop::unconstrained,
    time::{self, Instant},
};

/// How long an invocation may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// From the start of the invocation.
    Timeout(Duration),
    /// Until a point in time, in milliseconds since 1970.
    At(u64),
    None,
}

/// A deadline that is further in the past is treated as unknown. cargo-lambda, for example, sends a
/// deadline of ten minutes after the start of 1970.
const LONG_PAST: Duration = Duration::from_secs(60 * 60);

impl Limit {
    /// Returns the deadline of an invocation that starts at `now`.
    pub(in crate::invocation) fn deadline(self, now: Instant) -> Option<Instant> {
        match self {
            Limit::None => None,
            Limit::Timeout(timeout) => now.checked_add(timeout),
            Limit::At(millis) => {
                let since_1970 = clock::since_1970(clock::now());
                let at = Duration::from_millis(millis);
                match at.checked_sub(since_1970) {
                    Some(left) => now.checked_add(left),
                    None if since_1970.saturating_sub(at) > LONG_PAST => None,
                    None => now.checked_sub(since_1970.saturating_sub(at)).or(Some(now)),
                }
            }
        }
    }

    /// Returns the deadline of an invocation that starts now, in milliseconds since 1970, or 0 if
    /// there is none.
    #[cfg(feature = "lambda")]
    pub(super) fn deadline_ms(self) -> u64 {
        match self {
            Limit::None => 0,
            Limit::At(millis) => millis,
            Limit::Timeout(timeout) => {
                let deadline = clock::since_1970(clock::now())
                    .saturating_add(timeout)
                    .as_millis();
                u64::try_from(deadline).unwrap_or(u64::MAX)
            }
        }
    }
}

/// How long before its deadline an invocation stops waiting for tasks, so that there is time to
/// send the response. If the timeout is shorter than half a second, it is a tenth of the timeout
/// instead.
pub(super) const GAP: Duration = Duration::from_millis(50);

/// When an invocation started, and its deadline, if that is known.
#[derive(Clone, Copy)]
pub(super) struct Time {
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
}

impl Time {
    /// Returns how long the invocation may take in total.
    pub(super) fn allowed(&self) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(self.started))
    }

    /// Returns when the invocation stops waiting for tasks: see [`GAP`].
    pub(super) fn end_of_waiting(&self) -> Option<Instant> {
        self.before_deadline(GAP.min(self.allowed()? / 10))
    }

    /// Returns how long before the deadline the invocation fails by itself, if that is set. It is
    /// at most half of the total time.
    pub(super) fn margin(&self, settings: InvocationSettings) -> Option<Duration> {
        let margin = settings.fail_before_deadline?;
        Some(margin.min(self.allowed()? / 2))
    }

    pub(super) fn before_deadline(&self, margin: Duration) -> Option<Instant> {
        let deadline = self.deadline?;
        Some(deadline.checked_sub(margin).unwrap_or(deadline))
    }
}

/// Returns the error that AWS reports for an invocation without an outcome at its deadline.
pub(super) fn timed_out(request_id: &str, allowed: Duration) -> Error {
    let seconds = allowed.as_secs_f64();
    let message =
        format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
    Error::ours("Sandbox.Timedout", message)
}

/// Returns the error of an invocation that fails by itself before its deadline.
pub(super) fn no_response(margin: Duration, running: &[UnfinishedTask]) -> Error {
    let mut message = format!("no response {} ms before the deadline", margin.as_millis());
    for (n, name) in running.iter().enumerate() {
        let before = if n == 0 { "; aborted: the " } else { ", the " };
        message.push_str(&format!("{before}{name}"));
    }
    Error::ours("Runtime.NoResponseBeforeDeadline", message)
}

/// Returns the output of a future, or `None` if the deadline comes first. The clock is read only if
/// the future is pending at its first poll, which most are not.
pub(super) async fn before<F: Future>(
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
            // Without `unconstrained`, the timer would stay pending once the budget of the tokio
            // task is used up, which an event loop that is always busy does in every poll.
            timer.set(deadline().map(|at| unconstrained(time::sleep_until(at))));
        }
        let timer = timer.as_mut().as_pin_mut();
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| None))
    })
    .await
}
