//! How long an invocation may take, and its error when that is over.

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
    /// At a time, in milliseconds since 1970.
    At(u64),
    None,
}

/// A deadline further back than this was never meant as one. cargo-lambda, for one, sends ten
/// minutes after 1970.
const LONG_PAST: Duration = Duration::from_secs(60 * 60);

impl Limit {
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

    /// The deadline of what starts now, in milliseconds since 1970; 0 if there is none.
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

/// How much before its deadline an invocation ends its waits, so that the response is still taken. Of
/// a timeout below half a second it is a tenth.
pub(super) const GAP: Duration = Duration::from_millis(50);

/// When it started, and when it has to be over, if that is known.
#[derive(Clone, Copy)]
pub(super) struct Time {
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
}

impl Time {
    /// How long it may take in all.
    pub(super) fn allowed(&self) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(self.started))
    }

    /// When it no longer waits for tasks, so that the response is still taken.
    pub(super) fn end_of_waiting(&self) -> Option<Instant> {
        self.before_deadline(GAP.min(self.allowed()? / 10))
    }

    /// How long before the deadline it fails by itself, if it is set to: at most half of the time that
    /// it has.
    pub(super) fn margin(&self, settings: InvocationSettings) -> Option<Duration> {
        let margin = settings.fail_before_deadline?;
        Some(margin.min(self.allowed()? / 2))
    }

    pub(super) fn before_deadline(&self, margin: Duration) -> Option<Instant> {
        let deadline = self.deadline?;
        Some(deadline.checked_sub(margin).unwrap_or(deadline))
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
pub(super) fn no_response(margin: Duration, running: &[UnfinishedTask]) -> Error {
    let mut message = format!("no response {} ms before the deadline", margin.as_millis());
    for (n, name) in running.iter().enumerate() {
        let before = if n == 0 { "; aborted: the " } else { ", the " };
        message.push_str(&format!("{before}{name}"));
    }
    Error::ours("Runtime.NoResponseBeforeDeadline", message)
}

/// The future's output, or `None` when the deadline comes first. Most never wait, and look at no clock.
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
            // It goes off for a task that has used up its turn, too.
            timer.set(deadline().map(|at| unconstrained(time::sleep_until(at))));
        }
        let timer = timer.as_mut().as_pin_mut();
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| None))
    })
    .await
}
