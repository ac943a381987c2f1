//! The names of tasks.

use std::{fmt, panic::Location};

/// A task that was still running when its invocation was over, identified by where it was spawned.
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
/// println!("still running: the {}", outcome.unfinished_tasks[0]); // task spawned at src/main.rs:5:13
/// # assert_eq!(outcome.unfinished_tasks.len(), 1);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfinishedTask {
    /// A task of [`spawn`](crate::spawn()) or [`Context::spawn`](crate::Context::spawn).
    #[non_exhaustive]
    Spawned {
        /// The call that spawned it.
        at: &'static Location<'static>,
    },
    /// A timer of [`set_timeout`](crate::set_timeout).
    #[non_exhaustive]
    Timeout {
        /// The call that set it.
        at: &'static Location<'static>,
    },
    /// A function given to [`set_immediate`](crate::set_immediate).
    #[non_exhaustive]
    Immediate {
        /// The call that set it.
        at: &'static Location<'static>,
    },
    /// Work that was passed to [`Context::wait_until`](crate::Context::wait_until).
    #[non_exhaustive]
    WaitUntil {
        /// The call that it was passed to.
        at: &'static Location<'static>,
    },
    /// The rest of the handler itself, after its response.
    Handler,
}

impl UnfinishedTask {
    #[track_caller]
    pub(super) fn spawned() -> Self {
        let at = Location::caller();
        UnfinishedTask::Spawned { at }
    }

    #[track_caller]
    pub(super) fn timeout() -> Self {
        let at = Location::caller();
        UnfinishedTask::Timeout { at }
    }

    #[track_caller]
    pub(super) fn immediate() -> Self {
        let at = Location::caller();
        UnfinishedTask::Immediate { at }
    }

    #[track_caller]
    pub(super) fn wait_until() -> Self {
        let at = Location::caller();
        UnfinishedTask::WaitUntil { at }
    }

    /// Whether a deferred response waits for this task.
    pub(super) fn defers_the_response(self) -> bool {
        !matches!(self, UnfinishedTask::WaitUntil { .. })
    }
}

impl fmt::Display for UnfinishedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnfinishedTask::Spawned { at } => write!(f, "task spawned at {at}"),
            UnfinishedTask::Timeout { at } => write!(f, "timer set at {at}"),
            UnfinishedTask::Immediate { at } => write!(f, "immediate set at {at}"),
            UnfinishedTask::WaitUntil { at } => write!(f, "work passed to wait_until at {at}"),
            UnfinishedTask::Handler => f.write_str("rest of the handler"),
        }
    }
}
