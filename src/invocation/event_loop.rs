//! The event loop of one invocation: its handler and its tasks, all polled within one tokio task.
//!
//! This is Node's model, where the JavaScript of an environment runs on one thread. It keeps Node's
//! order on both flavors of the tokio runtime: ready tasks run first in, first out, and timers of
//! the same time fire in the order in which they were set, which tokio guarantees for the timers of
//! one tokio task. It also makes it possible to tell whether the loop is empty. If it is, nothing
//! is left that could signal, except for handles of the callback that other code keeps, such as a
//! thread.
//!
//! Tasks can be added and woken from any thread. Only [`Invocation::turn`] polls them, and it has
//! one caller at a time: the driver until the invocation is over, and then a tokio task of its own
//! that runs what is left (`rest.rs`).

use super::{
    current,
    queue::{Entry, Failure, GuardedFuture, HANDLER, Key, Step},
    state::Invocation,
    timeline::{AbortCause, TaskEnd},
    unfinished::UnfinishedTask,
};
use crate::{
    error::Error,
    guard::{Panic, guarded},
};
use futures::task::ArcWake;
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::task::coop;

/// How many tasks a turn polls before it returns to the tokio runtime, which then runs its other
/// tasks, its timers and its sockets.
const TURN: usize = 128;

/// The waker of a task, which adds the task to its list of the queue.
pub(super) struct TaskWaker {
    pub(super) invocation: Arc<Invocation>,
    pub(super) key: Key,
}

impl ArcWake for TaskWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        this.invocation.make_ready(this.key);
    }
}

impl ArcWake for Invocation {
    fn wake_by_ref(this: &Arc<Self>) {
        this.make_ready(HANDLER);
    }
}

/// How a turn of the loop ended.
pub(super) enum Turn<T> {
    /// `found` returned a value.
    Found(T),
    /// A task failed before the outcome was claimed.
    Failed(Error),
    /// No task is ready. The caller's waker is called when one is.
    Idle {
        /// Whether no task is left that a deferred response would wait for.
        empty: bool,
    },
    /// More tasks may be ready, but the tokio runtime gets to run other work first. The caller is
    /// woken after that.
    Yielded,
}

impl Invocation {
    fn make_ready(&self, key: Key) {
        let mut queue = self.queue.lock();
        let name = if let Some(entry) = queue.get(key).filter(|entry| !entry.queued) {
            entry.queued = true;
            entry.name
        } else if key == HANDLER && queue.handler.is_none() && !queue.handler_woken {
            // The handler was woken during its first poll, which `run_handler` makes before it has
            // an entry. `run_handler` reads this flag when it adds the entry.
            queue.handler_woken = true;
            UnfinishedTask::Handler
        } else {
            // The task has ended, or is on its list already.
            return;
        };
        queue.push(key, name);
        let waker = queue.to_wake();
        drop(queue);
        waker.iter().for_each(Waker::wake_by_ref);
    }

    /// Runs ready tasks until `found`, which is called before each of them, returns a value. The
    /// invocation is the current one in the meantime.
    pub(super) fn turn<T>(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        mut found: impl FnMut() -> Option<T>,
    ) -> Turn<T> {
        current::enter(self, || {
            let mut immediates = None;
            for polled in 0..=TURN {
                if let Some(found) = found() {
                    return Turn::Found(found);
                }
                // Once the budget of this tokio task is used up, all of tokio's resources are
                // pending. A task that is polled then waits although its resource is ready, and
                // tasks that become ready after it would overtake it. So the turn ends before that.
                if polled == TURN || polled > 0 && !coop::has_budget_remaining() {
                    self.queue.lock().queue_timers_and_immediates();
                    cx.waker().wake_by_ref();
                    break;
                }
                let step = self.queue.lock().step(&mut immediates, cx);
                match step {
                    Step::Aborted(entry) => self.end_aborted(entry),
                    Step::Poll(key, future, waker) => {
                        if let Some(error) = self.poll_task(key, future, waker) {
                            return Turn::Failed(error);
                        }
                    }
                    Step::Failed(error) => return Turn::Failed(error),
                    Step::Idle { empty, .. } => return Turn::Idle { empty },
                    Step::Yield => {
                        // Wakes the caller after the runtime has polled its timers and sockets.
                        // With `wake_by_ref`, the runtime may poll the caller again before that.
                        let _ = pin!(tokio::task::yield_now()).poll(cx);
                        break;
                    }
                }
            }
            Turn::Yielded
        })
    }

    /// Polls a task. Returns the error if the handler has panicked, since that takes precedence
    /// over a signal of the same poll.
    fn poll_task(
        self: &Arc<Self>,
        key: Key,
        mut future: GuardedFuture,
        waker: Waker,
    ) -> Option<Error> {
        self.record(|recorder| recorder.runs(key.serial));
        let poll = || future.poll_unguarded(&mut Context::from_waker(&waker));
        let polled = guarded(poll);
        self.record(|recorder| recorder.polled(key.serial, &polled));
        let ended = match polled {
            Ok(Poll::Pending) => {
                // `put_back` leaves the future here if the task has ended in the meantime. It is
                // then dropped after the lock is released, since its destructor is user code.
                let mut future = Some((future, waker));
                let aborted = self.queue.lock().put_back(key, &mut future);
                aborted
                    .into_iter()
                    .for_each(|entry| self.end_aborted(entry));
                return None;
            }
            Ok(Poll::Ready(error)) => Ok(error),
            Err(panic) => Err(panic),
        };
        let entry = self.queue.lock().remove(key)?;
        let name = entry.name;
        self.end(entry);
        self.ended(name, ended)
    }

    /// Handles the end of a task: keeps the first failure as the outcome, and logs any other.
    fn ended(&self, name: UnfinishedTask, ended: Result<Option<Error>, Panic>) -> Option<Error> {
        let (error, panicked) = match ended {
            Ok(error) => (error?, false),
            Err(panic) => (Error::panic(panic), true),
        };
        let mut queue = self.queue.lock();
        match queue.failure {
            // Work of `wait_until` does not affect the response.
            Failure::None if matches!(name, UnfinishedTask::WaitUntil { .. }) => {}
            Failure::None if panicked && name == UnfinishedTask::Handler => return Some(error),
            Failure::None => {
                queue.failure = Failure::First(error);
                return None;
            }
            Failure::First(_) | Failure::Logged => {}
        }
        drop(queue);
        tracing::error!("the {name} failed: {error:#}");
        None
    }

    /// Ends a task that was aborted. A panic of a destructor counts as a panic of the task.
    fn end_aborted(&self, mut entry: Entry) {
        self.record(|recorder| {
            let end = TaskEnd::aborted(AbortCause::Handle);
            recorder.ended(entry.serial, None, end);
        });
        let (name, future) = (entry.name, entry.future.take());
        let dropped = guarded(|| future.map(|(future, _)| future.drop_unguarded()));
        self.end(entry);
        // `ended` returns an error only for the handler, which has no `Task` that could abort it.
        let _ = self.ended(name, dropped.map(|_| None));
    }

    /// Drops the future of a task that has ended, and wakes the future that awaits its end.
    pub(super) fn end(&self, mut entry: Entry) {
        drop(entry.future.take());
        if let Some(joiner) = entry.joiner.take() {
            let _ = guarded(|| joiner.wake());
        }
    }
}

/// The implementation of [`Task`](super::task::Task).
impl Invocation {
    pub(super) fn abort(&self, key: Key) {
        let mut queue = self.queue.lock();
        match queue.get(key) {
            None => return,
            Some(Entry {
                blocking: Some(blocking),
                ..
            }) => return blocking.abort(),
            Some(entry) => entry.aborted = true,
        }
        drop(queue);
        self.make_ready(key);
    }

    pub(super) fn has_ended(&self, key: Key) -> bool {
        self.queue.lock().get(key).is_none()
    }

    pub(super) fn poll_ended(&self, key: Key, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut queue = self.queue.lock();
        let Some(entry) = queue.get(key) else {
            drop(queue);
            return Poll::Ready(());
        };
        let before = entry.joiner.replace(waker);
        drop(queue);
        drop(before);
        Poll::Pending
    }
}
