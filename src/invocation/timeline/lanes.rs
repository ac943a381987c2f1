//! The lanes of a drawing: one for the handler, one for each task, and one for the response.

use super::{TaskEnd, Timeline, TimelineEntry, TimelineEvent, TimelineTask, describe::Tone};
use crate::invocation::queue::HANDLER_SERIAL;
use std::time::Duration;

/// The maximum number of lanes in a drawing.
pub(crate) const LANES: usize = 40;

/// One point in a drawing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Mark {
    Signal,
    Duplicate,
    NeverCalled,
    Completed,
    Failed,
    Aborted,
    DeadlineNear,
    Written,
    FirstChunk,
    StreamEnded,
    Response,
    NextPoll,
    Deadline,
}

impl Mark {
    pub(crate) fn symbol(self) -> char {
        match self {
            Mark::Signal => 'C',
            Mark::Duplicate => 'c',
            Mark::NeverCalled => 'L',
            Mark::Completed => '|',
            Mark::Failed => '!',
            Mark::Aborted => 'x',
            Mark::DeadlineNear => 'w',
            Mark::Written => 'W',
            Mark::FirstChunk => 'F',
            Mark::StreamEnded => 'E',
            Mark::Response => 'A',
            Mark::NextPoll => 'N',
            Mark::Deadline => 'D',
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Mark::Signal => "first signal",
            Mark::Duplicate => "duplicate signal",
            Mark::NeverCalled => "last handle dropped",
            Mark::Completed => "completed",
            Mark::Failed => "failed",
            Mark::Aborted => "aborted",
            Mark::DeadlineNear => "deadline is near",
            Mark::Written => "chunk written",
            Mark::FirstChunk => "first chunk sent",
            Mark::StreamEnded => "stream ended",
            Mark::Response => "response",
            Mark::NextPoll => "next poll",
            Mark::Deadline => "deadline",
        }
    }
}

/// The lane of the handler, of a task, or of the response.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) label: String,
    pub(crate) task: Option<&'a TimelineTask>,
    /// The marks, in order of time.
    pub(crate) marks: Vec<(Duration, Mark, Tone)>,
}

impl Timeline {
    /// Returns the lanes from top to bottom. The last one belongs to the response.
    pub(crate) fn lanes(&self) -> Vec<Lane<'_>> {
        let tasks = self.tasks.iter().take(LANES);
        let mut lanes: Vec<_> = tasks
            .map(|task| Lane {
                label: self.label(task.id),
                task: Some(task),
                marks: Vec::new(),
            })
            .collect();
        let mut response = Lane {
            label: "response".into(),
            task: None,
            marks: Vec::new(),
        };
        for entry in &self.entries {
            let Some((owner, mark)) = mark(entry) else {
                continue;
            };
            let lane = lanes
                .iter_mut()
                .find(|lane| owner.is_some() && lane.task.map(|task| task.id) == owner);
            let lane = lane.unwrap_or(&mut response);
            lane.marks.push((entry.at, mark, entry.event.tone()));
        }
        if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.end()) {
            let mark = (deadline, Mark::Deadline, Tone::Warning);
            response.marks.push(mark);
            response.marks.sort_by_key(|(at, ..)| *at);
        }
        lanes.push(response);
        lanes
    }
}

/// Returns the mark of an entry, and the task in whose lane it is drawn.
fn mark(entry: &TimelineEntry) -> Option<(Option<u64>, Mark)> {
    Some(match &entry.event {
        TimelineEvent::Signalled { .. } => (entry.by, Mark::Signal),
        TimelineEvent::DuplicateSignal { .. } => (entry.by, Mark::Duplicate),
        TimelineEvent::NeverCalled { .. } => (entry.by, Mark::NeverCalled),
        TimelineEvent::HandlerLeft { end } => (Some(HANDLER_SERIAL), end.mark()?),
        TimelineEvent::TaskEnded { task, end } => (Some(*task), end.mark()?),
        TimelineEvent::DeadlineNear { .. } => (None, Mark::DeadlineNear),
        TimelineEvent::ChunkWritten { .. } => (entry.by, Mark::Written),
        TimelineEvent::FirstChunkTaken => (None, Mark::FirstChunk),
        TimelineEvent::StreamEnded { .. } => (entry.by, Mark::StreamEnded),
        TimelineEvent::Responded { .. } => (None, Mark::Response),
        TimelineEvent::NextPoll { .. } => (None, Mark::NextPoll),
        _ => return None,
    })
}

impl TaskEnd {
    fn mark(&self) -> Option<Mark> {
        match self {
            TaskEnd::StillRunning => None,
            TaskEnd::Completed => Some(Mark::Completed),
            TaskEnd::Failed { .. } | TaskEnd::Panicked { .. } => Some(Mark::Failed),
            TaskEnd::Aborted { .. } => Some(Mark::Aborted),
        }
    }
}
