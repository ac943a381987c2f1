//! How tasks come into an event loop, from any thread.

use super::{
    current,
    event_loop::TaskWaker,
    queue::{Entry, HANDLER, Keep, TaskFuture},
    state::Invocation,
    task::Task,
    unfinished::UnfinishedTask,
};
use crate::{
    completion::{Responder, before_notices},
    error::{Error, Result},
    guard::Guarded,
};
use futures::task::waker;
use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{runtime::Handle, sync::oneshot};

impl Invocation {
    /// Adds a task. `keep` is a handle of whoever adds it.
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
        // Before it can run.
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
                let mut entry = Entry::new(HANDLER, UnfinishedTask::Handler, future, waker);
                let mut queue = self.queue.lock();
                entry.queued = queue.handler_woken;
                queue.handler = Some(entry);
                queue.deferring += 1;
                Ok(())
            }
        }
    }

    /// Runs `f` on a thread where it may block, as a task, and `then` in the loop.
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
                // It was stopped before it began.
                Err(_) => None,
            }
        };
        // On the list before it begins, so that the response waits for it from then on.
        let task = self.add(name, Box::pin(future), keep);
        let invocation = Arc::clone(self);
        let key = task.key();
        let begun = runtime.spawn_blocking(move || {
            let recorded = invocation.recorder.as_deref().zip(key);
            if let Some((recorder, key)) = recorded {
                recorder.runs(key.serial);
            }
            let ran = current::enter(&invocation, || before_notices(f));
            if let Some((recorder, key)) = recorded {
                recorder.ran(key.serial);
            }
            // Nobody waits for it if its invocation was given up.
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
