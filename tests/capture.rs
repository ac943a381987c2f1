//! Tests `examples/capture/capture.mjs`, which captures the invocations of a deployed original, and
//! the comparison of a port with the captured lines. The originals are in `tests/capture/`.

#![allow(clippy::unwrap_used, reason = "tests")]

use nodeback::{
    Callback, Context, Value, json,
    parity::{compare, compare_recorded, record},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/capture/capture.mjs"
);
const ORIGINALS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/capture/originals");

/// Creates an empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("capture")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns the lines that were captured in a folder.
fn captured(folder: &Path) -> Vec<Value> {
    let files = fs::read_dir(folder).unwrap();
    let text: String = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn null(_: Value, _: Context, callback: Callback) {
    callback.succeed(json!(null));
}

/// Records what AWS's client posts for each way to end an invocation, and what each outcome waits
/// for.
async fn recorded(original: String, events: &Path) -> BTreeMap<String, String> {
    record(null, original, events).await.unwrap();
    let text = fs::read_to_string(events.join("parity.recorded.json")).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let events = recording["events"].as_array().unwrap().iter();
    let described = |event: &Value| {
        let outcome = format!("{} after {}", event["outcome"], event["deferredBy"]);
        (event["event"].as_str().unwrap().to_owned(), outcome)
    };
    events.map(described).collect()
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_wrapped_function_responds_as_before_and_its_outcomes_are_captured() {
    let ways = Command::new("node")
        .args(["-p", &format!("require('{ORIGINALS}.js').ways.join('\\n')")])
        .output()
        .unwrap();
    let ways = String::from_utf8(ways.stdout).unwrap();
    let ways: Vec<&str> = ways.split_whitespace().collect();
    assert!(ways.len() > 30, "{ways:?}");
    let events = folder("ways");
    let lines = ways
        .iter()
        .map(|way| format!("{}\n", json!({ "way": way })));
    fs::write(events.join("ways.jsonl"), lines.collect::<String>()).unwrap();

    let before = recorded(format!("{ORIGINALS}.handler"), &events).await;
    let (wrapper, lines) = (folder("ways-wrapper"), folder("ways-captured"));
    let code = format!(
        "Object.assign(process.env, {{ CAPTURE_HANDLER: '{ORIGINALS}.handler', CAPTURE_REDACT: 'none', \
         CAPTURE_FOLDER: '{}' }});\nexport const {{ handler }} = await import('{CAPTURE}');\n",
        lines.display()
    );
    fs::write(wrapper.join("index.mjs"), code).unwrap();
    let after = recorded(format!("{}/index.handler", wrapper.display()), &events).await;
    assert_eq!(before, after);

    // Each event was captured once, with what AWS's client posted.
    let captured = captured(&lines);
    assert_eq!(captured.len(), ways.len());
    for (way, number) in ways.iter().zip(1..) {
        let mut lines = captured
            .iter()
            .filter(|line| line["event"] == json!({ "way": way }));
        let outcome = &lines.next().unwrap()["outcome"];
        assert!(lines.next().is_none(), "{way}");
        // The recording contains a response as text, the captured line as a value.
        let outcome = match outcome.get("response") {
            Some(response) => json!({ "response": response.to_string() }),
            None => outcome.clone(),
        };
        let posted = &before[&format!("ways.jsonl:{number}")];
        assert!(
            posted.starts_with(&format!("{outcome} after ")),
            "{way}: {outcome} | {posted}"
        );
    }
    let context = &captured[0]["context"];
    for (member, value) in [("functionName", "handler"), ("memoryLimitInMB", "128")] {
        assert_eq!(context[member], value, "{context}");
    }

    // Compares a port with the captured lines. Its outcome is the same in four cases.
    let port = |event: Value, _: Context, callback: Callback| match event["way"].as_str() {
        Some("callbackText") => callback.fail("a text"),
        Some("never" | "neverSettled" | "neverCalledLater") => callback.succeed(json!(null)),
        _ => callback.succeed(json!("another")),
    };
    let report = compare_recorded(port, "index.handler", &lines)
        .await
        .unwrap();
    let text = report.to_string();
    let summary = format!("{} events: 4 same, {} differ", ways.len(), ways.len() - 4);
    assert!(text.ends_with(&summary), "{text}");
}

/// Runs the wrapped function over events, without AWS's client. Returns what it printed.
fn run(environment: &[(&str, &str)], handler: &str, events: &[Value]) -> String {
    let script = format!(
        "const {{ handler }} = await import('{CAPTURE}');\n\
         for (const event of {events}) {{\n\
             const context = {{ functionName: 'orders', clientContext: {{ token: 's3cr3t' }}, callbackWaitsForEmptyEventLoop: false,\n\
                 succeed() {{}}, fail() {{}}, done() {{}} }};\n\
             handler(event, context, (error, result) => console.error(error ? 'error' : 'result', result?.name));\n\
         }}\n",
        events = Value::from(events)
    );
    let mut node = Command::new("node");
    node.args(["--input-type=module", "--eval", &script])
        .env("CAPTURE_HANDLER", format!("{ORIGINALS}.{handler}"))
        .envs(environment.iter().copied());
    let output = node.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let responded = stderr
        .lines()
        .filter(|line| ["error undefined", "result orders"].contains(line));
    assert_eq!(responded.count(), events.len(), "{stderr}");
    String::from_utf8(output.stdout).unwrap() + &stderr
}

const PATTERNS: &str =
    "/headers/authorization,/items/*/card, /body/card,/a~1b /clientContext/token,/errorMessage";

#[test]
#[ignore = "needs node"]
fn a_member_that_matches_a_pattern_is_never_written() {
    let events = [
        json!({
            "headers": { "Authorization": "s3cr3t", "accept": "*/*" },
            "items": [{ "card": "s3cr3t", "n": 1 }, { "n": 2 }, "s3cr3t"],
            "body": json!({ "card": "s3cr3t", "n": 1 }).to_string(),
            "a/b": { "c": "s3cr3t" },
        }),
        // Text that is not JSON might contain a secret.
        json!({ "body": "czNjcjN0 s3cr3t", "headers": "s3cr3t" }),
        json!({ "body": json!({ "n": 1 }).to_string(), "fails": true, "headers": { "Authorization": "s3cr3t" } }),
    ];
    let printed = run(&[("CAPTURE_REDACT", PATTERNS)], "secrets", &events);
    assert!(!printed.contains("s3cr3t"), "{printed}");
    let lines = printed.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let redacted = "[redacted]";
    assert_eq!(
        lines[0]["event"],
        json!({
            "headers": { "Authorization": redacted, "accept": "*/*" },
            "items": [{ "card": redacted, "n": 1 }, { "n": 2 }, redacted],
            "body": json!({ "card": redacted, "n": 1 }).to_string(),
            "a/b": redacted,
        })
    );
    assert_eq!(
        lines[0]["redacted"],
        json!([
            "/headers/Authorization",
            "/items/0/card",
            "/items/2",
            "/body",
            "/a~1b"
        ])
    );
    assert_eq!(
        lines[0]["context"]["clientContext"],
        json!({ "token": redacted })
    );
    assert_eq!(
        lines[1]["event"],
        json!({ "body": redacted, "headers": redacted })
    );
    assert_eq!(lines[2]["event"]["body"], json!({ "n": 1 }).to_string());
    let error = json!({ "error": { "errorType": "Error", "errorMessage": redacted } });
    assert_eq!(
        (&lines[2]["outcome"], &lines[2]["redacted"]),
        (&error, &json!(["/errorMessage"]))
    );
    assert_eq!(lines.len(), 3);
    let printed = run(&[("CAPTURE_REDACT", "/")], "secrets", &events[1..2]);
    assert!(
        printed.contains(r#""outcome":{"response":"[redacted]"},"redacted":[""]"#),
        "{printed}"
    );
}

#[test]
#[ignore = "needs node"]
fn a_failure_to_capture_does_not_affect_the_response() {
    let secret = |text: String| [json!({ "headers": { "authorization": "s3cr3t" }, "text": text })];
    let redact = ("CAPTURE_REDACT", "/headers/authorization");
    for (environment, text, message) in [
        (
            vec![redact, ("CAPTURE_FOLDER", "/nowhere/at/all")],
            String::new(),
            "an invocation could not be captured",
        ),
        (
            vec![redact],
            "x".repeat(100_000),
            "an invocation was not captured: it takes 2",
        ),
        (
            vec![redact],
            // Each letter takes two bytes.
            "é".repeat(60_000),
            "an invocation was not captured: it takes 2",
        ),
        (
            vec![],
            String::new(),
            "nothing is captured: CAPTURE_REDACT expects",
        ),
        (
            vec![("CAPTURE_REDACT", "headers/authorization")],
            String::new(),
            "nothing is captured: CAPTURE_REDACT expects",
        ),
        (
            vec![redact, ("CAPTURE_LIMIT", "many")],
            String::new(),
            "nothing is captured: CAPTURE_REDACT expects",
        ),
    ] {
        let printed = run(&environment, "secrets", &secret(text));
        assert!(
            printed.contains(message),
            "{environment:?} printed: {printed}"
        );
        assert!(
            !printed.contains("nodebackCapture") && !printed.contains("s3cr3t"),
            "{printed}"
        );
    }
    let events = vec![json!({ "headers": {} }); 7];
    let printed = run(&[redact, ("CAPTURE_LIMIT", "5")], "secrets", &events);
    assert_eq!(printed.matches("nodebackCapture").count(), 5, "{printed}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn an_invalid_handler_setting_fails_with_an_error_that_says_what_is_expected() {
    let events = folder("setting");
    fs::write(events.join("a.json"), "{}").unwrap();
    let error = compare(null, "../examples/capture/capture.handler", &events)
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .contains("expected the handler setting of the original"),
        "{error}"
    );
}

/// Returns a captured line with this event and this outcome.
fn line(event: &Value, outcome: &Value, redacted: &Value) -> String {
    let context = json!({
        "awsRequestId": "id", "functionName": "orders", "functionVersion": "7", "invokedFunctionArn": "arn",
        "memoryLimitInMB": "256", "logGroupName": "group", "logStreamName": "stream",
        "clientContext": { "custom": 1 }, "identity": "[redacted]",
    });
    let line = json!({
        "nodebackCapture": 1, "event": event, "context": context, "outcome": outcome, "redacted": redacted,
    });
    format!("{line}\n")
}

#[tokio::test]
async fn a_port_is_compared_with_captured_lines_without_node() {
    let port = |event: Value, context: Context, callback: Callback| {
        if event["name"] == "Eve" {
            return callback.fail("no name");
        }
        // The lines do not say whether the original's response was deferred, so this is no
        // difference.
        nodeback::set_immediate(|| ());
        callback.succeed(json!({
            "name": event["name"], "token": context.aws_request_id, "of": context.function_name,
            "version": context.function_version, "custom": context.client_context,
            "group": context.log_group_name, "memory": context.memory_limit_in_mb,
        }));
    };
    let response = |name: &str| {
        json!({ "response": {
        "name": name, "token": "[redacted]", "of": "orders", "version": "7", "custom": { "custom": 1 },
        "group": "group", "memory": "256",
    } })
    };
    let error = json!({ "error": { "errorType": "string", "errorMessage": "no name" } });
    let events = folder("lines");
    let lines = [
        line(
            &json!({ "name": "Ada" }),
            &response("Ada"),
            &json!(["/token"]),
        ),
        line(
            &json!({ "name": "Ada" }),
            &response("Eva"),
            &json!(["/token"]),
        ),
        line(&json!({ "name": "Ada" }), &response("Ada"), &json!([])),
        line(&json!({ "name": "Eve" }), &error, &json!([])),
        line(&json!({ "name": "Eve" }), &json!("nothing"), &json!([])),
    ];
    let file = events.join("production.jsonl");
    fs::write(&file, lines.concat()).unwrap();
    for events in [&events, &file] {
        let report = compare_recorded(port, "index.handler", events)
            .await
            .unwrap();
        let text = report.to_string();
        let differences: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("        "))
            .collect();
        assert_eq!(
            differences,
            [
                r#"/name   "Eva" | "Ada""#,
                r#"/token   "[redacted]" | "id""#,
                r#"outcome   no response before the deadline or the end of the process | error {"errorType":"string","errorMessage":"no name"}"#,
            ]
        );
        assert!(text.ends_with("5 events: 2 same, 3 differ"), "{text}");
    }

    for (line, mistake) in [
        (
            r#"{"nodebackCapture":1,"event":{}}"#,
            "missing field `context`",
        ),
        (r#"{"nodebackCapture":1,"event":"#, "EOF while parsing"),
    ] {
        fs::write(&file, line).unwrap();
        let error = compare_recorded(port, "index.handler", &file)
            .await
            .unwrap_err();
        assert!(error.message().contains("production.jsonl:1: "), "{error}");
        assert!(error.message().contains(mistake), "{error}");
        assert!(
            error
                .message()
                .contains("expected a line as examples/capture/capture.mjs writes it")
        );
    }
}
