//! The state of an event loop, which a lock guards: the tasks that have not ended, and the lists of
//! those that are ready, in the order in which they run.
//!
//! No user code runs in this module, not even a destructor: it would run under the lock. Methods
//! return what has to be dropped, and their callers drop it after releasing the lock.

use super::unfinished::UnfinishedTask;
use crate::{completion::Responder, error::Error, guard::Guarded};
use futures::future::BoxFuture;
use slab::Slab;
use std::{
    collections::VecDeque,
    future::Future,
    mem,
    task::{Context, Waker},
};
use tokio::task::AbortHandle;

/// The future of a task: it ends with the error that the task failed with, if it did.
pub(super) type TaskFuture = BoxFuture<'static, Option<Error>>;

pub(super) type GuardedFuture = Guarded<dyn Future<Output = Option<Error>> + Send>;

#[derive(Default)]
pub(super) struct Queue {
    /// How many tasks were spawned so far.
    pub(super) spawned: u64,
    /// The tasks that have not ended.
    pub(super) tasks: Slab<Entry>,
    /// The future of the handler, once it has been pending. Its waker is the invocation itself.
    pub(super) handler: Option<Entry>,
    /// Whether the handler was woken before it had an entry, and so is on the list already.
    pub(super) handler_woken: bool,
    ready: Fifo,
    /// Timers of `set_timeout` that were just set or are due. They run when no task is ready.
    timers: VecDeque<Key>,
    /// Functions of `set_immediate`. They run when no task is ready and no timer is due.
    immediates: VecDeque<Key>,
    /// How many tasks a deferred response waits for.
    pub(super) deferring: usize,
    /// Whether a driver or `rest.rs` polls the loop. If not, whatever adds a task has to start
    /// that.
    pub(super) polled: bool,
    /// Whether a turn is running, so that its caller need not be woken. It stays set after a turn
    /// that ends for another reason than an empty queue: the caller of such a turn either is woken
    /// anyway or comes back to the queue before it waits.
    pub(super) turning: bool,
    /// Wakes the task that polls the loop.
    pub(super) waker: Option<Waker>,
    /// The first failure of a task, until the outcome is claimed.
    pub(super) failure: Failure,
    /// Holds a handle of the callback, so that it does not count as never called while tasks run:
    /// one of them may still signal, or fail with a better reason.
    pub(super) keep: Keep,
}

/// A queue whose first item needs no allocation, since usually there is only one.
#[derive(Default)]
struct Fifo {
    first: Option<Key>,
    others: VecDeque<Key>,
}

impl Fifo {
    fn push_back(&mut self, key: Key) {
        if self.first.is_none() && self.others.is_empty() {
            self.first = Some(key);
        } else {
            self.others.push_back(key);
        }
    }

    fn pop_front(&mut self) -> Option<Key> {
        self.first.take().or_else(|| self.others.pop_front())
    }
}

#[derive(Default)]
pub(super) enum Failure {
    #[default]
    None,
    First(Error),
    /// The outcome is claimed, so failures are logged instead.
    Logged,
}

#[derive(Default)]
pub(super) enum Keep {
    /// Nothing waits for a signal: no driver has started, or the outcome is claimed.
    #[default]
    Nothing,
    /// The loop was empty, so the handle was dropped. A task that is added through a context brings
    /// a new one.
    Empty,
    Handle(Responder),
}

/// Identifies a task: by its index in the slab, which is used again for later tasks, and by its
/// serial number, which is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    index: usize,
    pub(super) serial: u64,
}

/// The serial number of the handler. Those of tasks start at 1.
pub(super) const HANDLER_SERIAL: u64 = 0;

pub(super) const HANDLER: Key = Key {
    index: usize::MAX,
    serial: HANDLER_SERIAL,
};

pub(super) struct Entry {
    pub(super) serial: u64,
    pub(super) name: UnfinishedTask,
    /// The future and its waker. `None` while the task is polled.
    pub(super) future: Option<(GuardedFuture, Waker)>,
    /// Whether it is on one of the lists of what is ready.
    pub(super) queued: bool,
    pub(super) aborted: bool,
    /// Stops a blocking function that has not begun yet.
    pub(super) blocking: Option<AbortHandle>,
    /// Wakes the future that awaits the end of the task.
    pub(super) joiner: Option<Waker>,
}

impl Entry {
    /// Creates an entry for a task that its caller adds to its list.
    pub(super) fn new(key: Key, name: UnfinishedTask, future: GuardedFuture, waker: Waker) -> Self {
        Entry {
            serial: key.serial,
            name,
            future: Some((future, waker)),
            queued: true,
            aborted: false,
            blocking: None,
            joiner: None,
        }
    }
}

/// Whether the event loop still has to be polled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Left {
    Nothing,
    /// Tasks are left. The caller has to keep polling, or to call
    /// [`poll_rest`](super::state::Invocation::poll_rest).
    Tasks,
}

/// The next step of a turn.
pub(super) enum Step {
    Failed(Error),
    Poll(Key, GuardedFuture, Waker),
    Aborted(Entry),
    Yield,
    Idle {
        empty: bool,
        /// The previous waker, to be dropped after the lock is released: it may be user code.
        _waker: Option<Waker>,
    },
}

impl Queue {
    /// Creates the queue of an invocation that a driver polls. `keep` is a handle of its callback.
    pub(super) fn driven(keep: Responder) -> Self {
        Queue {
            polled: true,
            keep: Keep::Handle(keep),
            ..Queue::default()
        }
    }

    /// Takes the next step of a turn. `immediates` is how many immediates the turn may still run:
    /// those that were set when it began. An immediate that another one sets runs in a later turn,
    /// as in Node.
    pub(super) fn step(&mut self, immediates: &mut Option<usize>, cx: &Context<'_>) -> Step {
        self.turning = true;
        match mem::take(&mut self.failure) {
            Failure::First(error) => return Step::Failed(error),
            other => self.failure = other,
        }
        let immediates = immediates.get_or_insert(self.immediates.len());
        loop {
            let next = match self.ready.pop_front().or_else(|| self.timers.pop_front()) {
                // What is left was set by immediates of this turn. Timers and sockets come first.
                None if *immediates == 0 && !self.immediates.is_empty() => return Step::Yield,
                None => {
                    *immediates = immediates.saturating_sub(1);
                    self.immediates.pop_front()
                }
                next => next,
            };
            let Some(key) = next else {
                return self.idle(cx);
            };
            // The task may have ended since it was added to the list.
            let Some(entry) = self.get(key) else {
                continue;
            };
            entry.queued = false;
            if entry.aborted {
                if let Some(entry) = self.remove(key) {
                    return Step::Aborted(entry);
                }
            } else if let Some((future, waker)) = entry.future.take() {
                return Step::Poll(key, future, waker);
            }
        }
    }

    /// Ends a turn in which no task is ready. From here on, a task that becomes ready wakes the
    /// caller of the turn. The caller holds the lock, so none can become ready unnoticed.
    pub(super) fn idle(&mut self, cx: &Context<'_>) -> Step {
        self.turning = false;
        let same = self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        let before = (!same).then(|| self.waker.replace(cx.waker().clone()));
        Step::Idle {
            empty: self.deferring == 0,
            _waker: before.flatten(),
        }
    }

    /// Adds a task to the list of its kind.
    pub(super) fn push(&mut self, key: Key, name: UnfinishedTask) {
        match name {
            UnfinishedTask::Timeout { .. } => self.timers.push_back(key),
            UnfinishedTask::Immediate { .. } => self.immediates.push_back(key),
            _ => self.ready.push_back(key),
        }
    }

    /// Moves timers and immediates behind the ready tasks. A turn that ends at its limit calls
    /// this, since tasks that are always ready would keep them from ever running.
    pub(super) fn queue_timers_and_immediates(&mut self) {
        let waiting = self.timers.drain(..).chain(self.immediates.drain(..));
        waiting.for_each(|key| self.ready.push_back(key));
    }

    /// Stores the future of a task that is pending. If the task was aborted during the poll,
    /// removes and returns its entry.
    pub(super) fn put_back(
        &mut self,
        key: Key,
        future: &mut Option<(GuardedFuture, Waker)>,
    ) -> Option<Entry> {
        let entry = self.get(key)?;
        entry.future = future.take();
        if entry.aborted {
            self.remove(key)
        } else {
            None
        }
    }

    /// Returns the key of the task that is inserted next.
    pub(super) fn next_key(&mut self) -> Key {
        self.spawned += 1;
        Key {
            index: self.tasks.vacant_key(),
            serial: self.spawned,
        }
    }

    /// Marks the loop as no longer polled if it is empty. The next task that is added starts the
    /// polling again.
    pub(super) fn stop_polling_if_empty(&mut self) -> Left {
        self.turning = false;
        if !self.is_empty() {
            return Left::Tasks;
        }
        self.polled = false;
        Left::Nothing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.handler.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Entry)> {
        let handler = self.handler.iter().map(|entry| (HANDLER, entry));
        let tasks = self.tasks.iter().map(|(index, entry)| {
            let serial = entry.serial;
            (Key { index, serial }, entry)
        });
        tasks.chain(handler)
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Entry> {
        if key == HANDLER {
            return self.handler.as_mut();
        }
        let entry = self.tasks.get_mut(key.index)?;
        (entry.serial == key.serial).then_some(entry)
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Entry> {
        self.get(key)?;
        let entry = match key {
            HANDLER => self.handler.take(),
            key => self.tasks.try_remove(key.index),
        }?;
        if entry.name.defers_the_response() {
            self.deferring -= 1;
        }
        Some(entry)
    }

    /// Returns the waker of the task that polls the loop, unless it is in a turn right now.
    pub(super) fn to_wake(&self) -> Option<Waker> {
        if self.turning {
            None
        } else {
            self.waker.clone()
        }
    }
}

/// Returns the names in the order in which the tasks were spawned. The handler comes last.
pub(super) fn in_order(mut names: Vec<(Key, UnfinishedTask)>) -> Vec<UnfinishedTask> {
    names.sort_by_key(|(key, _)| (*key == HANDLER, key.serial));
    names.into_iter().map(|(_, name)| name).collect()
}
