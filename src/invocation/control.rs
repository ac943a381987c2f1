//! What the driver asks of an event loop beside polling it: what is running, whether a deferred response can
//! be sent, and to stop.

use super::{
    current,
    queue::{Entry, Failure, Keep, Left, in_order},
    state::Invocation,
    timeline::{AbortCause, TaskEnd},
    unfinished::UnfinishedTask,
};
use crate::completion::{Responder, before_notices};
use std::{mem, sync::Arc};

impl Invocation {
    /// The loop is empty: from here on the callback can be lost.
    pub(super) fn release_callback(&self) {
        let mut queue = self.queue.lock();
        if !queue.is_empty() || !matches!(queue.keep, Keep::Handle(_)) {
            return;
        }
        let kept = mem::replace(&mut queue.keep, Keep::Empty);
        drop(queue);
        drop(kept);
    }

    /// A handle of the invocation's callback, while it has not lost it.
    pub(super) fn kept(&self) -> Option<Responder> {
        match &self.queue.lock().keep {
            Keep::Handle(keep) => Some(keep.to_keep()),
            Keep::Nothing | Keep::Empty => None,
        }
    }

    /// The invocation is answered: from here on a failure of a task is logged and alters nothing.
    /// Whoever polls the loop gives that up, if it is empty.
    pub(super) fn answered(&self, polls: bool) -> Left {
        let mut queue = self.queue.lock();
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

    /// Whether a deferred response can be sent: nothing is left that it waits for, and nothing failed.
    pub(super) fn may_respond(&self) -> bool {
        let queue = self.queue.lock();
        queue.deferring == 0 && !matches!(queue.failure, Failure::First(_))
    }

    /// Whether a deferred response waits for a task that was not aborted. One that was ends in the next turn, as a timer does
    /// that Node has cleared.
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

    /// Whether a streaming handler still runs, or work of `wait_until`, or anything if all is waited for.
    pub(super) fn is_busy(&self, all: bool) -> bool {
        let queue = self.queue.lock();
        let waiting = queue.iter().count() > queue.deferring;
        queue.handler.is_some() || waiting || (all && !queue.is_empty())
    }

    /// Gives up the polling of the loop, if it is empty: whoever spawns then has it polled.
    pub(super) fn stop_polling_if_empty(&self) -> Left {
        self.queue.lock().stop_polling_if_empty()
    }

    /// What is running.
    pub(super) fn running(&self) -> Vec<UnfinishedTask> {
        let queue = self.queue.lock();
        in_order(queue.iter().map(|(key, entry)| (key, entry.name)).collect())
    }

    /// Stops what is running of one kind for a reason, and returns what that was. A function that has begun on a
    /// thread of its own cannot be stopped, and stays on the list.
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

    /// Stops all that is running, and waits for no thread.
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
                // Its destructors are the user's code, which is caught one by one.
                let _ = before_notices(|| self.end(entry));
            }
        });
    }
}
