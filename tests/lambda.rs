//! Runs the process of a function as on Lambda, with a Runtime API that records what it posts.

mod support;

use axum::http::StatusCode;
use nodeback::{Callback, Context, Error, Value, json};
use std::{process::Command, sync::LazyLock};
use support::{
    Process, example, function as function_process, on_lambda,
    runtime_api::{Event, RuntimeApi},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::Barrier,
};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let ran = match name.as_str() {
        "members" => nodeback::run(members).await,
        "fails" => nodeback::run(fails).await,
        "responds_first" => nodeback::run(responds_first).await,
        "pair" => nodeback::run(pair).await,
        other => panic!("no function {other}"),
    };
    if let Err(error) = ran {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn members(_: Value, context: Context, callback: Callback) {
    let left = context.get_remaining_time_in_millis();
    callback.succeed(json!({
        "functionName": context.function_name,
        "functionVersion": context.function_version,
        "memoryLimitInMB": context.memory_limit_in_mb,
        "logGroupName": context.log_group_name,
        "logStreamName": context.log_stream_name,
        "awsRequestId": context.aws_request_id,
        "invokedFunctionArn": context.invoked_function_arn,
        "tenantId": context.tenant_id,
        "identity": context.identity,
        "clientContext": context.client_context,
        "trace": context.xray_trace_id,
        "remaining": 0 < left && left <= 3000,
    }))
}

fn fails(event: Value, _: Context, callback: Callback) -> Result<(), Error> {
    match event["how"].as_str() {
        Some("panic") => panic!("ouch"),
        Some("string") => callback.fail("Unauthorized"),
        Some("throw") => return Err(Error::new("OrderNotFound", "no order 7 🚀")),
        Some("header") => callback.fail(Error::new("a\r\nb: ż", "x".repeat(100_000))),
        Some("forget") => {}
        _ => callback.succeed(event),
    }
    Ok(())
}

/// Responds, and then works in `wait_until` until the test closes the connection.
fn responds_first(event: Value, context: Context, callback: Callback) {
    if let Some(address) = event["address"].as_str().map(String::from) {
        context.wait_until(async move {
            let mut connection = TcpStream::connect(address).await?;
            connection.read_to_end(&mut Vec::new()).await
        });
    }
    callback.succeed(json!("responded"));
}

/// Responds only when two invocations are in flight at the same time.
async fn pair(event: Value, _: Context, callback: Callback) {
    static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
    BOTH.wait().await;
    callback.succeed(event);
}

fn start(api: &RuntimeApi, handler: &str) -> Command {
    function_process(handler, api.address)
}

fn event(request_id: &str, body: Value) -> Event {
    Event {
        request_id: request_id.into(),
        body: body.to_string(),
        ..Event::default()
    }
}

/// The most connections that a process may open if it reuses them. Without reuse, a thousand events
/// would take two thousand connections.
const KEPT_ALIVE: usize = 8;

#[tokio::test]
async fn hello_handles_a_thousand_events_over_a_few_connections() {
    let mut api = RuntimeApi::start().await;
    let mut hello = example("hello");
    on_lambda(&mut hello, api.address);
    let _hello = Process::spawn(&mut hello);
    for n in 0..1_000 {
        let id = format!("request-{n}");
        let bad = n % 3 == 0;
        let body = if bad {
            json!({ "n": n })
        } else {
            json!({ "name": format!("Ada {n}") })
        };
        let posted = api.invoke(event(&id, body)).await;
        assert_eq!(posted.request_id, id);
        if bad {
            let body: &[u8] =
                br#"{"errorType":"string","errorMessage":"name is missing","trace":[]}"#;
            assert_eq!((posted.endpoint.as_str(), &*posted.body), ("error", body));
        } else {
            assert_eq!(posted.endpoint, "response");
            assert_eq!(
                posted.json(),
                json!({ "hello": format!("Ada {n}"), "request": id })
            );
        }
    }
    assert!(
        api.connections() <= KEPT_ALIVE,
        "{} connections were made",
        api.connections()
    );
}

#[tokio::test]
async fn the_context_contains_what_the_runtime_api_sent() {
    let mut api = RuntimeApi::start().await;
    let _function = Process::spawn(&mut start(&api, "members"));
    let mut event = event("request-1", json!({}));
    let client = json!({
        "client": {
            "installation_id": "i", "app_title": "t", "app_version_name": "n",
            "app_version_code": "c", "app_package_name": "p", "unknown": 1,
        },
        "custom": { "k": "v" },
    });
    let identity = json!({ "cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool" });
    event.headers = vec![
        ("lambda-runtime-client-context", client.to_string()),
        ("lambda-runtime-cognito-identity", identity.to_string()),
        ("lambda-runtime-aws-tenant-id", "tenant-1".into()),
        ("lambda-runtime-trace-id", "Root=1-2-3".into()),
        ("lambda-runtime-invocation-id", "invocation-1".into()),
    ];
    let posted = api.invoke(event).await;
    assert_eq!(
        posted.header("lambda-runtime-invocation-id"),
        "invocation-1"
    );
    assert_eq!(
        posted.json(),
        json!({
            "functionName": "cases",
            "functionVersion": "$LATEST",
            "memoryLimitInMB": "128",
            "logGroupName": "/aws/lambda/cases",
            "logStreamName": "stream",
            "awsRequestId": "request-1",
            "invokedFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:cases",
            "tenantId": "tenant-1",
            "identity": identity,
            "clientContext": client,
            "trace": "Root=1-2-3",
            "remaining": true,
        })
    );
}

#[tokio::test]
async fn errors_are_posted_in_the_format_of_node_and_the_process_keeps_running() {
    let mut api = RuntimeApi::start().await;
    let function = Process::spawn(&mut start(&api, "fails"));

    let posted = api.invoke(event("1", json!({ "how": "throw" }))).await;
    assert_eq!(posted.endpoint, "error");
    assert_eq!(
        posted.header("lambda-runtime-function-error-type"),
        "OrderNotFound"
    );
    assert_eq!(posted.json()["errorType"], "OrderNotFound");
    assert_eq!(posted.json()["errorMessage"], "no order 7 🚀");
    assert_eq!(posted.json()["trace"][0], "OrderNotFound: no order 7 🚀");
    let cause: Value =
        serde_json::from_str(posted.header("lambda-runtime-function-xray-error-cause")).unwrap();
    assert_eq!(cause["exceptions"][0]["type"], "OrderNotFound");
    assert_eq!(cause["exceptions"][0]["message"], "no order 7 🚀");
    assert_eq!(
        cause["exceptions"][0]["stack"][0]["path"],
        "tests/lambda.rs"
    );
    assert!(cause["working_directory"].is_string());

    let posted = api.invoke(event("2", json!({ "how": "string" }))).await;
    assert_eq!(
        posted.json(),
        json!({ "errorType": "string", "errorMessage": "Unauthorized", "trace": [] })
    );

    let posted = api.invoke(event("3", json!({ "how": "panic" }))).await;
    assert_eq!(posted.json()["errorType"], "Runtime.Panic");
    assert_eq!(posted.json()["errorMessage"], "ouch");

    let posted = api.invoke(event("4", json!({ "how": "forget" }))).await;
    assert_eq!(posted.json()["errorType"], "Runtime.CallbackNotCalled");

    let posted = api.invoke(event("5", json!({ "how": "header" }))).await;
    assert_eq!(
        posted.header("lambda-runtime-function-error-type"),
        "a??b: ?"
    );
    assert_eq!(
        posted.json()["errorMessage"].as_str().map(str::len),
        Some(100_000)
    );

    let bad = Event {
        request_id: "6".into(),
        body: "{".into(),
        ..Event::default()
    };
    assert_eq!(
        api.invoke(bad).await.json()["errorType"],
        "Runtime.UnmarshalError"
    );

    let posted = api.invoke(event("7", json!({ "how": "not" }))).await;
    assert_eq!(
        (posted.endpoint.as_str(), posted.json()),
        ("response", json!({ "how": "not" }))
    );

    let log = function.log();
    for id in ["1", "2", "3", "4", "5", "6"] {
        let line = format!("\t{id}\tERROR\tInvoke Error \t{{");
        assert_eq!(log.matches(&line).count(), 1, "of request {id} in:\n{log}");
    }
}

#[tokio::test]
async fn work_passed_to_wait_until_runs_after_the_response_and_before_the_next_event() {
    let mut api = RuntimeApi::start().await;
    let _function = Process::spawn(&mut start(&api, "responds_first"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let posted = api.invoke(event("1", json!({ "address": address }))).await;
    assert_eq!(posted.json(), "responded");
    let (connection, _) = listener.accept().await.unwrap();
    assert_eq!(
        api.polls(),
        1,
        "the function polled for the next event before the work had ended"
    );
    drop(connection);
    assert_eq!(api.invoke(event("2", json!({}))).await.request_id, "2");
}

#[tokio::test]
async fn several_invocations_are_in_flight_if_the_environment_asks_for_it() {
    let mut api = RuntimeApi::start().await;
    let mut function = start(&api, "pair");
    let _function = Process::spawn(function.env("AWS_LAMBDA_MAX_CONCURRENCY", "2"));
    api.send(event("1", json!(1)));
    api.send(event("2", json!(2)));
    let mut posted = [api.posted().await, api.posted().await];
    posted.sort_by(|a, b| a.request_id.cmp(&b.request_id));
    assert_eq!(
        (posted[0].request_id.as_str(), posted[0].json()),
        ("1", json!(1))
    );
    assert_eq!(
        (posted[1].request_id.as_str(), posted[1].json()),
        ("2", json!(2))
    );
}

#[tokio::test]
async fn a_rejected_response_is_logged_with_the_error_of_the_api() {
    let mut api = RuntimeApi::start().await;
    let function = Process::spawn(&mut start(&api, "fails"));
    api.reply_with(StatusCode::GONE);
    api.invoke(event("stale", json!({}))).await;
    api.reply_with(StatusCode::ACCEPTED);
    // The function polls for this event only after the previous invocation is over.
    assert_eq!(
        api.invoke(event("next", json!({}))).await.request_id,
        "next"
    );
    let log = function.log();
    let line = log
        .lines()
        .find(|line| line.contains("posting the outcome failed"))
        .unwrap_or_default();
    for part in ["stale", "410 Gone", "timed out", r#"{"status":"recorded"}"#] {
        assert!(line.contains(part), "no `{part}` in:\n{log}");
    }
    assert!(
        api.connections() <= KEPT_ALIVE,
        "{} connections were made",
        api.connections()
    );
}

#[tokio::test]
async fn an_invalid_environment_is_reported_once_with_every_mistake() {
    let mut api = RuntimeApi::start().await;
    let mut hello = example("hello");
    hello.env("AWS_LAMBDA_RUNTIME_API", api.address.to_string());
    hello.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots");
    let hello = Process::spawn(&mut hello);
    let posted = api.posted().await;
    assert_eq!(posted.endpoint, "init/error");
    assert_eq!(
        posted.header("lambda-runtime-function-error-type"),
        "Runtime.InvalidEnvironment"
    );
    let message = "AWS_LAMBDA_FUNCTION_NAME is missing; AWS_LAMBDA_FUNCTION_VERSION is missing; \
                   AWS_LAMBDA_FUNCTION_MEMORY_SIZE is `lots`, expected a number of MB";
    assert_eq!(posted.json()["errorMessage"], message);
    let (log, code) = hello.end();
    assert_eq!(
        log,
        format!("Error: Runtime.InvalidEnvironment: {message}\n")
    );
    assert_eq!(code, Some(1));
}
