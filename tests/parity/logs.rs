//! Specifies the comparison of the lines of the log.

use super::{Events, lines};
use nodeback::{
    Callback, Context, Error, Value,
    parity::{Comparison, ParityReport},
    set_immediate,
};
use std::{env, process::Command};

/// The port of `logs.js`, with a difference in some events.
fn port(event: Value, _: Context, callback: Callback) {
    let number = event["n"].as_i64().unwrap_or_default();
    for n in 0..event["count"].as_i64().unwrap_or_default() {
        tracing::info!("line {n}");
    }
    tracing::info!("order {}", if number == 2 { 3 } else { number });
    tracing::info!("two\nlines");
    if number != 3 {
        tracing::warn!("ż is rare");
    }
    tracing::debug!("in full detail");
    tracing::error!("wrong: {}", Error::new("RangeError", "far"));
    tracing::error!("{}", Error::new("TypeError", "near"));
    if event["thrown"] == true {
        set_immediate(|| {
            tracing::error!("last words");
            Err::<(), _>(Error::new("TypeError", "thrown"))
        });
    } else if event["fails"] == true {
        callback.fail(Error::new("TypeError", "failed"));
    } else {
        callback.succeed(event["n"].clone());
    }
}

fn comparison(events: &Events) -> Comparison {
    Comparison::new("parity/logs.handler", &events.0).logs()
}

fn differences(report: &ParityReport) -> Vec<String> {
    let text = report.to_string();
    let differences = text
        .lines()
        .filter_map(|line| line.strip_prefix("        "));
    differences.map(String::from).collect()
}

/// Runs under each log format and level. Each needs a process of its own, since `nodeback` reads
/// them only once.
#[test]
#[ignore = "needs node and npm"]
fn lines_are_compared_in_each_format_and_at_each_level() {
    for (variable, value) in [
        ("AWS_LAMBDA_LOG_FORMAT", "Text"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
        ("AWS_LAMBDA_LOG_LEVEL", "WARN"),
    ] {
        let this = env::current_exe().unwrap();
        let mut test = Command::new(this);
        test.args(["--exact", "logs::lines_are_compared", "--ignored"])
            .env(variable, value);
        let output = test.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("1 passed"), "{value}: {printed}");
    }
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn lines_are_compared() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default();
    let name = format!(
        "logs-{level}-{}",
        env::var("AWS_LAMBDA_LOG_FORMAT").unwrap_or_default()
    );
    let events = Events::new(
        &name,
        &[(
            "a.jsonl",
            "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4,\"thrown\":true}\n{\"n\":5,\"fails\":true}\n",
        )],
    );
    let report = comparison(&events).run(port).await.unwrap();
    let order = "log/0   INFO order 2 | INFO order 3";
    let detail = "log/3   DEBUG in detail | DEBUG in full detail";
    let expected = match level.as_str() {
        "DEBUG" => vec![
            detail,
            order,
            detail,
            "log/2   WARN ż is rare | DEBUG in full detail",
            "log/3   DEBUG in detail | no line",
            detail,
            detail,
        ],
        "WARN" => vec!["log/0   WARN ż is rare | no line"],
        _ => vec![order, "log/2   WARN ż is rare | no line"],
    };
    assert_eq!(differences(&report), expected, "{report}");
    let without = Comparison::new("parity/logs.handler", &events.0)
        .run(port)
        .await
        .unwrap();
    assert!(without.is_same(), "{without}");
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn lines_are_recorded_accepted_and_ignored() {
    let accepted = r#"{
        "ignore": ["log/2"],
        "accepted": [{ "event": "b.json", "path": "log/*", "reason": "the number is another" }]
    }"#;
    let events = Events::new(
        "logs-recorded",
        &[("b.json", r#"{"n":2}"#), ("c.json", r#"{"n":3}"#)],
    );
    Comparison::new("parity/logs.handler", &events.0)
        .record()
        .run(port)
        .await
        .unwrap();
    let error = comparison(&events).recorded().run(port).await.unwrap_err();
    assert!(
        error.message().contains("it was recorded without `--logs`"),
        "{error}"
    );
    comparison(&events).record().run(port).await.unwrap();
    let report = comparison(&events).recorded().run(port).await.unwrap();
    assert_eq!(
        differences(&report),
        [
            "log/0   INFO order 2 | INFO order 3",
            "log/2   WARN ż is rare | no line"
        ]
    );
    std::fs::write(events.0.join("parity.json"), accepted).unwrap();
    let report = comparison(&events).recorded().run(port).await.unwrap();
    assert!(report.is_same(), "{report}");
    assert_eq!(
        lines(&report, &events)[1],
        "accepted: the number is another"
    );
}

#[tokio::test]
#[ignore = "needs node and npm"]
async fn a_flood_of_lines_is_bounded() {
    let events = Events::new("logs-flood", &[("a.json", r#"{"n":1,"count":5000}"#)]);
    let report = comparison(&events).run(port).await.unwrap();
    assert_eq!(differences(&report).len(), 0, "{report}");
    let less = |mut event: Value, context: Context, callback: Callback| {
        event["count"] = 4990.into();
        port(event, context, callback);
    };
    let report = comparison(&events).run(less).await.unwrap();
    assert_eq!(
        differences(&report),
        ["log/1000   4005 more lines | 3995 more lines"]
    );
}
