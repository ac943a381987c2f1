//! The timeline of an invocation: its events with their times, as data and as text.
//!
//! A [`Recorder`] records it while the invocation runs. Without a recorder, each place that would
//! record something costs one comparison.

mod describe;
#[cfg(feature = "local")]
mod drawing;
#[cfg(feature = "local")]
mod html;
mod lanes;
#[cfg(any(feature = "lambda", feature = "local"))]
mod lines;
mod record;
mod recorder;
mod signals;
mod streams;
mod text;

#[cfg(feature = "local")]
pub(crate) use describe::Tone;
#[cfg(feature = "local")]
pub(crate) use html::page_of;
pub(crate) use recorder::Recorder;

use super::unfinished::UnfinishedTask;
use crate::completion::CallSite;
use serde::{Serialize, Serializer};
use std::{fmt, time::Duration};

/// What happened in an invocation, in order: see [`ContextBuilder::record_timeline`](crate::ContextBuilder::record_timeline).
///
/// Its text is a drawing of the handler and its tasks, and a line for each entry. It is serialized
/// as an object whose times are in milliseconds.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use nodeback::{Callback, Context, Value, json, set_timeout, timeline::TimelineEvent};
/// use std::time::Duration;
///
/// let handler = |_: Value, _: Context, callback: Callback| {
///     set_timeout(Duration::from_millis(5), move || callback.succeed(json!("later")));
/// };
/// let context = Context::builder().record_timeline().build();
/// let timeline = nodeback::invoke(handler, json!({}), context).await.timeline.unwrap();
///
/// let fired = timeline.entries.iter().find(|entry| matches!(entry.event, TimelineEvent::TimerFired { .. }));
/// assert!(fired.unwrap().at >= Duration::from_millis(5));
/// println!("{timeline}");
/// # }
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Timeline {
    /// The request id of the invocation.
    pub request_id: String,
    /// The name of the function.
    pub function_name: String,
    /// The deadline, since the start of the invocation, if it is known.
    #[serde(rename = "deadlineMs", serialize_with = "optional_millis")]
    pub deadline: Option<Duration>,
    /// What happened, in order.
    pub entries: Vec<TimelineEntry>,
    /// The handler, and then its tasks in the order in which they were spawned: the first 500 of them.
    pub tasks: Vec<TimelineTask>,
    /// How many further tasks were spawned.
    pub omitted_tasks: u64,
    /// How many further lines were logged: the first 500 are entries.
    pub omitted_lines: u64,
    /// How many further duplicate signals there were: the first 16 are entries.
    pub omitted_signals: u64,
    /// How many further chunks were written to the stream: the first 16 are entries.
    pub omitted_chunks: u64,
}

/// One event in the course of an invocation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimelineEntry {
    /// When it happened, since the start of the invocation.
    #[serde(rename = "atMs", serialize_with = "millis")]
    pub at: Duration,
    /// The id of the task whose code was running, in the event loop or as a blocking function. The handler
    /// has the id 0. `None` if no code of the invocation was running on the thread.
    pub by: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub event: TimelineEvent,
}

/// What happened in an invocation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum TimelineEvent {
    /// The event was read.
    #[non_exhaustive]
    EventRead {
        /// The size of its JSON.
        bytes: usize,
    },
    /// The event was parsed, and the handler was entered.
    HandlerEntered,
    /// The handler returned, or its future ended.
    #[non_exhaustive]
    HandlerLeft {
        /// How it ended.
        end: TaskEnd,
    },
    /// A task was spawned, or a timer was set.
    #[non_exhaustive]
    TaskSpawned {
        /// The id of the task.
        task: u64,
        /// The kind of the task, and the call that spawned it.
        #[serde(serialize_with = "display")]
        kind: UnfinishedTask,
    },
    /// The function of a timer was called.
    #[non_exhaustive]
    TimerFired {
        /// The id of the timer.
        task: u64,
    },
    /// A task ended.
    #[non_exhaustive]
    TaskEnded {
        /// The id of the task.
        task: u64,
        /// How it ended.
        end: TaskEnd,
    },
    /// The first signal: the callback was called, or the handler returned a result.
    #[non_exhaustive]
    Signalled {
        /// The call site.
        #[serde(serialize_with = "display")]
        call_site: CallSite,
        /// Whether it signalled a success.
        succeeds: bool,
    },
    /// A signal after the first one, which changed nothing.
    #[non_exhaustive]
    DuplicateSignal {
        /// The call site of the first signal.
        #[serde(serialize_with = "display")]
        first: CallSite,
        /// The call site of this signal.
        #[serde(serialize_with = "display")]
        duplicate: CallSite,
    },
    /// The last handle of the callback was dropped without a signal.
    #[non_exhaustive]
    NeverCalled {
        /// The message of the error `Runtime.CallbackNotCalled`.
        message: String,
    },
    /// A success was signalled, and the response is deferred until the tasks finish.
    #[non_exhaustive]
    Deferred {
        /// How many tasks it waits for.
        tasks: usize,
    },
    /// The deadline is near, and there is no response.
    #[non_exhaustive]
    DeadlineNear {
        /// How many tasks are running, the handler included.
        running: usize,
    },
    /// The response is a stream, and the handler can write to it.
    #[non_exhaustive]
    StreamOpened {
        /// How many bytes may be written before they are read.
        high_water_mark: usize,
    },
    /// A chunk was written to the stream. If the write waited for room, this is the end of the wait.
    #[non_exhaustive]
    ChunkWritten {
        /// The size of the chunk.
        bytes: usize,
    },
    /// The first chunk was taken from the stream, to be sent.
    FirstChunkTaken,
    /// The stream was ended.
    #[non_exhaustive]
    StreamEnded {
        /// The call site that ended it. `None` if it ended with its invocation: by an error of the
        /// handler or of a task, by the deadline, or because the last handle was dropped.
        #[serde(serialize_with = "optional_display")]
        call_site: Option<CallSite>,
        /// How many chunks were written.
        chunks: u64,
        /// The size of all chunks.
        bytes: usize,
    },
    /// The stream is not read to its end, for example because the client disconnected.
    #[non_exhaustive]
    StreamAbandoned {
        /// Why.
        reason: String,
    },
    /// The outcome is decided, and is being sent.
    #[non_exhaustive]
    Responded {
        /// What sends it.
        by: RespondedBy,
        /// The size of the response, or of what was written to the stream so far. `None` for an error.
        bytes: Option<usize>,
        /// The type and the message of the error. `None` for a response.
        error: Option<String>,
    },
    /// The outcome was sent.
    ResponseSent,
    /// The next poll waits for work of [`wait_until`](crate::Context::wait_until) or, after a
    /// stream, for tasks.
    WaitingForWork,
    /// A line was logged by code of the invocation.
    #[non_exhaustive]
    Logged {
        /// The level, in capital letters.
        level: &'static str,
        /// The message and the fields.
        message: String,
    },
    /// The invocation is over: its environment polls for the next event.
    #[non_exhaustive]
    NextPoll {
        /// How many tasks keep running during the next invocation.
        running: usize,
    },
    /// A layer or a caller dropped the invocation before its outcome.
    GivenUp,
}

/// The handler or a task of an invocation, in its [`Timeline`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimelineTask {
    /// 0 for the handler; tasks count from 1, in the order in which they were spawned.
    pub id: u64,
    /// The kind of the task, and the call that spawned it.
    #[serde(serialize_with = "display")]
    pub kind: UnfinishedTask,
    /// When it was spawned.
    #[serde(rename = "spawnedMs", serialize_with = "millis")]
    pub spawned: Duration,
    /// When it ran for the first time.
    #[serde(rename = "startedMs", serialize_with = "optional_millis")]
    pub started: Option<Duration>,
    /// When it ended.
    #[serde(rename = "endedMs", serialize_with = "optional_millis")]
    pub ended: Option<Duration>,
    /// How it ended.
    pub end: TaskEnd,
    /// How often it ran.
    pub runs: u64,
    /// How long it ran in total. While a task runs, the others wait, unless it is a blocking function.
    #[serde(rename = "busyMs", serialize_with = "millis")]
    pub busy: Duration,
    /// The first 32 runs that took a millisecond or longer, each with its start and its duration.
    #[serde(serialize_with = "runs")]
    pub long_runs: Vec<(Duration, Duration)>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[non_exhaustive]
pub enum TaskEnd {
    /// It has not ended.
    StillRunning,
    /// It completed.
    Completed,
    /// It ended with an error.
    #[non_exhaustive]
    Failed {
        /// The type and the message of the error.
        message: String,
    },
    /// It panicked.
    #[non_exhaustive]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// It was stopped.
    #[non_exhaustive]
    Aborted {
        /// Why.
        cause: AbortCause,
    },
}

/// Why a task was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AbortCause {
    /// [`Task::abort`](crate::Task::abort) was called.
    Handle,
    /// The deadline was reached.
    Deadline,
    /// Its invocation was dropped before its outcome.
    Invocation,
}

/// What sends the outcome of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RespondedBy {
    /// The event loop, which runs the handler.
    EventLoop,
    /// A tower layer, with its own error.
    Layer,
    /// The watchdog, since the handler blocks its thread.
    Watchdog,
}

impl Timeline {
    /// Returns the time of the last entry.
    pub(crate) fn end(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |entry| entry.at)
    }

    #[cfg(all(test, feature = "parity"))]
    pub(crate) fn push_for_test(&mut self, at: Duration, event: TimelineEvent) {
        let by = None;
        self.entries.push(TimelineEntry { at, by, event });
    }

    pub(super) fn task(&self, id: u64) -> Option<&TimelineTask> {
        let found = self.tasks.binary_search_by_key(&id, |task| task.id);
        self.tasks.get(found.ok()?)
    }
}

/// Returns a time in milliseconds, with a fraction, like JavaScript's `performance.now()`.
pub(crate) fn in_millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(in_millis(*time))
}

fn optional_millis<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(in_millis).serialize(serializer)
}

fn runs<S: Serializer>(runs: &[(Duration, Duration)], serializer: S) -> Result<S::Ok, S::Error> {
    let runs = runs
        .iter()
        .map(|(at, took)| [in_millis(*at), in_millis(*took)]);
    serializer.collect_seq(runs)
}

fn optional_display<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn display<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
