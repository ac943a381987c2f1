//! The report of a benchmark, and its file.

use super::{figures::Figures, text::Lines};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display},
    fs,
    path::Path,
    time::Duration,
};

/// The figures that a [`Bench`](super::Bench) has measured.
///
/// Its `Display` prints the figures of each event.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BenchReport {
    pub(super) events: Vec<BenchedEvent>,
    /// Whether the program was built without optimization.
    #[serde(default)]
    pub(super) is_debug: bool,
    /// The peak memory of the process in MB, if the system provides it.
    #[serde(default)]
    pub(super) peak_memory: Option<u64>,
    /// Whether the benchmark was stopped before the end.
    #[serde(default)]
    pub(super) is_interrupted: bool,
}

/// The figures of the invocations with one event.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct BenchedEvent(pub(super) Figures);

impl BenchReport {
    pub(super) fn add(&mut self, figures: Figures) {
        self.events.push(BenchedEvent(figures));
        self.is_debug = cfg!(debug_assertions);
        self.peak_memory = crate::log::platform::peak_memory();
    }

    /// Returns the figures of each event, in the order of the events.
    ///
    /// ```no_run
    /// # async fn example(handler: fn(nodeback::Value, nodeback::Context, nodeback::Callback)) -> nodeback::Result<()> {
    /// let report = nodeback::bench::Bench::new("events").run(handler).await?;
    /// for event in report.events() {
    ///     println!("{} takes {:?}", event.name(), event.median());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> &[BenchedEvent] {
        &self.events
    }

    /// Saves the report in a file, for [`read`](Self::read).
    ///
    /// ```no_run
    /// # fn example(report: nodeback::bench::BenchReport) -> nodeback::Result<()> {
    /// report.save("before.json")
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<()> {
        let file = file.as_ref();
        let text = serde_json::to_string(self)? + "\n";
        fs::write(file, text).map_err(|error| unusable(file, &error))
    }

    /// Reads a report from a file that [`save`](Self::save) has written.
    ///
    /// ```no_run
    /// # fn main() -> nodeback::Result<()> {
    /// let before = nodeback::bench::BenchReport::read("before.json")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not such a report.
    pub fn read(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let text = fs::read(file).map_err(|error| unusable(file, &error))?;
        let report: BenchReport =
            serde_json::from_slice(&text).map_err(|error| unusable(file, &error))?;
        let is_valid = |BenchedEvent(figures): &BenchedEvent| {
            let mut measured = [&figures.port].into_iter().chain(&figures.original);
            measured.all(|invocations| invocations.times.is_valid())
        };
        if !report.events.iter().all(is_valid) {
            return Err(unusable(file, &"expected times in ascending order"));
        }
        Ok(report)
    }

    /// Returns the figures of the event that has this name.
    pub(super) fn named(&self, name: &str) -> Option<&Figures> {
        let mut events = self.events.iter();
        events
            .find(|event| event.name() == name)
            .map(|event| &event.0)
    }

    /// Returns sentences about the whole run.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(memory) = self.peak_memory {
            remarks.push(format!("Peak memory of the process: {memory} MB."));
        }
        if self.is_debug {
            let remark = "The program was built without optimization: use `cargo run --release`.";
            remarks.push(remark.into());
        }
        if self.is_interrupted {
            remarks.push("The benchmark was stopped before the end.".into());
        }
        remarks
    }
}

/// Returns the error for a file of a benchmark that cannot be read or written.
pub(super) fn unusable(file: &Path, error: &dyn Display) -> Error {
    Error::ours(
        "Runtime.InvalidBenchFile",
        format!("{}: {error}", file.display()),
    )
}

impl BenchedEvent {
    /// Returns the name of the event: its file, with the number of the line in a file of several.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// println!("{}", event.name());
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns how many invocations were timed.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert_eq!(event.invocations(), 20_000);
    /// # }
    /// ```
    pub fn invocations(&self) -> u64 {
        self.0.port.times.count()
    }

    /// Returns how many of the timed invocations failed.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert_eq!(event.failed(), 0);
    /// # }
    /// ```
    pub fn failed(&self) -> u64 {
        self.0.port.failed
    }

    /// Returns the mean time of an invocation.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert!(event.mean().as_millis() < 10);
    /// # }
    /// ```
    pub fn mean(&self) -> Duration {
        self.0.port.times.mean()
    }

    /// Returns the median time of an invocation.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert!(event.median().as_millis() < 10);
    /// # }
    /// ```
    pub fn median(&self) -> Duration {
        self.0.port.times.median()
    }

    /// Returns the time that 99 % of the invocations do not exceed.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert!(event.p99().as_millis() < 20);
    /// # }
    /// ```
    pub fn p99(&self) -> Duration {
        self.0.port.times.percentile(99)
    }

    /// Returns the longest time of an invocation.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert!(event.max().as_millis() < 100);
    /// # }
    /// ```
    pub fn max(&self) -> Duration {
        self.0.port.times.max()
    }

    /// Returns how often an invocation allocates memory, if the feature `bench-allocations` counts
    /// that.
    ///
    /// ```no_run
    /// # fn example(event: &nodeback::bench::BenchedEvent) {
    /// assert!(event.allocations().is_none_or(|count| count < 100));
    /// # }
    /// ```
    pub fn allocations(&self) -> Option<u64> {
        Some(self.0.allocations?.count)
    }
}

impl Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        let remarks = self.remarks();
        remarks
            .iter()
            .try_for_each(|remark| writeln!(f, "{remark}"))
    }
}

impl Display for BenchedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = &self.0;
        let lines = Lines {
            figures,
            baseline: None,
        };
        lines.fmt(f)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::bench::text::tests::figures;

    pub(in crate::bench) fn report(events: &[Figures]) -> BenchReport {
        BenchReport {
            events: events.iter().cloned().map(BenchedEvent).collect(),
            is_debug: false,
            peak_memory: Some(7),
            is_interrupted: false,
        }
    }

    #[test]
    fn a_report_has_each_event_and_remarks() {
        let mut report = report(&[figures("a.json", 1000), figures("b.json", 5)]);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(
            lines,
            ["a.json", "b.json", "Peak memory of the process: 7 MB."]
        );
        report.is_debug = true;
        report.is_interrupted = true;
        let text = report.to_string();
        let remarks = text.lines().rev().take(2).collect::<Vec<_>>().join("");
        assert!(
            remarks.contains("--release") && remarks.contains("before the end"),
            "{text}"
        );
    }

    #[test]
    fn a_saved_report_is_the_same_and_another_file_is_not() {
        let file = std::env::temp_dir().join(format!("nodeback-bench-{}.json", std::process::id()));
        let saved = report(&[figures("a.json", 1000), figures("b.json", 5)]);
        saved.save(&file).unwrap();
        let read = BenchReport::read(&file).unwrap();
        assert_eq!(read.to_string(), saved.to_string());
        assert_eq!(read.events[0].0.port.times, saved.events[0].0.port.times);
        let text = fs::read_to_string(&file).unwrap();
        let mut measured_too = saved.events[0].0.clone();
        measured_too.original = Some(figures("", 500).port);
        report(&[measured_too]).save(&file).unwrap();
        let with_original = fs::read_to_string(&file).unwrap();
        for (other, expected) in [
            ("{}", "missing field `events`"),
            (
                &text.replace("[[1000,1]", "[[9000,1]"),
                "expected times in ascending order",
            ),
            (
                &with_original.replace("[[500,1]", "[[9000,1]"),
                "expected times in ascending order",
            ),
        ] {
            fs::write(&file, other).unwrap();
            let error = BenchReport::read(&file).unwrap_err();
            assert_eq!(error.error_type(), "Runtime.InvalidBenchFile");
            assert!(error.message().contains(expected), "{error}");
        }
        fs::remove_file(&file).unwrap();
        let error = BenchReport::read(&file).unwrap_err();
        assert!(
            error.message().starts_with(&file.display().to_string()),
            "{error}"
        );
    }
}
