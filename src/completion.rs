//! The half that waits, and what enforces exactly-once.

use crate::{
    error::Error,
    panic::Loss,
    place::{Attached, Origin, Place},
    slot::Waiter,
};
use futures::{future::FusedFuture, task::ArcWake};
use parking_lot::Mutex;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// What is signalled.
pub(crate) type Signal<R> = Result<Option<R>, Error>;

/// A signal that came after the first one, and so changed nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json};
///
/// let twice = |_: Value, _: Context, callback: Callback| {
///     callback(None, Some(json!(1)));
///     callback(None, Some(json!(2)));
/// };
/// let outcome = nodeback::invoke(twice, json!({}), Context::default()).await;
/// assert_eq!(outcome.refused.len(), 1);
/// println!("{}", outcome.refused[0]); // signalled again at src/main.rs:6:5, after src/main.rs:5:5
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Where the first signal came from.
    pub first: Place,
    /// Where this one came from.
    pub again: Place,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signalled again at {}, after {}", self.again, self.first)
    }
}

/// The refused signals of one completion.
#[derive(Debug, Default)]
pub(crate) struct Tracker(Mutex<Option<Box<List>>>);

#[derive(Clone, Debug, Default)]
struct List {
    refused: Vec<Refused>,
    count: usize,
}

/// Refused signals beyond so many are counted, and neither kept nor logged: a handler that calls
/// its callback in a loop does not fill memory or the log.
const REFUSED_KEPT: usize = 16;

impl Tracker {
    /// Counts a refused signal, and reports it unless its caller is told.
    pub(crate) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        let earlier = {
            let mut list = self.0.lock();
            let list = list.get_or_insert_default();
            list.count += 1;
            if list.count <= REFUSED_KEPT {
                list.refused.push(Refused { first, again });
            }
            list.count - 1
        };
        if caller_is_told {
            return;
        }
        if earlier < REFUSED_KEPT {
            tracing::warn!(%first, %again, "callback signalled again: ignored");
        } else if earlier == REFUSED_KEPT {
            tracing::warn!("further signals of this callback are ignored and only counted");
        }
    }

    /// The refused signals so far, the first few of them, and how many there were.
    pub(crate) fn refused(&self) -> (Vec<Refused>, usize) {
        let list = self.0.lock().as_deref().cloned().unwrap_or_default();
        (list.refused, list.count)
    }
}

impl<R> Attached<Signal<R>> for Tracker {
    fn lost(&self, origin: Origin) -> Signal<R> {
        Err(Error::not_called(origin, &Loss::here()))
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
    pub(crate) waiter: Waiter<Signal<R>, Tracker>,
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
