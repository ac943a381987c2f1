//! The differences between two streams.

use super::{
    compare::Differences,
    excerpt::{CUT, Excerpt, shown},
    stream::{StreamEnd, Streamed, text},
    window::Window,
};
use bytes::Bytes;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::fmt::Write;

/// The maximum number of lines of each side that are compared, from the first that differs. Equal
/// lines at the end do not count.
const LINES: usize = 1000;

/// The maximum number of bytes shown of a body that is not text.
const BYTES: usize = 16;

/// The text in place of a line that only the other side has.
const NONE: &str = "no line";

impl Differences<'_> {
    /// Compares how the streams ended and what was sent, regardless of chunk boundaries.
    pub(super) fn streams(&mut self, original: &Streamed, port: &Streamed) {
        match (&original.end, &port.end) {
            (original, port) if original == port => {}
            (StreamEnd::Error(original), StreamEnd::Error(port)) => {
                let (original, port) = (original.to_string(), port.to_string());
                self.bodies("", original.as_bytes(), port.as_bytes());
            }
            (original, port) => self.add("outcome", ended(original), ended(port)),
        }
        if original.is_unknown() {
            return;
        }
        if original.content_type != port.content_type {
            self.texts("contentType", &original.content_type, &port.content_type);
        }
        let metadata = |stream: &'_ Streamed| stream.metadata.clone();
        self.values(
            "metadata",
            0,
            metadata(original).as_deref(),
            metadata(port).as_deref(),
        );
        let sent = arrived(&port.body, original);
        if original.body != sent {
            self.stream_bodies(&original.body, &sent, original.is_cut);
        }
    }

    fn stream_bodies(&mut self, original: &[u8], port: &[u8], is_cut: bool) {
        match (part_of_text(original, is_cut), part_of_text(port, is_cut)) {
            (Some(original), Some(port)) if is_json(original) && is_json(port) => {
                self.bodies("body", original.as_bytes(), port.as_bytes());
            }
            (Some(original), Some(port)) => self.lines(original, port),
            _ => {
                let from = first_difference(original, port);
                self.add("body", bytes(original, from), bytes(port, from));
            }
        }
    }

    /// Compares texts line by line. The path has the index of the original's line. For a line that
    /// only the port has, it is the index of the original's next line.
    fn lines(&mut self, original: &str, port: &str) {
        // Every byte counts: a `\r` at the end of a line is part of the line.
        let split = |text| str::split(text, '\n');
        let (original, port) = Window::of([original, port], split, 0, LINES);
        let has_more = original.is_cut || port.is_cut;
        let mut operations = capture_diff_slices(Algorithm::Myers, &original.lines, &port.lines);
        if has_more {
            // Lines at the end may differ only because the rest is left out.
            let is_equal = |operation: &DiffOp| matches!(operation, DiffOp::Equal { .. });
            if let Some(end) = operations.iter().rposition(is_equal) {
                operations.truncate(end);
            }
        }
        for operation in operations {
            let (old, new) = (operation.old_range(), operation.new_range());
            if matches!(operation, DiffOp::Equal { .. }) {
                continue;
            }
            for nth in 0..old.len().max(new.len()) {
                let line = |window: &Window<'_>, range| {
                    let line = window.line(range, nth);
                    line.map_or(NONE, |(_, line)| line).to_owned()
                };
                let at = original.skipped + old.start + nth.min(old.len());
                self.texts(
                    &format!("body/{at}"),
                    &line(&original, old.clone()),
                    &line(&port, new.clone()),
                );
            }
        }
        if has_more {
            let message = format!("more than {LINES} lines from the first that differs");
            self.add("body", message, Excerpt::default());
        }
    }
}

/// Describes how a stream ended, as a report shows it.
pub(super) fn ended(end: &StreamEnd) -> Excerpt {
    match end {
        StreamEnd::Ended => "the stream ended".to_owned().into(),
        StreamEnd::Error(error) => {
            let error = shown(&error.to_string());
            format!("the stream ended with the error {error}").into()
        }
        StreamEnd::NotEnded => "no end before the deadline or the end of the process"
            .to_owned()
            .into(),
        StreamEnd::TooLarge => "the stream has more than 200 MB".to_owned().into(),
    }
}

/// Returns what would have arrived of the port's body if its process had ended as the original's
/// did.
fn arrived(body: &Bytes, original: &Streamed) -> Bytes {
    match original.is_cut {
        true => body.slice(..body.len().min(original.body.len())),
        false => body.clone(),
    }
}

/// Returns the text of a body, if it is text. A character that is cut in two at the end is left
/// out.
fn part_of_text(body: &[u8], is_cut: bool) -> Option<&str> {
    let end = match std::str::from_utf8(body) {
        Err(error) if is_cut && error.error_len().is_none() => error.valid_up_to(),
        _ => body.len(),
    };
    text(body.get(..end)?)
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Returns the index of the first byte that differs.
pub(super) fn first_difference(original: &[u8], port: &[u8]) -> usize {
    let mut pairs = original.iter().zip(port);
    let differs = pairs.position(|(original, port)| original != port);
    differs.unwrap_or(original.len().min(port.len()))
}

/// Returns an excerpt of the bytes of a body, from an index on.
fn bytes(body: &[u8], from: usize) -> Excerpt {
    let rest = body.get(from..).unwrap_or_default();
    let mut text = hex(rest.get(..BYTES).unwrap_or(rest));
    if rest.len() > BYTES {
        text.push_str(CUT);
    } else if rest.is_empty() {
        text = "no byte".into();
    }
    Excerpt {
        text,
        note: format!(" (from byte {from} of {})", body.len()),
    }
}

/// Formats bytes as hexadecimal numbers.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(3));
    for (nth, byte) in bytes.iter().enumerate() {
        let space = if nth > 0 { " " } else { "" };
        // Writing into a text does not fail.
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::{
        compare::differences,
        outcome::{Seen, SentOutcome},
    };
    use serde_json::{Value, json};

    fn stream(body: impl Into<Bytes>, end: StreamEnd) -> Streamed {
        Streamed::new("text/plain".into(), body.into(), end, false)
    }

    fn listed(original: Streamed, port: Streamed) -> Vec<String> {
        all(
            &Seen::from(SentOutcome::Stream(original)),
            &Seen::from(SentOutcome::Stream(port)),
        )
    }

    fn all(original: &Seen, port: &Seen) -> Vec<String> {
        let listed = |one: super::super::compare::Difference| {
            format!("{}: {} | {}", one.path, one.original, one.port)
        };
        differences(original, port, |_| false)
            .into_iter()
            .map(listed)
            .collect()
    }

    #[test]
    fn bodies_are_compared_by_line_by_member_or_by_byte() {
        for (original, port, expected) in [
            (&b"a\nb\n"[..], &b"a\nb\n"[..], vec![]),
            (b"a\nb\nc", b"a\nB\nc", vec!["body/1: b | B"]),
            (b"a\nb", b"a\nx\nb", vec!["body/1: no line | x"]),
            (b"a\n", b"a", vec!["body/1:  | no line"]),
            (b"a\r\nb", b"a\nb", vec![r"body/0: a\r | a"]),
            (
                b"a\0",
                b"a\x01",
                vec!["body: 00 (from byte 1 of 2) | 01 (from byte 1 of 2)"],
            ),
            (
                br#"{"a":[1,2]}"#,
                br#"{"a":[1,3]}"#,
                vec!["body/a/1: 2 | 3"],
            ),
            (b"[1]", b"[1 ]", vec!["body: [1] | [1 ]"]),
            (
                b"\xff\x00\x01",
                b"\xff\x00\x02",
                vec!["body: 01 (from byte 2 of 3) | 02 (from byte 2 of 3)"],
            ),
            (
                b"\xff",
                b"\xff\x00",
                vec!["body: no byte (from byte 1 of 1) | 00 (from byte 1 of 2)"],
            ),
        ] {
            let of = |body: &'static [u8]| stream(Bytes::from_static(body), StreamEnd::Ended);
            assert_eq!(listed(of(original), of(port)), expected);
        }
        let long = |last: u8| {
            stream(
                [vec![255; 100_000], vec![last; 100]].concat(),
                StreamEnd::Ended,
            )
        };
        let shown = |byte: &str| format!("{}.. (from byte 100000 of 100100)", [byte; 16].join(" "));
        assert_eq!(
            listed(long(1), long(2)),
            [format!("body: {} | {}", shown("01"), shown("02"))]
        );
    }

    #[test]
    fn metadata_and_the_content_type_are_compared() {
        let http = |metadata: &str| {
            let sent = format!("{metadata}\0\0\0\0\0\0\0\0a");
            Streamed::new(
                crate::stream::HTTP_INTEGRATION.into(),
                sent.into(),
                StreamEnd::Ended,
                false,
            )
        };
        assert_eq!(
            listed(
                http(r#"{"statusCode":200,"headers":{"a":"b"},"cookies":["c=1"]}"#),
                http(r#"{"statusCode":201,"headers":{"a":"c"},"cookies":[]}"#),
            ),
            [
                "metadata/statusCode: 200 | 201",
                r#"metadata/headers/a: "b" | "c""#,
                r#"metadata/cookies/0: "c=1" | undefined"#,
            ]
        );
        assert_eq!(
            listed(http("{}"), stream("a", StreamEnd::Ended)),
            [
                "contentType: application/vnd.awslambda.http-integration-response | text/plain",
                "metadata: {} | undefined",
            ]
        );
    }

    fn error(message: &str) -> Value {
        json!({ "errorType": "Error", "errorMessage": message })
    }

    #[test]
    fn ends_are_compared() {
        let failed = |message| stream("a", StreamEnd::Error(error(message)));
        assert!(listed(failed("a"), failed("a")).is_empty());
        assert_eq!(
            listed(failed("a"), failed("b")),
            [r#"/errorMessage: "a" | "b""#]
        );
        assert_eq!(
            listed(failed("a"), stream("b", StreamEnd::Ended)),
            [
                r#"outcome: the stream ended with the error {"errorType":"Error","errorMessage":"a"} | the stream ended"#,
                "body/0: a | b",
            ]
        );
        assert_eq!(
            listed(
                stream("a", StreamEnd::NotEnded),
                stream("a", StreamEnd::TooLarge)
            ),
            [
                "outcome: no end before the deadline or the end of the process | the stream has more than 200 MB"
            ]
        );
    }

    /// How much of the body arrives before a process ends differs from run to run.
    #[test]
    fn what_a_process_that_ended_did_not_send_is_not_compared() {
        let cut = |body: &'static str| Streamed {
            is_cut: true,
            ..stream(body, StreamEnd::Error(error("a")))
        };
        let whole = stream("ab\nżć", StreamEnd::Error(error("a")));
        for begins in ["", "a", "ab\n", "ab\nż", "ab\nżć"] {
            assert!(listed(cut(begins), whole.clone()).is_empty(), "{begins}");
        }
        let half = Streamed {
            body: Bytes::from_static(b"ab\n\xc5"),
            ..cut("")
        };
        assert!(listed(half, whole.clone()).is_empty());
        assert_eq!(listed(cut("x"), whole.clone()), ["body/0: x | a"]);
        let longer = listed(cut("ab\nżć\n"), whole);
        assert_eq!(longer, ["body/2:  | no line"]);
        // The process had sent nothing yet.
        let ended = Seen {
            ended: Some("exited with 129".into()),
            ..Seen::from(SentOutcome::Error(error("b")))
        };
        let port = Seen::from(SentOutcome::Stream(stream(
            "a",
            StreamEnd::Error(error("a")),
        )));
        assert_eq!(all(&ended, &port), [r#"/errorMessage: "b" | "a""#]);
    }

    #[test]
    fn a_stream_is_compared_with_a_response_and_with_an_error() {
        let of = |outcome| Seen::from(outcome);
        let streams = |body: &'static str, end| of(SentOutcome::Stream(stream(body, end)));
        let mode = "mode: not streamed | streamed";
        let response = of(SentOutcome::Response(r#"{"a":1}"#.into()));
        assert_eq!(
            all(&response, &streams(r#"{"a":1}"#, StreamEnd::Ended)),
            [mode]
        );
        assert_eq!(
            all(&response, &streams(r#"{"a":2}"#, StreamEnd::Ended)),
            [mode, "/a: 1 | 2"]
        );
        // They differ in white space alone.
        assert_eq!(
            all(&response, &streams(r#"{"a": 1}"#, StreamEnd::Ended)),
            [mode, r#": {"a":1} | {"a": 1}"#]
        );
        let failed = of(SentOutcome::Error(error("a")));
        assert_eq!(
            all(&failed, &streams("", StreamEnd::Error(error("a")))),
            [mode]
        );
        assert_eq!(
            all(&failed, &streams("b", StreamEnd::Error(error("a")))),
            [
                mode,
                r#"outcome: error {"errorType":"Error","errorMessage":"a"} | the stream ended with the error {"errorType":"Error","errorMessage":"a"} after 1 byte"#,
            ]
        );
        assert_eq!(
            all(&streams("", StreamEnd::Error(error("a"))), &failed),
            ["mode: streamed | not streamed"]
        );
        let nothing = of(SentOutcome::Nothing);
        assert!(all(&nothing, &streams("", StreamEnd::NotEnded)).is_empty());
        assert_eq!(
            all(&nothing, &streams("a", StreamEnd::Ended)),
            [
                "outcome: no response before the deadline or the end of the process | the stream ended after 1 byte"
            ]
        );
    }

    #[test]
    fn many_lines_are_bounded() {
        let lines = |line: &str, count: usize| {
            stream(
                format!("same\n{}end", format!("{line}\n").repeat(count)),
                StreamEnd::Ended,
            )
        };
        let listed = listed(lines("a", 300_000), lines("b", 300_000));
        assert_eq!(listed.len(), 1001);
        assert_eq!(listed[0], "body/1: a | b");
        assert!(listed[1000].contains("more than 1000"), "{}", listed[1000]);
        // A line that only one side has shifts those that follow.
        let more = self::listed(lines("a", 300_000), lines("a", 300_001));
        assert_eq!(more, ["body/300001: no line | a"]);
    }

    /// A stream may have 200 MB, and so as many lines.
    #[cfg(feature = "bench-allocations")]
    #[test]
    fn the_memory_for_many_lines_is_bounded() {
        let lines = |end: &str| stream("\n".repeat(1_000_000) + end, StreamEnd::Ended);
        let (original, port) = (lines("a"), lines("b"));
        let (original, port) = (
            Seen::from(SentOutcome::Stream(original)),
            Seen::from(SentOutcome::Stream(port)),
        );
        let mut listed = Vec::new();
        let allocated = allocation_counter::measure(|| listed = all(&original, &port));
        assert_eq!(listed, ["body/1000000: a | b"]);
        assert!(allocated.bytes_max < 100_000, "{allocated:?}");
    }
}
