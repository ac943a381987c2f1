//! Describes the entries of a timeline.

use super::{
    AbortCause, RespondedBy, TaskEnd, Timeline, TimelineEvent, in_millis, record::LONG_RUN,
};
use crate::{
    invocation::{queue::HANDLER_SERIAL, unfinished::UnfinishedTask},
    text::excerpt,
};
use std::time::Duration;

/// Whether an entry is good or bad news, which decides its color.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tone {
    Plain,
    /// Less important than the others.
    Quiet,
    Good,
    Warning,
    Bad,
}

/// The maximum length of a text, which is more than a recorder keeps.
const CHARACTERS: usize = 2_000;

impl Timeline {
    /// Returns the name of the handler or of a task.
    pub(crate) fn label(&self, id: u64) -> String {
        let kind = self.task(id).map(|task| task.kind);
        match kind {
            _ if id == HANDLER_SERIAL => "handler".into(),
            Some(UnfinishedTask::Timeout { .. }) => format!("timer {id}"),
            Some(UnfinishedTask::Immediate { .. }) => format!("immediate {id}"),
            Some(UnfinishedTask::WaitUntil { .. }) => format!("work {id}"),
            _ => format!("task {id}"),
        }
    }

    /// Describes an entry on one line, without control characters.
    pub(crate) fn describe(&self, event: &TimelineEvent) -> String {
        match event {
            TimelineEvent::EventRead { bytes } => {
                format!("event read: {}", counted(*bytes, "byte"))
            }
            TimelineEvent::HandlerEntered => "handler entered".into(),
            TimelineEvent::HandlerLeft { end } => {
                let end = match end {
                    TaskEnd::Completed => "returned".into(),
                    end => end.describe(),
                };
                format!("handler {end}{}", self.busy(HANDLER_SERIAL))
            }
            TimelineEvent::TaskSpawned { task, kind } => {
                format!("{} {}", self.label(*task), spawned(*kind))
            }
            TimelineEvent::TimerFired { task } => format!("{} fired", self.label(*task)),
            TimelineEvent::TaskEnded { task, end } => {
                format!(
                    "{} {}{}",
                    self.label(*task),
                    end.describe(),
                    self.busy(*task)
                )
            }
            TimelineEvent::Signalled {
                call_site,
                succeeds,
            } => {
                let what = if *succeeds { "success" } else { "error" };
                format!("{what} signalled at {call_site}")
            }
            TimelineEvent::DuplicateSignal { first, duplicate } => {
                format!("signalled again at {duplicate}: ignored, after {first}")
            }
            TimelineEvent::NeverCalled { message } => shown(message),
            TimelineEvent::Deferred { tasks } => {
                let verb = if *tasks == 1 { "finishes" } else { "finish" };
                format!("response deferred until {} {verb}", counted(*tasks, "task"))
            }
            TimelineEvent::DeadlineNear { running } => {
                let running = counted(*running, "task");
                format!("the deadline is near, with no response and {running} running")
            }
            TimelineEvent::StreamOpened { high_water_mark } => {
                let mark = counted(*high_water_mark, "byte");
                format!("stream opened, which buffers up to {mark}")
            }
            TimelineEvent::ChunkWritten { bytes } => {
                format!("chunk written: {}", counted(*bytes, "byte"))
            }
            TimelineEvent::FirstChunkTaken => "the first chunk is being sent".into(),
            TimelineEvent::StreamEnded {
                call_site,
                chunks,
                bytes,
            } => {
                let by = match call_site {
                    Some(call_site) => format!(" at {call_site}"),
                    None => " with its invocation".into(),
                };
                let chunks = usize::try_from(*chunks).unwrap_or(usize::MAX);
                let (chunks, bytes) = (counted(chunks, "chunk"), counted(*bytes, "byte"));
                format!("stream ended{by}: {chunks}, {bytes}")
            }
            TimelineEvent::StreamAbandoned { reason } => {
                format!("the stream is not read any further: {}", shown(reason))
            }
            TimelineEvent::Responded { by, bytes, error } => {
                let by = match by {
                    RespondedBy::EventLoop => "",
                    RespondedBy::Layer => ", by a layer",
                    RespondedBy::Watchdog => ", by the watchdog: the handler blocks its thread",
                };
                match (bytes, error) {
                    (_, Some(error)) => format!("error response{by}: {}", shown(error)),
                    (Some(bytes), None) => format!("response{by}: {}", counted(*bytes, "byte")),
                    (None, None) => format!("response{by}"),
                }
            }
            TimelineEvent::ResponseSent => "response sent".into(),
            TimelineEvent::WaitingForWork => "waits for running tasks before the next poll".into(),
            TimelineEvent::Logged { level, message } => format!("{level} {}", shown(message)),
            TimelineEvent::NextPoll { running: 0 } => "polls for the next event".into(),
            TimelineEvent::NextPoll { running } => {
                let running = counted(*running, "task");
                format!("polls for the next event, with {running} still running")
            }
            TimelineEvent::GivenUp => "the invocation was dropped before its outcome".into(),
        }
    }

    fn busy(&self, id: u64) -> String {
        let busy = self.task(id).map_or(Duration::ZERO, |task| task.busy);
        match busy < LONG_RUN {
            true => String::new(),
            false => format!(" (ran for {:.1} ms)", in_millis(busy)),
        }
    }

    /// Returns one sentence for each kind of entry that was omitted.
    pub(crate) fn omissions(&self) -> Vec<String> {
        let omitted = [
            (self.omitted_tasks, "task"),
            (self.omitted_lines, "line of the log"),
            (self.omitted_signals, "duplicate signal"),
            (self.omitted_chunks, "chunk of the stream"),
        ];
        let omitted = omitted.into_iter().filter(|(count, _)| *count > 0);
        omitted
            .map(|(count, what)| match (count, what) {
                (1, what) => format!("1 further {what} is not shown"),
                (count, "line of the log") => {
                    format!("{count} further lines of the log are not shown")
                }
                (count, "chunk of the stream") => {
                    format!("{count} further chunks of the stream are not shown")
                }
                (count, what) => format!("{count} further {what}s are not shown"),
            })
            .collect()
    }

    /// Returns the first line of the text, which is also the heading of the page.
    pub(crate) fn title(&self) -> String {
        let name = match shown(&self.function_name) {
            name if name.is_empty() => "an invocation".into(),
            name => name,
        };
        format!("Timeline of {name}: {:.3} ms", in_millis(self.end()))
    }
}

impl TimelineEvent {
    pub(crate) fn tone(&self) -> Tone {
        match self {
            TimelineEvent::HandlerLeft { end } | TimelineEvent::TaskEnded { end, .. } => end.tone(),
            TimelineEvent::Signalled { succeeds: true, .. } => Tone::Good,
            TimelineEvent::Responded { error: None, .. } => Tone::Good,
            TimelineEvent::Signalled { .. }
            | TimelineEvent::Responded { .. }
            | TimelineEvent::NeverCalled { .. } => Tone::Bad,
            TimelineEvent::DuplicateSignal { .. }
            | TimelineEvent::DeadlineNear { .. }
            | TimelineEvent::StreamAbandoned { .. }
            | TimelineEvent::GivenUp => Tone::Warning,
            TimelineEvent::NextPoll { running } if *running > 0 => Tone::Warning,
            TimelineEvent::Logged { level, .. } => match *level {
                "ERROR" => Tone::Bad,
                "WARN" => Tone::Warning,
                _ => Tone::Quiet,
            },
            TimelineEvent::EventRead { .. }
            | TimelineEvent::ResponseSent
            | TimelineEvent::NextPoll { .. } => Tone::Quiet,
            _ => Tone::Plain,
        }
    }
}

impl TaskEnd {
    pub(crate) fn describe(&self) -> String {
        match self {
            TaskEnd::StillRunning => "still running".into(),
            TaskEnd::Completed => "completed".into(),
            TaskEnd::Failed { message } => format!("failed: {}", shown(message)),
            TaskEnd::Panicked { message } => format!("panicked: {}", shown(message)),
            TaskEnd::Aborted { cause } => match cause {
                AbortCause::Handle => "aborted by its handle".into(),
                AbortCause::Deadline => "aborted at the deadline".into(),
                AbortCause::Invocation => "aborted with its invocation".into(),
            },
        }
    }

    pub(crate) fn tone(&self) -> Tone {
        match self {
            TaskEnd::Completed => Tone::Plain,
            TaskEnd::StillRunning | TaskEnd::Aborted { .. } => Tone::Warning,
            TaskEnd::Failed { .. } | TaskEnd::Panicked { .. } => Tone::Bad,
        }
    }
}

pub(super) fn spawned(kind: UnfinishedTask) -> String {
    match kind {
        UnfinishedTask::Spawned { at } => format!("spawned at {at}"),
        UnfinishedTask::Timeout { at } | UnfinishedTask::Immediate { at } => {
            format!("set at {at}")
        }
        UnfinishedTask::WaitUntil { at } => format!("passed to wait_until at {at}"),
        UnfinishedTask::Handler => "entered".into(),
    }
}

/// Returns a text of user code on one line.
fn shown(text: &str) -> String {
    excerpt(text, CHARACTERS)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
