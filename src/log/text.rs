//! A line of text: time, request id, level and message, with tabs between.

use super::SpanFields;
use crate::error::Logged;
use std::{
    error::Error as StdError,
    fmt::{self, Write},
};
use tracing::{
    Event,
    field::{Field, Visit},
};

pub(super) fn line(time: &str, of: &SpanFields, level: &str, event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, rest } = fields;
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

/// The line as a terminal shows it, where several lines are several.
pub(super) fn painted(line: &str, level: &str) -> String {
    let line = line.replace('\r', "\n");
    let code = match level {
        "ERROR" => 31,
        "WARN" => 33,
        _ => return line,
    };
    line.replacen(
        &format!("\t{level}\t"),
        &format!("\t\x1b[{code}m{level}\x1b[0m\t"),
        1,
    )
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
            painted("time\tid\tERROR\tone\rtwo\tERROR\t", "ERROR"),
            "time\tid\t\x1b[31mERROR\x1b[0m\tone\ntwo\tERROR\t"
        );
        assert_eq!(
            painted("time\tid\tWARN\tx", "WARN"),
            "time\tid\t\x1b[33mWARN\x1b[0m\tx"
        );
        assert_eq!(painted("time\tid\tINFO\tx", "INFO"), "time\tid\tINFO\tx");
    }
}
