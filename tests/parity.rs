//! Specifies the comparison of a port with its original, which AWS's Node client runs. The
//! originals are in `tests/parity/`.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "parity/bounds.rs"]
mod bounds;
#[path = "parity/logs.rs"]
mod logs;
#[path = "parity/requests.rs"]
mod requests;
#[path = "parity/streams.rs"]
mod streams;

use nodeback::{
    Callback, Context, Error, Handler, Result, Value, json,
    parity::{ParityReport, compare, compare_recorded, record},
    set_immediate, set_timeout,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A folder of events for one test.
struct Events(PathBuf);

impl Events {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("parity")
            .join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        Events(folder)
    }
}

async fn compared<M>(
    handler: impl Handler<M>,
    original: &str,
    events: &Events,
) -> Result<ParityReport> {
    compare(handler, format!("parity/{original}"), &events.0).await
}

/// The lines of a report, without the folder of the events and the times.
fn lines(report: &ParityReport, events: &Events) -> Vec<String> {
    let text = report
        .to_string()
        .replace(&format!("{}/", events.0.display()), "");
    let lines = text.lines().filter(|line| !line.is_empty());
    let short = |line: &str| {
        let (before, after) = line.split_once("  Node ").unwrap_or((line, ""));
        let ended = after.split_once(" ms   (").map_or("", |(_, ended)| ended);
        let words = before.split_whitespace().chain(ended.split_whitespace());
        words.collect::<Vec<_>>().join(" ")
    };
    lines.map(short).collect()
}

fn named(event: Value, context: Context, callback: Callback) {
    let Some(name) = event["name"].as_str() else {
        return callback.fail(nodeback::error!("no name"));
    };
    callback.succeed(json!({
        "hello": name, "of": context.function_name, "memory": context.memory_limit_in_mb,
    }));
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn differences_are_reported_and_equal_responses_are_the_same() {
    let events = Events::new(
        "named",
        &[
            ("a.json", r#"{"name":"Ada"}"#),
            ("b.json", "{}"),
            ("c.jsonl", "{\"name\":\"B\"}\n\n{\"name\":\"C\"}\n"),
        ],
    );
    let report = compared(named, "originals.named", &events).await.unwrap();
    assert!(!report.is_same());
    assert_eq!(
        lines(&report, &events),
        [
            "a.json same",
            "b.json differs",
            r#"/errorMessage "name is missing" | "no name""#,
            "c.jsonl:1 same",
            "c.jsonl:3 same",
            "4 events: 3 same, 1 differs",
        ]
    );
    let page = events.0.join("report.html");
    report.write_html(&page).unwrap();
    let html = fs::read_to_string(&page).unwrap();
    for part in [
        "<code>parity/originals.named</code>",
        "4 events: 3 same, 1 differs",
        "data-label=\"Node\">&quot;<del>name</del> <del>is missing</del>&quot;</td>",
        "data-label=\"Port\">&quot;<ins>no</ins> <ins>name</ins>&quot;</td>",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    let nowhere = report.write_html(page.join("r.html")).unwrap_err();
    assert!(
        nowhere
            .message()
            .starts_with("the report cannot be written to"),
        "{nowhere}"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_response_that_waits_differs_from_one_that_does_not() {
    let events = Events::new("deferred", &[("a.json", "{}")]);
    let waits = |_: Value, _: Context, callback: Callback| {
        set_timeout(Duration::from_millis(30), || ());
        callback.succeed(json!("waited"));
    };
    let report = compared(waits, "originals.deferred", &events)
        .await
        .unwrap();
    assert_eq!(
        lines(&report, &events),
        ["a.json same deferred", "1 event: 1 same"]
    );
    let at_once = |_: Value, _: Context, callback: Callback| callback.succeed(json!("waited"));
    let report = compared(at_once, "originals.deferred", &events)
        .await
        .unwrap();
    let lines = lines(&report, &events);
    assert_eq!(
        lines[..2],
        ["a.json differs", "deferred waited for Timeout | immediate"]
    );
    let without_time = |line: &String| {
        let words = line.split_once(" ms ");
        words.map_or(line.clone(), |(_, what)| what.to_owned())
    };
    let shown: Vec<_> = lines[2..].iter().map(without_time).collect();
    assert_eq!(
        shown[..5],
        [
            "Node, as far as it is known:",
            "event sent",
            "? response deferred until the event loop was empty: it waited for Timeout",
            "response: 8 bytes",
            "Port:",
        ]
    );
    assert!(
        shown.contains(&"polls for the next event".into()),
        "{shown:?}"
    );
    let html = report.to_html();
    for part in ["Node, as far as it is known", "<figure class=\"lanes\">"] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    let hasty = |_: Value, context: Context, callback: Callback| {
        context.set_callback_waits_for_empty_event_loop(false);
        set_timeout(Duration::from_millis(30), || ());
        callback.succeed(json!("at once"));
    };
    let report = compared(hasty, "originals.hasty", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn originals_of_each_kind_are_run() {
    let events = Events::new("kinds", &[("a.json", r#"{"n":1}"#)]);
    let later = async |event: Value| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok::<_, Error>(json!({ "n": event["n"].as_i64().unwrap_or(0) + 1 }))
    };
    let report = compared(later, "originals.later", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
    let module = async |event: Value| Ok::<_, Error>(json!({ "module": event["n"] }));
    let report = compared(module, "module.handler", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
    let nested = |_: Value, _: Context, callback: Callback| callback.succeed(json!(true));
    let report = compared(nested, "dist/src/index.handler", &events)
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
}

/// Module state lives as long as the process, which ends when the function ends it.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn one_process_serves_all_events_until_it_ends() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let counts = |_: Value, _: Context, callback: Callback<u32>| {
        callback.succeed(CALLS.fetch_add(1, Ordering::Relaxed) + 1)
    };
    let events = Events::new("counts", &[("a.jsonl", "{}\n{}\n{}\n")]);
    let report = compared(counts, "originals.counts", &events).await.unwrap();
    assert!(report.is_same(), "{report}");

    let ones = |_: Value, _: Context, callback: Callback<u32>| callback.succeed(1);
    let text = "{}\n{\"exit\":3}\n{}\n{\"exit\":0,\"first\":true}\n{}\n";
    let events = Events::new("exits", &[("a.jsonl", text)]);
    let report = compared(ones, "originals.exits", &events).await.unwrap();
    assert_eq!(
        lines(&report, &events),
        [
            "a.jsonl:1 same",
            "a.jsonl:2 differs the process of Node exited with 3)",
            "outcome no response before the deadline or the end of the process | response 1",
            "a.jsonl:3 same",
            "a.jsonl:4 differs the process of Node exited with 0)",
            r#"/ "before the end" | 1"#,
            "a.jsonl:5 same",
            "5 events: 3 same, 2 differ",
        ]
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_that_throws_hangs_or_floods_does_not_block_the_comparison() {
    let events = Events::new("hostile", &[("a.json", "{}")]);
    let throws = |_: Value, _: Context, _: Callback| -> Result<()> {
        Err(Error::new("TypeError", "in a later turn"))
    };
    let report = compared(throws, "originals.throws", &events).await.unwrap();
    assert!(report.is_same(), "{report}");

    // The default timeout is 3 s.
    let hangs = async |_: Value| std::future::pending::<Result<Value>>().await;
    for original in ["originals.hangs", "originals.waits"] {
        let report = compared(hangs, original, &events).await.unwrap();
        assert!(report.is_same(), "{report}");
        assert!(report.to_string().contains("was killed"), "{report}");
    }

    let floods = |_: Value, _: Context, callback: Callback| {
        callback.succeed(json!("x".repeat(6 * 1024 * 1024 - 2)))
    };
    let report = compared(floods, "originals.floods", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn accepted_differences_need_a_reason_and_a_difference() {
    let accepted = r#"{
        "ignore": ["/memory"],
        "accepted": [
            { "event": "b.json", "path": "/errorMessage", "reason": "ours is shorter" },
            { "event": "a.json", "path": "/hello", "reason": "nothing differs there" }
        ]
    }"#;
    let events = Events::new(
        "accepted",
        &[
            ("a.json", r#"{"name":"Ada"}"#),
            ("b.json", "{}"),
            ("parity.json", accepted),
        ],
    );
    let other_memory = |event: Value, context: Context, callback: Callback| {
        let Some(name) = event["name"].as_str() else {
            return callback.fail(nodeback::error!("no name"));
        };
        callback.succeed(json!({ "hello": name, "of": context.function_name, "memory": 7 }));
    };
    let report = compared(other_memory, "originals.named", &events)
        .await
        .unwrap();
    assert!(!report.is_same());
    assert_eq!(
        lines(&report, &events),
        [
            "a.json same",
            "b.json accepted",
            "accepted: ours is shorter",
            "2 events: 1 same, 1 accepted",
            "parity.json accepts a difference that no longer occurs: a.json /hello: nothing differs there",
        ]
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_original_that_cannot_be_loaded_says_why() {
    let events = Events::new("broken", &[("a.json", "{}")]);
    let error = compared(named, "broken.handler", &events)
        .await
        .unwrap_err();
    assert_eq!(error.error_type(), "Runtime.OriginalDidNotStart");
    let root = fs::canonicalize("parity").unwrap();
    let shown = format!("broken.handler in the folder {}: ", root.display());
    assert!(error.message().starts_with(&shown), "{error}");
    assert!(error.message().contains("while it is loaded"), "{error}");
    // What it prints does not control the terminal.
    assert!(error.message().contains("red \\u{1b}[31m"), "{error}");
    let error = compared(named, "originals.missing", &events)
        .await
        .unwrap_err();
    assert!(error.message().contains("missing"), "{error}");
}

#[tokio::test]
async fn mistakes_say_what_was_expected() {
    let events = Events::new("mistakes", &[("a.json", "{}")]);
    for (original, expected) in [
        ("index", "expected a file and an export"),
        (
            "nowhere.handler",
            "there is no parity/nowhere.js, .mjs or .cjs to export `handler`",
        ),
    ] {
        let error = compared(named, original, &events).await.unwrap_err();
        assert!(error.message().contains(expected), "{error}");
    }
    let none = Events::new("none", &[("readme.md", "")]);
    let error = compared(named, "originals.named", &none).await.unwrap_err();
    assert!(error.message().contains("there are no events"), "{error}");
    let wrong = Events::new(
        "wrong",
        &[("a.json", "{}"), ("parity.json", r#"{"ignored":[]}"#)],
    );
    let error = compared(named, "originals.named", &wrong)
        .await
        .unwrap_err();
    assert!(
        error.message().contains("unknown field `ignored`"),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn what_was_recorded_is_compared_without_node_until_the_original_changes() {
    let events = Events::new(
        "recorded",
        &[("a.json", r#"{"name":"Ada"}"#), ("b.json", "{}")],
    );
    let legacy = events.0.with_file_name("recorded-legacy");
    fs::create_dir_all(&legacy).unwrap();
    let code = "exports.handler = (event, context, callback) => event.name\n    \
        ? callback(null, { hello: event.name, request: context.awsRequestId })\n    \
        : callback('name is missing');\n";
    fs::write(legacy.join("index.js"), code).unwrap();
    let original = legacy.join("index.handler").display().to_string();
    let port = |event: Value, context: Context, callback: Callback| match event["name"].as_str() {
        Some(name) => callback.succeed(json!({ "hello": name, "request": context.aws_request_id })),
        None => callback.fail("name is missing!"),
    };
    let recorded = record(port, original.as_str(), &events.0).await.unwrap();
    let report = compare_recorded(port, original.as_str(), &events.0)
        .await
        .unwrap();
    assert!(!recorded.is_same() && !report.is_same());
    let lines_of_report = lines(&report, &events);
    assert!(
        lines_of_report[0].starts_with("a.json same recorded"),
        "{report}"
    );
    assert!(
        lines_of_report[1].starts_with("b.json differs recorded"),
        "{report}"
    );
    assert_eq!(
        lines_of_report[2],
        r#"/errorMessage "name is missing" | "name is missing!""#
    );
    assert_eq!(lines(&recorded, &events)[2], lines_of_report[2]);
    fs::write(legacy.join("index.js"), "exports.handler = () => {};").unwrap();
    let report = compare_recorded(port, original.as_str(), &events.0)
        .await
        .unwrap();
    assert!(
        report
            .to_string()
            .ends_with("record it again, with `--record`"),
        "{report}"
    );
    fs::write(events.0.join("b.json"), r#"{"name":7}"#).unwrap();
    let error = compare_recorded(port, original.as_str(), &events.0)
        .await
        .unwrap_err();
    assert!(
        error.message().contains("the event `b.json` has changed"),
        "{error}"
    );
    fs::write(events.0.join("b.json"), "{}").unwrap();
    fs::write(events.0.join("c.json"), "{}").unwrap();
    let error = compare_recorded(port, original.as_str(), &events.0)
        .await
        .unwrap_err();
    assert!(
        error.message().contains("it has no event `c.json`"),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn what_has_ended_when_its_callback_signals_is_not_waited_for() {
    let events = Events::new("reads", &[("a.json", "{}")]);
    let reads = |_: Value, _: Context, callback: Callback| callback.succeed(json!("read"));
    let report = compare(reads, "parity/originals.reads", &events.0)
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
    let immediate = |_: Value, _: Context, callback: Callback| {
        set_immediate(|| ());
        callback.succeed(json!("after it"));
    };
    let report = compared(immediate, "originals.immediate", &events)
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
    // The outcome is the error of the timer rather than the success that waited.
    let thrower = |_: Value, _: Context, callback: Callback| {
        set_timeout(Duration::from_millis(5), || {
            Err::<(), _>(Error::new("TypeError", "in a timer"))
        });
        callback.succeed(json!("held"));
    };
    let report = compared(thrower, "originals.thrower", &events)
        .await
        .unwrap();
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn what_an_event_posts_too_late_is_not_the_outcome_of_the_next() {
    let events = Events::new("late", &[("a.jsonl", "{\"first\":true}\n{}\n")]);
    let late = |event: Value, _: Context, callback: Callback| {
        let first = event["first"] == true;
        callback.succeed(json!(if first { "first" } else { "second" }));
    };
    let report = compared(late, "originals.late", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn loading_does_not_count_against_the_timeout() {
    let events = Events::new("slow", &[("a.json", "{}")]);
    let in_time = |_: Value, _: Context, callback: Callback| callback.succeed(json!("in time"));
    let report = compared(in_time, "slow.handler", &events).await.unwrap();
    assert!(report.is_same(), "{report}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_callback_that_is_never_called_is_null_in_node() {
    let events = Events::new("silent", &[("a.json", "{}")]);
    let silent = |_: Value, _: Context, callback: Callback| drop(callback);
    let report = compared(silent, "originals.silent", &events).await.unwrap();
    let lines_of_report = lines(&report, &events);
    assert!(
        lines_of_report[1].starts_with(
            "outcome response null | error {\"errorType\":\"Runtime.CallbackNotCalled\""
        ),
        "{report}"
    );
}

/// A port that blocks its thread is not stopped, and its response comes too late.
#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_port_that_responds_after_the_deadline_has_not_responded() {
    let events = Events::new("blocks", &[("a.json", "{}")]);
    let blocks = |_: Value, _: Context, callback: Callback| {
        std::thread::sleep(Duration::from_millis(3200));
        callback.succeed(json!("waited"));
    };
    let report = compared(blocks, "originals.deferred", &events)
        .await
        .unwrap();
    assert!(
        report
            .to_string()
            .contains("| no response before the deadline"),
        "{report}"
    );
}
