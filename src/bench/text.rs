//! The figures of an event as lines of text.

use super::{
    figures::{Figures, Invocations},
    times::Times,
};
use std::{
    fmt::{self, Display},
    time::Duration,
};

const INDENT: &str = "\n        ";

/// The figures of an event, and the change from those of an earlier run.
pub(super) struct Lines<'a> {
    pub(super) figures: &'a Figures,
    pub(super) baseline: Option<&'a Figures>,
}

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures {
            name,
            port,
            parts,
            allocations,
            original,
        } = self.figures;
        write!(f, "{name}{INDENT}{}", times(&port.times))?;
        failures(f, port, "")?;
        let parts = parts
            .each()
            .map(|(part, time)| format!("{part} {}", shown(time)));
        write!(f, "{INDENT}{}", parts.join("   "))?;
        if let Some(allocations) = allocations {
            let [bytes, peak] = [allocations.bytes, allocations.peak].map(size);
            let count = allocations.count;
            write!(
                f,
                "{INDENT}{count} allocations of {bytes}, at most {peak} at a time"
            )?;
        }
        if let Some(original) = original {
            write!(f, "{INDENT}Node: {}", times(&original.times))?;
            failures(f, original, "Node: ")?;
        }
        if let Some(baseline) = self.baseline {
            write!(f, "{INDENT}baseline: {}", times(&baseline.port.times))?;
            let change = self.figures.change(baseline);
            write!(
                f,
                "{INDENT}the median is {change:.2} times that of the baseline"
            )?;
        }
        Ok(())
    }
}

fn failures(f: &mut fmt::Formatter<'_>, invocations: &Invocations, side: &str) -> fmt::Result {
    match failed(invocations) {
        Some(failed) => write!(f, "{INDENT}{side}{failed}"),
        None => Ok(()),
    }
}

/// Returns how many invocations failed, and the first error. Returns `None` if none failed.
pub(super) fn failed(invocations: &Invocations) -> Option<String> {
    let (failed, count) = (invocations.failed, invocations.times.count());
    let [failed_of, count] = [failed, count].map(|number| whole(number as f64));
    let error = invocations.first_error.as_deref().unwrap_or("unknown");
    (failed > 0)
        .then(|| format!("{failed_of} of {count} invocations failed; the first error is: {error}"))
}

fn times(times: &Times) -> String {
    let [median, p99, max] = [times.median(), times.percentile(99), times.max()].map(shown);
    let (count, rate) = (whole(times.count() as f64), whole(times.rate()));
    format!("{count} invocations   {rate}/s   median {median}   p99 {p99}   max {max}")
}

/// Formats a time with three digits.
pub(super) fn shown(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    let (value, unit) = match nanos {
        ..1e3 => return format!("{nanos} ns"),
        ..1e6 => (nanos / 1e3, "µs"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// Formats a whole number with commas.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1000..=999_999 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::{
        figures::{Allocations, Parts},
        times::tests::times,
    };

    pub(in crate::bench) fn figures(name: &str, nanos: u64) -> Figures {
        let time = Duration::from_nanos;
        Figures {
            name: name.into(),
            port: Invocations {
                times: times(nanos..nanos + 100),
                ..Invocations::default()
            },
            parts: Parts {
                reading: time(100),
                handler: time(1500),
                encoding: time(20_000),
                outcome: time(300_000_000),
                other: time(4_000_000_000),
            },
            ..Figures::default()
        }
    }

    #[test]
    fn an_event_has_its_figures_beside_those_of_node_and_of_a_baseline() {
        let mut one = figures("a.json", 1000);
        fn lines(figures: &Figures, baseline: Option<&Figures>) -> String {
            Lines { figures, baseline }.to_string()
        }
        assert_eq!(
            lines(&one, None),
            "a.json\n        100 invocations   952,835/s   median 1.05 µs   p99 1.10 µs   max 1.10 µs\n        \
             reading 100 ns   handler 1.50 µs   encoding 20.0 µs   signal to outcome 300 ms   other 4.00 s"
        );
        one.port.failed = 3;
        one.port.first_error = Some("Oops: it broke".into());
        one.allocations = Some(Allocations {
            count: 7,
            bytes: 1234,
            peak: 999,
        });
        let mut original = figures("", 1_000_000).port;
        original.failed = 100;
        one.original = Some(original);
        let baseline = figures("a.json", 2000);
        let lines = lines(&one, Some(&baseline));
        for line in [
            "\n        3 of 100 invocations failed; the first error is: Oops: it broke\n",
            "\n        7 allocations of 1.2 kB, at most 999 B at a time\n",
            "\n        Node: 100 invocations   1,000/s   median 1.00 ms",
            "\n        Node: 100 of 100 invocations failed",
            "\n        baseline: 100 invocations   487,924/s   median 2.05 µs",
            "\n        the median is 0.51 times that of the baseline",
        ] {
            assert!(lines.contains(line), "{line} is not in {lines}");
        }
    }

    #[test]
    fn figures_are_short() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1234, "1.23 µs"),
            (12_345, "12.3 µs"),
            (123_456, "123 µs"),
            (1_234_567, "1.23 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(shown(Duration::from_nanos(nanos)), text);
        }
        for (number, text) in [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(whole(number), text);
        }
        assert_eq!(
            [size(999), size(1000), size(2_500_000)],
            ["999 B", "1.0 kB", "2.5 MB"]
        );
    }
}
