//! The half of the pair that waits.

use super::{
    call_site::Origin,
    never_called::DroppedHandle,
    slot::{Attached, Waiter},
    tracker::CompletionTracker,
};
use crate::error::Result;
use futures::{future::FusedFuture, task::ArcWake};
use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::{self, Thread},
    time::{Duration, Instant},
};

impl<R> Attached<Result<Option<R>>> for CompletionTracker {
    fn never_called(&self, origin: Origin) -> Result<Option<R>> {
        Err(DroppedHandle::here(origin).error())
    }
}

/// The half of the pair that waits: a future that resolves to the one outcome of a
/// [`Callback`](crate::Callback).
///
/// `Ok(Some(result))` and `Err(error)` are what was signalled; `Ok(None)` is Node's
/// `callback(null)`, a success without a result. If every callback is dropped without a signal, the
/// completion resolves at once to the error `Runtime.CallbackNotCalled`, which names the handle
/// that was dropped last.
///
/// A plain thread can block on it with [`wait`](Self::wait) or [`wait_for`](Self::wait_for). It
/// needs no async runtime.
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
/// Only the poll that returns the outcome takes it, so awaiting `&mut completion` in a `select!`
/// loses nothing. Dropping the completion closes it: later signals are rejected. After it has
/// returned its outcome, further polls stay pending, and [`FusedFuture::is_terminated`] returns
/// true.
#[must_use = "a completion does nothing unless it is awaited or waited for"]
pub struct Completion<R> {
    waiter: Waiter<Result<Option<R>>, CompletionTracker>,
}

impl<R> Completion<R> {
    pub(super) fn new(waiter: Waiter<Result<Option<R>>, CompletionTracker>) -> Self {
        Completion { waiter }
    }

    /// Blocks the current thread until there is an outcome, and returns it.
    ///
    /// In async code, `.await` the completion instead: blocking may prevent the task that would
    /// call the callback from running.
    ///
    /// ```
    /// let (callback, completion) = nodeback::callback();
    /// std::thread::spawn(move || callback.fail::<_>("no order"));
    /// assert_eq!(completion.wait().map(|_: Option<u32>| ()).unwrap_err().message(), "no order");
    /// ```
    ///
    /// # Errors
    ///
    /// The error that was signalled, or `Runtime.CallbackNotCalled`.
    pub fn wait(mut self) -> Result<Option<R>> {
        loop {
            if let Some(outcome) = self.block(None) {
                return outcome;
            }
        }
    }

    /// Blocks the current thread until there is an outcome, for at most `timeout`. A timeout loses
    /// nothing: the completion can be awaited or waited for again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> nodeback::Result<()> {
    /// let (callback, mut completion) = nodeback::callback();
    /// assert!(completion.wait_for(Duration::from_millis(1)).is_err());
    /// callback.succeed("late");
    /// assert_eq!(completion.wait_for(Duration::from_secs(5))??, Some("late"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if nothing was signalled in time, or if the outcome has already been taken. The
    /// inner result is what [`wait`](Self::wait) returns.
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Result<Option<R>>, TimedOut> {
        // A timeout whose end the clock cannot represent never ends.
        self.block(Instant::now().checked_add(timeout))
            .ok_or(TimedOut { timeout })
    }

    /// The earlier name and type of [`wait_for`](Self::wait_for), for programs that use them. It
    /// will be removed with the first release.
    #[doc(hidden)]
    #[deprecated(note = "use `wait_for`, whose timeout is an error of its own")]
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Option<R>>> {
        self.wait_for(timeout).ok()
    }

    fn block(&mut self, until: Option<Instant>) -> Option<Result<Option<R>>> {
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
    type Output = Result<Option<R>>;

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

/// The error of [`Completion::wait_for`]: nothing was signalled in time, or the outcome had already
/// been taken.
///
/// ```
/// use std::time::Duration;
///
/// let (_callback, mut completion) = nodeback::callback::<u32>();
/// let error = completion.wait_for(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(error.to_string(), "no outcome within 1ms");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// How long the call waited.
    pub timeout: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no outcome within {:?}", self.timeout)
    }
}

impl StdError for TimedOut {}
