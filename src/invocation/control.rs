//! How the driver controls an event loop, apart from polling it: it asks what is running and
//! whether a deferred response can be sent, and stops tasks.

use super::{
    current,
    queue::{Entry, Failure, Keep, Left, Queue, in_order},
    state::Invocation,
    timeline::{AbortCause, TaskEnd},
    unfinished::UnfinishedTask,
};
use crate::{completion::Responder, guard::guarded};
use parking_lot::MutexGuard;
use std::{mem, sync::Arc};

impl Invocation {
    /// Drops the queue's handle of the callback if the loop is empty. Once all other handles are
    /// dropped, too, the callback counts as never called.
    pub(super) fn release_callback(&self) {
        let mut queue = self.queue.lock();
        if !queue.is_empty() || !matches!(queue.keep, Keep::Handle(_)) {
            return;
        }
        let kept = mem::replace(&mut queue.keep, Keep::Empty);
        drop(queue);
        drop(kept);
    }

    /// Returns a handle of the callback, while the queue has one.
    pub(super) fn kept(&self) -> Option<Responder> {
        match &self.queue.lock().keep {
            Keep::Handle(keep) => Some(keep.to_keep()),
            Keep::Nothing | Keep::Empty => None,
        }
    }

    /// Prepares the loop for the time after the outcome is claimed: from here on, failures of tasks
    /// are logged and change nothing. `polls` says whether the caller is what polls the loop. If
    /// so, and if the loop is empty, the caller is no longer responsible for it.
    pub(super) fn claimed(&self, mut queue: MutexGuard<'_, Queue>, polls: bool) -> Left {
        let before = mem::replace(&mut queue.failure, Failure::Logged);
        let kept = mem::take(&mut queue.keep);
        let left = if polls {
            queue.stop_polling_if_empty()
        } else {
            Left::Tasks
        };
        drop(queue);
        drop(kept);
        if let Failure::First(error) = before {
            self.span
                .in_scope(|| tracing::error!("a task failed: {error:#}"));
        }
        left
    }

    /// Whether a deferred response can be sent: no task is left that it waits for, and none has
    /// failed.
    pub(super) fn may_respond(&self) -> bool {
        let queue = self.queue.lock();
        queue.deferring == 0 && !matches!(queue.failure, Failure::First(_))
    }

    /// Whether a deferred response waits for a task that was not aborted. An aborted task ends in
    /// the next turn and corresponds to a timer that was cleared in Node, which defers nothing.
    pub(super) fn is_deferring(&self) -> bool {
        let queue = self.queue.lock();
        let mut entries = queue.iter().map(|(_, entry)| entry);
        entries.any(|entry| !entry.aborted && entry.name.defers_the_response())
    }

    /// Whether work of `wait_until` is left.
    pub(super) fn is_waiting(&self) -> bool {
        let queue = self.queue.lock();
        queue.iter().count() > queue.deferring
    }

    /// Whether the handler or work of `wait_until` is still running or, if `all` is set, any task.
    pub(super) fn is_busy(&self, all: bool) -> bool {
        let queue = self.queue.lock();
        let waiting = queue.iter().count() > queue.deferring;
        queue.handler.is_some() || waiting || (all && !queue.is_empty())
    }

    /// Marks the loop as no longer polled if it is empty. The next task that is added starts the
    /// polling again.
    pub(super) fn stop_polling_if_empty(&self) -> Left {
        self.queue.lock().stop_polling_if_empty()
    }

    /// Returns the handler and the tasks that have not ended.
    pub(super) fn running(&self) -> Vec<UnfinishedTask> {
        let queue = self.queue.lock();
        in_order(queue.iter().map(|(key, entry)| (key, entry.name)).collect())
    }

    /// Stops the tasks that `which` selects, and returns their names. A blocking function that has
    /// begun cannot be stopped. Its name is returned, too, and it stays in the queue.
    pub(super) fn stop(
        self: &Arc<Self>,
        cause: AbortCause,
        which: impl Fn(&UnfinishedTask) -> bool,
    ) -> Vec<UnfinishedTask> {
        let (mut names, mut stopped) = (Vec::new(), Vec::new());
        let mut queue = self.queue.lock();
        let keys: Vec<_> = queue.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(entry) = queue.get(key).filter(|entry| which(&entry.name)) else {
                continue;
            };
            names.push((key, entry.name));
            if let Some(blocking) = &entry.blocking {
                blocking.abort();
            } else {
                stopped.extend(queue.remove(key));
                self.record(|recorder| {
                    recorder.ended(key.serial, None, TaskEnd::aborted(cause));
                });
            }
        }
        drop(queue);
        self.end_all(stopped);
        in_order(names)
    }

    /// Removes all tasks, without waiting for blocking functions.
    pub(super) fn stop_all(self: &Arc<Self>) {
        let mut queue = self.queue.lock();
        let tasks = mem::take(&mut queue.tasks);
        let handler = queue.handler.take();
        queue.deferring = 0;
        drop(queue);
        self.end_all(tasks.into_iter().map(|(_, entry)| entry).chain(handler));
    }

    fn end_all(self: &Arc<Self>, entries: impl IntoIterator<Item = Entry>) {
        current::enter(self, || {
            for entry in entries {
                // Destructors are user code. Each is guarded separately, so that a panic does not
                // keep the other tasks from being dropped.
                let _ = guarded(|| self.end(entry));
            }
        });
    }
}
