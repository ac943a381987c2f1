//! One task of an invocation, as the handler sees it.

use super::{queue::Key, state::Invocation};
use crate::error::{Error, IntoError};
use std::{
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// What a task spawned through the context may end with: nothing, or a `Result`, whose error
/// fails the invocation as an unhandled rejection does in Node.
///
/// The parameter `M` keeps these apart for the compiler, which always finds it by itself.
#[diagnostic::on_unimplemented(
    message = "a task of an invocation cannot end with `{Self}`",
    note = "it ends with `()`, or with a `Result` whose error can be given as one (see `nodeback::IntoError`)"
)]
pub trait TaskOutput<M> {
    #[doc(hidden)]
    fn into_failure(self) -> Option<Error>;
}

impl TaskOutput<()> for () {
    fn into_failure(self) -> Option<Error> {
        None
    }
}

/// `async { loop { .. } }` ends with the never type.
#[diagnostic::do_not_recommend]
impl TaskOutput<std::convert::Infallible> for Never {
    fn into_failure(self) -> Option<Error> {
        self
    }
}

/// The never type, which stable Rust cannot name directly.
pub(super) type Never = <fn() -> ! as never::Returns>::Type;

mod never {
    pub trait Returns {
        type Type;
    }

    impl<T> Returns for fn() -> T {
        type Type = T;
    }
}

impl<T, E: IntoError<M>, M> TaskOutput<(M,)> for Result<T, E> {
    fn into_failure(self) -> Option<Error> {
        self.err().map(IntoError::into_error)
    }
}

/// A task that was still running: the place where it was spawned, which names it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json};
///
/// let handler = |_: Value, context: Context, callback: Callback| {
///     context.set_callback_waits_for_empty_event_loop(false);
///     context.spawn(std::future::pending::<()>());
///     callback.succeed(json!("sent at once"));
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// println!("left over: the {}", outcome.leftover[0]); // task spawned at src/main.rs:5:13
/// # assert_eq!(outcome.leftover.len(), 1);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leftover {
    /// A task spawned through the context, there.
    Task(&'static Location<'static>),
    /// A timer of [`set_timeout`](crate::set_timeout), set there.
    Timeout(&'static Location<'static>),
    /// A function given to [`set_immediate`](crate::set_immediate), there.
    Immediate(&'static Location<'static>),
    /// Work that was given to `context.wait_until`, there.
    WaitUntil(&'static Location<'static>),
    /// What the handler itself had still to do after the answer.
    Handler,
}

impl Leftover {
    /// Whether a deferred response waits for it.
    pub(super) fn holds_the_response(self) -> bool {
        !matches!(self, Leftover::WaitUntil(_))
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leftover::Task(location) => write!(f, "task spawned at {location}"),
            Leftover::Timeout(location) => write!(f, "timer set at {location}"),
            Leftover::Immediate(location) => write!(f, "immediate set at {location}"),
            Leftover::WaitUntil(location) => write!(f, "work passed to wait_until at {location}"),
            Leftover::Handler => f.write_str("rest of the handler"),
        }
    }
}

/// A task of an invocation. Dropping it does not stop the task.
///
/// As a future it ends when the task has ended, in whatever way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json};
///
/// let handler = |_: Value, context: Context, callback: Callback| {
///     let timer = context.spawn(std::future::pending::<()>());
///     timer.abort(); // Node's clearTimeout
///     callback.succeed(json!("not held up"));
/// };
/// let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
/// assert!(outcome.leftover.is_empty());
/// # }
/// ```
pub struct Task(Option<(Arc<Invocation>, Key)>);

impl Task {
    pub(super) fn new(invocation: &Arc<Invocation>, key: Key) -> Self {
        Task(Some((Arc::clone(invocation), key)))
    }

    /// Which one it is, if it could be run.
    pub(super) fn key(&self) -> Option<Key> {
        self.0.as_ref().map(|(_, key)| *key)
    }

    /// A task that could not be run.
    pub(super) fn ended() -> Self {
        Task(None)
    }

    /// Stops the task at its next `.await`. A blocking one that has begun runs on.
    ///
    /// See [`Task`] for an example.
    pub fn abort(&self) {
        if let Some((invocation, key)) = &self.0 {
            invocation.abort(*key);
        }
    }

    /// Whether the task has ended.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut task = nodeback::Context::default().spawn(async {});
    /// assert!(!task.is_finished());
    /// (&mut task).await;
    /// assert!(task.is_finished());
    /// # }
    /// ```
    pub fn is_finished(&self) -> bool {
        let task = self.0.as_ref();
        task.is_none_or(|(invocation, key)| invocation.has_ended(*key))
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some((invocation, key)) = &self.0 else {
            return Poll::Ready(());
        };
        let ended = invocation.poll_ended(*key, cx);
        if ended.is_ready() {
            self.0 = None;
        }
        ended
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("finished", &self.is_finished())
            .finish()
    }
}
