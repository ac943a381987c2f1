//! The outcomes of both sides, side by side, line by line.

use super::{
    compare_stream::{first_difference, hex},
    excerpt::{CUT, Excerpt, around, beginning},
    outcome::{Seen, SentOutcome},
    pretty::pretty,
    stream::{self, StreamEnd, Streamed, alike},
    window::Window,
};
use serde_json::value::RawValue;
use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices, group_diff_ops};

/// The maximum number of lines of each side that are compared, from the first that differs. Equal
/// lines at the end do not count.
const COMPARED: usize = 1000;

/// The number of equal lines shown before and after those that differ.
const CONTEXT: usize = 3;

/// The maximum number of rows of an event.
const ROWS: usize = 200;

/// The maximum number of characters shown of a line, and how many of them precede the first
/// difference.
const LINE: usize = 400;
const BEFORE: usize = 120;

/// The lines of both sides where they differ, and a few around them.
#[derive(Debug, PartialEq)]
pub(super) struct SideBySide {
    pub(super) rows: Vec<Row>,
    /// Whether there may be more differences after the last row.
    pub(super) has_more: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Row {
    /// Equal lines are left out here.
    Gap,
    Equal {
        original: usize,
        port: usize,
        text: String,
    },
    /// A line that only one side has, or a line of each side that differs.
    Different {
        original: Option<Line>,
        port: Option<Line>,
    },
}

/// A line, and its number from 1 on.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: Excerpt,
}

impl SideBySide {
    /// Compares the outcomes of both sides. Returns no rows if they are equal.
    pub(super) fn of(original: &Seen, port: &Seen) -> Self {
        let of = |original: &str, port: &str| SideBySide::of_texts(original, port);
        let (original, port) = alike(original, port);
        let from = match (&*original, &*port) {
            (SentOutcome::Stream(original), SentOutcome::Stream(port)) => {
                first_difference(&original.body, &port.body)
            }
            _ => 0,
        };
        let lines = of(&as_lines(&original, from), &as_lines(&port, from));
        if lines.rows.is_empty() {
            // They differ in white space alone.
            return of(&text(&original), &text(&port));
        }
        lines
    }

    fn of_texts(original: &str, port: &str) -> Self {
        let (original, port) = Window::of([original, port], str::lines, CONTEXT, COMPARED);
        let mut operations = capture_diff_slices(Algorithm::Myers, &original.lines, &port.lines);
        let mut sides = SideBySide {
            rows: Vec::new(),
            has_more: original.is_cut || port.is_cut,
        };
        let is_equal = |operation: &DiffOp| matches!(operation, DiffOp::Equal { .. });
        if sides.has_more {
            // Lines at the end may differ only because the rest is missing.
            let end = operations.iter().rposition(is_equal).filter(|end| *end > 0);
            operations.truncate(end.map_or(operations.len(), |end| end + 1));
        }
        let groups = group_diff_ops(operations, CONTEXT);
        for (number, group) in groups.iter().enumerate() {
            if number > 0 || original.skipped > 0 {
                sides.rows.push(Row::Gap);
            }
            for operation in group {
                let rows = (operation.old_range().len()).max(operation.new_range().len());
                let row = |nth| Row::of(operation, nth, &original, &port);
                sides.rows.extend((0..rows).take(ROWS + 1).map(row));
            }
        }
        if sides.rows.len() > ROWS {
            sides.rows.truncate(ROWS);
            sides.has_more = true;
        }
        sides
    }
}

impl Row {
    /// Returns the row of the nth lines of an operation.
    fn of(operation: &DiffOp, nth: usize, original: &Window<'_>, port: &Window<'_>) -> Self {
        let original = original.line(operation.old_range(), nth);
        let port = port.line(operation.new_range(), nth);
        if let (DiffOp::Equal { .. }, Some((original, text)), Some((port, _))) =
            (operation, original, port)
        {
            let text = beginning(text, LINE);
            return Row::Equal {
                original,
                port,
                text,
            };
        }
        let text = |side: Option<(usize, &'_ str)>| side.map_or("", |(_, text)| text).to_owned();
        let texts = around(&text(original), &text(port), BEFORE, LINE);
        let line = |side: Option<(usize, &str)>, text: Excerpt| {
            side.map(|(number, _)| Line { number, text })
        };
        Row::Different {
            original: line(original, texts.0),
            port: line(port, texts.1),
        }
    }

    /// Returns the approximate size of the row in a page, in bytes.
    pub(super) fn size(&self) -> usize {
        const MARKUP: usize = 200;
        MARKUP
            + match self {
                Row::Gap => 0,
                Row::Equal { text, .. } => 2 * text.len(),
                Row::Different { original, port } => {
                    let of =
                        |line: &Option<Line>| line.as_ref().map_or(0, |line| line.text.text.len());
                    of(original) + of(port)
                }
            }
    }
}

fn text(outcome: &SentOutcome) -> String {
    match outcome {
        SentOutcome::Response(body) => String::from_utf8_lossy(body).into_owned(),
        SentOutcome::Stream(stream) => String::from_utf8_lossy(&stream.body).into_owned(),
        SentOutcome::Error(error) => error.to_string(),
        SentOutcome::Nothing => String::new(),
    }
}

/// Returns the text of an outcome, with JSON on several lines. The body of a stream that is not
/// text is shown from the byte `from` on.
fn as_lines(outcome: &SentOutcome, from: usize) -> String {
    match outcome {
        SentOutcome::Stream(stream) => stream_lines(stream, from),
        SentOutcome::Response(_) | SentOutcome::Error(_) | SentOutcome::Nothing => {
            json_lines(&text(outcome))
        }
    }
}

fn json_lines(text: &str) -> String {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => pretty(json.get()),
        Err(_) => text.to_owned(),
    }
}

/// Formats a stream in the order of an HTTP response: content type, metadata, body, error.
fn stream_lines(stream: &Streamed, from: usize) -> String {
    let metadata = stream.metadata.as_deref().map(json_lines);
    let body = match stream::text(&stream.body) {
        Some(text) => json_lines(text),
        None => hex_lines(&stream.body, from),
    };
    let error = match &stream.end {
        StreamEnd::Error(error) => json_lines(&error.to_string()),
        StreamEnd::Ended | StreamEnd::NotEnded | StreamEnd::TooLarge => String::new(),
    };
    let head = format!("Content-Type: {}\n", stream.content_type);
    let parts = [Some(head), metadata.map(|text| text + "\n"), Some(body)];
    let mut lines = parts.into_iter().flatten().collect::<Vec<_>>().join("\n");
    if !error.is_empty() {
        lines.push_str("\n\n");
        lines.push_str(&error);
    }
    lines
}

/// The number of bytes per line of a body that is not text, and the maximum number of its lines.
const HEX: usize = 16;
const HEX_LINES: usize = 64;

/// Formats the bytes of a body like `hexdump`, from shortly before the byte `from` on.
fn hex_lines(body: &[u8], from: usize) -> String {
    let skipped = (from / HEX).saturating_sub(CONTEXT);
    let lines = body.chunks(HEX).enumerate().skip(skipped).take(HEX_LINES);
    let line = |(nth, bytes): (usize, &[u8])| format!("{:08x}  {}", nth * HEX, hex(bytes));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// A part of a text, and whether the other text has something else there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) is_changed: bool,
}

/// Splits two excerpts into parts that are equal and words that are not. Their positions in the
/// texts are not compared.
pub(super) fn changed_words(original: &Excerpt, port: &Excerpt) -> (Vec<Part>, Vec<Part>) {
    let (mut originals, mut ports) = (Vec::new(), Vec::new());
    let diff = TextDiff::from_unicode_words(&original.text, &port.text);
    for change in diff.iter_all_changes() {
        let is_changed = change.tag() != ChangeTag::Equal;
        if change.tag() != ChangeTag::Insert {
            push(&mut originals, change.value(), is_changed);
        }
        if change.tag() != ChangeTag::Delete {
            push(&mut ports, change.value(), is_changed);
        }
    }
    for (parts, excerpt) in [(&mut originals, original), (&mut ports, port)] {
        if excerpt.is_cut() {
            unmark_end(parts);
        }
        push(parts, &excerpt.note, false);
    }
    (originals, ports)
}

/// Unmarks the last words of a text that is cut. They differ only because the texts are shifted
/// against each other.
fn unmark_end(parts: &mut Vec<Part>) {
    let has_others = parts.iter().filter(|part| part.is_changed).count() > 1;
    let at = parts.iter().rposition(|part| part.is_changed);
    let is_end = |at: usize| parts.iter().skip(at + 1).all(|part| part.text == CUT);
    if let Some(at) = at.filter(|at| has_others && is_end(*at)) {
        for part in parts.split_off(at) {
            push(parts, &part.text, false);
        }
    }
}

fn push(parts: &mut Vec<Part>, text: &str, is_changed: bool) {
    match parts.last_mut() {
        Some(last) if last.is_changed == is_changed => last.text.push_str(text),
        _ => parts.push(Part {
            text: text.to_owned(),
            is_changed,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn response(text: String) -> Seen {
        Seen::from(SentOutcome::Response(Bytes::from(text)))
    }

    /// Each row as text: `3=3 a`, `3-a | 4-b`, `..`.
    fn rows(original: &Seen, port: &Seen) -> Vec<String> {
        let line = |line: &Option<Line>| {
            line.as_ref().map_or(String::new(), |line| {
                format!("{}-{}", line.number, line.text)
            })
        };
        let row = |row: &Row| match row {
            Row::Gap => "..".into(),
            Row::Equal {
                original,
                port,
                text,
            } => format!("{original}={port} {text}"),
            Row::Different { original, port } => format!("{} | {}", line(original), line(port)),
        };
        SideBySide::of(original, port)
            .rows
            .iter()
            .map(row)
            .collect()
    }

    #[test]
    fn lines_are_shown_side_by_side() {
        let many = |changed: usize| {
            let items = (0..30).map(|n| {
                if n == changed {
                    "x".into()
                } else {
                    n.to_string()
                }
            });
            let items: Vec<String> = items.collect();
            response(format!(r#"{{"items":{items:?}}}"#))
        };
        assert_eq!(
            rows(&many(100), &many(20)),
            [
                "..",
                "20=20     \"17\",",
                "21=21     \"18\",",
                "22=22     \"19\",",
                "23-    \"20\", | 23-    \"x\",",
                "24=24     \"21\",",
                "25=25     \"22\",",
                "26=26     \"23\",",
            ]
        );
        let rows = rows(
            &response(r#"[1,2,3]"#.into()),
            &response(r#"[1,7,2,3]"#.into()),
        );
        assert_eq!(
            rows,
            [
                "1=1 [",
                "2=2   1,",
                " | 3-  7,",
                "3=4   2,",
                "4=5   3",
                "5=6 ]"
            ]
        );
    }

    #[test]
    fn streams_are_shown_side_by_side() {
        let stream = |body: &'static [u8], end| {
            let sent = Bytes::from_static(body);
            Seen::from(SentOutcome::Stream(Streamed::new(
                "text/plain".into(),
                sent,
                end,
                false,
            )))
        };
        let error = StreamEnd::Error(json!({ "errorMessage": "a" }));
        assert_eq!(
            rows(
                &stream(b"one\ntwo", StreamEnd::Ended),
                &stream(b"one\nTwo", error)
            ),
            [
                "1=1 Content-Type: text/plain",
                "2=2 ",
                "3=3 one",
                "4-two | 4-Two",
                " | 5-",
                " | 6-{",
                " | 7-  \"errorMessage\": \"a\"",
                " | 8-}"
            ]
        );
        let binary = |last: u8| {
            let body = [vec![0; 100_000], vec![last, 0]].concat().leak();
            stream(body, StreamEnd::Ended)
        };
        let zeros = ["00"; 16].join(" ");
        assert_eq!(
            rows(&binary(1), &binary(2)),
            [
                "..".to_owned(),
                format!("3=3 00018670  {zeros}"),
                format!("4=4 00018680  {zeros}"),
                format!("5=5 00018690  {zeros}"),
                "6-000186a0  01 00 | 6-000186a0  02 00".into(),
            ]
        );
        // If only one side streams, its stream is compared as the equivalent response.
        assert_eq!(
            rows(
                &response("{\"a\":1}".into()),
                &stream(b"{\"a\":2}", StreamEnd::Ended)
            ),
            ["1=1 {", "2-  \"a\": 1 | 2-  \"a\": 2", "3=3 }"]
        );
    }

    #[test]
    fn outcomes_of_each_kind_are_shown_side_by_side() {
        let error = Seen::from(SentOutcome::Error(json!({ "errorMessage": "a" })));
        assert_eq!(
            rows(&error, &Seen::from(SentOutcome::Nothing)),
            ["1-{ | ", "2-  \"errorMessage\": \"a\" | ", "3-} | "]
        );
        assert_eq!(
            rows(&error, &response("1".into())),
            ["1-{ | 1-1", "2-  \"errorMessage\": \"a\" | ", "3-} | "]
        );
        let text = |text: &str| response(text.into());
        assert_eq!(
            rows(&text("{\"a\":1}"), &text("{\"a\": 1}")),
            ["1-{\"a\":1} | 1-{\"a\": 1}"]
        );
        assert_eq!(
            rows(&text("no\nJSON"), &text("no\nJSON!")),
            ["1=1 no", "2-JSON | 2-JSON!"]
        );
        assert!(rows(&error, &error).is_empty());
    }

    /// A line of 6 MB, many lines, and as many differences.
    #[test]
    fn what_is_kept_is_bounded() {
        let long = |end: &str| response(format!("\"{}{end}\"", "x".repeat(6_000_000)));
        let sides = SideBySide::of(&long("1"), &long("2"));
        assert!(matches!(&*sides.rows, [row] if row.size() < 2000));
        assert!(!sides.has_more);

        let items = |with: &str| response(format!("[{with}{}]", vec!["1"; 20_000].join(",")));
        let sides = SideBySide::of(&items(""), &items("0,"));
        assert_eq!((sides.rows.len(), sides.has_more), (5, false));

        let items = |with: &str| response(format!("[{with}{}]", "1,2,3,".repeat(10_000) + with));
        let sides = SideBySide::of(&items("1"), &items("7"));
        assert_eq!(sides.rows.len(), 5);
        assert!(sides.has_more);

        let items = |item: &str| response(format!("[{}]", vec![item; 20_000].join(",")));
        let sides = SideBySide::of(&items("1"), &items("2"));
        assert_eq!((sides.rows.len(), sides.has_more), (ROWS, true));
    }

    #[test]
    fn what_is_cut_off_is_not_a_difference() {
        let long =
            |word: &str| format!("{} {word} {}", "a b c ".repeat(100), "d e f g ".repeat(200));
        let (original, port) = around(&long("originals"), &long("ports"), 10, 60);
        let (originals, ports) = changed_words(&original, &port);
        let marked = |parts: &[Part]| {
            let marked = parts.iter().filter(|part| part.is_changed);
            marked.map(|part| part.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (marked(&originals), marked(&ports)),
            (vec!["originals".into()], vec!["ports".into()])
        );
    }

    #[test]
    fn words_that_differ_are_marked() {
        let marked = |parts: Vec<Part>| -> String {
            let part = |part: Part| {
                if part.is_changed {
                    format!("[{}]", part.text)
                } else {
                    part.text
                }
            };
            parts.into_iter().map(part).collect()
        };
        for (original, port, expected) in [
            (
                "\"no order 7\"",
                "\"no order: 7\"",
                ("\"no order 7\"", "\"no order[:] 7\""),
            ),
            ("1", "1.0", ("[1]", "[1.0]")),
            ("same", "same", ("same", "same")),
            ("", "a", ("", "[a]")),
        ] {
            let excerpt = |text: &str| Excerpt {
                text: text.into(),
                note: " (1 byte)".into(),
            };
            let (originals, ports) = changed_words(&excerpt(original), &excerpt(port));
            let expected = (
                format!("{} (1 byte)", expected.0),
                format!("{} (1 byte)", expected.1),
            );
            assert_eq!((marked(originals), marked(ports)), expected);
        }
    }
}
