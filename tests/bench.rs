//! Specifies `--bench` on the command line. It has no test harness, since the program is started
//! again with its own arguments: with `--bench` or another option of a benchmark it is the
//! function, and otherwise the test of it. With `--include-ignored` it needs node and npm.

#![allow(clippy::unwrap_used, reason = "tests")]

use nodeback::{Callback, Context, Error, Result, Value, error, json};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if env::args().any(|argument| argument.starts_with("--bench")) {
        return program().await;
    }
    for (name, test) in [
        (
            "mistakes_say_what_was_expected",
            mistakes_say_what_was_expected as fn(),
        ),
        ("each_event_has_its_figures", each_event_has_its_figures),
        (
            "a_saved_run_is_the_baseline_of_another",
            a_saved_run_is_the_baseline_of_another,
        ),
        (
            "failures_are_counted_with_the_first_error",
            failures_are_counted_with_the_first_error,
        ),
        ("a_panic_is_printed_once", a_panic_is_printed_once),
        #[cfg(unix)]
        (
            "ctrl_c_keeps_what_was_measured",
            ctrl_c_keeps_what_was_measured,
        ),
    ] {
        test();
        println!("{name} ok");
    }
    if env::args().any(|argument| argument.ends_with("ignored")) {
        the_original_is_measured_too();
        println!("the_original_is_measured_too ok");
        #[cfg(unix)]
        {
            an_original_that_was_not_measured_has_no_figures();
            println!("an_original_that_was_not_measured_has_no_figures ok");
        }
    }
    Ok(())
}

async fn program() -> Result<()> {
    let echo = |event: Value, _: Context, callback: Callback| callback.succeed(event);
    let even = |event: Value, _: Context, callback: Callback| match event["number"].as_u64() {
        Some(number) if number % 2 == 0 => callback.succeed(json!(number / 2)),
        _ => callback.fail(error!("no even number")),
    };
    let never = |_: Value, _: Context, callback: Callback| drop(callback);
    let panics = |_: Value, _: Context, _: Callback| panic!("it panics");
    let greets = |event: Value, _: Context, callback: Callback| {
        println!("an invocation");
        callback.succeed(event);
    };
    let waits = async |event: Value| {
        tokio::task::yield_now().await;
        Ok::<_, Error>(event)
    };
    let exports = nodeback::exports()
        .handler("echo", echo)
        .handler("even", even)
        .handler("never", never)
        .handler("panics", panics)
        .handler("greets", greets)
        .handler("waits", waits);
    exports.run().await
}

/// A new folder for the files of a test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("bench")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.current_dir(folder).args(arguments);
    command
}

/// The exit code, stdout and stderr.
fn ran(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(folder, arguments).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code(), stdout, stderr)
}

fn saved(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn mistakes_say_what_was_expected() {
    let folder = folder("mistakes");
    fs::write(folder.join("a.json"), "{}").unwrap();
    fs::write(folder.join("not-a-report.json"), "{}").unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    let bench = &["--bench", "7", "a.json", "--handler", "echo"][..];
    for (arguments, expected) in [
        (
            &["--bench", "0", "a.json"][..],
            "`--bench 0`: expected the number of invocations",
        ),
        (
            &["--bench", "many", "a.json"],
            "`--bench many`: expected the number of invocations",
        ),
        (&["--bench", "7"], "`--bench` expects events"),
        (
            &["--bench", "7", "--handler", "echo", "empty"],
            "there are no events: expected",
        ),
        (
            &["--bench", "7", "--handler", "echo", "none.json"],
            "none.json: No such file",
        ),
        (
            &["--bench", "7", "a.json"],
            "`handler` is not exported: expected one of echo, even",
        ),
        (
            &[bench, &["--bench-baseline", "not-a-report.json"]].concat(),
            "missing field `events`",
        ),
        (
            &[bench, &["--bench-save", "none/saved.json"]].concat(),
            "`--bench-save FILE`: none/saved",
        ),
        (
            &[bench, &["--bench-report", "empty"]].concat(),
            "`--bench-report FILE`: empty is a folder",
        ),
        (
            &[bench, &["--against", "no-original"]].concat(),
            "no-original",
        ),
        (
            &["--bench-report", "page.html"],
            "expected `--bench N` and events",
        ),
    ] {
        let (code, stdout, stderr) = ran(&folder, arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

fn each_event_has_its_figures() {
    let folder = folder("figures");
    fs::create_dir(folder.join("events")).unwrap();
    // Only files are events.
    fs::create_dir(folder.join("events/folder.json")).unwrap();
    fs::write(folder.join("events/one.json"), r#"{"n":1}"#).unwrap();
    fs::write(folder.join("events/two.jsonl"), "{\"n\":2}\n{\"n\":3}\n").unwrap();
    for handler in ["echo", "waits"] {
        let arguments = [
            "--bench",
            "300",
            "events",
            "--handler",
            handler,
            "--bench-save=saved.json",
        ];
        let (code, stdout, stderr) = ran(&folder, &arguments);
        assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
        let names: Vec<_> = stdout
            .lines()
            .filter(|line| line.starts_with("events"))
            .collect();
        assert_eq!(
            names,
            [
                "events/one.json",
                "events/two.jsonl:1",
                "events/two.jsonl:2"
            ]
        );
        for figure in ["300 invocations   ", "/s   median ", "   p99 ", "   max "] {
            assert_eq!(stdout.matches(figure).count(), 3, "{figure} in {stdout}");
        }
        for part in [
            "reading ",
            "handler ",
            "encoding ",
            "signal to outcome ",
            "other ",
        ] {
            assert_eq!(stdout.matches(part).count(), 3, "{part} in {stdout}");
        }
        let saved = saved(&folder.join("saved.json"));
        let events = saved["events"].as_array().unwrap();
        assert_eq!(events.len(), 3);
        for event in events {
            let times = event["port"]["times"]["nanosAndCounts"].as_array().unwrap();
            let count: u64 = times.iter().map(|time| time[1].as_u64().unwrap()).sum();
            assert_eq!((count, &event["port"]["failed"]), (300, &json!(0)));
            for part in ["reading", "handler", "encoding", "outcome", "other"] {
                assert_ne!(
                    event["parts"][part],
                    json!({ "secs": 0, "nanos": 0 }),
                    "{part}: {event}"
                );
            }
        }
    }
}

fn a_saved_run_is_the_baseline_of_another() {
    let folder = folder("baseline");
    fs::write(folder.join("a.json"), "{}").unwrap();
    let bench = ["--bench=100", "a.json", "--handler=echo", "--bench-save"];
    let (code, stdout, _) = ran(&folder, &[&bench[..], &["before.json"]].concat());
    assert!(code == Some(0) && !stdout.contains("baseline"), "{stdout}");
    let arguments = [
        "after.json",
        "--bench-baseline",
        "before.json",
        "--bench-report=one.html",
    ];
    let (code, stdout, _) = ran(&folder, &[&bench[..], &arguments].concat());
    assert_eq!(code, Some(0));
    // The file was written before this run, so its figures are in this one's output as they are in
    // the file.
    let (_, before, _) = ran(&folder, &["--bench-saved", "before.json"]);
    let times = before.lines().nth(1).unwrap().trim();
    assert!(
        stdout.contains(&format!("baseline: {times}")),
        "{times} is not in {stdout}"
    );
    assert!(stdout.contains("times that of the baseline"), "{stdout}");

    let arguments = ["--bench-saved=after.json", "--bench-baseline=before.json"];
    let (code, again, stderr) = ran(
        &folder,
        &[&arguments[..], &["--bench-report=two.html"]].concat(),
    );
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(again, stdout);
    let [one, two] =
        ["one.html", "two.html"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
    assert_eq!(one, two);
    assert_eq!(one.matches("<svg ").count(), 2);
    assert!(
        one.contains("Baseline") && !one.contains("<script"),
        "{one}"
    );
}

fn failures_are_counted_with_the_first_error() {
    let folder = folder("failures");
    fs::write(
        folder.join("a.jsonl"),
        "{\"number\":8}\n{\"number\":7}\nno JSON\n",
    )
    .unwrap();
    let (code, stdout, stderr) = ran(&folder, &["--bench", "50", "a.jsonl", "--handler", "even"]);
    assert_eq!((code, &*stderr), (Some(1), ""), "{stdout}");
    let failed: Vec<_> = stdout
        .lines()
        .filter(|line| line.contains("failed"))
        .collect();
    let expected = [
        "50 of 50 invocations failed; the first error is: Error: no even number",
        "50 of 50 invocations failed; the first error is: Runtime.UnmarshalError: unable to parse the event",
    ];
    assert_eq!(failed.len(), 2, "{stdout}");
    for (line, expected) in failed.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
    }
    let (code, stdout, _) = ran(&folder, &["--bench", "50", "a.jsonl", "--handler", "never"]);
    assert_eq!(code, Some(1));
    let expected = "the first error is: Runtime.CallbackNotCalled";
    assert!(stdout.contains(expected), "{stdout}");
}

fn a_panic_is_printed_once() {
    let folder = folder("panics");
    fs::write(folder.join("a.json"), "{}").unwrap();
    let (code, stdout, stderr) = ran(&folder, &["--bench", "50", "a.json", "--handler", "panics"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(
        stdout
            .contains("50 of 50 invocations failed; the first error is: Runtime.Panic: it panics"),
        "{stdout}"
    );
    assert_eq!(stderr.matches("it panics").count(), 1, "{stderr}");
}

/// Presses Ctrl+C after 4,000 invocations of `greets`, which are more than those that precede the
/// timed ones. Returns the other lines on stdout.
#[cfg(unix)]
fn stopped(folder: &Path, options: &[&str]) -> Vec<String> {
    fs::write(folder.join("a.jsonl"), "{}\n{}\n").unwrap();
    let arguments = [
        "--bench=1000000000",
        "a.jsonl",
        "--handler=greets",
        "--bench-save=saved.json",
    ];
    let mut command = command(folder, &[&arguments[..], options].concat());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert_eq!(
        lines
            .by_ref()
            .take(4_000)
            .filter(|line| line == "an invocation")
            .count(),
        4_000
    );
    let mut kill = Command::new("kill");
    assert!(
        kill.args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let rest: Vec<_> = lines.filter(|line| line != "an invocation").collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("stopping after the current invocation"),
        "{stderr}"
    );
    rest
}

#[cfg(unix)]
fn ctrl_c_keeps_what_was_measured() {
    let folder = folder("ctrl_c");
    let rest = stopped(&folder, &[]);
    assert_eq!(rest.first().map(String::as_str), Some("a.jsonl:1"));
    assert_eq!(
        rest.last().map(String::as_str),
        Some("The benchmark was stopped before the end.")
    );
    let saved = saved(&folder.join("saved.json"));
    assert_eq!(saved["events"].as_array().unwrap().len(), 1);
    assert_eq!(saved["isInterrupted"], true);
}

#[cfg(unix)]
fn an_original_that_was_not_measured_has_no_figures() {
    let folder = folder("not_measured");
    // It would fail if it were started.
    fs::write(folder.join("index.js"), "process.exit(7);").unwrap();
    let rest = stopped(&folder, &["--against=index.handler"]);
    assert!(!rest.iter().any(|line| line.contains("Node")), "{rest:?}");
    let saved = saved(&folder.join("saved.json"));
    assert_eq!(saved["events"][0]["original"], Value::Null);
}

fn the_original_is_measured_too() {
    let folder = folder("original");
    let original = r#"exports.even = (event, context, callback) => event.number % 2 === 0
        ? callback(null, event.number / 2)
        : callback(new Error("no even number"));
    exports.streams = awslambda.streamifyResponse(async (event, stream) => {
        stream.write("a");
        if (event.number % 2 !== 0) throw new Error("no even number");
        stream.end("b");
    });"#;
    fs::write(folder.join("index.js"), original).unwrap();
    fs::write(folder.join("a.jsonl"), "{\"number\":8}\n{\"number\":7}\n").unwrap();
    for export in ["even", "streams"] {
        let against = format!("--against=index.{export}");
        let arguments = [
            "--bench=20",
            "a.jsonl",
            "--handler=even",
            &against,
            "--bench-report=page.html",
        ];
        let (code, stdout, stderr) = ran(&folder, &arguments);
        assert_eq!(code, Some(1), "{stdout}{stderr}");
        assert_eq!(
            stdout.matches("Node: 20 invocations   ").count(),
            2,
            "{stdout}"
        );
        let failed = "Node: 20 of 20 invocations failed; the first error is: Error: no even number";
        assert_eq!(stdout.matches(failed).count(), 1, "{export}: {stdout}");
    }
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    assert_eq!(page.matches("<svg ").count(), 4);
}
