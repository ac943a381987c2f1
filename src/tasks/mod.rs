//! What stands for Node's event loop: the work that belongs to one invocation.

mod task;

pub(crate) use task::Returned;
pub use task::{Leftover, Task, TaskOutput};

use crate::{
    error::Error,
    panic::{self, Catcher, Panic},
};
use futures::task::AtomicWaker;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{runtime::Handle, task::AbortHandle};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

/// The tasks of one invocation.
pub(crate) struct Tasks {
    /// Those that a success waits for. Most invocations have none.
    held: OnceLock<TaskTracker>,
    /// Those of `wait_until`, which go on after the answer.
    after: OnceLock<TaskTracker>,
    running: Mutex<Running>,
    failure: Mutex<Failure>,
    failed: AtomicWaker,
    runs: AtomicU64,
    /// The runs in which a handle was lost, and that are over.
    said: Mutex<Vec<u64>>,
    runtime: Option<Handle>,
    span: Span,
}

#[derive(Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (Leftover, Option<AbortHandle>)>,
}

enum Failure {
    None,
    First(Error),
    /// The answer is out: nothing alters it any more.
    Answered,
}

/// Takes a task off the list when it ends, is aborted or panics.
struct Listed {
    tasks: Arc<Tasks>,
    id: u64,
    name: Leftover,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.tasks.running.lock().tasks.remove(&self.id);
    }
}

impl Tasks {
    /// The tasks run on the current tokio runtime, if there is one.
    pub(crate) fn new(span: Span) -> Self {
        Tasks {
            held: OnceLock::new(),
            after: OnceLock::new(),
            running: Mutex::default(),
            failure: Mutex::new(Failure::None),
            failed: AtomicWaker::new(),
            runs: AtomicU64::new(0),
            said: Mutex::default(),
            runtime: Handle::try_current().ok(),
            span,
        }
    }

    pub(crate) fn spawn<F, M>(self: &Arc<Self>, name: Leftover, future: F) -> Task
    where
        F: Future<Output: TaskOutput<M>> + Send + 'static,
    {
        let Some(runtime) = self.runtime(name) else {
            return Task(None);
        };
        let listed = self.list(name);
        let id = listed.id;
        let future = async move {
            let mut future = pin!(future);
            let (ended, catcher) = poll_fn(|cx| {
                let catcher = listed.catcher();
                match panic::caught(catcher, || future.as_mut().poll(cx)) {
                    Ok(Poll::Pending) => {
                        listed.tasks.said_all(catcher);
                        Poll::Pending
                    }
                    Ok(Poll::Ready(output)) => Poll::Ready((Ok(output), catcher)),
                    Err(panic) => Poll::Ready((Err(panic), catcher)),
                }
            })
            .await;
            listed.ended(ended, catcher);
        };
        let task = self
            .tracker(name)
            .spawn_on(future.instrument(self.span.clone()), &runtime);
        if let Some((_, abort)) = self.running.lock().tasks.get_mut(&id) {
            *abort = Some(task.abort_handle());
        }
        Task(Some(task))
    }

    pub(crate) fn spawn_blocking<T, M>(
        self: &Arc<Self>,
        name: Leftover,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Task
    where
        T: TaskOutput<M>,
    {
        let Some(runtime) = self.runtime(name) else {
            return Task(None);
        };
        let listed = self.list(name);
        let span = self.span.clone();
        let f = move || {
            span.in_scope(|| {
                let catcher = listed.catcher();
                let ended = panic::caught(catcher, f);
                listed.ended(ended, catcher);
            });
        };
        let task = self.tracker(name).spawn_blocking_on(f, &runtime);
        Task(Some(task))
    }

    fn runtime(&self, name: Leftover) -> Option<Handle> {
        let runtime = self.runtime.clone().or_else(|| Handle::try_current().ok());
        if runtime.is_none() {
            tracing::error!("the {name} was dropped: there is no tokio runtime to run it");
        }
        runtime
    }

    fn tracker(&self, name: Leftover) -> &TaskTracker {
        let tracker = if matches!(name, Leftover::WaitUntil(_)) {
            &self.after
        } else {
            &self.held
        };
        tracker.get_or_init(TaskTracker::new)
    }

    /// A run of a task has said all that it is going to say: no more of why it dropped the last
    /// handle, if it did.
    fn said_all(&self, catcher: Catcher) {
        if panic::take_lost() {
            self.said.lock().push(catcher.run);
            self.failed.wake();
        }
    }

    /// Whether a run of a task, in which the last handle was dropped, has said all.
    pub(crate) fn has_said_all(&self, catcher: Catcher) -> bool {
        self.said.lock().contains(&catcher.run)
    }

    /// What tells the tasks of one invocation from those of another, while they live.
    pub(crate) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn list(self: &Arc<Self>, name: Leftover) -> Listed {
        let mut running = self.running.lock();
        let id = running.next;
        running.next += 1;
        running.tasks.insert(id, (name, None));
        Listed {
            tasks: Arc::clone(self),
            id,
            name,
        }
    }

    /// Keeps a failure for the answer, or logs it if that is out.
    fn fail(&self, name: Leftover, error: Error) {
        let mut failure = self.failure.lock();
        match &*failure {
            // What runs after the answer never makes it.
            _ if matches!(name, Leftover::WaitUntil(_)) => {}
            Failure::None => {
                *failure = Failure::First(error);
                drop(failure);
                return self.failed.wake();
            }
            Failure::First(_) | Failure::Answered => {}
        }
        drop(failure);
        self.span
            .in_scope(|| tracing::error!("the {name} failed: {error:#}"));
    }

    /// The first failure of a task, while there is no answer.
    pub(crate) fn poll_failure(&self, cx: &mut Context<'_>) -> Poll<Error> {
        self.failed.register(cx.waker());
        self.take_failure().map_or(Poll::Pending, Poll::Ready)
    }

    pub(crate) fn take_failure(&self) -> Option<Error> {
        if !self.any_held() {
            return None;
        }
        let mut failure = self.failure.lock();
        match std::mem::replace(&mut *failure, Failure::None) {
            Failure::First(error) => Some(error),
            other => {
                *failure = other;
                None
            }
        }
    }

    /// From here on a failure is logged only.
    pub(crate) fn answered(&self) {
        let before = std::mem::replace(&mut *self.failure.lock(), Failure::Answered);
        if let Failure::First(error) = before {
            self.span
                .in_scope(|| tracing::error!("a task failed: {error:#}"));
        }
    }

    /// Whether the answer is out.
    pub(crate) fn has_answered(&self) -> bool {
        matches!(&*self.failure.lock(), Failure::Answered)
    }

    /// Whether there was ever anything that a success waits for, or that can fail.
    pub(crate) fn any_held(&self) -> bool {
        self.held.get().is_some()
    }

    /// Ends when nothing is running that a success waits for.
    pub(crate) async fn idle(&self) {
        ended(&self.held).await;
    }

    /// Ends when nothing of `wait_until` is running.
    pub(crate) async fn after(&self) {
        ended(&self.after).await;
    }

    /// What is running.
    pub(crate) fn running(&self) -> Vec<Leftover> {
        if !self.any_held() && self.after.get().is_none() {
            return vec![];
        }
        self.running
            .lock()
            .tasks
            .values()
            .map(|(name, _)| *name)
            .collect()
    }

    /// Stops what is running of one kind, and says what that was. What blocks cannot be stopped,
    /// and stays on the list.
    pub(crate) fn abort(&self, which: impl Fn(&Leftover) -> bool) -> Vec<Leftover> {
        let (mut names, mut stopped) = (Vec::new(), Vec::new());
        self.running.lock().tasks.retain(|_, (name, abort)| {
            if !which(name) {
                return true;
            }
            names.push(*name);
            let stoppable = abort.is_some();
            stopped.extend(abort.take());
            !stoppable
        });
        stopped.iter().for_each(AbortHandle::abort);
        names
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }
}

async fn ended(tracker: &OnceLock<TaskTracker>) {
    if let Some(tracker) = tracker.get() {
        tracker.close();
        tracker.wait().await;
    }
}

impl Listed {
    /// Who reports what a run of the task ends with: its invocation, which is not told of
    /// `wait_until`'s.
    fn catcher(&self) -> Catcher {
        if matches!(self.name, Leftover::WaitUntil(_)) {
            return panic::NOBODY;
        }
        let run = self.tasks.runs.fetch_add(1, Ordering::Relaxed);
        Catcher {
            owner: self.tasks.id(),
            run,
        }
    }

    fn ended<T: TaskOutput<M>, M>(self, ended: Result<T, Panic>, catcher: Catcher) {
        let (tasks, name) = (Arc::clone(&self.tasks), self.name);
        // Off the list first: what the output may yet signal ends the invocation.
        drop(self);
        // Turning a value of the handler's into an error runs code of the handler's.
        let failure =
            ended.and_then(|output| panic::caught(panic::NOBODY, || output.into_failure()));
        if let Some(error) = failure.unwrap_or_else(|panic| Some(Error::panic(panic))) {
            tasks.fail(name, error);
        }
        tasks.said_all(catcher);
    }
}
