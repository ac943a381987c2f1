//! Log lines as text: the time, the request id, the level and the message, separated by tabs.

use super::{SpanFields, target};
use crate::error::Logged;
use serde_json::Value;
use std::{
    error::Error as StdError,
    fmt::{self, Write},
};
use tracing::{
    Event,
    field::{Field, Visit},
};

/// Returns the message and the fields of an event.
pub(super) fn message(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, rest } = fields;
    message + &rest
}

/// Returns the line of an event.
pub(super) fn line(time: &str, of: &SpanFields, level: &str, event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, mut rest } = fields;
    if let Some(target) = target(event.metadata()) {
        // Writing to a string does not fail.
        let _ = write!(rest, " target={target}");
    }
    one_line(format!(
        "{time}\t{}\t{level}\t{message}{rest}",
        of.request_id
    ))
}

/// Replaces newlines by carriage returns, as Node's runtime does, so that CloudWatch keeps a
/// message of several lines as one event.
fn one_line(text: String) -> String {
    if text.contains('\n') {
        text.replace('\n', "\r")
    } else {
        text
    }
}

/// The text before the JSON of a failure.
const FAILURE: &str = "Invoke Error \t";

/// Returns a line as it is shown on a terminal, with its newlines restored and the JSON of a
/// failure indented.
pub(super) fn painted(line: &str, level: &str, color: bool) -> String {
    let failure = line.split_once(FAILURE);
    let failure = failure.and_then(|(head, json)| Some((head, indented(json)?)));
    let line = match failure {
        Some((head, json)) => format!("{head}{}\n{json}", FAILURE.trim_end()),
        None => line.replace('\r', "\n"),
    };
    let code = match level {
        "ERROR" if color => 31,
        "WARN" if color => 33,
        _ => return line,
    };
    line.replacen(
        &format!("\t{level}\t"),
        &format!("\t\x1b[{code}m{level}\x1b[0m\t"),
        1,
    )
}

/// Returns a text on several lines, indented, if it is JSON.
pub(super) fn indented(json: &str) -> Option<String> {
    let json: Value = serde_json::from_str(json).ok()?;
    serde_json::to_string_pretty(&json).ok()
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn record(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string fails only where the value's own formatting does.
        let _ = match field.name() {
            "message" => self.message.write_fmt(value),
            name => write!(self.rest, " {name}={value}"),
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        if value.is::<Logged>() {
            // Separated as in Node's `console.error('Invoke Error', '\t' + ..)`.
            let _ = write!(self.rest, " \t{value}");
        } else {
            self.record(field, format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_the_level_in_color_and_newlines_as_such() {
        assert_eq!(
            painted("time\tid\tERROR\tone\rtwo\tERROR\t", "ERROR", true),
            "time\tid\t\x1b[31mERROR\x1b[0m\tone\ntwo\tERROR\t"
        );
        assert_eq!(
            painted("time\tid\tWARN\tx", "WARN", true),
            "time\tid\t\x1b[33mWARN\x1b[0m\tx"
        );
        for (level, color) in [("INFO", true), ("WARN", false), ("ERROR", false)] {
            let line = format!("time\tid\t{level}\tone\rtwo");
            let shown = format!("time\tid\t{level}\tone\ntwo");
            assert_eq!(painted(&line, level, color), shown);
        }
    }

    #[test]
    fn a_terminal_shows_the_json_of_a_failure_indented() {
        let json =
            r#"{"errorType":"E","errorMessage":"a\nb","size":1.5,"trace":["E: a","    at b"]}"#;
        let shown = "time\tid\tERROR\tInvoke Error\n{\n  \"errorType\": \"E\",\n  \
                     \"errorMessage\": \"a\\nb\",\n  \"size\": 1.5,\n  \"trace\": [\n    \
                     \"E: a\",\n    \"    at b\"\n  ]\n}";
        let line = format!("time\tid\tERROR\tInvoke Error \t{json}");
        assert_eq!(painted(&line, "ERROR", false), shown);
        // A line of user code that begins in the same way but has no JSON.
        let line = "time\tid\tERROR\tInvoke Error \tdisk\rfull";
        assert_eq!(painted(line, "ERROR", false), line.replace('\r', "\n"));
    }
}
