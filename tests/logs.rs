//! Tests the log of a function's process, as text and as JSON: every line contains its request id,
//! and every line of a JSON log is valid JSON.

mod support;

use nodeback::{Callback, Context, Error, Value, json};
use std::{cell::Cell, collections::BTreeMap, fmt};
use support::{
    Process, example, function as function_process, output,
    runtime_api::{Event, RuntimeApi},
};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let ran = match name.as_str() {
        "fails" => nodeback::run(fails).await,
        "fails-after-a-recording" => {
            let context = Context::builder().record_timeline().build();
            let handler = async |()| {
                tracing::info!("in the timeline");
                Ok::<_, Error>(())
            };
            let outcome = nodeback::invoke(handler, (), context).await;
            let timeline = outcome.timeline.unwrap().to_string();
            assert!(timeline.contains("INFO in the timeline"), "{timeline}");
            nodeback::run(fails).await
        }
        "logs" => nodeback::run(logs).await,
        other => panic!("no function {other}"),
    };
    if let Err(error) = ran {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

/// Logs from every kind of code that belongs to an invocation, and fails.
fn fails(_: Value, context: Context, callback: Callback) {
    tracing::info!("from the handler");
    context.wait_until(async { tracing::info!("from wait_until") });
    let own = context.clone();
    context.spawn(async move {
        tokio::task::yield_now().await;
        tracing::info!("from a task");
        own.clone().spawn_blocking(move || {
            tracing::info!("from a thread");
            let error = Error::new("OrderNotFound", "no order\n7").with_cause("disk full");
            let error = error.with_member("statusCode", 404).with_code("ENOENT");
            callback.fail(error.with_member("trace", "not the trace"));
        });
    });
}

const NASTY: [&str; 12] = [
    "two\nlines",
    "\r\n\r",
    "\"}, {\"level\":\"FATAL\"",
    "back\\slash \\n \\u0000",
    "\u{0}\u{1}\u{7f}\u{1b}[31mred\u{1b}[0m\u{85}\u{2028}\u{2029}",
    "\t\ttabs\t",
    "\u{feff}ż🦀\u{fffd}\u{202e}",
    "{}{:?}%s%d",
    "",
    " ",
    "END RequestId: 7",
    "</script>",
];

/// A text that counts how many times it is formatted.
struct Counted<'a>(&'static str, &'a Cell<usize>);

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.set(self.1.get() + 1);
        f.write_str(self.0)
    }
}

/// Logs each nasty text in a message and in fields, then a line at each level. Responds with the
/// number of those lines that were formatted.
async fn logs(_: Value) -> Result<usize, Error> {
    for (n, text) in NASTY.into_iter().enumerate() {
        tracing::info!(n, text, debug = ?text, "{text}");
    }
    tracing::info!(text = "x".repeat(100_000), "long");
    let cause = std::io::Error::other("disk\nfull");
    tracing::error!(
        int = -1_i64,
        large = u64::MAX,
        larger = u128::MAX,
        float = 1.5,
        none = f64::NAN,
        truth = true,
        level = "mine",
        requestId = "another",
        cause = &cause as &(dyn std::error::Error + 'static),
        "fields"
    );
    let formatted = Cell::new(0);
    let at = |level| Counted(level, &formatted);
    tracing::trace!("at {}", at("TRACE"));
    tracing::debug!("at {}", at("DEBUG"));
    tracing::info!("at {}", at("INFO"));
    tracing::warn!("at {}", at("WARN"));
    tracing::error!("at {}", at("ERROR"));
    Ok(formatted.get())
}

fn start(name: &str, api: &RuntimeApi, variables: &[(&str, &str)]) -> Process {
    let mut process = function_process(name, api.address);
    for variable in ["AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"] {
        process.env_remove(variable);
    }
    Process::spawn(process.envs(variables.iter().copied()))
}

/// Returns the lines of the log. The test harness writes its own lines to standard output.
fn lines(log: &str) -> Vec<&str> {
    log.split_terminator('\n').collect()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

const EVENTS: usize = 64;

/// Returns the log of a process in which many overlapping invocations fail.
async fn log_of_failures(format: &str) -> String {
    let mut api = RuntimeApi::start().await;
    let process = start(
        "fails",
        &api,
        &[
            ("AWS_LAMBDA_MAX_CONCURRENCY", "8"),
            ("AWS_LAMBDA_LOG_FORMAT", format),
        ],
    );
    for n in 0..EVENTS {
        api.send(Event {
            request_id: format!("request-{n}"),
            body: "{}".into(),
            headers: vec![("lambda-runtime-aws-tenant-id", format!("tenant-{n}"))],
        });
    }
    for _ in 0..EVENTS {
        assert_eq!(api.posted().await.endpoint, "error");
    }
    // All invocations are over when every worker has polled again.
    api.wait_for_polls(EVENTS + 8).await;
    process.log()
}

const MESSAGES: [&str; 4] = [
    "from a task",
    "from a thread",
    "from the handler",
    "from wait_until",
];

/// Asserts that each request has logged every message, and one failure.
fn assert_all_logged(by_request: BTreeMap<String, Vec<String>>) {
    assert_eq!(by_request.len(), EVENTS);
    for (request, mut messages) in by_request {
        messages.sort();
        let expected = [&["INVOKE ERROR"], &MESSAGES[..]].concat();
        assert_eq!(messages, expected, "{request}");
    }
}

#[tokio::test]
async fn each_line_of_text_has_its_request_id_and_each_failure_is_one_line() {
    let log = log_of_failures("Text").await;
    let mut by_request = BTreeMap::<_, Vec<String>>::new();
    for line in lines(&log) {
        let [time, id, level, message] = *line.splitn(4, '\t').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        assert_eq!((time.len(), &time[23..]), (24, "Z"), "{line}");
        let message = match message.strip_prefix("Invoke Error \t") {
            None => message,
            Some(error) => {
                let error = parsed(error);
                assert_eq!(level, "ERROR");
                assert_eq!(error["errorType"], "OrderNotFound");
                assert_eq!(error["errorMessage"], "no order\n7");
                let members: Vec<_> = error.as_object().unwrap().keys().collect();
                let own = ["errorType", "errorMessage", "code", "statusCode", "trace"];
                assert_eq!(members, own, "{error}");
                assert_eq!(error["trace"][3], "caused by: disk full", "{error}");
                "INVOKE ERROR"
            }
        };
        let messages = by_request.entry(id.into()).or_default();
        messages.push(message.into());
    }
    assert_all_logged(by_request);
}

#[tokio::test]
async fn each_line_of_json_has_its_request_id_and_each_failure_is_one_line() {
    let log = log_of_failures("json").await;
    let mut by_request = BTreeMap::<_, Vec<String>>::new();
    for line in lines(&log) {
        let line = parsed(line);
        let members: Vec<_> = line.as_object().unwrap().keys().collect();
        let own = ["timestamp", "level", "requestId", "tenantId", "message"];
        assert_eq!(members, own, "{line}");
        let id = line["requestId"].as_str().unwrap();
        assert_eq!(line["tenantId"], id.replace("request", "tenant"));
        let message = match line["message"].as_str() {
            Some(message) => message,
            None => {
                let error = line["message"].clone();
                assert_eq!(line["level"], "ERROR");
                assert_eq!(error["errorType"], "OrderNotFound");
                assert_eq!(error["errorMessage"], "no order\n7");
                assert_eq!(error["stackTrace"][3], "caused by: disk full", "{error}");
                "INVOKE ERROR"
            }
        };
        let messages = by_request.entry(id.into()).or_default();
        messages.push(message.into());
    }
    assert_all_logged(by_request);
}

/// Without a subscriber, an invocation whose timeline is recorded has one of its own.
#[tokio::test]
async fn a_recorded_invocation_leaves_the_log_to_the_program() {
    let mut api = RuntimeApi::start().await;
    let process = start("fails-after-a-recording", &api, &[]);
    let event = Event {
        request_id: "id".into(),
        body: "{}".into(),
        ..Event::default()
    };
    assert_eq!(api.invoke(event).await.endpoint, "error");
    api.wait_for_polls(2).await;
    let log = process.log();
    assert!(log.contains("\tid\tINFO\tfrom the handler"), "{log}");
    assert!(!log.contains("in the timeline"), "{log}");
}

/// Runs one invocation of `logs`. Returns the log and the response.
async fn log_of_one(variables: &[(&str, &str)]) -> (String, Value) {
    let mut api = RuntimeApi::start().await;
    let process = start("logs", &api, variables);
    let event = Event {
        request_id: "id".into(),
        body: "{}".into(),
        ..Event::default()
    };
    let posted = api.invoke(event).await;
    assert_eq!(posted.endpoint, "response");
    (process.log(), posted.json())
}

#[tokio::test]
async fn a_nasty_message_is_one_line_of_json_and_survives_unchanged() {
    let (log, _) = log_of_one(&[("AWS_LAMBDA_LOG_FORMAT", "JSON")]).await;
    let lines: Vec<_> = lines(&log).into_iter().map(parsed).collect();
    for (n, text) in NASTY.into_iter().enumerate() {
        let line = &lines[n];
        assert_eq!(line["message"], text);
        assert_eq!(line["text"], text);
        assert_eq!(line["debug"], format!("{text:?}"));
        assert_eq!(line["n"], n);
        assert_eq!(line["requestId"], "id");
    }
    let rest = &lines[NASTY.len()..];
    assert_eq!(rest[0]["text"].as_str().unwrap().len(), 100_000);
    let mut fields = rest[1].clone();
    assert!(fields["timestamp"].as_str().unwrap().ends_with('Z'));
    fields["timestamp"] = json!("now");
    assert_eq!(
        fields,
        json!({
            "timestamp": "now",
            "level": "ERROR",
            "requestId": "id",
            "message": "fields",
            "int": -1,
            "large": u64::MAX,
            "larger": u128::MAX.to_string(),
            "float": 1.5,
            "none": null,
            "truth": true,
            "fields.level": "mine",
            "fields.requestId": "another",
            "cause": {
                "errorType": "Error",
                "errorMessage": "disk\nfull",
                "stackTrace": ["disk\nfull"],
            },
        })
    );
    let at: Vec<_> = rest[2..].iter().map(|line| &line["level"]).collect();
    assert_eq!(at, ["INFO", "WARN", "ERROR"]);
}

#[tokio::test]
async fn a_nasty_message_is_one_line_of_text() {
    let (log, _) = log_of_one(&[]).await;
    let lines = lines(&log);
    for (n, text) in NASTY.into_iter().enumerate() {
        let logged = text.replace('\n', "\r");
        let rest = format!("\tid\tINFO\t{logged} n={n} text={logged} debug={text:?}");
        assert_eq!(lines[n][24..], rest);
    }
    let fields = lines[NASTY.len() + 1];
    let rest = format!(
        "\tid\tERROR\tfields int=-1 large={} larger={} float=1.5 none=NaN truth=true level=mine \
         requestId=another cause=disk\rfull",
        u64::MAX,
        u128::MAX
    );
    assert_eq!(fields[24..], rest);
    assert_eq!(lines.len(), NASTY.len() + 5);
}

#[tokio::test]
async fn a_level_filters_what_is_below_it_and_the_rest_has_its_request_id() {
    for (level, passes) in [
        (
            "TRACE",
            ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].as_slice(),
        ),
        ("debug", &["DEBUG", "INFO", "WARN", "ERROR"]),
        ("WARN", &["WARN", "ERROR"]),
        ("ERROR", &["ERROR"]),
        ("FATAL", &["ERROR"]),
    ] {
        for format in ["Text", "JSON"] {
            let (log, formatted) = log_of_one(&[
                ("AWS_LAMBDA_LOG_LEVEL", level),
                ("AWS_LAMBDA_LOG_FORMAT", format),
            ])
            .await;
            let target = |at: &str| match at {
                "TRACE" | "DEBUG" => " target=logs",
                _ => "",
            };
            let expected: Vec<_> = passes
                .iter()
                .map(|at| format!("id at {at}{}", target(at)))
                .collect();
            let logged: Vec<_> = lines(&log)
                .into_iter()
                .filter(|line| line.contains("at "))
                .map(|line| match format {
                    "JSON" => {
                        let line = parsed(line);
                        let text = |name: &str| line[name].as_str().unwrap_or("none").to_owned();
                        let target = line.get("target").and_then(Value::as_str);
                        let target = target.map_or(String::new(), |name| format!(" target={name}"));
                        format!("{} {}{target}", text("requestId"), text("message"))
                    }
                    _ => {
                        let columns: Vec<_> = line.split('\t').collect();
                        format!("{} {}", columns[1], columns[3])
                    }
                })
                .collect();
            assert_eq!(logged, expected, "{level} {format}");
            assert_eq!(formatted, passes.len(), "{level} {format}");
        }
    }
}

#[tokio::test]
async fn rust_log_sets_a_level_for_each_target() {
    for (directives, passes) in [
        ("off,logs=warn", ["WARN", "ERROR"].as_slice()),
        ("trace,logs=error", &["ERROR"]),
        ("logs=debug", &["DEBUG", "INFO", "WARN", "ERROR"]),
        ("warn,other=trace", &["WARN", "ERROR"]),
        ("other=trace", &[]),
    ] {
        let (log, formatted) = log_of_one(&[("RUST_LOG", directives)]).await;
        for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
            let line = format!("\tid\t{level}\tat {level}");
            assert_eq!(
                log.contains(&line),
                passes.contains(&level),
                "{directives}: {log}"
            );
        }
        assert_eq!(formatted, passes.len(), "{directives}");
    }
    let (log, _) = log_of_one(&[("RUST_LOG", "logs=loud")]).await;
    let warning = "\t\tWARN\tRUST_LOG is `logs=loud`: expected a level, or directives such as ";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
    assert!(log.contains("\tid\tINFO\tat INFO\n"), "{log}");
}

#[tokio::test]
async fn an_invalid_format_or_level_is_logged_once_and_the_default_applies() {
    let (log, _) = log_of_one(&[
        ("AWS_LAMBDA_LOG_FORMAT", "yaml"),
        ("AWS_LAMBDA_LOG_LEVEL", "loud"),
    ])
    .await;
    for warning in [
        "\t\tWARN\tAWS_LAMBDA_LOG_FORMAT is `yaml`: expected Text or JSON; Text is used\n",
        "\t\tWARN\tAWS_LAMBDA_LOG_LEVEL is `loud`: expected ",
    ] {
        assert_eq!(log.matches(warning).count(), 1, "{log}");
    }
    assert!(log.contains("\tid\tINFO\tat INFO\n"), "{log}");
}

#[tokio::test]
async fn locally_the_platform_lines_in_json_are_the_same_as_on_lambda() {
    let mut server = example("hello");
    server
        .args(["--listen", "127.0.0.1:0"])
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    let mut server = Process::spawn(&mut server);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut server.stdout(), &mut line).unwrap();
    let url = line.trim().strip_prefix("hello listens on ").unwrap();
    let url = format!("{url}/2015-03-31/functions/hello/invocations");
    let client = reqwest::Client::new();
    for event in ["{}", r#"{"name":"Ada"}"#] {
        let response = client.post(&url).body(event).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    server.signal("TERM");
    let (log, _) = server.end();
    let lines: Vec<_> = lines(&log)
        .into_iter()
        .filter(|line| !line.starts_with("waiting for the requests in flight"))
        .map(parsed)
        .collect();
    let types: Vec<_> = lines.iter().map(|line| &line["type"]).collect();
    let (start, report) = (&json!("platform.start"), &json!("platform.report"));
    assert_eq!(types, [start, &Value::Null, report, start, report]);
    let id = &lines[0]["record"]["requestId"];
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_eq!(&lines[1]["requestId"], id);
    assert_eq!(lines[1]["message"]["errorMessage"], "name is missing");
    let record = &lines[2]["record"];
    assert_eq!(&record["requestId"], id);
    assert_eq!(record["status"], "error");
    assert!(record["metrics"]["durationMs"].is_f64(), "{record}");
    assert_eq!(record["metrics"]["memorySizeMB"], 128);
    assert_eq!(lines[4]["record"]["status"], "success");
}

#[test]
fn a_log_that_does_not_go_to_a_terminal_has_no_colors() {
    let mut timer = example("timer");
    timer.arg("-").env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1");
    let run = output(&mut timer, r#"{ "ms": 60000 }"#);
    let log = String::from_utf8(run.stderr).unwrap();
    assert!(log.contains("\tWARN\t") && !log.contains('\x1b'), "{log}");
}
