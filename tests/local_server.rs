//! The command line of a function's binary, and the Invoke API of the local server with an HTTP
//! client.

mod support;

use nodeback::{Bytes, Callback, Context, Error, Handler, Runtime, Value, json};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use std::{io::BufRead, net::SocketAddr, sync::Arc};
use support::{Process, example, output};
use tokio::{
    net::TcpListener,
    sync::{Barrier, Notify, oneshot},
    task::JoinHandle,
};

const LIMIT: usize = 6 * 1024 * 1024;

/// A local server with one handler. Ending it waits for the requests in flight.
struct LocalServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<nodeback::Result<()>>,
}

impl LocalServer {
    async fn serve<M: 'static>(handler: impl Handler<M>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or(()) };
        // A type without the handler's marker can be spawned.
        let served: futures::future::BoxFuture<'static, _> =
            Box::pin(Runtime::new(handler).serve(listener, shutdown));
        LocalServer {
            address,
            stop,
            served: tokio::spawn(served),
        }
    }

    fn call(&self, function: &str) -> RequestBuilder {
        self.call_path(&format!("{function}/invocations"))
    }

    fn call_path(&self, path: &str) -> RequestBuilder {
        let path = format!("2015-03-31/functions/{path}");
        Client::new().post(format!("http://{}/{path}", self.address))
    }

    async fn invoke(&self, event: Value) -> Response {
        self.call("f").body(event.to_string()).send().await.unwrap()
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// A handler that notifies the test when it starts, waits for permission to continue, and notifies
/// the test when it ends.
#[derive(Default)]
struct Gate {
    entered: Notify,
    go: Notify,
    ended: Notify,
}

impl Gate {
    async fn serve(self: &Arc<Self>) -> LocalServer {
        let gate = Arc::clone(self);
        LocalServer::serve(move |event: Value, _: Context, callback: Callback| {
            let gate = Arc::clone(&gate);
            async move {
                gate.entered.notify_one();
                gate.go.notified().await;
                callback.succeed(event);
                gate.ended.notify_one();
            }
        })
        .await
    }
}

fn never_entered(_: Value, _: Context, _: Callback) {
    panic!("the handler was entered")
}

fn echo(event: Value, _: Context, callback: Callback) {
    callback.succeed(event)
}

fn about(_: Value, context: Context, callback: Callback) {
    let left = context.get_remaining_time_in_millis();
    callback.succeed(json!({
        "name": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "group": context.log_group_name,
        "request": context.aws_request_id,
        "client": context.client_context,
        "tenant": context.tenant_id,
        "trace": context.xray_trace_id,
        "remaining": 0 < left && left <= 3_000,
    }))
}

#[tokio::test]
async fn a_successful_call_returns_the_response() {
    let server = LocalServer::serve(echo).await;
    let response = server.invoke(json!({ "b": 1, "a": "ż" })).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "x-amz-executed-version"), "$LATEST");
    assert_eq!(header(&response, "x-amzn-requestid").len(), 36);
    assert_eq!(header(&response, "x-amz-function-error"), "");
    assert_eq!(response.text().await.unwrap(), r#"{"b":1,"a":"ż"}"#);
}

#[tokio::test]
async fn a_failure_is_http_200_with_its_header_and_the_body_of_node() {
    let server = LocalServer::serve(async |_: Value| Err::<(), _>("Unauthorized")).await;
    let response = server.invoke(json!({})).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "x-amz-function-error"), "Unhandled");
    let body = r#"{"errorType":"string","errorMessage":"Unauthorized","trace":[]}"#;
    assert_eq!(response.text().await.unwrap(), body);
}

#[tokio::test]
async fn a_panic_fails_its_invocation_and_no_other() {
    let handler = |event: Value, _: Context, callback: Callback| {
        assert_eq!(event, json!({}), "an unexpected event");
        callback.succeed(json!("fine"));
    };
    let server = LocalServer::serve(handler).await;
    let response = server.invoke(json!(1)).await;
    assert_eq!(header(&response, "x-amz-function-error"), "Unhandled");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errorType"], "Runtime.Panic");
    assert!(
        body["errorMessage"]
            .as_str()
            .unwrap()
            .contains("an unexpected event")
    );
    assert_eq!(
        server.invoke(json!({})).await.text().await.unwrap(),
        r#""fine""#
    );
}

#[tokio::test]
async fn a_missing_body_is_an_empty_object() {
    let server = LocalServer::serve(echo).await;
    let response = server.call("f").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "{}");
}

async fn rejection(response: Response, status: u16, error_type: &str) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "x-amzn-errortype"), error_type);
    assert_eq!(header(&response, "x-amzn-requestid").len(), 36);
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["Type"], "User");
    body["message"].as_str().unwrap().into()
}

#[tokio::test]
async fn invalid_json_is_rejected_before_the_handler_is_called() {
    let server = LocalServer::serve(never_entered).await;
    for body in [
        b"{".as_slice(),
        b"{} {}",
        b"nonsense",
        b"\"\xff\"",
        b"\xef\xbb\xbf{}",
    ] {
        let response = server.call("f").body(body).send().await.unwrap();
        let message = rejection(response, 400, "InvalidRequestContentException").await;
        assert!(
            message.starts_with("Could not parse request body into json: "),
            "{message}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn an_event_of_six_megabytes_is_accepted_and_one_byte_more_is_not() {
    let size = async |event: Value| Ok::<_, Error>(event.as_str().map(str::len));
    let server = LocalServer::serve(size).await;
    let largest = format!("\"{}\"", "x".repeat(LIMIT - 2));
    let response = server.call("f").body(largest.clone()).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), (LIMIT - 2).to_string());
    let response = server
        .call("f")
        .body(format!("{largest} "))
        .send()
        .await
        .unwrap();
    let message = rejection(response, 413, "RequestEntityTooLargeException").await;
    assert_eq!(
        message,
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    );
}

#[tokio::test]
async fn a_response_over_the_limit_is_a_failure() {
    let sized = async |bytes: usize| Ok::<_, Error>(Bytes::from(vec![b'1'; bytes]));
    let server = LocalServer::serve(sized).await;
    let response = server.invoke(json!(LIMIT + 100)).await;
    assert_eq!(header(&response, "x-amz-function-error"), "");
    assert_eq!(response.bytes().await.unwrap().len(), LIMIT + 100);
    let response = server.invoke(json!(LIMIT + 101)).await;
    assert_eq!(header(&response, "x-amz-function-error"), "Unhandled");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(
        body["errorMessage"],
        "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."
    );
}

#[tokio::test]
async fn an_asynchronous_call_is_accepted_before_it_has_ended() {
    let gate = Arc::<Gate>::default();
    let server = gate.serve().await;
    let call = server
        .call("f")
        .header("X-Amz-Invocation-Type", "Event")
        .body("7");
    let response = call.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(header(&response, "x-amzn-requestid").len(), 36);
    assert_eq!(response.text().await.unwrap(), "");
    gate.go.notify_one();
    gate.ended.notified().await;
    server.end().await;
}

#[tokio::test]
async fn an_asynchronous_event_has_a_lower_limit() {
    let server = LocalServer::serve(echo).await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let call = |bytes| {
        let call = server.call("f").header("X-Amz-Invocation-Type", "Event");
        call.body(text(bytes))
    };
    let response = call(1024 * 1024).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let response = call(1024 * 1024 + 1).send().await.unwrap();
    assert_eq!(
        rejection(response, 413, "RequestEntityTooLargeException").await,
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    );
    let url = format!(
        "http://{}/2014-11-13/functions/f/invoke-async",
        server.address
    );
    let call = |bytes| Client::new().post(&url).body(text(bytes));
    let response = call(256 * 1024).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let response = call(256 * 1024 + 1).send().await.unwrap();
    rejection(response, 413, "RequestEntityTooLargeException").await;
}

#[tokio::test]
async fn the_deprecated_invoke_async_works() {
    let gate = Arc::<Gate>::default();
    let server = gate.serve().await;
    for end in ["", "/"] {
        let path = format!("2014-11-13/functions/f:7/invoke-async{end}");
        let url = format!("http://{}/{path}", server.address);
        let response = Client::new().post(&url).body("7").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.text().await.unwrap(), r#"{"Status":202}"#);
        gate.entered.notified().await;
        gate.go.notify_one();
        gate.ended.notified().await;
        let response = Client::new().post(&url).body("{").send().await.unwrap();
        rejection(response, 400, "InvalidRequestContentException").await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_dry_run_checks_and_does_not_invoke() {
    let server = LocalServer::serve(never_entered).await;
    let call = |body: &'static str| {
        server
            .call("f")
            .header("X-Amz-Invocation-Type", "DryRun")
            .body(body)
    };
    let response = call("{}").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(header(&response, "content-length"), "");
    let response = call("{").send().await.unwrap();
    rejection(response, 400, "InvalidRequestContentException").await;
}

#[tokio::test]
async fn an_unknown_invocation_or_log_type_is_rejected_with_the_valid_ones() {
    let server = LocalServer::serve(echo).await;
    for (name, expected) in [
        (
            "X-Amz-Invocation-Type",
            "expected RequestResponse, Event or DryRun",
        ),
        ("X-Amz-Log-Type", "expected None or Tail"),
    ] {
        let response = server.call("f").header(name, "Later").send().await.unwrap();
        let message = rejection(response, 400, "InvalidParameterValueException").await;
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn the_context_contains_the_parameters_of_the_call() {
    let server = LocalServer::serve(about).await;
    let call = server.call_path("orders/invocations?Qualifier=live");
    let call = call
        .header("X-Amz-Client-Context", "eyJjdXN0b20iOnsiayI6InYifX0=")
        .header("X-Amz-Tenant-Id", "tenant-1")
        .header("X-Amzn-Trace-Id", "Root=1-2-3");
    let response = call.send().await.unwrap();
    let request_id = header(&response, "x-amzn-requestid").to_owned();
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({
            "name": "orders",
            "version": "$LATEST",
            "arn": "arn:aws:lambda:us-east-1:123456789012:function:orders:live",
            "memory": "128",
            "group": "/aws/lambda/orders",
            "request": request_id,
            "client": { "custom": { "k": "v" } },
            "tenant": "tenant-1",
            "trace": "Root=1-2-3",
            "remaining": true,
        })
    );
}

#[tokio::test]
async fn any_function_name_or_arn_reaches_the_handler() {
    let server = LocalServer::serve(about).await;
    for (name, version, arn) in [
        ("f", "$LATEST", "us-east-1:123456789012:function:f"),
        ("f:7", "7", "us-east-1:123456789012:function:f:7"),
        (
            "f:blue",
            "$LATEST",
            "us-east-1:123456789012:function:f:blue",
        ),
        ("function:f", "$LATEST", "us-east-1:123456789012:function:f"),
        (
            "222233334444:f",
            "$LATEST",
            "us-east-1:222233334444:function:f",
        ),
        (
            "arn:aws:lambda:us-east-1:222233334444:function:f",
            "$LATEST",
            "us-east-1:222233334444:function:f",
        ),
        (
            "arn%3Aaws%3Alambda%3Aus-east-1%3A222233334444%3Afunction%3Af%3A12",
            "12",
            "us-east-1:222233334444:function:f:12",
        ),
    ] {
        let response = server.call(name).send().await.unwrap();
        let executed = header(&response, "x-amz-executed-version");
        assert_eq!(executed, version, "as {name}");
        let context = response.json::<Value>().await.unwrap();
        assert_eq!(context["name"], "f", "as {name}");
        assert_eq!(context["version"], version, "as {name}");
        let arn = format!("arn:aws:lambda:{arn}");
        assert_eq!(context["arn"], arn, "as {name}");
    }
}

#[tokio::test]
async fn the_log_has_the_version_of_the_qualifier() {
    let server = LocalServer::serve(echo).await;
    let call = server.call_path("f/invocations?Qualifier=7");
    let call = call.header("X-Amz-Log-Type", "Tail");
    let response = call.send().await.unwrap();
    let id = header(&response, "x-amzn-requestid");
    let log = base64(header(&response, "x-amz-log-result"));
    let start = format!("START RequestId: {id} Version: 7\n");
    assert!(log.starts_with(&start), "{log}");
}

#[tokio::test]
async fn the_region_is_that_of_the_signature() {
    let server = LocalServer::serve(about).await;
    let call = |name: &str, region: &str| {
        let scope = format!("made-up/20250101/{region}/lambda/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
        server.call(name).header("Authorization", signature)
    };
    let response = call("f", "eu-west-1").send().await.unwrap();
    let context = response.json::<Value>().await.unwrap();
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    assert_eq!(context["arn"], arn);
    let response = call(arn, "eu-west-1").send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["arn"], arn);
    let response = call(arn, "eu-west-2").send().await.unwrap();
    assert_eq!(
        rejection(response, 404, "ResourceNotFoundException").await,
        "Functions from 'eu-west-1' are not reachable in this region ('eu-west-2')"
    );
}

#[tokio::test]
async fn an_invalid_client_context_is_rejected() {
    let server = LocalServer::serve(about).await;
    const EXPECTED: &str = "Client context must be a valid Base64-encoded JSON object.";
    let long = "e".repeat(3_584);
    for (context, message) in [
        ("%%%", EXPECTED),
        // no json
        ("bm8ganNvbg==", EXPECTED),
        // ["custom"], 17, true and null
        ("WyJjdXN0b20iXQ==", EXPECTED),
        ("MTc=", EXPECTED),
        ("dHJ1ZQ==", EXPECTED),
        ("bnVsbA==", EXPECTED),
        (&long, "Client context must be no longer than 3583 bytes."),
    ] {
        let response = server
            .call("f")
            .header("X-Amz-Client-Context", context)
            .send()
            .await
            .unwrap();
        assert_eq!(
            rejection(response, 400, "InvalidRequestContentException").await,
            message
        );
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_rejected_with_the_expected_ones() {
    let server = LocalServer::serve(echo).await;
    let client = Client::new();
    let url = format!("http://{}", server.address);
    let expected = "expected POST /2015-03-31/functions/{name}/invocations";
    let functions = format!("{url}/2015-03-31/functions");
    let response = client.get(&functions).send().await.unwrap();
    assert_eq!(
        rejection(response, 404, "UnknownOperationException").await,
        expected
    );
    let path = format!("{url}/2015-03-31/functions/f/invocations");
    let response = client.get(&path).send().await.unwrap();
    assert_eq!(
        rejection(response, 405, "MethodNotAllowedException").await,
        expected
    );
}

#[tokio::test]
async fn an_invalid_name_or_query_is_rejected() {
    let server = LocalServer::serve(never_entered).await;
    for (path, error_type) in [
        ("%ff/invocations", "InvalidParameterValueException"),
        (
            "f/invocations?Qualifier=a&Qualifier=b",
            "InvalidParameterValueException",
        ),
        (
            "f:a/invocations?Qualifier=b",
            "InvalidParameterValueException",
        ),
        ("f%20g/invocations", "ValidationException"),
        ("f/invocations?Qualifier=v1.2", "ValidationException"),
    ] {
        let response = server.call_path(path).send().await.unwrap();
        rejection(response, 400, error_type).await;
    }
}

#[tokio::test]
async fn overlapping_calls_run_concurrently() {
    let both = Arc::new(Barrier::new(2));
    let handler = move |event: Value, _: Context, callback: Callback| {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            callback.succeed(event);
        }
    };
    let server = LocalServer::serve(handler).await;
    let (one, two) = tokio::join!(server.invoke(json!(1)), server.invoke(json!(2)));
    assert_eq!(
        (one.text().await.unwrap(), two.text().await.unwrap()),
        ("1".into(), "2".into())
    );
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_end_its_invocation() {
    let gate = Arc::<Gate>::default();
    let server = gate.serve().await;
    let call = tokio::spawn(server.call("f").send());
    gate.entered.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    gate.go.notify_one();
    gate.ended.notified().await;
    server.end().await;
}

#[tokio::test]
async fn shutdown_waits_for_the_requests_in_flight() {
    let gate = Arc::<Gate>::default();
    let server = gate.serve().await;
    let call = tokio::spawn(server.call("f").body("7").send());
    gate.entered.notified().await;
    let ended = tokio::spawn(server.end());
    gate.go.notify_one();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "7");
    ended.await.unwrap();
}

#[tokio::test]
async fn the_log_tail_has_the_lines_of_its_invocation() {
    let server = LocalServer::serve(echo).await;
    let response = server
        .call("f")
        .header("X-Amz-Log-Type", "Tail")
        .send()
        .await
        .unwrap();
    let id = header(&response, "x-amzn-requestid");
    let decoded = base64(header(&response, "x-amz-log-result"));
    let lines: Vec<_> = decoded.lines().collect();
    assert_eq!(
        lines.first(),
        Some(&&*format!("START RequestId: {id} Version: $LATEST"))
    );
    assert_eq!(lines.get(1), Some(&&*format!("END RequestId: {id}")));
    let report = lines.get(2).copied().unwrap_or_default();
    assert!(
        report.starts_with(&format!("REPORT RequestId: {id}\tDuration: ")),
        "{report}"
    );
    assert!(report.contains(" ms\tMemory Size: 128 MB"), "{report}");
    let response = server.call("f").send().await.unwrap();
    assert_eq!(header(&response, "x-amz-log-result"), "");
}

fn base64(text: &str) -> String {
    use std::io::Read;
    let mut decode = std::process::Command::new("base64");
    let output = output(decode.arg("--decode"), text);
    let mut decoded = String::new();
    output
        .stdout
        .as_slice()
        .read_to_string(&mut decoded)
        .unwrap();
    decoded
}

#[test]
fn the_response_to_an_event_file_is_on_stdout() {
    let run = output(example("hello").arg("examples/events/hello.json"), "");
    let response: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(response["hello"], "Ada");
    assert_eq!(
        (run.status.code(), run.stdout.last()),
        (Some(0), Some(&b'\n'))
    );
    let id = response["request"].as_str().unwrap();
    assert_report(&String::from_utf8(run.stderr).unwrap(), id);
}

/// Checks that a text is the report line of an invocation and nothing else.
fn assert_report(line: &str, request_id: &str) {
    let start = format!("REPORT RequestId: {request_id}\tDuration: ");
    let rest = line
        .strip_prefix(&start)
        .unwrap_or_else(|| panic!("{line}"));
    let (duration, rest) = rest.split_once(" ms\tBilled Duration: ").unwrap();
    assert!(duration.parse::<f64>().unwrap() > 0.0, "{line}");
    assert!(rest.ends_with('\n') && rest.lines().count() == 1, "{line}");
}

/// Returns stderr without the report lines.
fn without_reports(stderr: Vec<u8>) -> String {
    let stderr = String::from_utf8(stderr).unwrap();
    let lines = stderr.split_inclusive('\n');
    let lines = lines.filter(|line| !line.starts_with("REPORT RequestId: "));
    lines.collect()
}

#[test]
fn a_failure_is_json_on_stderr_with_exit_code_1() {
    let run = output(example("hello").arg("-"), "{}");
    let failure = "{\"errorType\":\"string\",\"errorMessage\":\"name is missing\",\"trace\":[]}\n";
    let stderr = String::from_utf8(run.stderr).unwrap();
    let (report, rest) = stderr.split_once('\n').unwrap();
    assert!(report.starts_with("REPORT RequestId: "), "{report}");
    assert_eq!(rest, failure);
    assert_eq!(
        (run.status.code(), run.stdout.as_slice()),
        (Some(1), b"".as_slice())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_response_that_cannot_be_written_fails() {
    for (name, event) in [("hello", r#"{"name":"Ada"}"#), ("streaming", "{}")] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = example(name);
        let run = command.arg(event).stdout(full.unwrap()).output().unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        let line = "the response cannot be written to stdout: No space left on device";
        assert_eq!(stderr.matches(line).count(), 1, "{stderr}");
        assert_eq!(run.status.code(), Some(1), "{stderr}");
    }
}

#[test]
fn an_event_may_be_the_argument_itself() {
    let run = output(
        example("exports").args(["--handler=cancel", r#" {"id":"a=b"}"#]),
        "",
    );
    assert_eq!(run.stdout, b"{\"cancelled\":\"a=b\"}\n");
    assert_eq!(run.status.code(), Some(0));
    // A file of that name takes precedence.
    let folder = std::env::temp_dir().join(format!("nodeback-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("[1]"), r#"{"id":7}"#).unwrap();
    let mut exports = example("exports");
    exports.current_dir(&folder);
    let run = output(exports.args(["--handler=cancel", "[1]"]), "");
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(run.stdout, b"{\"cancelled\":7}\n");
}

#[test]
fn each_of_several_events_is_one_invocation_in_the_same_process() {
    let arguments = [r#"{"name":"Ada"}"#, "{}", "-", "examples/events/hello.json"];
    let run = output(
        example("hello").args(arguments),
        "\u{feff}{\"name\":\"Bob\"}",
    );
    let stdout = String::from_utf8(run.stdout).unwrap();
    let responses: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = responses
        .iter()
        .map(|response| &response["hello"])
        .collect();
    assert_eq!(names, ["Ada", "Bob", "Ada"]);
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert_eq!(stderr.matches("REPORT RequestId: ").count(), 4, "{stderr}");
    // The log names each event, with the request id of its invocation.
    for (n, name) in [
        (0, "event 1 of 4: the event `{\"name\":\"Ada\"}`"),
        (1, "event 3 of 4: standard input"),
    ] {
        let id = responses[n]["request"].as_str().unwrap();
        assert!(
            stderr.contains(&format!("\t{id}\tINFO\t{name}\n")),
            "{stderr}"
        );
    }
    assert_eq!(
        stderr.matches("{\"errorType\":\"string\"").count(),
        1,
        "{stderr}"
    );
    let end = "\t\tERROR\tof 4 invocations, 1 failed: the event `{}`\n";
    assert!(stderr.ends_with(end), "{stderr}");
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn no_event_is_invoked_if_one_cannot_be_read() {
    let run = output(
        example("hello").args(["{\"name\":\"Ada\"}", "nowhere.json", "[1"]),
        "",
    );
    let stderr = "hello: nowhere.json: No such file or directory (os error 2)\n\
                  hello: the event `[1`: expected the event as JSON: EOF while parsing a list at line 1 column 2\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), stderr);
    assert_eq!((run.stdout, run.status.code()), (vec![], Some(2)));
}

#[test]
fn an_empty_event_is_an_empty_object_as_over_http() {
    let run = output(example("exports").args(["--handler=cancel", "-"]), "");
    assert_eq!(run.stdout, b"{\"cancelled\":null}\n");
}

#[test]
fn version_prints_the_name_of_the_program_and_the_version_of_nodeback() {
    let run = output(example("hello").args(["--version"]), "");
    // The package of the tests has a different version.
    let manifest = std::fs::read_to_string(format!("{}/Cargo.toml", support::ROOT)).unwrap();
    let (_, version) = manifest.split_once("\nversion = \"").unwrap();
    let (version, _) = version.split_once('"').unwrap();
    assert_eq!(
        String::from_utf8(run.stdout).unwrap(),
        format!("hello (nodeback {version})\n")
    );
    assert_eq!(run.status.code(), Some(0));
}

#[test]
fn a_mistake_on_the_command_line_is_one_line_and_exit_code_2() {
    for (arguments, input, line) in [
        (
            ["nowhere.json"].as_slice(),
            "",
            "hello: nowhere.json: No such file or directory (os error 2)\n",
        ),
        (
            &["-"],
            "{",
            "hello: standard input: expected the event as JSON: EOF while parsing an object at line 1 column 1\n",
        ),
        (
            &["--listen", "here"],
            "",
            "hello: `--listen here`: expected host:port, such as 127.0.0.1:9000 or [::1]:0\n",
        ),
    ] {
        let run = output(example("hello").args(arguments), input);
        assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
        assert_eq!(run.status.code(), Some(2));
    }
}

#[test]
fn a_timeout_is_sandbox_timedout_in_aws_words() {
    let mut timer = example("timer");
    let run = output(
        timer.arg("-").env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1"),
        r#"{ "ms": 60000 }"#,
    );
    let stderr = String::from_utf8(run.stderr).unwrap();
    let failure: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(failure["errorType"], "Sandbox.Timedout");
    let message = failure["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("RequestId: "), "{message}");
    assert!(
        message.ends_with(" Error: Task timed out after 1.00 seconds"),
        "{message}"
    );
    assert!(
        stderr.contains("aborted at the deadline: the task spawned at examples/timer.rs:"),
        "{stderr}"
    );
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn an_invalid_timeout_is_an_error() {
    let run = output(
        example("hello")
            .arg("-")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", "3s"),
        "{}",
    );
    let line = "Error: Runtime.InvalidEnvironment: AWS_LAMBDA_FUNCTION_TIMEOUT is `3s`: expected whole seconds, or 0 for no limit\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
}

#[test]
fn help_lists_the_options_and_variables() {
    let run = output(example("hello").arg("--help"), "");
    let help = String::from_utf8(run.stdout).unwrap();
    assert!(help.starts_with(
        "Usage: hello [--handler NAME] [--timeline [FILE.html]] [EVENT ...]\n       hello [--listen ADDR] [--allow-host NAME] [--retry] [--events FOLDER] [ROUTES]\n"
    ));
    let (_, variables) = help.split_once("\nEnvironment:\n").unwrap();
    for name in [
        "NODEBACK_LISTEN",
        "NODEBACK_ALLOW_HOST",
        "NODEBACK_NEVER_CALLED",
        "NODEBACK_FAIL_BEFORE_DEADLINE",
    ] {
        let line = variables
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let column = line.unwrap().char_indices().skip(2 + name.len());
        let text = column
            .skip_while(|(_, c)| *c == ' ')
            .map(|(at, _)| at)
            .next();
        assert_eq!(text, Some(35), "{name}");
    }
    assert_eq!(run.status.code(), Some(0));
}

#[tokio::test]
async fn serving_prints_a_curl_line_and_an_interrupt_waits_for_a_slow_request() {
    for signal in ["INT", "TERM"] {
        let mut timer = Process::spawn(example("timer").args(["--listen", "127.0.0.1:0"]));
        let mut lines = timer.stdout().lines();
        let mut line = || lines.next().unwrap().unwrap();
        let url = line().strip_prefix("timer listens on ").unwrap().to_owned();
        let path = format!("{url}/2015-03-31/functions/timer/invocations");
        assert_eq!(line(), format!("curl -d '{{}}' {path}"));
        assert_eq!(line(), format!("Function URL: {url}/"));
        assert_eq!(line(), format!("Page: {url}/_nodeback/"));
        let call = tokio::spawn(Client::new().post(path).body(r#"{ "ms": 500 }"#).send());
        let timer = tokio::task::spawn_blocking(move || {
            timer.wait_for("START RequestId: ");
            timer.signal(signal);
            timer.end()
        });
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.text().await.unwrap(), r#"{"waited":500}"#);
        let (log, code) = timer.await.unwrap();
        assert!(log.contains("waiting for the requests in flight"), "{log}");
        assert_eq!(code, Some(0));
    }
}

#[tokio::test]
async fn the_routes_of_the_command_line_are_listed_and_served() {
    let mut exports = Process::spawn(example("exports").args([
        "--listen=127.0.0.1:0",
        "--rest",
        "create=POST /orders",
        "--http-api",
        "cancel=$default",
    ]));
    let mut lines = exports.stdout().lines();
    let mut line = || lines.next().unwrap().unwrap();
    let url = line();
    let url = url.strip_prefix("exports listens on ").unwrap().to_owned();
    for name in ["create", "cancel"] {
        assert!(line().ends_with(&format!("/functions/{name}/invocations")));
    }
    for name in ["create", "cancel"] {
        let function_url = format!("Function URL: {url}/lambda-url/{name}/ for {name}");
        assert_eq!(line(), function_url);
    }
    assert_eq!(line(), format!("REST API: POST {url}/orders for create"));
    let default = format!("HTTP API: ANY {url}/ (any other path) for cancel");
    assert_eq!(line(), default);
    let response = Client::new().get(format!("{url}/orders")).send();
    assert_eq!(
        response.await.unwrap().text().await.unwrap(),
        r#"{"cancelled":null}"#
    );
}

#[tokio::test]
async fn a_failed_event_is_retried_and_its_record_is_printed() {
    // Stopping the server ends the pauses between the attempts.
    let arguments = ["--retry", "--listen", "127.0.0.1:0"];
    let mut hello = Process::spawn(example("hello").args(arguments));
    let mut stdout = hello.stdout().lines();
    let line = stdout.next().unwrap().unwrap();
    let url = line.strip_prefix("hello listens on ").unwrap();
    let arn = "arn:aws:lambda:us-east-1:222233334444:function:hello";
    let path = format!("{url}/2015-03-31/functions/{arn}:12/invocations");
    let call = Client::new()
        .post(&path)
        .header("X-Amz-Invocation-Type", "Event");
    let response = call.body(r#"{ "shop": 7 }"#).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = header(&response, "x-amzn-requestid").to_owned();
    let (log, record) = tokio::task::spawn_blocking(move || {
        hello.wait_for("attempt 2 of 3 follows in 1s");
        hello.signal("TERM");
        let (log, code) = hello.end();
        assert_eq!(code, Some(0));
        (log, stdout.map(Result::unwrap).last().unwrap())
    })
    .await
    .unwrap();
    let start = format!("START RequestId: {id} Version: 12");
    assert_eq!(log.matches(&start).count(), 3, "{log}");
    let failed = format!("{id}\tERROR\tthe asynchronous invocation failed 3 times: ");
    assert_eq!(log.matches(&failed).count(), 1, "{log}");

    let mut record: Value = serde_json::from_str(&record).unwrap();
    let timestamp = record["timestamp"].take();
    let timestamp = timestamp.as_str().unwrap();
    assert_eq!((timestamp.len(), timestamp.ends_with('Z')), (24, true));
    let expected = json!({
        "version": "1.0",
        "timestamp": null,
        "requestContext": {
            "requestId": id,
            "functionArn": format!("{arn}:12"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": { "shop": 7 },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "12",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorType": "string",
            "errorMessage": "name is missing",
            "trace": [],
        },
    });
    assert_eq!(record.to_string(), expected.to_string());
}

#[tokio::test]
async fn each_rejected_request_is_logged_and_no_other_is() {
    let mut api = Process::spawn(example("exports").args(["--listen=127.0.0.1:0"]));
    let url = api.stdout().lines().next().unwrap().unwrap();
    let url = url.strip_prefix("exports listens on ").unwrap().to_owned();
    let client = Client::new();
    let functions = format!("{url}/2015-03-31/functions");
    for request in [
        client.post(format!("{functions}/delete/invocations?secret=1")),
        client.get(format!("{functions}/create/invocations")),
        client
            .post(format!("{functions}/create/invocations"))
            .body("{"),
        client.get(&url).header("host", "example.com"),
        client.get(format!("{url}/lambda-url/cancel/")),
    ] {
        request.send().await.unwrap();
    }
    let mut stream = tokio::net::TcpStream::connect(url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"\x16\x03\x01 hello\r\n\r\n")
        .await
        .unwrap();
    let mut response = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut response)
        .await
        .unwrap();
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    api.wait_for("could not be read");
    api.signal("TERM");
    let (log, _) = api.end();
    let rejected: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once("\t\tWARN\trejected "))
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        rejected,
        [
            "with 404 ResourceNotFoundException: POST /2015-03-31/functions/delete/invocations: \
             Function not found: arn:aws:lambda:us-east-1:123456789012:function:delete:$LATEST: \
             `delete` is not exported: expected one of create, cancel",
            "with 405 MethodNotAllowedException: GET /2015-03-31/functions/create/invocations: \
             expected POST /2015-03-31/functions/{name}/invocations",
            "with 400 InvalidRequestContentException: POST /2015-03-31/functions/create/invocations: \
             Could not parse request body into json: EOF while parsing an object at line 1 column 1",
            "GET /, whose `Host` is not this server's: `example.com` (`--allow-host NAME` allows a name)",
            "a request that could not be read: invalid HTTP method parsed",
        ]
    );
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_the_option() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = output(example("hello").args(["--listen", &address]), "");
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(
        stderr.starts_with(&format!("Error: cannot listen on {address}: ")),
        "{stderr}"
    );
    assert!(stderr.contains("`--listen ADDR`"), "{stderr}");
    assert_eq!(run.status.code(), Some(1));
}

/// Returns the status of the response to a request with this `Host`.
async fn status_for(address: &str, host: &str) -> StatusCode {
    let url = format!("http://{address}/2015-03-31/functions/hello/invocations");
    let request = Client::new().post(url).header("Host", host);
    let response = request.body(r#"{ "name": "Ada" }"#).send().await.unwrap();
    response.status()
}

/// A name that resolves to the loopback address everywhere, but is not a name of it.
const NAME: &str = "127.1";

#[tokio::test]
async fn the_name_of_the_address_and_allowed_names_are_accepted_as_hosts() {
    let start = |address: &str, more: &[&str], allowed: &str| {
        let mut hello = example("hello");
        hello.args(["--listen", address]).args(more);
        let mut process = Process::spawn(hello.env("NODEBACK_ALLOW_HOST", allowed));
        let line = process.stdout().lines().next().unwrap().unwrap();
        let (_, address) = line.split_once("http://").unwrap();
        (address.to_owned(), process)
    };
    let by_name = format!("{NAME}:0");
    let options = ["--allow-host", "my-service", "--allow-host=orders.internal"];
    for (address, more, allowed, accepted, rejected) in [
        (
            by_name.as_str(),
            [].as_slice(),
            "",
            ["127.1", "127.1:80", "LOCALHOST"],
            "my-service",
        ),
        (
            "127.0.0.1:0",
            &options,
            "",
            ["my-service:9000", "Orders.Internal", "[::1]"],
            NAME,
        ),
        (
            "127.0.0.1:0",
            &[],
            "a, b.example",
            ["a", "b.example:80", "localhost"],
            "my-service",
        ),
    ] {
        let (server, _process) = start(address, more, allowed);
        for host in accepted {
            assert_eq!(status_for(&server, host).await, StatusCode::OK, "{host}");
        }
        let status = status_for(&server, rejected).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{rejected}");
    }
}

#[test]
fn an_invalid_host_in_the_environment_is_an_error() {
    let mut hello = example("hello");
    hello.args(["--listen", "127.0.0.1:0"]);
    let run = output(hello.env("NODEBACK_ALLOW_HOST", "a,my-service:9000"), "");
    let line = "Error: Runtime.InvalidEnvironment: NODEBACK_ALLOW_HOST has `my-service:9000`: \
                expected a host name without a port, such as my-service\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn a_trace_has_only_the_frames_of_the_handlers_own_code() {
    let event = r#"{ "body": "{\"id\":7,\"price\":1,\"quantity\":0}" }"#;
    let run = output(
        example("shape_callback_throw")
            .arg("-")
            .env("RUST_BACKTRACE", "1"),
        event,
    );
    let error: Value = serde_json::from_str(&without_reports(run.stderr)).unwrap();
    let trace: Vec<_> = error["trace"].as_array().unwrap().iter().collect();
    let lines = || trace.iter().map(|line| line.as_str().unwrap());
    assert_eq!(trace[0], "Error: order 7 is empty");
    let own = "examples/shape_callback_throw.rs:";
    assert!(
        lines()
            .nth(1)
            .unwrap()
            .starts_with(&format!("    at {own}")),
        "{error}"
    );
    let frames: Vec<_> = lines().skip(2).collect();
    assert!(!frames.is_empty() && frames.len() <= 10, "{error}");
    assert!(frames.iter().all(|frame| frame.contains(own)), "{error}");
}

#[test]
fn the_error_names_each_variable_with_an_invalid_value() {
    let run = output(
        example("hello")
            .arg("examples/events/hello.json")
            .env("NODEBACK_NEVER_CALLED", "maybe")
            .env("NODEBACK_FAIL_BEFORE_DEADLINE", "1s"),
        "",
    );
    let line = "Error: Runtime.InvalidEnvironment: NODEBACK_NEVER_CALLED is `maybe`: expected `fail` or \
                `null`; NODEBACK_FAIL_BEFORE_DEADLINE is `1s`: expected whole milliseconds, or 0 for off\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
    assert_eq!(run.status.code(), Some(1));
}
