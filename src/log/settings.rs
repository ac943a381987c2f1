//! What the environment says of the log.

use std::{
    env,
    io::{self, IsTerminal},
    str::FromStr,
};
use tracing::level_filters::LevelFilter;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug)]
pub(super) struct LogSettings {
    pub(super) format: Format,
    pub(super) level: LevelFilter,
    /// Whether a person reads along.
    pub(super) colour: bool,
    /// What could not be understood.
    pub(super) mistakes: Vec<String>,
}

impl LogSettings {
    pub(super) fn read() -> Self {
        LogSettings::parse(|name| env::var(name).ok(), io::stderr().is_terminal())
    }

    fn parse(variable: impl Fn(&str) -> Option<String>, terminal: bool) -> Self {
        let mut mistakes = Vec::new();
        let format = match variable("AWS_LAMBDA_LOG_FORMAT") {
            Some(text) if text.trim().eq_ignore_ascii_case("json") => Format::Json,
            Some(text) if !["", "text"].contains(&&*text.trim().to_ascii_lowercase()) => {
                mistakes.push(format!(
                    "AWS_LAMBDA_LOG_FORMAT is `{text}`: expected Text or JSON, and took Text"
                ));
                Format::Text
            }
            _ => Format::Text,
        };
        let level = match variable("AWS_LAMBDA_LOG_LEVEL") {
            Some(text) => level(&text).unwrap_or_else(|| {
                mistakes.push(format!(
                    "AWS_LAMBDA_LOG_LEVEL is `{text}`: expected TRACE, DEBUG, INFO, WARN, ERROR \
                     or FATAL, and took INFO"
                ));
                LevelFilter::INFO
            }),
            None => variable("RUST_LOG")
                .and_then(|text| level(&text))
                .unwrap_or(LevelFilter::INFO),
        };
        let on_lambda = variable("AWS_LAMBDA_RUNTIME_API").is_some() || !cfg!(feature = "local");
        let no_colour = variable("NO_COLOR").is_some_and(|text| !text.is_empty());
        LogSettings {
            format,
            level,
            colour: terminal && !on_lambda && !no_colour && format == Format::Text,
            mistakes,
        }
    }
}

/// There is nothing above ERROR here, so FATAL lets that pass.
fn level(text: &str) -> Option<LevelFilter> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("fatal") {
        return Some(LevelFilter::ERROR);
    }
    LevelFilter::from_str(text)
        .ok()
        .filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], terminal: bool) -> LogSettings {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        };
        LogSettings::parse(variable, terminal)
    }

    #[test]
    fn the_format_is_text_unless_it_is_json_in_any_case() {
        for (text, format, mistakes) in [
            ("Text", Format::Text, 0),
            ("TEXT", Format::Text, 0),
            ("", Format::Text, 0),
            ("JSON", Format::Json, 0),
            ("json", Format::Json, 0),
            ("yaml", Format::Text, 1),
        ] {
            let settings = of(&[("AWS_LAMBDA_LOG_FORMAT", text)], false);
            assert_eq!(
                (settings.format, settings.mistakes.len()),
                (format, mistakes),
                "{text}"
            );
        }
    }

    #[test]
    fn the_levels_are_nodes_in_any_case() {
        for (text, level, mistakes) in [
            ("TRACE", LevelFilter::TRACE, 0),
            ("debug", LevelFilter::DEBUG, 0),
            ("Info", LevelFilter::INFO, 0),
            ("WARN", LevelFilter::WARN, 0),
            ("ERROR", LevelFilter::ERROR, 0),
            ("FATAL", LevelFilter::ERROR, 0),
            ("loud", LevelFilter::INFO, 1),
            ("", LevelFilter::INFO, 1),
        ] {
            let settings = of(
                &[("AWS_LAMBDA_LOG_LEVEL", text), ("RUST_LOG", "trace")],
                false,
            );
            assert_eq!(
                (settings.level, settings.mistakes.len()),
                (level, mistakes),
                "{text}"
            );
        }
        assert_eq!(of(&[("RUST_LOG", "warn")], false).level, LevelFilter::WARN);
        let filters = of(&[("RUST_LOG", "info,hyper=warn")], false);
        assert_eq!(
            (filters.level, filters.mistakes.len()),
            (LevelFilter::INFO, 0)
        );
    }

    #[test]
    #[cfg(feature = "local")]
    fn there_is_colour_where_a_person_reads_text() {
        assert!(of(&[], true).colour);
        assert!(of(&[("NO_COLOR", "")], true).colour);
        assert!(!of(&[], false).colour);
        for other in [
            ("NO_COLOR", "1"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ] {
            assert!(!of(&[other], true).colour, "{other:?}");
        }
    }
}
