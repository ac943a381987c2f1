//! The measurements with one event.

use super::times::Times;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The invocations of a handler with one event.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocations {
    pub(super) times: Times,
    /// The number of them that failed.
    pub(super) failed: u64,
    /// The error of the first that failed.
    pub(super) first_error: Option<String>,
}

impl Invocations {
    /// Counts a failure.
    pub(super) fn fail(&mut self, error: impl FnOnce() -> String) {
        self.failed += 1;
        self.first_error.get_or_insert_with(|| shortened(error()));
    }
}

/// The start of a message that may be long, on one line.
fn shortened(message: String) -> String {
    const CHARACTERS: usize = 300;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}..", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Where the time of an invocation goes: the median time of each part.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parts {
    /// Parsing the event.
    pub(super) reading: Duration,
    /// From the call of the handler to its signal.
    pub(super) handler: Duration,
    /// Encoding the result as JSON.
    pub(super) encoding: Duration,
    /// From the signal, once its result is encoded, to the outcome.
    pub(super) outcome: Duration,
    /// Everything before the event is parsed and after the outcome is decided.
    pub(super) other: Duration,
}

impl Parts {
    pub(super) fn each(&self) -> [(&'static str, Duration); 5] {
        [
            ("reading", self.reading),
            ("handler", self.handler),
            ("encoding", self.encoding),
            ("signal to outcome", self.outcome),
            ("other", self.other),
        ]
    }
}

/// What one invocation allocates.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Allocations {
    /// The number of allocations.
    pub(super) count: u64,
    /// The total size of the allocations, in bytes.
    pub(super) bytes: u64,
    /// The maximum number of bytes that it held at the same time.
    pub(super) peak: u64,
}

/// The measurements with one event.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) name: String,
    pub(super) port: Invocations,
    pub(super) parts: Parts,
    /// `None` without the feature `bench-allocations`.
    pub(super) allocations: Option<Allocations>,
    /// The original on Node, if it was also measured.
    pub(super) original: Option<Invocations>,
}

impl Figures {
    /// Returns the median time as a share of that of an earlier run.
    pub(super) fn change(&self, baseline: &Figures) -> f64 {
        let [now, before] = [self, baseline].map(|figures| figures.port.times.median());
        now.as_secs_f64() / before.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_kept_and_is_short() {
        let mut invocations = Invocations::default();
        invocations.fail(|| format!("a\n  b {}", "é".repeat(1000)));
        invocations.fail(|| "another".into());
        let error = invocations.first_error.unwrap_or_default();
        assert_eq!(invocations.failed, 2);
        assert!(
            error.starts_with("a b é") && error.ends_with("é.."),
            "{error}"
        );
        assert_eq!(error.chars().count(), 302);
    }
}
