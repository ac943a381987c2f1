//! The same answers as Node's: the 63 handlers of `cases.js`, ported one to one, answer over HTTP
//! what `cases.json` recorded of the real Node runtime client 3.3.0 under Node 20.

mod handlers;
#[path = "../support/mod.rs"]
mod support;

use nodeback::{RawValue, Value, json};
use serde::Deserialize;
use std::{fs, process::Command};
use support::{
    Process,
    runtime_api::{Event, Posted, RuntimeApi},
};
use tokio::net::TcpListener;

/// Where we answer otherwise on purpose: the handler, what we answer, and why.
const DELIBERATE: [(&str, &str, &str, &str); 2] = [
    (
        "never_called",
        "error",
        r#"{"errorType":"Runtime.CallbackNotCalled","errorMessage":"#,
        "a lost callback is a bug; `Unsignalled::Null` answers as Node",
    ),
    (
        "async_callback_after_return",
        "response",
        r#""late""#,
        "calling back from async code is the point: the return does not settle",
    ),
];

#[derive(Deserialize)]
struct Case {
    handler: String,
    event: Value,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    answer: String,
    /// As it was posted, but for spaces: the order of keys counts.
    body: Box<RawValue>,
    #[serde(default)]
    trace_lines: usize,
    sent: Option<String>,
}

#[tokio::test]
#[ignore = "needs to be started by the other test, as the process of a function"]
async fn function() {
    if let Ok(name) = std::env::var("_HANDLER") {
        handlers::run(&name).await.unwrap();
    }
}

fn start(api: &RuntimeApi, handler: &str) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "function", "--nocapture"])
        .env("_HANDLER", handler)
        .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "cases")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cases")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("RUST_BACKTRACE", "0");
    Process::spawn(&mut command)
}

fn event(body: Value, client_context: &str) -> Event {
    Event {
        request_id: "00000000-0000-4000-8000-000000000000".into(),
        body: body.to_string(),
        headers: vec![
            ("lambda-runtime-client-context", client_context.into()),
            (
                "lambda-runtime-cognito-identity",
                r#"{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}"#.into(),
            ),
            ("lambda-runtime-aws-tenant-id", "tenant-1".into()),
        ],
    }
}

/// lambda_runtime 1.5 gives up where a client context has a `client` without all of these, so
/// they are sent, and taken out again of what is compared.
const CLIENT_CONTEXT: &str = r#"{"client":{"installation_id":"i","app_title":"","app_version_name":"","app_version_code":"","app_package_name":""},"custom":{"k":"v"}}"#;
const RECORDED_CLIENT_CONTEXT: &str = r#"{"client":{"installation_id":"i"},"custom":{"k":"v"}}"#;

/// What was posted, and when, in the terms of `cases.json`.
async fn invoke(
    api: &mut RuntimeApi,
    case: &Case,
    answer: &Answer,
) -> (Posted, Option<&'static str>) {
    if answer.sent.is_none() {
        return (
            api.invoke(event(case.event.clone(), CLIENT_CONTEXT)).await,
            None,
        );
    }
    // What is the timer's end in Node is here that the test hangs up.
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut body = case.event.clone();
    body["until"] = json!(line.local_addr().unwrap().to_string());
    api.send(event(body, CLIENT_CONTEXT));
    let (line, _) = line.accept().await.unwrap();
    if answer.sent.as_deref() == Some("at once") {
        let posted = api.posted().await;
        drop(line);
        return (posted, Some("at once"));
    }
    assert!(
        api.try_posted().is_none(),
        "{} was not held back",
        case.handler
    );
    drop(line);
    (api.posted().await, Some("after the timer"))
}

/// The answer as text, with the trace taken out of an error.
fn comparable(posted: &Posted) -> (String, Option<usize>) {
    let text = std::str::from_utf8(&posted.body)
        .unwrap()
        .replace(CLIENT_CONTEXT, RECORDED_CLIENT_CONTEXT);
    if posted.endpoint != "error" {
        return (text, None);
    }
    let mut body: Value = serde_json::from_str(&text).unwrap();
    let trace = body.as_object_mut().unwrap().remove("trace").unwrap();
    (body.to_string(), Some(trace.as_array().unwrap().len()))
}

fn compact(json: &RawValue) -> String {
    serde_json::from_str::<Value>(json.get())
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn the_63_recorded_answers_are_given() {
    let cases = fs::read_to_string("tests/cases/cases.json").unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 63);
    let (mut answers, mut differences, mut deliberate) = (0, Vec::new(), Vec::new());
    for case in &cases {
        let mut api = RuntimeApi::start().await;
        let _function = start(&api, &case.handler);
        for answer in &case.answers {
            answers += 1;
            let (posted, sent) = invoke(&mut api, case, answer).await;
            let (body, trace) = comparable(&posted);
            let same = posted.endpoint == answer.answer
                && body == compact(&answer.body)
                && sent == answer.sent.as_deref()
                // Node has a stack for what is an `Error`, and none for another value.
                && trace.is_none_or(|lines| (lines == 0) == (answer.trace_lines == 0));
            let meant = DELIBERATE
                .iter()
                .find(|(handler, ..)| *handler == case.handler);
            let line = format!(
                "{}: Node {} {}, here {} {body}",
                case.handler,
                answer.answer,
                answer.body.get(),
                posted.endpoint
            );
            match meant {
                None if same => {}
                None => differences.push(line),
                Some((_, endpoint, start, why)) => {
                    assert!(
                        !same && posted.endpoint == *endpoint && body.starts_with(start),
                        "{line}"
                    );
                    deliberate.push(format!("{line}\n  {why}"));
                }
            }
        }
    }
    println!("{answers} answers of {} handlers", cases.len());
    println!(
        "deliberately different: {}\n{}",
        deliberate.len(),
        deliberate.join("\n")
    );
    assert!(
        differences.is_empty(),
        "not meant to differ:\n{}",
        differences.join("\n")
    );
    assert_eq!(deliberate.len(), DELIBERATE.len());
}

#[tokio::test]
async fn a_callback_that_is_never_called_answers_as_node_where_that_is_asked_for() {
    let mut api = RuntimeApi::start().await;
    let _function = start(&api, "never_called, Unsignalled::Null");
    let posted = api.invoke(event(json!({}), CLIENT_CONTEXT)).await;
    assert_eq!(
        (posted.endpoint.as_str(), posted.json()),
        ("response", Value::Null)
    );
}
