//! The event loop of one invocation: its handler and its tasks, polled in turn by one tokio task.
//!
//! That is Node's model, where the JavaScript of an environment runs on one thread. It is what keeps
//! Node's order on every flavor of tokio: tasks that are ready run first in, first out, and timers of
//! the same time fire in the order in which they were set, which tokio does for the timers of one
//! task. It also makes emptiness something that can be asked for: an invocation whose loop is empty
//! has nobody left who could answer it, unless a handle of its callback lives elsewhere.
//!
//! Tasks are added and woken from any thread. Only [`Invocation::turn`] polls, and it runs in one
//! place at a time: in the driver while the invocation lives, and in a tokio task of its own for what
//! runs on after that (`rest.rs`).

use super::{
    current,
    queue::{Entry, Failure, GuardedFuture, HANDLER, Key, Step},
    state::Invocation,
    timeline::{AbortCause, TaskEnd},
    unfinished::UnfinishedTask,
};
use crate::{
    completion::before_notices,
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

/// How many tasks are polled before other tasks of the tokio runtime have their turn, timers and
/// sockets among them.
const TURN: usize = 128;

/// Puts a task on the list of those that are ready.
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
    /// The caller has what it looked for.
    Found(T),
    /// A task failed before the invocation was answered.
    Failed(Error),
    /// Nothing is ready. `waker` of the caller is called when something is.
    Idle {
        /// Whether nothing is left that the response waits for.
        empty: bool,
    },
    /// It is the turn of others: of tokio's tasks, or of its timers and sockets. The caller is woken
    /// after that.
    Yielded,
}

impl Invocation {
    fn make_ready(&self, key: Key) {
        let mut queue = self.queue.lock();
        let name = if let Some(entry) = queue.get(key).filter(|entry| !entry.queued) {
            entry.queued = true;
            entry.name
        } else if key == HANDLER && queue.handler.is_none() && !queue.handler_woken {
            // As it is polled for the first time.
            queue.handler_woken = true;
            UnfinishedTask::Handler
        } else {
            // It has ended, or is on its list.
            return;
        };
        queue.push(key, name);
        let waker = queue.to_wake();
        drop(queue);
        waker.iter().for_each(Waker::wake_by_ref);
    }

    /// Runs what is ready, until `found` finds what the caller looks for: it is asked before each
    /// task. The loop is the current one meanwhile.
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
                // A task that has used up the budget of this tokio task would find everything pending,
                // and lose its place to those behind it.
                if polled == TURN || polled > 0 && !coop::has_budget_remaining() {
                    self.queue.lock().no_immediate_starves();
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
                        // Wakes the caller once timers and sockets have had their turn, where a plain
                        // wake may come before that.
                        let _ = pin!(tokio::task::yield_now()).poll(cx);
                        break;
                    }
                }
            }
            Turn::Yielded
        })
    }

    /// Polls a task. Returns the panic of the handler, which counts more than what the same poll may
    /// have signalled.
    fn poll_task(
        self: &Arc<Self>,
        key: Key,
        mut future: GuardedFuture,
        waker: Waker,
    ) -> Option<Error> {
        self.record(|recorder| recorder.runs(key.serial));
        let poll = || future.poll_unguarded(&mut Context::from_waker(&waker));
        let polled = before_notices(poll);
        self.record(|recorder| recorder.polled(key.serial, &polled));
        let ended = match polled {
            Ok(Poll::Pending) => {
                // What is left of it is dropped when the lock is released.
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

    /// Keeps a failure for the response, or logs it.
    fn ended(&self, name: UnfinishedTask, ended: Result<Option<Error>, Panic>) -> Option<Error> {
        let (error, panicked) = match ended {
            Ok(error) => (error?, false),
            Err(panic) => (Error::panic(panic), true),
        };
        let mut queue = self.queue.lock();
        match queue.failure {
            // What runs after the response never alters it.
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

    /// Ends a task that was aborted. A panic of its destructor is one of the task.
    fn end_aborted(&self, mut entry: Entry) {
        self.record(|recorder| {
            let end = TaskEnd::aborted(AbortCause::Handle);
            recorder.ended(entry.serial, None, end);
        });
        let (name, future) = (entry.name, entry.future.take());
        let dropped = before_notices(|| future.map(|(future, _)| future.drop_unguarded()));
        self.end(entry);
        // The handler has no handle that could abort it.
        let _ = self.ended(name, dropped.map(|_| None));
    }

    /// Ends a task: drops what is left of it, and wakes whoever awaits that.
    pub(super) fn end(&self, mut entry: Entry) {
        drop(entry.future.take());
        if let Some(joiner) = entry.joiner.take() {
            let _ = guarded(|| joiner.wake());
        }
    }
}

/// What a [`Task`](super::task::Task) asks.
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
