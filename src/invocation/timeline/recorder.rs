//! Records the timeline of an invocation, from any thread.

use super::{
    RespondedBy, TaskEnd, Timeline, TimelineEvent,
    record::{Moment, Record, bounded, text_of},
};
use crate::{
    error::{Error, Result},
    guard::Panic,
    invocation::{deadline::Limit, queue::HANDLER_SERIAL, unfinished::UnfinishedTask},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    task::Poll,
    thread::{self, ThreadId},
    time::Duration,
};
use tokio::{runtime::Handle, time::Instant};

/// The maximum number of tasks, in addition to the handler. Further tasks are only counted.
const TASKS: usize = 500;

/// Records the timeline of one invocation.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// The runtime of the invocation, whose clock a test may have paused.
    runtime: Option<Handle>,
    started: Instant,
    /// Whether nothing writes the log lines, so that they have to be captured.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(super) captures: bool,
    pub(super) record: Mutex<Record>,
}

impl Recorder {
    /// Starts the clock of a timeline.
    #[cold]
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Recorder {
            runtime: Handle::try_current().ok(),
            started: Instant::now(),
            #[cfg(any(feature = "lambda", feature = "local"))]
            captures: crate::log::has_no_subscriber(),
            record: Mutex::default(),
        })
    }

    /// Records which invocation this is.
    pub(in crate::invocation) fn begin(&self, request_id: &str, function_name: &str, limit: Limit) {
        let deadline = limit.deadline(Instant::now());
        let timeline = &mut self.record.lock().timeline;
        timeline.request_id = bounded(request_id);
        timeline.function_name = bounded(function_name);
        timeline.deadline =
            deadline.map(|deadline| deadline.saturating_duration_since(self.started));
    }

    /// Returns the timeline up to now.
    pub(crate) fn timeline(&self) -> Timeline {
        let record = self.record.lock();
        record.timeline(self.elapsed(record.last).max(record.last))
    }

    fn elapsed(&self, last: Duration) -> Duration {
        let now = match Handle::try_current() {
            // A thread that is ending has no access to the clock of its runtime.
            Err(error) if error.is_thread_local_destroyed() => return last,
            _ => {
                let _clock = self.runtime.as_ref().map(Handle::enter);
                Instant::now()
            }
        };
        now.saturating_duration_since(self.started)
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Record, Moment) -> T) -> T {
        let thread = current_thread();
        let mut record = self.record.lock();
        let at = self.elapsed(record.last).max(record.last);
        let moment = record.moment(at, thread);
        f(&mut record, moment)
    }

    fn note(&self, event: TimelineEvent) {
        self.with(|record, now| record.push(now, event));
    }
}

/// Called by the driver and the event loop.
impl Recorder {
    pub(in crate::invocation) fn event_read(&self, bytes: usize) {
        self.note(TimelineEvent::EventRead { bytes });
    }

    pub(in crate::invocation) fn handler_entered(&self) {
        self.with(|record, now| {
            record.push(now, TimelineEvent::HandlerEntered);
            record.add(now, HANDLER_SERIAL, UnfinishedTask::Handler);
        });
        self.runs(HANDLER_SERIAL);
    }

    /// Records that the handler returned, or that its future was polled for the first time.
    pub(in crate::invocation) fn handler_ran(
        &self,
        ran: &Result<Result<()>, Panic>,
        is_pending: bool,
    ) {
        self.ran(HANDLER_SERIAL);
        let end = match ran {
            Ok(Ok(())) if is_pending || self.record.lock().handler != HANDLER_SERIAL => return,
            Ok(returned) => TaskEnd::with(returned.as_ref().err()),
            Err(panic) => TaskEnd::panicked(panic),
        };
        self.ended(HANDLER_SERIAL, None, end);
    }

    pub(in crate::invocation) fn spawned(&self, serial: u64, kind: UnfinishedTask) {
        self.with(|record, now| {
            if kind == UnfinishedTask::Handler {
                record.handler = serial;
            } else if record.tasks.len() > TASKS {
                record.timeline.omitted_tasks += 1;
            } else {
                let task = serial;
                record.push(now, TimelineEvent::TaskSpawned { task, kind });
                record.add(now, serial, kind);
            }
        });
    }

    /// Records that a task runs on this thread from now on.
    pub(in crate::invocation) fn runs(&self, serial: u64) {
        let thread = current_thread();
        self.with(|record, now| {
            let id = record.id(serial);
            record
                .running
                .extend(thread.map(|thread| (thread, id, now)));
            if let Some(task) = record.tasks.get_mut(&id) {
                task.started.get_or_insert(now.at);
            }
        });
    }

    /// Records the end of a run on this thread, and returns when the run began.
    pub(in crate::invocation) fn ran(&self, serial: u64) -> Option<Moment> {
        let thread = current_thread();
        self.with(|record, now| {
            let id = record.id(serial);
            let is_it =
                |(of, task, _): &(ThreadId, u64, Moment)| Some(*of) == thread && *task == id;
            let at = record.running.iter().rposition(is_it)?;
            let (.., since) = record.running.remove(at);
            if let Some(task) = record.tasks.get_mut(&id) {
                task.ran(since.at, now.at);
            }
            Some(since)
        })
    }

    /// Records the end of a poll of a task.
    pub(in crate::invocation) fn polled(
        &self,
        serial: u64,
        polled: &Result<Poll<Option<Error>>, Panic>,
    ) {
        let since = self.ran(serial);
        if let Some(end) = TaskEnd::of(polled) {
            self.ended(serial, since, end);
        }
    }

    /// Records the end of a task. `last` is when its last run began, if it ended in a run.
    pub(in crate::invocation) fn ended(&self, serial: u64, last: Option<Moment>, end: TaskEnd) {
        self.with(|record, now| {
            let task = record.id(serial);
            let Some(known) = record.tasks.get_mut(&task) else {
                return;
            };
            known.ended = Some(now.at);
            known.end = end.clone();
            let is_timer = matches!(known.kind, UnfinishedTask::Timeout { .. });
            if let Some(fired) = last.filter(|_| is_timer) {
                record.push(fired, TimelineEvent::TimerFired { task });
            }
            let event = match task {
                HANDLER_SERIAL => TimelineEvent::HandlerLeft { end },
                _ => TimelineEvent::TaskEnded { task, end },
            };
            record.push(now, event);
        });
    }

    pub(in crate::invocation) fn deferred(&self, tasks: usize) {
        self.note(TimelineEvent::Deferred { tasks });
    }

    pub(in crate::invocation) fn deadline_is_near(&self, running: usize) {
        self.note(TimelineEvent::DeadlineNear { running });
    }

    pub(in crate::invocation) fn responded(
        &self,
        by: RespondedBy,
        outcome: Result<&Bytes, &Error>,
    ) {
        let error = outcome.err().map(text_of);
        self.with(|record, now| {
            let bytes = outcome.ok().map(|body| match record.stream {
                Some((_, bytes)) => bytes,
                None => body.len(),
            });
            record.push(now, TimelineEvent::Responded { by, bytes, error });
        });
    }

    pub(in crate::invocation) fn sent(&self) {
        self.note(TimelineEvent::ResponseSent);
    }

    pub(in crate::invocation) fn waits_for_work(&self) {
        self.note(TimelineEvent::WaitingForWork);
    }

    pub(in crate::invocation) fn polls_next(&self, running: usize) {
        self.note(TimelineEvent::NextPoll { running });
    }

    pub(in crate::invocation) fn given_up(&self) {
        self.note(TimelineEvent::GivenUp);
    }
}

/// Returns `None` while the thread is ending.
fn current_thread() -> Option<ThreadId> {
    thread_local! {
        static CURRENT: ThreadId = thread::current().id();
    }
    CURRENT.try_with(|id| *id).ok()
}
