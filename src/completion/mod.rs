//! The one-shot pair of a callback and the completion that waits for it, and the exactly-once rule.
//! Nothing in here knows of invocations, JSON or Lambda, but for the one kind of target that signals
//! an invocation.

mod callback;
mod lost;
mod notice;
pub(crate) mod place;
mod promisify;
mod responder;
mod slot;
mod sync;
mod target;
mod tracker;

pub(crate) use callback::unused;
pub use callback::{AlreadySignalled, Callback, callback};
pub(crate) use notice::before_notices;
pub use place::Place;
pub use promisify::{callbackify, promisify};
pub(crate) use responder::{InvocationWaiter, Responder, Signal};
pub use tracker::Refused;

use crate::error::Error;
use futures::{future::FusedFuture, task::ArcWake};
use lost::Lost;
use place::{Attached, Origin};
use slot::Waiter;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::{self, Thread},
    time::{Duration, Instant},
};
use tracker::Tracker;

/// What a callback is called with.
type Outcome<R> = Result<Option<R>, Error>;

impl<R> Attached<Outcome<R>> for Tracker {
    fn lost(&self, origin: Origin) -> Outcome<R> {
        Err(Lost::here(origin).error())
    }
}

/// The half that waits for a [`Callback`](crate::Callback): a future of its one outcome.
///
/// `Ok(Some(result))` and `Err(error)` are what was signalled; `Ok(None)` is Node's
/// `callback(null)`, a success without a result. If every callback is dropped without a signal,
/// it ends at once with the error `Runtime.CallbackNotCalled`, which says what was lost.
///
/// It also blocks a plain thread: [`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout).
/// It needs no async runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> nodeback::Result<()> {
/// let (callback, completion) = nodeback::callback();
/// tokio::spawn(async move { callback.succeed(42) });
/// assert_eq!(completion.await?, Some(42));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// An outcome is taken by the poll that returns it and by no other: awaiting `&mut completion` in a
/// `select!` loses nothing. Dropping the completion closes it: signals that come later are refused.
/// Polled again after its outcome it stays pending; [`FusedFuture`] tells.
#[must_use = "a completion does nothing unless it is awaited or waited for"]
pub struct Completion<R> {
    waiter: Waiter<Outcome<R>, Tracker>,
}

impl<R> Completion<R> {
    /// Blocks this thread until the outcome is there.
    ///
    /// In async code `.await` it: blocking there may keep the very task from running that would
    /// call the callback.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback();
    /// std::thread::spawn(move || callback.fail::<_>("no order"));
    /// assert_eq!(completion.wait().map(|_: Option<u32>| ()).unwrap_err().message(), "no order");
    /// ```
    ///
    /// # Errors
    ///
    /// What was signalled, or `Runtime.CallbackNotCalled`.
    pub fn wait(mut self) -> Result<Option<R>, Error> {
        loop {
            if let Some(outcome) = self.block(None) {
                return outcome;
            }
        }
    }

    /// Blocks this thread until the outcome is there, for `timeout` at most. `None` means that
    /// nothing was signalled yet (or that the outcome was taken before); nothing is lost by it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (callback, mut completion) = nodeback::callback();
    /// assert!(completion.wait_timeout(Duration::from_millis(1)).is_none());
    /// callback.succeed("late");
    /// let outcome = completion.wait_timeout(Duration::from_secs(5)).unwrap();
    /// assert_eq!(outcome.unwrap(), Some("late"));
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Option<R>, Error>> {
        // A timeout beyond what a clock can tell has no end.
        self.block(Instant::now().checked_add(timeout))
    }

    fn block(&mut self, until: Option<Instant>) -> Option<Result<Option<R>, Error>> {
        struct Unpark(Thread);
        impl ArcWake for Unpark {
            fn wake_by_ref(this: &Arc<Self>) {
                this.0.unpark();
            }
        }

        let waker = futures::task::waker(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(signal) = self.waiter.poll(&mut cx) {
                return Some(signal);
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}

impl<R> Future for Completion<R> {
    type Output = Result<Option<R>, Error>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.waiter.poll(cx)
    }
}

impl<R> FusedFuture for Completion<R> {
    fn is_terminated(&self) -> bool {
        self.waiter.is_done()
    }
}

impl<R> fmt::Debug for Completion<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("taken", &self.waiter.is_done())
            .finish()
    }
}
