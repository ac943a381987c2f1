//! The lines of a log by level and message, as written by AWS's Node client and by this crate.

use crate::log::lines::{Kept, level};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use tracing::level_filters::LevelFilter;

/// The maximum number of characters of a line that are compared.
const LINE: usize = 16 * 1024;

/// The text before the JSON of a failure in the log of Node's client.
const FAILURES: [&str; 3] = [
    "Invoke Error \t{",
    "Uncaught Exception \t{",
    "Unhandled Promise Rejection \t{",
];

/// A line, such as `INFO order 7`.
#[derive(Debug, PartialEq)]
struct Line {
    level: LevelFilter,
    text: String,
    /// Whether the client may have written it for a failed invocation, whose error is compared as
    /// the outcome.
    is_failure: bool,
}

/// Returns whether a line of the original has the format of its client's log, and a level that the
/// port also logs.
pub(super) fn is_compared(line: &str) -> bool {
    parse(line).is_some_and(|line| line.level <= level())
}

/// Returns the lines of the original in the form in which they are compared.
pub(super) fn of_original(lines: &[String], mut more: usize, is_error: bool) -> Vec<String> {
    let mut lines: Vec<Line> = lines.iter().filter_map(|line| parse(line)).collect();
    if is_error {
        match lines.iter().rposition(|line| line.is_failure) {
            Some(at) => drop(lines.remove(at)),
            None => more = more.saturating_sub(1),
        }
    }
    texts(lines, more)
}

/// Returns the lines of the port in the form in which they are compared.
pub(super) fn of_port(kept: &Kept) -> Vec<String> {
    let lines = kept.lines.iter().filter_map(|(target, line)| {
        // In the text format, lines of some levels end with the target.
        let line = line
            .strip_suffix(&format!(" target={target}"))
            .unwrap_or(line);
        parse(line)
    });
    texts(lines.collect(), kept.more)
}

fn texts(lines: Vec<Line>, more: usize) -> Vec<String> {
    let mut texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    if more > 0 {
        texts.push(format!("{more} more lines"));
    }
    texts
}

/// Calls `add` with the path and both sides of each difference. A path is `log/` and the index of
/// the original's line. For a line that only the port has, it is the index of the original's next
/// line.
pub(super) fn differences(
    original: &[String],
    port: &[String],
    mut add: impl FnMut(&str, &str, &str),
) {
    const NONE: &str = "no line";
    for operation in capture_diff_slices(Algorithm::Myers, original, port) {
        let (old, new) = (operation.old_range(), operation.new_range());
        if matches!(operation, DiffOp::Equal { .. }) {
            continue;
        }
        for at in 0..old.len().max(new.len()) {
            let original = old.clone().nth(at).and_then(|at| original.get(at));
            let port = new.clone().nth(at).and_then(|at| port.get(at));
            let text = |line: Option<&String>| line.map_or(NONE, String::as_str).to_owned();
            let path = format!("log/{}", old.start + at.min(old.len()));
            add(&path, &text(original), &text(port));
        }
    }
}

/// Parses a line of either format. Returns `None` for output without a level.
fn parse(line: &str) -> Option<Line> {
    let (level, message, is_failure) = json(line).or_else(|| text(line))?;
    // ERROR is the highest level of the port's log.
    let level = if level == "FATAL" {
        "ERROR".into()
    } else {
        level
    };
    let mut text = format!("{level} {message}");
    if let Some((end, _)) = text.char_indices().nth(LINE) {
        let bytes = text.len();
        text.truncate(end);
        text.push_str(&format!(".. ({bytes} bytes)"));
    }
    let level = level.parse().ok()?;
    Some(Line {
        level,
        text,
        is_failure,
    })
}

/// Parses time, request id, level and message, which are separated by tabs. The lines of a message
/// are separated by `\r`.
fn text(line: &str) -> Option<(String, String, bool)> {
    let mut columns = line.splitn(4, '\t');
    let (time, _, level, message) = (
        columns.next()?,
        columns.next()?,
        columns.next()?,
        columns.next()?,
    );
    let is_time = time.len() == "2026-01-01T00:00:00.000Z".len() && time.ends_with('Z');
    let is_level = level.chars().all(|c| c.is_ascii_uppercase());
    if !is_time || !is_level || level.is_empty() {
        return None;
    }
    let is_failure = level == "ERROR" && FAILURES.iter().any(|start| message.starts_with(start));
    Some((
        level.into(),
        without_frames(message.split('\r')),
        is_failure,
    ))
}

/// Removes stack frames, which differ between languages, and which the messages of a port do not
/// have.
fn without_frames<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let is_frame = |line: &str| line.starts_with(' ') && line.trim_start().starts_with("at ");
    let lines = lines.filter(|line| !is_frame(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn json(line: &str) -> Option<(String, String, bool)> {
    let mut members: Map<String, Value> = serde_json::from_str(line).ok()?;
    members.get("timestamp")?;
    let level = members.get("level")?.as_str()?.to_owned();
    let message = members.get("message")?.clone();
    let mut is_failure = false;
    let mut text = match message {
        Value::String(text) => without_frames(text.split('\n')),
        Value::Object(mut error) => match take_error(&mut error) {
            // From `console.error(err)`, which is text in the other format.
            Some(text) => {
                is_failure = level == "ERROR";
                with_members(text, error)
            }
            None => Value::Object(error).to_string(),
        },
        other => other.to_string(),
    };
    for own in [
        "timestamp",
        "level",
        "requestId",
        "tenantId",
        "target",
        "message",
    ] {
        members.shift_remove(own);
    }
    // From `console.error('failed:', err)`, whose message already contains the error.
    take_error(&mut members);
    text = with_members(text, members);
    Some((level, text, is_failure))
}

/// Removes the members that Node's client writes for an error, and returns the error as text.
fn take_error(members: &mut Map<String, Value>) -> Option<String> {
    let text = |name: &str| members.get(name)?.as_str().map(str::to_owned);
    let (error_type, message) = (text("errorType")?, text("errorMessage")?);
    members.get("stackTrace")?;
    for own in ["errorType", "errorMessage", "stackTrace"] {
        members.shift_remove(own);
    }
    Some(match message.as_str() {
        "" => error_type,
        message => format!("{error_type}: {message}"),
    })
}

fn with_members(text: String, members: Map<String, Value>) -> String {
    if members.is_empty() {
        text
    } else {
        format!("{text} {}", Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::log::lines::LINES;

    fn listed(original: &[&str], port: &[&str]) -> Vec<String> {
        let lines = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>()
        };
        let mut listed = Vec::new();
        differences(&lines(original), &lines(port), |path, original, port| {
            listed.push(format!("{path}: {original} | {port}"));
        });
        listed
    }

    #[test]
    fn an_extra_line_does_not_shift_the_others() {
        assert!(listed(&["a", "b"], &["a", "b"]).is_empty());
        assert_eq!(
            listed(&["a", "b", "c"], &["a", "c"]),
            ["log/1: b | no line"]
        );
        assert_eq!(
            listed(&["a", "c"], &["a", "b", "c"]),
            ["log/1: no line | b"]
        );
        assert_eq!(
            listed(&["a", "b"], &["a", "x", "y"]),
            ["log/1: b | x", "log/2: no line | y"]
        );
        assert_eq!(listed(&[], &["a"]), ["log/0: no line | a"]);
    }

    #[test]
    fn both_formats_have_level_and_message() {
        for (line, text) in [
            (
                "2026-01-01T00:00:00.000Z\tid\tINFO\torder\t7",
                "INFO order\t7",
            ),
            (
                "2026-01-01T00:00:00.000Z\tundefined\tWARN\ta\rb",
                "WARN a\nb",
            ),
            ("2026-01-01T00:00:00.000Z\tid\tFATAL\tx", "ERROR x"),
            (
                "2026-01-01T00:00:00.000Z\tid\tERROR\tError: a\r    at f (file.js:1:1)\r    at g {\r  code: 'X'\r}",
                "ERROR Error: a\n  code: 'X'\n}",
            ),
            (
                r#"{"timestamp":"t","level":"INFO","requestId":"id","message":"a"}"#,
                "INFO a",
            ),
            (
                r#"{"timestamp":"t","level":"INFO","message":{"order":7}}"#,
                r#"INFO {"order":7}"#,
            ),
            (
                r#"{"timestamp":"t","level":"ERROR","message":"a E: b\n    at c","errorType":"E","errorMessage":"b","stackTrace":[]}"#,
                "ERROR a E: b",
            ),
            (
                r#"{"timestamp":"t","level":"WARN","message":"a","order":7}"#,
                r#"WARN a {"order":7}"#,
            ),
            (
                r#"{"timestamp":"t","level":"ERROR","message":{"errorType":"E","errorMessage":"b","stackTrace":[],"code":"X"}}"#,
                r#"ERROR E: b {"code":"X"}"#,
            ),
        ] {
            assert_eq!(parse(line).unwrap().text, text);
        }
        for line in [
            "",
            "no level",
            "a\tb\tc\td",
            "2026-01-01T00:00:00.000Z\tid\tinfo\tx",
            r#"{"level":"INFO","message":"a"}"#,
            "[1]",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_line_of_a_failed_invocation_is_its_outcome() {
        let error = |start: &str| {
            format!("2026-01-01T00:00:00.000Z\tid\tERROR\t{start} \t{{\"errorType\":\"Error\"}}")
        };
        let user = "2026-01-01T00:00:00.000Z\tid\tERROR\tmine".to_owned();
        for start in [
            "Invoke Error",
            "Uncaught Exception",
            "Unhandled Promise Rejection",
        ] {
            assert_eq!(
                of_original(&[user.clone(), error(start)], 0, true),
                ["ERROR mine"]
            );
            assert_eq!(of_original(&[error(start)], 0, false).len(), 1);
        }
        let json = r#"{"timestamp":"t","level":"ERROR","message":{"errorType":"E","errorMessage":"m","stackTrace":[]}}"#;
        // The function logged its error itself, and then the client did.
        let lines = of_original(&[json.into(), json.into()], 0, true);
        assert_eq!(lines, ["ERROR E: m"]);
    }

    #[test]
    fn long_and_many_lines_are_bounded() {
        let line = format!(
            "2026-01-01T00:00:00.000Z\tid\tINFO\t{}",
            "ż".repeat(100_000)
        );
        let text = parse(&line).unwrap().text;
        assert!(
            text.len() < 2 * LINE + 100 && text.ends_with("(200005 bytes)"),
            "{}",
            text.len()
        );
        assert_eq!(of_original(&[], 7, false), ["7 more lines"]);
        let many = |text: &str| vec![text.to_owned(); LINES];
        let mut count = 0;
        differences(&many("a"), &many("b"), |_, _, _| count += 1);
        assert_eq!(count, LINES);
    }
}
