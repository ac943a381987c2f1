//! The command line of a comparison: `--against FILE.EXPORT EVENTS..`.

use super::{Comparison, comparison::Mode, report::Compared, requests::Again, terminal::Terminal};
use crate::{
    error::Result,
    invocation::{ContextBuilder, Functions},
    local::{Argument, Arguments},
};
use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The options and arguments of a comparison.
#[derive(Debug)]
pub(crate) struct Against {
    comparison: Comparison,
    handler: Option<String>,
    requests: bool,
    /// The file for the HTML report.
    report: Option<PathBuf>,
}

impl Against {
    /// Parses the arguments that follow the program's name. Returns `None` if they do not request a
    /// comparison.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Option<Result<Self, String>> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let asks = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text == "--against" || text.starts_with("--against=")
        };
        arguments.iter().any(asks).then(|| parse(arguments))
    }

    /// Runs the comparison, prints a line for each event as soon as it is compared, and returns the
    /// exit code: 0 if every event is the same or accepted, 1 if not, 2 if the comparison cannot
    /// run.
    pub(crate) async fn run(
        mut self,
        functions: &Functions,
        context: impl Fn(&str) -> ContextBuilder,
    ) -> i32 {
        let name = self.handler.as_deref().unwrap_or(&self.comparison.original);
        let function = match functions.named(name) {
            Ok(function) => function,
            Err(mistake) => return failed(&format!("`--handler NAME`: {mistake}")),
        };
        if let Some(mistake) = self
            .report
            .as_deref()
            .and_then(|file| unwritable("--report", file))
        {
            return failed(&mistake);
        }
        if self.requests {
            match Again::run(self.comparison.mode != Mode::Recorded).await {
                Ok(Again::Recorded(recorder)) => self.comparison.requests = Some(recorder),
                Ok(Again::Ended(status)) => return status.code().unwrap_or(2),
                Err(error) => return failed(error.message()),
            }
        }
        let export = self
            .comparison
            .original
            .rsplit('.')
            .next()
            .unwrap_or_default();
        let name = self.handler.as_deref().unwrap_or(export);
        let terminal = Terminal::new();
        let each = |compared: &Compared, count| terminal.event(compared, count);
        let comparison = self.comparison.run_each(function, || context(name), each);
        let report = match terminal.during(comparison).await {
            Ok(report) => report,
            Err(error) => return failed(error.message()),
        };
        terminal.line(&format_args!("\n{}", report.summary()));
        if let Some(file) = &self.report {
            if let Err(error) = report.write_html(file) {
                return failed(error.message());
            }
        }
        i32::from(!report.is_same())
    }
}

/// Returns why the file of an option cannot be written, if it cannot. Checking this before a long
/// run saves the run.
pub(crate) fn unwritable(option: &str, file: &Path) -> Option<String> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let is_there = folder.is_none_or(Path::is_dir);
    (!is_there || file.is_dir()).then(|| {
        let file = file.display();
        format!("`{option} FILE`: {file} is a folder, or in a folder that does not exist")
    })
}

fn failed(message: &str) -> i32 {
    let _ = writeln!(io::stderr(), "--against: {message}");
    2
}

fn parse(arguments: Vec<OsString>) -> Result<Against, String> {
    let (mut original, mut handler, mut events, mut mode) = (None, None, Vec::new(), Mode::Live);
    let (mut root, mut requests, mut logs, mut report) = (None, false, false, None);
    let mut arguments = Arguments::new(arguments);
    while let Some(argument) = arguments.read() {
        let Argument {
            whole,
            option,
            inline,
        } = &argument;
        let mut value = |expected: &str| arguments.value(&argument, expected);
        match option.as_str() {
            "--against" => {
                original = Some(value(
                    "the file and the export of the original, such as `legacy/index.handler`",
                )?)
            }
            "--root" => root = Some(value("the root of the original's package")?.into()),
            "--handler" => handler = Some(value("the name of an exported handler")?),
            "--report" => {
                report = Some(PathBuf::from(value(
                    "a file for the page, such as `parity.html`",
                )?))
            }
            "--fresh" | "--logs" | "--record" | "--recorded" | "--requests" if inline.is_some() => {
                return Err(format!("`{option}` expects no value"));
            }
            "--fresh" | "--record" | "--recorded" if mode != Mode::Live => {
                return Err(
                    "expected at most one of `--fresh`, `--record` and `--recorded`".into(),
                );
            }
            "--logs" => logs = true,
            "--fresh" => mode = Mode::Fresh,
            "--record" => mode = Mode::Record,
            "--recorded" => mode = Mode::Recorded,
            "--requests" => requests = true,
            other if other.starts_with('-') => {
                return Err(format!(
                    "unexpected argument `{other}`: expected --against, --root, --handler, --logs, --fresh, --record, --recorded, --requests, --report or events"
                ));
            }
            _ => events.push(PathBuf::from(whole)),
        }
    }
    match original {
        Some(original) if !events.is_empty() => Ok(Against {
            comparison: Comparison {
                original,
                root,
                events,
                mode,
                requests: None,
                logs,
            },
            handler,
            requests,
            report,
        }),
        Some(_) => {
            Err("`--against` expects events: .json or .jsonl files, or folders of them".into())
        }
        None => Err("`--against` expects the original".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parsed(arguments: &[&str]) -> Option<Result<Against, String>> {
        Against::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn each_form_is_understood() {
        for arguments in [&["event.json"][..], &["--handler", "a", "-"], &[]] {
            assert!(parsed(arguments).is_none(), "{arguments:?}");
        }
        for (option, mode) in [
            (None, Mode::Live),
            (Some("--fresh"), Mode::Fresh),
            (Some("--record"), Mode::Record),
            (Some("--recorded"), Mode::Recorded),
        ] {
            let arguments = [
                "--against=a/index.handler",
                "events",
                "--handler",
                "b",
                "--requests",
                "--logs",
                "--root=a",
                "c.json",
                "--report=r.html",
            ];
            let arguments: Vec<_> = arguments.into_iter().chain(option).collect();
            let against = parsed(&arguments).unwrap().unwrap();
            assert_eq!(against.comparison.mode, mode);
            assert_eq!(against.comparison.original, "a/index.handler");
            assert_eq!(against.comparison.root, Some("a".into()));
            assert_eq!(
                against.comparison.events,
                ["events", "c.json"].map(PathBuf::from)
            );
            assert_eq!(against.handler.as_deref(), Some("b"));
            assert!(against.requests && against.comparison.logs);
            assert_eq!(against.report.as_deref(), Some(Path::new("r.html")));
        }
    }

    #[test]
    fn a_page_needs_a_folder() {
        for (file, is_writable) in [
            ("r.html", true),
            ("src/r.html", true),
            ("src", false),
            ("src/none/r.html", false),
        ] {
            assert_eq!(
                unwritable("--report", Path::new(file)).is_none(),
                is_writable,
                "{file}"
            );
        }
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (arguments, expected) in [
            (&["--against"][..], "expects the file and the export"),
            (&["--against", "a.b"], "expects events"),
            (
                &["--against", "a.b", "--listen", "c"],
                "unexpected argument `--listen`",
            ),
            (
                &["--against", "a.b", "c", "--record", "--fresh"],
                "expected at most one of `--fresh`",
            ),
            (
                &["--against", "a.b", "c", "--recorded=x"],
                "expects no value",
            ),
            (&["--against", "a.b", "c", "--handler"], "expects the name"),
            (&["--against", "a.b", "c", "--report"], "expects a file"),
        ] {
            let mistake = parsed(arguments).unwrap().unwrap_err();
            assert!(mistake.contains(expected), "{arguments:?} gave: {mistake}");
        }
    }
}
