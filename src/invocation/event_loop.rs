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
    queue::{Entry, Failure, GuardedFuture, HANDLER, Keep, Key, Left, Step, TaskFuture, in_order},
    state::Invocation,
    task::{Leftover, Task},
};
use crate::{
    completion::{Responder, before_notices},
    error::Error,
    guard::{Guarded, Panic, guarded},
};
use futures::task::{ArcWake, waker};
use std::{
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{runtime::Handle, sync::oneshot, task::coop};

/// How many tasks are polled before other tasks of the tokio runtime have their turn, timers and
/// sockets among them.
const TURN: usize = 128;

/// Puts a task on the list of those that are ready.
struct Wakes {
    invocation: Arc<Invocation>,
    key: Key,
}

impl ArcWake for Wakes {
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
    /// Adds a task. `keep` is a handle of whoever adds it.
    pub(super) fn add(
        self: &Arc<Self>,
        name: Leftover,
        future: TaskFuture,
        keep: Option<&Responder>,
    ) -> Task {
        let future = Guarded::new(future);
        let mut queue = self.queue.lock();
        let mut runtime = None;
        if !queue.polled {
            runtime = self.runtime();
            if runtime.is_none() {
                drop(queue);
                self.span.in_scope(|| no_runtime(name));
                return Task::ended();
            }
            queue.polled = true;
        }
        let key = queue.next_key();
        let woken = waker(Arc::new(Wakes {
            invocation: Arc::clone(self),
            key,
        }));
        queue.tasks.insert(Entry::new(key, name, future, woken));
        queue.push(key, name);
        if name.holds_the_response() {
            queue.holding += 1;
        }
        if let (Keep::Empty, Some(keep)) = (&queue.keep, keep) {
            queue.keep = Keep::Handle(keep.to_keep());
        }
        let waker = queue.to_wake();
        drop(queue);
        waker.iter().for_each(Waker::wake_by_ref);
        if let Some(runtime) = runtime {
            self.go_on_alone(&runtime);
        }
        Task::new(self, key)
    }

    /// Where tasks run that nobody polls: the runtime of the invocation, or else the current one.
    pub(super) fn runtime(&self) -> Option<Handle> {
        let current = || Handle::try_current().ok();
        self.runtime.clone().or_else(current)
    }

    /// Runs a handler's future: at once until it waits for something, and then as the task that was
    /// first. Panics as the future does.
    pub(super) fn run_handler(self: &Arc<Self>, future: TaskFuture) -> Result<(), Error> {
        let (mut future, waker) = (Guarded::new(future), waker(Arc::clone(self)));
        match future.poll_unguarded(&mut Context::from_waker(&waker)) {
            Poll::Ready(error) => error.map_or(Ok(()), Err),
            Poll::Pending => {
                let mut entry = Entry::new(HANDLER, Leftover::Handler, future, waker);
                let mut queue = self.queue.lock();
                entry.queued = queue.handler_woken;
                queue.handler = Some(entry);
                queue.holding += 1;
                Ok(())
            }
        }
    }

    /// Runs `f` on a thread where it may block, as a task, and `then` in the loop.
    pub(super) fn add_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        name: Leftover,
        f: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(T) -> Option<Error> + Send + 'static,
        keep: Option<&Responder>,
    ) -> Task {
        let Some(runtime) = self.runtime() else {
            self.span.in_scope(|| no_runtime(name));
            return Task::ended();
        };
        let (end, ended) = oneshot::channel();
        let future = async move {
            match ended.await {
                Ok(Ok(output)) => then(output),
                Ok(Err(panic)) => Some(Error::panic(panic)),
                // It was stopped before it began.
                Err(_) => None,
            }
        };
        // On the list before it begins, so that the response waits for it from then on.
        let task = self.add(name, Box::pin(future), keep);
        let invocation = Arc::clone(self);
        let begun = runtime.spawn_blocking(move || {
            // Nobody waits for it if its invocation was given up.
            let _ = end.send(current::enter(&invocation, || before_notices(f)));
        });
        if let Some(key) = task.key()
            && let Some(entry) = self.queue.lock().get(key)
        {
            entry.blocking = Some(begun.abort_handle());
        }
        task
    }

    fn make_ready(&self, key: Key) {
        let mut queue = self.queue.lock();
        let name = if let Some(entry) = queue.get(key).filter(|entry| !entry.queued) {
            entry.queued = true;
            entry.name
        } else if key == HANDLER && queue.handler.is_none() && !queue.handler_woken {
            // As it is polled for the first time.
            queue.handler_woken = true;
            Leftover::Handler
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
        let poll = || future.poll_unguarded(&mut Context::from_waker(&waker));
        let ended = match before_notices(poll) {
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
    fn ended(&self, name: Leftover, ended: Result<Option<Error>, Panic>) -> Option<Error> {
        let (error, panicked) = match ended {
            Ok(error) => (error?, false),
            Err(panic) => (Error::panic(panic), true),
        };
        let mut queue = self.queue.lock();
        match queue.failure {
            // What runs after the response never alters it.
            Failure::None if matches!(name, Leftover::WaitUntil(_)) => {}
            Failure::None if panicked && name == Leftover::Handler => return Some(error),
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
        let (name, future) = (entry.name, entry.future.take());
        let dropped = before_notices(|| future.map(|(future, _)| future.drop_unguarded()));
        self.end(entry);
        // The handler has no handle that could abort it.
        let _ = self.ended(name, dropped.map(|_| None));
    }

    /// Ends a task: drops what is left of it, and wakes whoever awaits that.
    fn end(&self, mut entry: Entry) {
        drop(entry.future.take());
        if let Some(joiner) = entry.joiner.take() {
            let _ = guarded(|| joiner.wake());
        }
    }

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
        queue.holding == 0 && !matches!(queue.failure, Failure::First(_))
    }

    /// Whether work of `wait_until` is left.
    pub(super) fn is_waiting(&self) -> bool {
        let queue = self.queue.lock();
        queue.iter().count() > queue.holding
    }

    /// Gives up the polling of the loop, if it is empty: whoever spawns then has it polled.
    pub(super) fn stop_polling_if_empty(&self) -> Left {
        self.queue.lock().stop_polling_if_empty()
    }

    /// What is running.
    pub(super) fn running(&self) -> Vec<Leftover> {
        let queue = self.queue.lock();
        in_order(queue.iter().map(|(key, entry)| (key, entry.name)).collect())
    }

    /// Stops what is running of one kind, and returns what that was. A function that has begun on a
    /// thread of its own cannot be stopped, and stays on the list.
    pub(super) fn stop(self: &Arc<Self>, which: impl Fn(&Leftover) -> bool) -> Vec<Leftover> {
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
        queue.holding = 0;
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

/// What a [`Task`] does.
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

fn no_runtime(name: Leftover) {
    tracing::error!("the {name} was dropped: there is no tokio runtime to run it");
}
