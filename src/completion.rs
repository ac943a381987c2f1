//! The half that waits, and what enforces exactly-once.

use crate::{
    error::Error,
    panic::Loss,
    place::{Origin, Place},
    slot::{Payload, Waiter},
};
use futures::{future::FusedFuture, task::ArcWake};
use parking_lot::Mutex;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// The one signal of a completion.
pub(crate) struct Signal<R> {
    pub(crate) outcome: Result<Option<R>, Error>,
    /// Whether a success waits for the invocation's tasks.
    pub(crate) waits: bool,
}

impl<R> Payload for Signal<R> {
    type Dropped = (Origin, Loss);

    fn dropped(origin: Origin) -> Self::Dropped {
        (origin, Loss::here())
    }

    fn lost((origin, loss): Self::Dropped) -> Self {
        // Only the runtime knows what a lost callback means to it, and so whether it waits.
        Signal {
            outcome: Err(Error::not_called(origin, &loss)),
            waits: true,
        }
    }
}

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

/// What all the handles of one completion share beside its slot.
#[derive(Debug)]
pub(crate) struct Tracker {
    refused: Mutex<Vec<Refused>>,
    refused_count: AtomicUsize,
    /// Node's `callbackWaitsForEmptyEventLoop`.
    pub(crate) waits: AtomicBool,
    span: tracing::Span,
}

/// Refused signals beyond so many are counted, and neither kept nor logged: a handler that calls
/// its callback in a loop does not fill memory or the log.
const REFUSED_KEPT: usize = 16;

impl Tracker {
    /// `span` is the invocation's, for what is logged from any thread.
    pub(crate) fn new(span: tracing::Span) -> Self {
        Tracker {
            refused: Mutex::new(Vec::new()),
            refused_count: AtomicUsize::new(0),
            waits: AtomicBool::new(true),
            span,
        }
    }

    /// Counts a refused signal, and reports it unless its caller is told.
    pub(crate) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        let refused = Refused { first, again };
        let earlier = self.refused_count.fetch_add(1, Ordering::Relaxed);
        if earlier < REFUSED_KEPT {
            self.refused.lock().push(refused);
        }
        if !caller_is_told && earlier <= REFUSED_KEPT {
            self.span.in_scope(|| {
                if earlier < REFUSED_KEPT {
                    tracing::warn!(%first, %again, "callback signalled again: ignored");
                } else {
                    tracing::warn!("further signals of this callback are ignored and only counted");
                }
            });
        }
    }

    /// The refused signals so far, the first few of them, and how many there were.
    pub(crate) fn refused(&self) -> (Vec<Refused>, usize) {
        (
            self.refused.lock().clone(),
            self.refused_count.load(Ordering::Relaxed),
        )
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
                return Some(signal.outcome);
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.waiter.poll(cx).map(|signal| signal.outcome)
    }
}

impl<R> FusedFuture for Completion<R> {
    fn is_terminated(&self) -> bool {
        self.waiter.is_taken()
    }
}

impl<R> fmt::Debug for Completion<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("taken", &self.waiter.is_taken())
            .finish()
    }
}
