//! A line of text: time, request id, level and message, with tabs between.

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

/// The message and the fields.
pub(super) fn message(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, rest } = fields;
    message + &rest
}

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

/// A message of several lines stays one event, as Node writes it.
fn one_line(text: String) -> String {
    if text.contains('\n') {
        text.replace('\n', "\r")
    } else {
        text
    }
}

/// What stands before the JSON of a failure.
const FAILURE: &str = "Invoke Error \t";

/// The line as a terminal shows it, where several lines are several, and the JSON of a failure is indented.
pub(super) fn painted(line: &str, level: &str, colour: bool) -> String {
    let failure = line.split_once(FAILURE);
    let failure = failure.and_then(|(head, json)| Some((head, indented(json)?)));
    let line = match failure {
        Some((head, json)) => format!("{head}{}\n{json}", FAILURE.trim_end()),
        None => line.replace('\r', "\n"),
    };
    let code = match level {
        "ERROR" if colour => 31,
        "WARN" if colour => 33,
        _ => return line,
    };
    line.replacen(
        &format!("\t{level}\t"),
        &format!("\t\x1b[{code}m{level}\x1b[0m\t"),
        1,
    )
}

/// The same JSON on several lines, if it is JSON.
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
            // Where Node has it: `console.error('Invoke Error', '\t' + ..)`.
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
    fn on_a_terminal_the_level_has_its_colour_and_lines_are_lines() {
        assert_eq!(
            painted("time\tid\tERROR\tone\rtwo\tERROR\t", "ERROR", true),
            "time\tid\t\x1b[31mERROR\x1b[0m\tone\ntwo\tERROR\t"
        );
        assert_eq!(
            painted("time\tid\tWARN\tx", "WARN", true),
            "time\tid\t\x1b[33mWARN\x1b[0m\tx"
        );
        for (level, colour) in [("INFO", true), ("WARN", false), ("ERROR", false)] {
            let line = format!("time\tid\t{level}\tone\rtwo");
            let shown = format!("time\tid\t{level}\tone\ntwo");
            assert_eq!(painted(&line, level, colour), shown);
        }
    }

    #[test]
    fn on_a_terminal_a_failure_is_indented() {
        let json =
            r#"{"errorType":"E","errorMessage":"a\nb","size":1.5,"trace":["E: a","    at b"]}"#;
        let shown = "time\tid\tERROR\tInvoke Error\n{\n  \"errorType\": \"E\",\n  \
                     \"errorMessage\": \"a\\nb\",\n  \"size\": 1.5,\n  \"trace\": [\n    \
                     \"E: a\",\n    \"    at b\"\n  ]\n}";
        let line = format!("time\tid\tERROR\tInvoke Error \t{json}");
        assert_eq!(painted(&line, "ERROR", false), shown);
        // Somebody else's line that only looks like it.
        let line = "time\tid\tERROR\tInvoke Error \tdisk\rfull";
        assert_eq!(painted(line, "ERROR", false), line.replace('\r', "\n"));
    }
}
