//! Runs the cases in one process of the port, as on Lambda: it must post what was recorded on Node.

use crate::{
    EVENTS,
    support::{
        Process, function,
        runtime_api::{Event, RuntimeApi},
    },
};
use nodeback::Value;
use std::{collections::HashSet, fs, path::Path};

#[tokio::test]
async fn each_case_is_the_same_on_the_runtime_api() {
    let read = |file: &str| -> Value {
        let text = fs::read(Path::new(EVENTS).join(file)).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let settings = read("parity.json");
    let accepted = settings["accepted"].as_array().unwrap();
    let accepted: HashSet<_> = accepted.iter().map(|entry| &entry["event"]).collect();
    let recording = read("parity.recorded.json");
    let recorded = recording["events"].as_array().unwrap();

    let mut api = RuntimeApi::start().await;
    let mut command = function("cases", api.address);
    let context = |event: &Value, name: &str| event["context"][name].as_str().unwrap().to_owned();
    for (variable, name) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "functionName"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "memoryLimitInMb"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "logGroupName"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "logStreamName"),
    ] {
        command.env(variable, context(&recorded[0], name));
    }
    let _function = Process::spawn(&mut command);
    for event in recorded {
        let posted = api.invoke(Event {
            request_id: context(event, "awsRequestId"),
            body: body(event["event"].as_str().unwrap()),
            headers: vec![(
                "lambda-runtime-invoked-function-arn",
                context(event, "invokedFunctionArn"),
            )],
        });
        let posted = posted.await;
        if accepted.contains(&event["event"]) {
            continue;
        }
        let outcome = &event["outcome"];
        if posted.endpoint == "response" {
            let body = std::str::from_utf8(&posted.body).unwrap();
            assert_eq!(outcome["response"], body, "{}", event["event"]);
        } else {
            let mut error = posted.json();
            error.as_object_mut().unwrap().remove("trace");
            assert_eq!(outcome["error"], error, "{}", event["event"]);
        }
    }
}

/// Returns the text of an event by its name: a file, or a line of a file.
fn body(name: &str) -> String {
    let read = |file| fs::read_to_string(Path::new(EVENTS).join(file)).unwrap();
    match name.split_once(".jsonl:") {
        Some((file, line)) => {
            let text = read(format!("{file}.jsonl"));
            let at: usize = line.parse().unwrap();
            text.lines().nth(at - 1).unwrap().into()
        }
        None => read(name.into()),
    }
}
