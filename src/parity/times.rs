//! The times of both sides of a comparison, for events that differ in their timing.

use super::{
    compare::Difference,
    excerpt::beginning,
    original::HANGS,
    outcome::{Seen, SentOutcome},
    report::{NAME, millis, plural},
};
use crate::invocation::timeline::{Timeline, TimelineEvent};
use std::{
    fmt::{self, Write},
    time::Duration,
};

/// The maximum number of entries of a timeline in a report as text.
const ENTRIES: usize = 30;

/// What is known of the original, and the timeline of the port.
#[derive(Debug)]
pub(super) struct Times {
    /// What happened, and when, if that is known.
    pub(super) original: Vec<(Option<Duration>, String)>,
    pub(super) port: Box<Timeline>,
}

impl Times {
    /// Returns the times if only one side is deferred, or if only one side does not respond before
    /// the deadline.
    pub(super) fn of(
        original: &Seen,
        differences: &[Difference],
        timeline: &Timeline,
    ) -> Option<Self> {
        let in_time = |difference: &Difference| match &*difference.path {
            "deferred" => true,
            "outcome" => is_late(timeline) != (original.ended.as_deref() == Some(HANGS)),
            _ => false,
        };
        differences.iter().any(in_time).then(|| Times {
            original: known(original),
            port: Box::new(timeline.clone()),
        })
    }

    /// Writes both sides, each line after `indent`.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        write!(f, "{indent}Node, as far as it is known:")?;
        for (at, what) in &self.original {
            write!(f, "{indent}  {}  {what}", column(*at))?;
        }
        write!(f, "{indent}Port:")?;
        for entry in self.port.entries.iter().take(ENTRIES) {
            let what = self.port.describe(&entry.event);
            let what = beginning(&what, NAME);
            write!(f, "{indent}  {}  {what}", column(Some(entry.at)))?;
        }
        match self.port.entries.len().saturating_sub(ENTRIES) {
            0 => Ok(()),
            1 => write!(f, "{indent}  and 1 more entry"),
            more => write!(f, "{indent}  and {more} more entries"),
        }
    }
}

/// Returns whether an invocation timed out.
fn is_late(timeline: &Timeline) -> bool {
    timeline.entries.iter().any(|entry| match &entry.event {
        TimelineEvent::Responded { error, .. } => error
            .as_ref()
            .is_some_and(|error| error.starts_with("Sandbox.Timedout")),
        _ => false,
    })
}

/// Returns what is known of the original: what it waited for, and when its outcome came.
fn known(original: &Seen) -> Vec<(Option<Duration>, String)> {
    let mut known = vec![(Some(Duration::ZERO), "event sent".into())];
    if original.deferred {
        let mut waited = String::from("response deferred until the event loop was empty");
        if !original.pending.is_empty() {
            let pending = beginning(&original.pending.join(", "), NAME);
            // Writing into a text does not fail.
            let _ = write!(waited, ": it waited for {pending}");
        }
        known.push((None, waited));
    }
    // A recorded original has no times.
    let at = (original.duration > Duration::ZERO).then_some(original.duration);
    let size = |bytes: usize| format!("response: {bytes} byte{}", plural(bytes));
    let outcome = match &original.outcome {
        SentOutcome::Response(body) => size(body.len()),
        SentOutcome::Stream(stream) => format!("streamed {}", size(stream.body.len())),
        SentOutcome::Error(_) => "error response".into(),
        SentOutcome::Nothing => "no response".into(),
    };
    known.push((at, outcome));
    if let Some(ended) = &original.ended {
        known.push((None, format!("the process {}", beginning(ended, NAME))));
    }
    known
}

/// Formats a time for its column.
pub(super) fn column(at: Option<Duration>) -> String {
    match at {
        Some(at) => format!("{:>11.3} ms", millis(at)),
        None => format!("{:>11}   ", "?"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        invocation::timeline::RespondedBy,
        parity::{accepted::Accepted, report::Compared},
    };

    fn seen(outcome: SentOutcome, deferred: bool) -> Seen {
        Seen {
            deferred,
            pending: vec!["Timeout".into()],
            duration: Duration::from_micros(12_300),
            ..outcome.into()
        }
    }

    fn response() -> SentOutcome {
        SentOutcome::Response("true".into())
    }

    fn timeline(error: Option<&str>) -> Timeline {
        let responded = TimelineEvent::Responded {
            by: RespondedBy::EventLoop,
            bytes: None,
            error: error.map(Into::into),
        };
        let mut timeline = Timeline::default();
        timeline.push_for_test(Duration::from_millis(1), TimelineEvent::HandlerEntered);
        timeline.push_for_test(Duration::from_millis(2), responded);
        timeline
    }

    fn compared(original: &Seen, port: &Seen, timeline: &Timeline) -> Compared {
        let mut accepted = Accepted::default();
        let mut compared = Compared::new("a.json".into(), 8, original, port, None, &mut accepted);
        compared.add_times(original, timeline);
        compared
    }

    #[test]
    fn both_sides_are_shown_where_only_one_is_deferred() {
        let (original, port) = (seen(response(), true), seen(response(), false));
        let text = compared(&original, &port, &timeline(None)).to_string();
        let (_, times) = text.split_once("waited for Timeout | immediate").unwrap();
        let lines: Vec<&str> = times.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "Node, as far as it is known:",
                "0.000 ms  event sent",
                "?     response deferred until the event loop was empty: it waited for Timeout",
                "12.300 ms  response: 4 bytes",
                "Port:",
                "1.000 ms  handler entered",
                "2.000 ms  response",
            ]
        );
        assert!(
            !compared(&port, &port, &timeline(None))
                .to_string()
                .contains("Port:")
        );
    }

    #[test]
    fn both_sides_are_shown_where_only_one_is_late() {
        let late = timeline(Some("Sandbox.Timedout: Task timed out after 3.00 seconds"));
        let nothing = Seen {
            ended: Some(HANGS.into()),
            ..seen(SentOutcome::Nothing, false)
        };
        let response = seen(response(), false);
        let text = compared(&response, &nothing, &late).to_string();
        assert!(text.contains("error response: Sandbox.Timedout"), "{text}");
        let text = compared(&nothing, &response, &timeline(None)).to_string();
        assert!(text.contains("12.300 ms  no response\n"), "{text}");
        let exited = Seen {
            ended: Some("exited with 3".into()),
            ..seen(SentOutcome::Nothing, false)
        };
        let text = compared(&exited, &response, &timeline(None)).to_string();
        assert!(!text.contains("Port:"), "{text}");
        // An error instead of a response is not a difference in time.
        let error = seen(SentOutcome::Error("it failed".into()), false);
        let text = compared(&error, &response, &timeline(None)).to_string();
        assert!(!text.contains("Port:"), "{text}");
    }

    #[test]
    fn a_long_timeline_is_cut_in_the_text() {
        let mut long = timeline(None);
        for n in 0..100 {
            let logged = TimelineEvent::Logged {
                level: "INFO",
                message: "x\n".repeat(1_000),
            };
            long.push_for_test(Duration::from_millis(n), logged);
        }
        let (original, port) = (seen(response(), true), seen(response(), false));
        let text = compared(&original, &port, &long).to_string();
        assert!(text.ends_with("  and 72 more entries"), "{text}");
        assert!(text.len() < 15_000 && text.lines().count() < 45, "{text}");
    }
}
