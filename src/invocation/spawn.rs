//! Adds tasks to an event loop, from any thread.

use super::{
    current,
    event_loop::TaskWaker,
    queue::{Entry, HANDLER, Keep, TaskFuture},
    state::Invocation,
    task::Task,
    unfinished::UnfinishedTask,
};
use crate::{
    completion::Responder,
    error::{Error, Result},
    guard::{Guarded, guarded},
};
use futures::task::waker;
use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{runtime::Handle, sync::oneshot};

impl Invocation {
    /// Adds a task. `keep` is the caller's handle of the callback, if it has one. The queue keeps a
    /// clone if it has dropped its own handle.
    pub(super) fn add(
        self: &Arc<Self>,
        name: UnfinishedTask,
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
        let woken = waker(Arc::new(TaskWaker {
            invocation: Arc::clone(self),
            key,
        }));
        queue.tasks.insert(Entry::new(key, name, future, woken));
        queue.push(key, name);
        // The lock is still held, so this is recorded before the task can run.
        self.record(|recorder| recorder.spawned(key.serial, name));
        if name.defers_the_response() {
            queue.deferring += 1;
        }
        if let (Keep::Empty, Some(keep)) = (&queue.keep, keep) {
            queue.keep = Keep::Handle(keep.to_keep());
        }
        let waker = queue.to_wake();
        drop(queue);
        waker.iter().for_each(Waker::wake_by_ref);
        if let Some(runtime) = runtime {
            self.spawn_rest(&runtime);
        }
        Task::new(self, key)
    }

    /// Returns the runtime for tasks that no driver polls: that of the invocation, or else the
    /// current one.
    pub(super) fn runtime(&self) -> Option<Handle> {
        let current = || Handle::try_current().ok();
        self.runtime.clone().or_else(current)
    }

    /// Polls the future of a handler for the first time, and adds it to the loop if it is pending.
    /// A panic of the future is not caught here.
    pub(super) fn run_handler(self: &Arc<Self>, future: TaskFuture) -> Result<(), Error> {
        let (mut future, waker) = (Guarded::new(future), waker(Arc::clone(self)));
        match future.poll_unguarded(&mut Context::from_waker(&waker)) {
            Poll::Ready(error) => error.map_or(Ok(()), Err),
            Poll::Pending => {
                let mut entry = Entry::new(HANDLER, UnfinishedTask::Handler, future, waker);
                let mut queue = self.queue.lock();
                entry.queued = queue.handler_woken;
                queue.handler = Some(entry);
                queue.deferring += 1;
                Ok(())
            }
        }
    }

    /// Runs `f` on a thread where it may block, and then `then` in the event loop. Both are one
    /// task.
    pub(super) fn add_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        name: UnfinishedTask,
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
                // The function was stopped before it began.
                Err(_) => None,
            }
        };
        // The task is added before the function can begin, so that a response that is signalled by
        // the function waits for it.
        let task = self.add(name, Box::pin(future), keep);
        let invocation = Arc::clone(self);
        let key = task.key();
        let begun = runtime.spawn_blocking(move || {
            let recorded = invocation.recorder.as_deref().zip(key);
            if let Some((recorder, key)) = recorded {
                recorder.runs(key.serial);
            }
            let ran = current::enter(&invocation, || guarded(f));
            if let Some((recorder, key)) = recorded {
                recorder.ran(key.serial);
            }
            // The receiver is gone if the invocation was dropped.
            let _ = end.send(ran);
        });
        if let Some(key) = key {
            if let Some(entry) = self.queue.lock().get(key) {
                entry.blocking = Some(begun.abort_handle());
            }
        }
        task
    }
}

fn no_runtime(name: UnfinishedTask) {
    tracing::error!("the {name} was dropped: there is no tokio runtime to run it");
}
