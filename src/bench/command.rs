//! The command line of a benchmark: `--bench N EVENTS..`.

use super::{
    Bench, BenchReport, Invoker, interrupt::stop_at_ctrl_c, measure::Progress, text::Lines,
};
use crate::{
    invocation::{ContextBuilder, Functions},
    local::{Argument, Arguments},
    parity::unwritable,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    panic,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

/// The options and arguments of a benchmark.
#[derive(Debug)]
pub(crate) struct BenchCommand {
    source: Source,
    handler: Option<String>,
    save: Option<PathBuf>,
    report: Option<PathBuf>,
    baseline: Option<PathBuf>,
}

/// Where the figures come from.
#[derive(Debug)]
enum Source {
    Run(Bench),
    Saved(PathBuf),
}

impl BenchCommand {
    /// Parses the arguments that follow the program's name. Returns `None` if none of them is an
    /// option of a benchmark.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Option<Result<Self, String>> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let is_ours = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text == "--bench"
                || ["--bench=", "--bench-"]
                    .iter()
                    .any(|start| text.starts_with(start))
        };
        arguments.iter().any(is_ours).then(|| parse(arguments))
    }

    /// Runs the benchmark, prints the figures of each event as soon as it is done, and returns the
    /// exit code: 0, or 1 if an invocation failed, 2 if the benchmark cannot run, 130 if Ctrl+C
    /// stopped it.
    pub(crate) async fn run(
        self,
        functions: &Functions,
        context: impl Fn(&str) -> ContextBuilder,
    ) -> i32 {
        match self.figures(functions, context).await {
            Ok(code) => code,
            Err(mistake) => {
                let _ = writeln!(io::stderr(), "--bench: {mistake}");
                2
            }
        }
    }

    async fn figures(
        self,
        functions: &Functions,
        context: impl Fn(&str) -> ContextBuilder,
    ) -> Result<i32, String> {
        let message = |error: crate::Error| error.message().to_owned();
        // Mistakes are reported before a long run.
        for (option, file) in [
            ("--bench-save", &self.save),
            ("--bench-report", &self.report),
        ] {
            if let Some(mistake) = file.as_deref().and_then(|file| unwritable(option, file)) {
                return Err(mistake);
            }
        }
        let baseline = self.baseline.as_ref().map(BenchReport::read).transpose();
        let baseline = baseline.map_err(message)?;
        let baseline = baseline.as_ref();
        let report = match &self.source {
            Source::Saved(file) => {
                let report = BenchReport::read(file).map_err(message)?;
                for event in &report.events {
                    print(&Lines {
                        figures: &event.0,
                        baseline: baseline.and_then(|baseline| baseline.named(event.name())),
                    });
                }
                report
            }
            Source::Run(bench) => {
                let name = self.handler.as_deref().unwrap_or("handler");
                let function = functions
                    .named(name)
                    .map_err(|mistake| format!("`--handler NAME`: {mistake}"))?;
                let invoker = Invoker {
                    function: function.clone(),
                    context: context(name),
                };
                measured(bench, &invoker, baseline).await.map_err(message)?
            }
        };
        for remark in report.remarks() {
            print(&remark);
        }
        if let Some(file) = &self.save {
            report.save(file).map_err(message)?;
        }
        if let Some(file) = &self.report {
            report.write_html_beside(file, baseline).map_err(message)?;
        }
        let is_run = matches!(self.source, Source::Run(_));
        let failed = report.events.iter().any(|event| event.failed() > 0);
        Ok(match is_run {
            true if report.is_interrupted => 130,
            true => i32::from(failed),
            false => 0,
        })
    }
}

async fn measured(
    bench: &Bench,
    invoker: &Invoker,
    baseline: Option<&BenchReport>,
) -> crate::Result<BenchReport> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let bar = bar();
    stop_at_ctrl_c(&STOP, bar.clone());
    print_first_panic_only();
    let each = |progress: Progress<'_>| show(&bar, progress, baseline);
    let report = bench.run_each(invoker, &STOP, each).await;
    bar.finish_and_clear();
    report
}

/// Prints only the first panic. A handler that panics would print the same message in each of many
/// thousands of invocations.
fn print_first_panic_only() {
    let print = panic::take_hook();
    let is_printed = AtomicBool::new(false);
    panic::set_hook(Box::new(move |panic| {
        // ORDERING: Relaxed, since nothing is published by the flag.
        if !is_printed.swap(true, Ordering::Relaxed) {
            print(panic);
        }
    }));
}

/// A progress bar on stderr, which is hidden if that is not a terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len}   {msg}   {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> "))
}

fn show(bar: &ProgressBar, progress: Progress<'_>, baseline: Option<&BenchReport>) {
    match progress {
        Progress::Event {
            name,
            number,
            events,
            done,
            of,
        } => {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            if bar.message().is_empty() {
                bar.set_message(format!("{name} ({number} of {events})"));
            }
        }
        Progress::Measured(figures) => {
            let baseline = baseline.and_then(|baseline| baseline.named(&figures.name));
            bar.suspend(|| print(&Lines { figures, baseline }));
            bar.set_message("");
            bar.reset();
        }
    }
}

fn print(line: &dyn Display) {
    // The benchmark goes on if its output cannot be written, such as to a closed pipe.
    let _ = writeln!(io::stdout(), "{line}");
}

fn parse(arguments: Vec<OsString>) -> Result<BenchCommand, String> {
    let (mut invocations, mut saved, mut events) = (None, None, Vec::new());
    let (mut handler, mut original, mut root) = (None, None, None);
    let (mut save, mut report, mut baseline) = (None, None, None);
    let mut arguments = Arguments::new(arguments);
    while let Some(argument) = arguments.read() {
        let Argument { whole, option, .. } = &argument;
        let mut value = |expected: &str| arguments.value(&argument, expected);
        match option.as_str() {
            "--bench" => invocations = Some(count(&value(COUNT)?)?),
            "--bench-saved" => saved = Some(value("a file that `--bench-save` wrote")?.into()),
            "--bench-baseline" => {
                baseline = Some(value("a file that `--bench-save` wrote")?.into());
            }
            "--bench-save" => save = Some(value("a file, such as `before.json`")?.into()),
            "--bench-report" => {
                report = Some(value("a file for the page, such as `bench.html`")?.into());
            }
            "--against" => {
                original = Some(value(
                    "the file and the export of the original, such as `legacy/index.handler`",
                )?);
            }
            "--root" => root = Some(value("the root of the original's package")?.into()),
            "--handler" => handler = Some(value("the name of an exported handler")?),
            other if other.starts_with('-') => {
                return Err(format!(
                    "unexpected argument `{other}`: expected --bench, --bench-save, --bench-saved, --bench-baseline, \
                     --bench-report, --handler, --against, --root or events"
                ));
            }
            _ => events.push(PathBuf::from(whole)),
        }
    }
    let source = match (invocations, saved) {
        (Some(_), None) if events.is_empty() => {
            return Err(
                "`--bench` expects events: .json or .jsonl files, or folders of them".into(),
            );
        }
        (Some(invocations), None) => Source::Run(Bench {
            events,
            invocations,
            original,
            root,
        }),
        (None, Some(file)) if events.is_empty() => Source::Saved(file),
        (None, None) => {
            return Err("expected `--bench N` and events, or `--bench-saved FILE`".into());
        }
        _ => return Err("`--bench-saved` expects neither `--bench` nor events".into()),
    };
    Ok(BenchCommand {
        source,
        handler,
        save,
        report,
        baseline,
    })
}

const COUNT: &str = "the number of invocations with each event, such as 20000";

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`--bench {text}`: expected {COUNT}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::path::Path;

    fn parsed(arguments: &[&str]) -> Option<Result<BenchCommand, String>> {
        BenchCommand::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn each_form_is_understood() {
        for arguments in [
            &["a.json"][..],
            &["--against", "a.b", "c"],
            &["--benches"],
            &[],
        ] {
            assert!(parsed(arguments).is_none(), "{arguments:?}");
        }
        let arguments = [
            "events",
            "--bench=20",
            "--against",
            "a.b",
            "--root=c",
            "--handler",
            "d",
            "--bench-save",
            "e",
            "f.json",
            "--bench-report=g",
            "--bench-baseline",
            "h",
        ];
        let command = parsed(&arguments).unwrap().unwrap();
        let Source::Run(bench) = &command.source else {
            panic!("{command:?}")
        };
        assert_eq!(
            (bench.invocations, bench.original.as_deref()),
            (20, Some("a.b"))
        );
        assert_eq!(bench.events, ["events", "f.json"].map(PathBuf::from));
        assert_eq!(bench.root.as_deref(), Some(Path::new("c")));
        assert_eq!(command.handler.as_deref(), Some("d"));
        let files = [command.save, command.report, command.baseline].map(Option::unwrap);
        assert_eq!(files, ["e", "g", "h"].map(PathBuf::from));
        let saved = parsed(&["--bench-saved", "a", "--bench-baseline=b"])
            .unwrap()
            .unwrap();
        assert!(matches!(saved.source, Source::Saved(file) if file == Path::new("a")));
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (arguments, expected) in [
            (&["--bench"][..], "expects the number of invocations"),
            (
                &["--bench", "0", "a"],
                "`--bench 0`: expected the number of",
            ),
            (
                &["--bench", "many", "a"],
                "`--bench many`: expected the number of",
            ),
            (
                &["--bench", "-1", "a"],
                "`--bench -1`: expected the number of",
            ),
            (&["--bench", "7"], "`--bench` expects events"),
            (
                &["--bench-report=a", "b"],
                "expected `--bench N` and events",
            ),
            (
                &["--bench", "7", "a", "--bench-baseline"],
                "expects a file that",
            ),
            (
                &["--bench", "7", "a", "--listen"],
                "unexpected argument `--listen`",
            ),
            (
                &["--bench-saved", "a", "b"],
                "expects neither `--bench` nor events",
            ),
            (
                &["--bench-saved", "a", "--bench=7", "b"],
                "expects neither `--bench` nor events",
            ),
        ] {
            let mistake = parsed(arguments).unwrap().unwrap_err();
            assert!(mistake.contains(expected), "{arguments:?} gave: {mistake}");
        }
    }
}
