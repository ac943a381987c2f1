//! The state of a recorder. No user code runs in this module.

use super::{AbortCause, TaskEnd, Timeline, TimelineEntry, TimelineEvent, TimelineTask};
use crate::{
    completion::CallSite,
    error::{Error, Result},
    guard::Panic,
    invocation::{queue::HANDLER_SERIAL, unfinished::UnfinishedTask},
};
use std::{collections::BTreeMap, task::Poll, thread::ThreadId, time::Duration};

/// The maximum number of bytes of each text.
const TEXT: usize = 1024;

/// The maximum number of long runs of each task.
const RUNS: usize = 32;

/// A run of at least this length is listed separately.
pub(super) const LONG_RUN: Duration = Duration::from_millis(1);

/// A timeline that is being recorded.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) timeline: Timeline,
    /// The entries, each with its position in the order of events.
    pub(super) entries: Vec<(u64, TimelineEntry)>,
    pub(super) tasks: BTreeMap<u64, TimelineTask>,
    /// The number of moments so far, which is the position of the last one.
    pub(super) moments: u64,
    /// The time of the last moment.
    pub(super) last: Duration,
    /// How many lines were logged.
    #[cfg(any(feature = "lambda", feature = "local"))]
    pub(super) lines: u64,
    /// How many duplicate signals there were.
    pub(super) duplicates: u64,
    /// How many chunks were written to the stream, if there is one, and their size.
    pub(super) stream: Option<(u64, usize)>,
    /// Which task each thread runs, and since when.
    pub(super) running: Vec<(ThreadId, u64, Moment)>,
    /// Signals that are neither accepted nor rejected yet.
    pub(super) signals: Vec<(Moment, CallSite, bool)>,
    /// When a handle of the callback was last dropped.
    pub(super) dropped: Option<Moment>,
    /// The serial number of the task that runs a blocking handler, or 0.
    pub(super) handler: u64,
}

/// A point in the order of events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(super) place: u64,
    pub(super) at: Duration,
    pub(super) by: Option<u64>,
}

impl Record {
    /// Returns the timeline up to now.
    pub(super) fn timeline(&self, now: Duration) -> Timeline {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|(place, _)| *place);
        let mut tasks = self.tasks.clone();
        for (_, id, since) in &self.running {
            if let Some(task) = tasks.get_mut(id) {
                task.ran(since.at, now);
            }
        }
        Timeline {
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
            tasks: tasks.into_values().collect(),
            ..self.timeline.clone()
        }
    }

    /// Returns the next moment, on a thread.
    pub(super) fn moment(&mut self, at: Duration, thread: Option<ThreadId>) -> Moment {
        self.last = at;
        self.moments += 1;
        let mut running = self.running.iter().rev();
        let by = running.find(|(of, ..)| Some(*of) == thread);
        Moment {
            place: self.moments,
            at,
            by: by.map(|(_, task, _)| *task),
        }
    }

    pub(super) fn push(&mut self, moment: Moment, event: TimelineEvent) {
        let Moment { place, at, by } = moment;
        self.entries.push((place, TimelineEntry { at, by, event }));
    }

    pub(super) fn add(&mut self, now: Moment, id: u64, kind: UnfinishedTask) {
        let task = TimelineTask {
            id,
            kind,
            spawned: now.at,
            started: (id == HANDLER_SERIAL).then_some(now.at),
            ended: None,
            end: TaskEnd::StillRunning,
            runs: 0,
            busy: Duration::ZERO,
            long_runs: Vec::new(),
        };
        self.tasks.insert(id, task);
    }

    /// Returns the id of a task. A blocking handler is a task, but has the id of the handler.
    pub(super) fn id(&self, serial: u64) -> u64 {
        match serial == self.handler {
            true => HANDLER_SERIAL,
            false => serial,
        }
    }
}

impl TimelineTask {
    /// Counts a run.
    pub(super) fn ran(&mut self, since: Duration, until: Duration) {
        let took = until.saturating_sub(since);
        self.runs += 1;
        self.busy += took;
        if took >= LONG_RUN && self.long_runs.len() < RUNS {
            self.long_runs.push((since, took));
        }
    }
}

impl TaskEnd {
    /// Returns how a run ended its task. `None` if the task is pending.
    pub(in crate::invocation) fn of(run: &Result<Poll<Option<Error>>, Panic>) -> Option<Self> {
        match run {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(error)) => Some(TaskEnd::with(error.as_ref())),
            Err(panic) => Some(TaskEnd::panicked(panic)),
        }
    }

    pub(in crate::invocation) fn with(error: Option<&Error>) -> Self {
        error.map_or(TaskEnd::Completed, |error| {
            let message = text_of(error);
            TaskEnd::Failed { message }
        })
    }

    pub(in crate::invocation) fn panicked(Panic(message, _): &Panic) -> Self {
        let message = bounded(message);
        TaskEnd::Panicked { message }
    }

    pub(in crate::invocation) fn aborted(cause: AbortCause) -> Self {
        TaskEnd::Aborted { cause }
    }
}

pub(super) fn text_of(error: &Error) -> String {
    bounded(&format!("{}: {}", error.error_type(), error.message()))
}

/// Returns a text, shortened if it is too long.
pub(super) fn bounded(text: &str) -> String {
    if text.len() <= TEXT {
        return text.into();
    }
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end));
    let start = text.get(..end.unwrap_or_default()).unwrap_or_default();
    format!("{start}…")
}
