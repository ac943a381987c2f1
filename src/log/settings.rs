//! The settings of the log, from the environment.

use std::{
    env,
    io::{self, IsTerminal},
    str::FromStr,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug)]
pub(super) struct LogSettings {
    pub(super) format: Format,
    /// The level of each target.
    pub(super) levels: Targets,
    /// Whether a person reads the log on a terminal.
    pub(super) terminal: bool,
    pub(super) color: bool,
    /// Messages about the values that could not be parsed.
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
                    "AWS_LAMBDA_LOG_FORMAT is `{text}`: expected Text or JSON; Text is used"
                ));
                Format::Text
            }
            _ => Format::Text,
        };
        let info = || Targets::new().with_default(LevelFilter::INFO);
        let levels = match (variable("AWS_LAMBDA_LOG_LEVEL"), variable("RUST_LOG")) {
            (Some(text), _) => match level(&text) {
                Some(level) => Targets::new().with_default(level),
                None => {
                    mistakes.push(format!(
                        "AWS_LAMBDA_LOG_LEVEL is `{text}`: expected TRACE, DEBUG, INFO, WARN, \
                         ERROR or FATAL; INFO is used"
                    ));
                    info()
                }
            },
            (None, Some(text)) if !text.trim().is_empty() => {
                directives(&text).unwrap_or_else(|| {
                    mistakes.push(format!(
                        "RUST_LOG is `{text}`: expected a level, or directives such as \
                         `warn,my_crate=debug`; INFO is used"
                    ));
                    info()
                })
            }
            _ => info(),
        };
        let on_lambda = variable("AWS_LAMBDA_RUNTIME_API").is_some() || !cfg!(feature = "local");
        // Only a person gets several lines for one event.
        let terminal = terminal && !on_lambda && format == Format::Text;
        let no_color = variable("NO_COLOR").is_some_and(|text| !text.is_empty())
            || variable("TERM").is_some_and(|text| text == "dumb");
        LogSettings {
            format,
            levels,
            terminal,
            color: terminal && !no_color,
            mistakes,
        }
    }
}

/// Parses a level. `tracing` has none above ERROR, so FATAL is the same as ERROR.
fn level(text: &str) -> Option<LevelFilter> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("fatal") {
        return Some(LevelFilter::ERROR);
    }
    LevelFilter::from_str(text)
        .ok()
        .filter(|_| !text.is_empty())
}

/// Parses `RUST_LOG` by its convention: a level for all targets, levels for some, or both. Without
/// a level for all targets, those without one of their own are off.
fn directives(text: &str) -> Option<Targets> {
    if let Some(level) = level(text) {
        return Some(Targets::new().with_default(level));
    }
    let directives = text.split(',').map(str::trim);
    let directives: Vec<_> = directives.filter(|text| !text.is_empty()).collect();
    directives.join(",").parse().ok()
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
                (settings.levels, settings.mistakes.len()),
                (Targets::new().with_default(level), mistakes),
                "{text}"
            );
        }
    }

    #[test]
    fn rust_log_takes_directives() {
        let all = |level| Targets::new().with_default(level);
        for (text, levels, mistakes) in [
            ("warn", all(LevelFilter::WARN), 0),
            ("Debug", all(LevelFilter::DEBUG), 0),
            ("off", all(LevelFilter::OFF), 0),
            ("", all(LevelFilter::INFO), 0),
            (" ", all(LevelFilter::INFO), 0),
            (
                "warn,my_crate=debug",
                all(LevelFilter::WARN).with_target("my_crate", LevelFilter::DEBUG),
                0,
            ),
            (
                " my_crate::db=trace , hyper=off,, ",
                Targets::new()
                    .with_target("my_crate::db", LevelFilter::TRACE)
                    .with_target("hyper", LevelFilter::OFF),
                0,
            ),
            (
                "my_crate",
                Targets::new().with_target("my_crate", LevelFilter::TRACE),
                0,
            ),
            ("my_crate=loud", all(LevelFilter::INFO), 1),
            ("a=b=c", all(LevelFilter::INFO), 1),
        ] {
            let settings = of(&[("RUST_LOG", text)], false);
            assert_eq!(
                (&settings.levels, settings.mistakes.len()),
                (&levels, mistakes),
                "{text}: {settings:?}"
            );
        }
    }

    #[test]
    #[cfg(feature = "local")]
    fn text_on_a_terminal_is_colored_unless_the_environment_disables_it() {
        let shown = |variables: &[_], terminal| {
            let settings = of(variables, terminal);
            (settings.terminal, settings.color)
        };
        assert_eq!(shown(&[], true), (true, true));
        assert_eq!(shown(&[("NO_COLOR", "")], true), (true, true));
        assert_eq!(shown(&[("NO_COLOR", "1")], true), (true, false));
        assert_eq!(shown(&[("TERM", "dumb")], true), (true, false));
        assert_eq!(shown(&[], false), (false, false));
        for other in [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ] {
            assert_eq!(shown(&[other], true), (false, false), "{other:?}");
        }
    }
}
