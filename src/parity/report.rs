//! The report of a comparison, as text.

use super::{
    accepted::{Accepted, is_within},
    compare,
    compare::Difference,
    diff::{Row, SideBySide},
    excerpt::beginning,
    outcome::{Seen, SentOutcome},
    requests::{self, Sent},
    times::Times,
};
use crate::invocation::timeline::Timeline;
use std::{
    fmt::{self, Display, Write},
    time::Duration,
};

/// The maximum number of reported differences of an event.
const DIFFERENCES: usize = 20;

/// The maximum number of characters shown of a name, a path or a reason.
pub(super) const NAME: usize = 300;

/// The maximum size of the side-by-side rows of all events together, in bytes.
const SIDES: usize = 4 * 1024 * 1024;

/// The maximum number of events in a report that have the times of both sides.
pub(super) const TIMES: usize = 20;

/// The outcome of a comparison of a port with its original: see [`compare`](super::compare).
///
/// Its `Display` prints a line for each event, and a summary. [`to_html`](Self::to_html) returns it
/// as an HTML page.
#[derive(Debug, Default)]
pub struct ParityReport {
    /// The file and the export of the original.
    pub(super) original: String,
    pub(super) events: Vec<Compared>,
    /// Entries for accepted differences that no longer occur.
    pub(super) unneeded: Vec<String>,
    /// Whether the original has changed since it was recorded.
    pub(super) is_outdated: bool,
    /// The size of the side-by-side rows, in bytes.
    sides: usize,
    /// The number of events that have their times.
    times: usize,
}

/// The result of comparing one event.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(super) name: String,
    /// The width of the column of names.
    pub(super) width: usize,
    pub(super) differences: Vec<Difference>,
    /// The number of further differences.
    pub(super) more: usize,
    /// Differences that are accepted, and why.
    pub(super) accepted: Vec<(Difference, String)>,
    /// The outcomes line by line, where they differ.
    pub(super) sides: Option<SideBySide>,
    /// Whether both waited for unfinished tasks.
    pub(super) deferred: bool,
    /// Whether both streamed their responses.
    pub(super) streamed: bool,
    /// How the original's process ended, if it did.
    pub(super) ended: Option<String>,
    /// The time that the original took, unless it was recorded.
    pub(super) original: Option<Duration>,
    pub(super) port: Duration,
    /// The number of requests of the original and of the port, if requests are compared.
    pub(super) requests: Option<(usize, usize)>,
    /// The times of both sides, if these differ.
    pub(super) times: Option<Times>,
}

/// The verdict on an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Same,
    Accepted,
    Differs,
}

impl Compared {
    pub(super) fn new(
        name: String,
        width: usize,
        original: &Seen,
        port: &Seen,
        sent: Option<&Sent>,
        accepted: &mut Accepted,
    ) -> Self {
        accepted.begin(&name);
        let mut reasons = Vec::new();
        let is_unknown = |path: &str| {
            original
                .unknown
                .iter()
                .any(|unknown| is_within(path, unknown))
        };
        let mut differences = compare::differences(original, port, |path| {
            accepted.ignores(path) || is_unknown(path)
        });
        if let Some(sent) = sent {
            differences.extend(requests::differences(sent, &|path| accepted.ignores(path)));
        }
        differences.retain(|difference| match accepted.reason(&name, difference) {
            Some(reason) => {
                reasons.push((difference.clone(), reason));
                false
            }
            None => true,
        });
        let more = differences.len().saturating_sub(DIFFERENCES);
        differences.truncate(DIFFERENCES);
        reasons.truncate(DIFFERENCES);
        Compared {
            name: beginning(&name, NAME),
            width,
            sides: (!differences.is_empty()).then(|| SideBySide::of(original, port)),
            differences,
            more,
            accepted: reasons,
            deferred: original.deferred && port.deferred,
            streamed: is_stream(original) && is_stream(port),
            ended: original.ended.clone(),
            original: (original.duration > Duration::ZERO).then_some(original.duration),
            port: port.duration,
            requests: sent.map(Sent::counts),
            times: None,
        }
    }

    /// Adds the times of both sides, if the differences are about time.
    pub(super) fn add_times(&mut self, original: &Seen, timeline: &Timeline) {
        self.times = Times::of(original, &self.differences, timeline);
    }

    pub(super) fn verdict(&self) -> Verdict {
        match (self.differences.is_empty(), self.accepted.is_empty()) {
            (false, _) => Verdict::Differs,
            (true, false) => Verdict::Accepted,
            (true, true) => Verdict::Same,
        }
    }
}

fn is_stream(seen: &Seen) -> bool {
    matches!(seen.outcome, SentOutcome::Stream(_))
}

impl Difference {
    /// Returns the path as a report shows it.
    pub(super) fn shown_path(&self) -> String {
        match &*self.path {
            "" => "/".into(),
            path => beginning(path, NAME),
        }
    }
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl ParityReport {
    pub(super) fn of(original: &str) -> Self {
        ParityReport {
            original: beginning(original, NAME),
            ..ParityReport::default()
        }
    }

    pub(super) fn add(&mut self, mut compared: Compared) {
        if let Some(sides) = &compared.sides {
            let size: usize = sides.rows.iter().map(Row::size).sum();
            match self.sides.saturating_add(size) {
                too_much if too_much > SIDES => compared.sides = None,
                sum => self.sides = sum,
            }
        }
        if compared.times.is_some() {
            self.times += 1;
            if self.times > TIMES {
                compared.times = None;
            }
        }
        self.events.push(compared);
    }

    /// Returns whether the port did the same as the original in every event. Accepted differences
    /// do not count, but each of them must occur. Returns false if the original has changed since
    /// it was recorded.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let report = nodeback::parity::compare(handler, "legacy/index.handler", "events").await?;
    /// assert!(report.is_same(), "{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_same(&self) -> bool {
        self.unneeded.is_empty()
            && !self.is_outdated
            && self.events.iter().all(|event| event.differences.is_empty())
    }

    /// Counts the events, and those of each verdict.
    pub(super) fn counts(&self) -> String {
        let count = |verdict| {
            let events = self.events.iter();
            events.filter(|event| event.verdict() == verdict).count()
        };
        let events = self.events.len();
        let same = count(Verdict::Same);
        let mut text = format!("{events} event{}: {same} same", plural(events));
        let differs = count(Verdict::Differs);
        for (count, what) in [
            (count(Verdict::Accepted), "accepted"),
            (differs, if differs == 1 { "differs" } else { "differ" }),
        ] {
            if count > 0 {
                // Writing into a text does not fail.
                let _ = write!(text, ", {count} {what}");
            }
        }
        text
    }

    /// Returns the last lines: the counts, and anything else that keeps the report from being the
    /// same.
    pub(crate) fn summary(&self) -> String {
        let mut text = self.counts();
        for entry in &self.unneeded {
            let _ = write!(
                text,
                "\nparity.json accepts a difference that no longer occurs: {entry}"
            );
        }
        for remark in self.remarks() {
            let _ = write!(text, "\n{remark}");
        }
        text
    }

    /// Returns what else a reader of the counts should know.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut counts = self
            .events
            .iter()
            .filter_map(|event| event.requests)
            .peekable();
        if counts.peek().is_some() {
            let (original, port) = counts.fold((0, 0), |(one, two), (more, others)| {
                (one + more, two + others)
            });
            for (count, whose) in [(original, "original"), (port, "port")] {
                if count == 0 {
                    remarks.push(format!(
                        "the {whose} sent no request to the recorder: does its client use `AWS_ENDPOINT_URL`?"
                    ));
                }
            }
        }
        if self.is_outdated {
            remarks.push(OUTDATED.into());
        }
        remarks
    }
}

const OUTDATED: &str =
    "the original has changed since it was recorded: record it again, with `--record`";

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl Display for ParityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events
            .iter()
            .try_for_each(|event| writeln!(f, "{event}"))?;
        write!(f, "\n{}", self.summary())
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn seen(text: &str) -> Seen {
        Seen {
            outcome: SentOutcome::Response(text.to_owned().into()),
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::from_micros(1500),
            unknown: vec![],
            log: None,
        }
    }

    pub(in crate::parity) fn compared(name: &str, original: &str, port: &str) -> Compared {
        let mut accepted = Accepted::default();
        Compared::new(
            name.into(),
            8,
            &seen(original),
            &seen(port),
            None,
            &mut accepted,
        )
    }

    #[test]
    fn many_differences_and_long_names_are_bounded() {
        let many = |item: &str| format!("[{}]", vec![item; 50].join(","));
        let differs = compared(&"n".repeat(100_000), &many("1"), &many("2"));
        let text = differs.to_string();
        assert!(
            text.ends_with("/19   1 | 2\n        and 30 more differences"),
            "{text}"
        );
        let key = |value| format!("{{\"{}\":{value}}}", "k".repeat(100_000));
        let text = compared("a\u{1b}[2J.json", &key(1), &key(2)).to_string();
        assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{text:?}");
    }

    /// It is reported however many accepted differences precede it.
    #[test]
    fn a_difference_that_is_not_accepted_is_reported() {
        let text = r#"{"accepted":[{"event":"a.json","path":"/ids","reason":"random"}]}"#;
        let body = |n: u32| seen(&format!(r#"{{"ids":{:?},"total":{n}}}"#, vec![n; 500]));
        let accepted = &mut Accepted::of(text).unwrap();
        let differs = Compared::new("a.json".into(), 8, &body(1), &body(2), None, accepted);
        let text = differs.to_string();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines, ["/total   1 | 2", "accepted: random"]);
        // Differences beyond the limit were not examined, and may have other paths.
        let body = |n: u32| seen(&format!(r#"{{"ids":{:?}}}"#, vec![n; 5000]));
        let differs = Compared::new("a.json".into(), 8, &body(1), &body(2), None, accepted);
        assert!(
            differs
                .to_string()
                .contains("/   more than 1000 differences | "),
            "{differs}"
        );
    }

    #[test]
    fn the_summary_counts_the_events() {
        let mut report = ParityReport::of("index.handler");
        report.add(compared("a.json", "1", "1"));
        assert_eq!(report.summary(), "1 event: 1 same");
        report.add(compared("b.json", "1", "2"));
        assert_eq!(report.summary(), "2 events: 1 same, 1 differs");
        report.add(compared("c.json", "1", "2"));
        assert_eq!(report.summary(), "3 events: 1 same, 2 differ");
    }
}
