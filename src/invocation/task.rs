//! The handle of a task.

use super::{queue::Key, state::Invocation};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A task of an invocation. Dropping it does not stop the task.
///
/// As a future, it ends when the task has completed, failed, or been aborted.
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
/// assert!(outcome.unfinished_tasks.is_empty());
/// # }
/// ```
pub struct Task(Option<(Arc<Invocation>, Key)>);

impl Task {
    pub(super) fn new(invocation: &Arc<Invocation>, key: Key) -> Self {
        Task(Some((Arc::clone(invocation), key)))
    }

    /// Returns the key of the task, if it could be run.
    pub(super) fn key(&self) -> Option<Key> {
        self.0.as_ref().map(|(_, key)| *key)
    }

    /// Returns the handle of a task that could not be run.
    pub(super) fn ended() -> Self {
        Task(None)
    }

    /// Stops the task at its next `.await`. A blocking function that has begun keeps running.
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
