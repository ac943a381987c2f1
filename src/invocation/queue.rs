//! What is ready in an event loop, in which order it runs, and what has not ended: the part of
//! `event_loop.rs` that is guarded by a lock. None of the user's code runs in here, not even a destructor.

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
    pub(super) spawned: u64,
    /// The tasks that have not ended.
    pub(super) tasks: Slab<Entry>,
    /// The handler's future, if it waits for something: a task whose waker is the invocation itself.
    pub(super) handler: Option<Entry>,
    /// Whether the handler was woken before that, and so is on the list.
    pub(super) handler_woken: bool,
    ready: Line,
    /// Of `set_timeout`, and due: they run when no task is ready.
    timers: VecDeque<Key>,
    /// Of `set_immediate`: they run when no timer is due either.
    immediates: VecDeque<Key>,
    /// How many tasks a deferred response waits for.
    pub(super) deferring: usize,
    /// Whether a driver or `rest.rs` polls the loop. What is ready waits for it.
    pub(super) polled: bool,
    /// Whether it does so at this moment, so that it need not be woken. A turn that found something
    /// leaves this set: whoever took the turn comes back to the queue before it waits.
    pub(super) turning: bool,
    /// Wakes it.
    pub(super) waker: Option<Waker>,
    /// The first failure of a task, until the invocation is answered.
    pub(super) failure: Failure,
    /// Keeps the callback from being lost while tasks run that could signal, or fail for a better
    /// reason. Only an invocation that a driver polls has one.
    pub(super) keep: Keep,
}

/// First in, first out. Most often there is but one, for which nothing is allocated.
#[derive(Default)]
struct Line {
    first: Option<Key>,
    others: VecDeque<Key>,
}

impl Line {
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
    /// The response has been sent, so a failure is logged instead.
    Logged,
}

#[derive(Default)]
pub(super) enum Keep {
    /// Nobody waits for a signal.
    #[default]
    Nothing,
    /// The loop is empty: whoever spawns has a handle, to be kept a copy of.
    Empty,
    Handle(Responder),
}

/// Which task: its index in the slab, which others may have had before, and how many were spawned
/// before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    index: usize,
    pub(super) serial: u64,
}

/// The handler's. Tasks count from 1.
pub(super) const HANDLER_SERIAL: u64 = 0;

pub(super) const HANDLER: Key = Key {
    index: usize::MAX,
    serial: HANDLER_SERIAL,
};

pub(super) struct Entry {
    pub(super) serial: u64,
    pub(super) name: UnfinishedTask,
    /// Away while it is polled.
    pub(super) future: Option<(GuardedFuture, Waker)>,
    /// Whether it is on one of the lists of what is ready.
    pub(super) queued: bool,
    pub(super) aborted: bool,
    /// Stops a function on a thread of its own, if that has not begun.
    pub(super) blocking: Option<AbortHandle>,
    /// Awaits its end.
    pub(super) joiner: Option<Waker>,
}

impl Entry {
    /// A task that is on the list of what is ready.
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

/// What is left of an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Left {
    Nothing,
    /// Whoever polls the loop has to go on, or to have [`go_on_alone`](Invocation::go_on_alone) do it.
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
        /// Dropped outside of the lock, as all that is not ours.
        _waker: Option<Waker>,
    },
}

impl Queue {
    /// The loop of an invocation that a driver polls. `keep` is a handle of its callback.
    pub(super) fn driven(keep: Responder) -> Self {
        Queue {
            polled: true,
            keep: Keep::Handle(keep),
            ..Queue::default()
        }
    }

    /// Takes the next step of a turn. `immediates` is how many of them are left to this turn: those
    /// that they set come with the next.
    pub(super) fn step(&mut self, immediates: &mut Option<usize>, cx: &Context<'_>) -> Step {
        self.turning = true;
        match mem::take(&mut self.failure) {
            Failure::First(error) => return Step::Failed(error),
            other => self.failure = other,
        }
        let immediates = immediates.get_or_insert(self.immediates.len());
        loop {
            let next = match self.ready.pop_front().or_else(|| self.timers.pop_front()) {
                // Timers and sockets have their turn before what an immediate sets.
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
            // It may have been stopped since.
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

    /// Ends a turn, in which nothing is ready any more. What becomes ready from here on wakes whoever
    /// polls.
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

    /// Puts a task on the list that it runs from.
    pub(super) fn push(&mut self, key: Key, name: UnfinishedTask) {
        match name {
            UnfinishedTask::Timeout { .. } => self.timers.push_back(key),
            UnfinishedTask::Immediate { .. } => self.immediates.push_back(key),
            _ => self.ready.push_back(key),
        }
    }

    /// A turn has come to its bound with tasks that are ready all the time.
    pub(super) fn no_immediate_starves(&mut self) {
        let waiting = self.timers.drain(..).chain(self.immediates.drain(..));
        waiting.for_each(|key| self.ready.push_back(key));
    }

    /// Keeps a task that is pending. If it was aborted meanwhile, it is given back.
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

    /// The key of the task that is inserted next.
    pub(super) fn next_key(&mut self) -> Key {
        self.spawned += 1;
        Key {
            index: self.tasks.vacant_key(),
            serial: self.spawned,
        }
    }

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

    /// What has to be woken, if the loop is not being polled at this moment.
    pub(super) fn to_wake(&self) -> Option<Waker> {
        if self.turning {
            None
        } else {
            self.waker.clone()
        }
    }
}

/// In the order in which they were spawned; the handler comes last.
pub(super) fn in_order(mut names: Vec<(Key, UnfinishedTask)>) -> Vec<UnfinishedTask> {
    names.sort_by_key(|(key, _)| (*key == HANDLER, key.serial));
    names.into_iter().map(|(_, name)| name).collect()
}
