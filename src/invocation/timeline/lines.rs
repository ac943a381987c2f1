//! The log lines in a timeline.

use super::{TimelineEvent, record::bounded, recorder::Recorder};
use crate::log;
use std::sync::Arc;
use tracing::Span;

/// The maximum number of log lines. Further lines are only counted.
const LINES: u64 = 500;

impl Recorder {
    /// Creates the span of the invocation with `span`, and records each line that is logged in it.
    pub(in crate::invocation) fn record_lines(
        self: &Arc<Self>,
        span: impl FnOnce() -> Span,
    ) -> Span {
        let span = self.capture(span);
        log::record_lines(&span, Arc::clone(self) as Arc<dyn log::LineRecorder>);
        span
    }

    /// Runs code, and records its log lines even if nothing writes them.
    #[cold]
    pub(in crate::invocation) fn capture<T>(&self, f: impl FnOnce() -> T) -> T {
        match self.captures {
            true => log::capture(f),
            false => f(),
        }
    }
}

impl log::LineRecorder for Recorder {
    fn logged(&self, level: &'static str, message: &str) {
        let message = bounded(message);
        self.with(|record, now| {
            record.lines += 1;
            if record.lines > LINES {
                record.timeline.omitted_lines += 1;
            } else {
                record.push(now, TimelineEvent::Logged { level, message });
            }
        });
    }
}
