//! `--timeline` on the command line.

use super::support::{example, output};
use std::{fs, path::PathBuf, process::Output};

fn run(arguments: &[&str]) -> Output {
    let mut example = example("what_happened");
    example
        .args(arguments)
        .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1");
    output(&mut example, "")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Returns the path of a file for a test.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_text_is_on_stderr_after_the_outcome() {
    let output = run(&[r#""duplicate""#, "--timeline"]);
    assert_eq!(output.stdout, b"\"in time\"\n");
    let (before, timeline) = stderr(&output)
        .split_once("\nTimeline of what_happened: ")
        .unwrap();
    assert!(before.contains("REPORT RequestId"), "{before}");
    for part in [
        "  timer 2  success signalled at examples",
        "  timer 1  signalled again at examples",
    ] {
        assert!(timeline.contains(part), "{timeline}");
    }
    assert!(!timeline.contains('\u{1b}'), "stderr is not a terminal");
}

#[test]
fn a_page_has_the_invocation_of_each_event() {
    let page = file("timelines.html");
    let arguments = [
        r#""fan-in""#,
        r#""<img src=x>""#,
        "--timeline",
        page.to_str().unwrap(),
    ];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("Timeline of"));
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<h2>Timeline of what_happened: ").count(), 2);
    assert!(
        page.contains("INFO read part=5") && page.contains("nothing is called &lt;img src=x&gt;"),
        "{page}"
    );
}

#[test]
fn a_handler_that_blocks_its_thread_has_a_timeline() {
    let page = file("blocked.html");
    let output = run(&[r#""blocked""#, "--timeline", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let page = fs::read_to_string(page).unwrap();
    for part in [
        "error response, by the watchdog: the handler blocks its thread: Sandbox.Timedout: ",
        "<rect class=\"run warn\"",
        "still running",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_a_mistake_before_any_work() {
    let page = file("no/such/folder/a.html");
    let output = run(&[r#""fan-in""#, "--timeline", page.to_str().unwrap()]);
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(2), b"".as_slice())
    );
    let stderr = stderr(&output);
    assert!(
        stderr.contains("`--timeline ") && stderr.lines().count() == 1,
        "{stderr}"
    );
}
