//! The page of `--timeline` in a real browser.

use super::support::{Folder, ROOT, example, live, output};
use nodeback::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// The events whose timelines `examples/README.md` shows.
const EVENTS: [&str; 4] = ["fan-in", "duplicate", "deferred", "timeout"];

/// Writes its screenshots to `target/page`.
#[test]
#[ignore = "needs tests/live/chromium.sh and node"]
fn the_page_of_timeline_draws_what_the_text_lists() {
    let folder = Folder::new("timeline");
    let page = folder.path("timeline.html");
    let run = |form: &[&str]| {
        let mut function = example("what_happened");
        function.env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1").args(form);
        function.args(EVENTS.map(|event| format!("\"{event}\"")));
        let output = output(&mut function, "");
        // The last event times out.
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let text = run(&["--timeline"]);
    run(&["--timeline", page.to_str().unwrap()]);

    let screenshots = Path::new(ROOT).join("target/page");
    fs::create_dir_all(&screenshots).unwrap();
    let mut browser = Command::new("node");
    browser.current_dir(ROOT).arg("tests/live/timeline.js");
    browser.arg(&page).arg(folder.path("profile"));
    browser.arg(&screenshots);
    browser.arg(live("page/node_modules/axe-core/axe.min.js"));
    let output = browser.args(EVENTS).output().expect("node");
    let mistake = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{mistake}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(found["problems"], json!([]));
    let no_violations = json!({ "light and wide": [], "dark and narrow": [] });
    assert_eq!(found["axe"], no_violations);
    assert_eq!(found["isScrolledSideways"], false);
    // The page is opened twice, and sends no requests.
    assert_eq!(found["requests"], json!([found["page"], found["page"]]));

    let invocations = found["invocations"].as_array().unwrap();
    let texts: Vec<_> = text
        .split("\nTimeline of what_happened: ")
        .skip(1)
        .collect();
    assert_eq!((invocations.len(), texts.len()), (4, 4));
    let mut of_event = BTreeMap::new();
    for ((event, invocation), text) in EVENTS.iter().zip(invocations).zip(texts) {
        let entries = drawn_entries(invocation);
        let listed: Vec<_> = entries.iter().map(|(_, entry)| entry.clone()).collect();
        assert_eq!(listed, text_entries(text), "{event}");
        of_event.insert(*event, listed);
    }
    let has = |event: &str, parts: &[&str]| {
        let mut entries = of_event[event].iter();
        for part in parts {
            assert!(
                entries.any(|entry| entry.contains(part)),
                "{part}: {:?}",
                of_event[event]
            );
        }
    };
    let at = "at examples/what_happened.rs:";
    has(
        "fan-in",
        &[
            "task 2 completed",
            &format!("task 1 success signalled {at}"),
        ],
    );
    assert_eq!(invocations[0]["lanes"].as_array().unwrap().len(), 7);
    has(
        "duplicate",
        &[
            &format!("timer 2 success signalled {at}"),
            &format!("timer 1 signalled again {at}"),
        ],
    );
    has(
        "deferred",
        &[
            &format!("handler success signalled {at}"),
            "response deferred until 1 task finishes",
            "task 1 completed",
            "response: 9 bytes",
            "work 2 completed",
            "polls for the next event",
        ],
    );
    has(
        "timeout",
        &["1 task running", "task 2 aborted at the deadline"],
    );
    let running = invocations[3]["lanes"][2]["label"].as_str().unwrap();
    assert!(
        running.starts_with(&format!("task 2spawned {at}")),
        "{running}"
    );
}

/// Returns the entries in the text of a timeline, without their times.
fn text_entries(text: &str) -> Vec<String> {
    let entries = text.lines().filter_map(|line| {
        let (at, entry) = line.split_once(" ms  ")?;
        at.trim().parse::<f64>().ok()?;
        Some(words(entry))
    });
    entries.collect()
}

/// Returns the words of an entry, without request ids. They are also without the duration of a long
/// run: the text and the page are those of two runs, which a busy machine may interrupt.
fn words(entry: &str) -> String {
    let entry = match entry.split_once(" (ran for ") {
        Some((entry, duration)) if duration.ends_with(" ms)") => entry,
        _ => entry,
    };
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let words = entry.split_whitespace().filter(|word| !is_id(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the entries in the table of an invocation, each with its time, after it has compared
/// them with the drawing: each lane has its marks in order of time, and all lanes together have
/// those of the table.
fn drawn_entries(invocation: &Value) -> Vec<(String, String)> {
    let row = |row: &Value| {
        let cell = |n: usize| row[n].as_str().unwrap();
        (
            cell(0).to_owned(),
            words(&format!("{} {}", cell(1), cell(2))),
        )
    };
    let entries: Vec<_> = invocation["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    let time = |time: &str| time.parse::<f64>().unwrap();
    assert!(entries.is_sorted_by_key(|(at, _)| time(at)), "{entries:?}");

    let meaning = |entry: &str| {
        [
            (" success signalled at ", "first signal"),
            (" signalled again at ", "duplicate signal"),
            (" completed", "completed"),
            ("handler returned", "completed"),
            (" aborted at the deadline", "aborted"),
            ("the deadline is near", "deadline is near"),
            ("response: ", "response"),
            ("polls for the next event", "next poll"),
        ]
        .into_iter()
        .find_map(|(part, meaning)| entry.contains(part).then_some(meaning))
    };
    let listed = entries
        .iter()
        .filter_map(|(at, entry)| Some((at.clone(), meaning(entry)?.to_owned())));
    let mut listed: Vec<_> = listed.collect();
    let mut drawn = Vec::new();
    for lane in invocation["lanes"].as_array().unwrap() {
        let marks = lane["marks"].as_array().unwrap().iter().map(|mark| {
            let mark = mark.as_str().unwrap().strip_suffix(" ms").unwrap();
            let (meaning, at) = mark.split_once(", ").unwrap();
            (at.to_owned(), meaning.to_owned())
        });
        let marks: Vec<_> = marks.collect();
        assert!(marks.is_sorted_by_key(|(at, _)| time(at)), "{lane}");
        drawn.extend(marks);
    }
    // The deadline itself is only in the drawing.
    drawn.retain(|(_, meaning)| meaning != "deadline");
    drawn.sort();
    listed.sort();
    assert_eq!(drawn, listed);
    entries
}
