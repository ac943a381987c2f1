//! Calls the local server with AWS's own clients: the AWS CLI and boto3. It also runs examples
//! under `cargo lambda`, which sends a deadline that is long past.

mod support;

use nodeback::{
    Bytes, Callback, Context, Error, Handler, ResponseStream, Runtime, Value, json,
    streamify_response,
};
use std::{
    io::BufRead,
    process::{Command, Output},
    sync::Arc,
};
use support::{Folder, Process, example, free_address, live, output, wait_until_open};
use tokio::{
    net::TcpListener,
    sync::{Barrier, Semaphore},
};

/// An example that runs as a local server.
struct LocalServer {
    url: String,
    _process: Process,
}

impl LocalServer {
    fn start(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.args(["--listen", "127.0.0.1:0"]));
        let line = process.stdout().lines().next().unwrap().unwrap();
        let (_, url) = line.split_once(" listens on ").unwrap();
        LocalServer {
            url: url.into(),
            _process: process,
        }
    }

    /// `aws lambda invoke` with these arguments; the response goes to `out.json`.
    fn aws(&self, folder: &Folder, arguments: &[&str]) -> Output {
        let mut aws = client("aws");
        aws.args(["lambda", "invoke", "--endpoint-url", &self.url]);
        aws.args(["--function-name", "f"]).args(arguments);
        output(aws.arg(folder.path("out.json")), "")
    }
}

/// Returns a client program, isolated from the environment and the AWS settings of the user that
/// runs the tests.
fn client(program: &str) -> Command {
    let mut client = Command::new(live("python/bin").join(program));
    client
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", "/nonexistent")
        .env("AWS_ACCESS_KEY_ID", "made-up")
        .env("AWS_SECRET_ACCESS_KEY", "made-up")
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    client
}

const PRELUDE: &str = r#"
import base64, concurrent.futures, json, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"total_max_attempts": 1}, max_pool_connections=8)
client = boto3.client("lambda", endpoint_url=sys.argv[1], config=config)

def invoke(payload, FunctionName="f", **parameters):
    if not isinstance(payload, (str, bytes)):
        payload = json.dumps(payload)
    response = client.invoke(FunctionName=FunctionName, Payload=payload, **parameters)
    response["Payload"] = response["Payload"].read()
    return response

def same(actual, expected):
    assert actual == expected, f"got {actual!r} instead of {expected!r}"
"#;

/// Runs a script that calls the function at `url` through boto3.
fn boto3(url: &str, script: &str) {
    let mut python = client("python");
    let run = output(python.args(["-c", &format!("{PRELUDE}{script}"), url]), "");
    assert!(run.status.success(), "{}", text(&run.stderr));
}

/// Serves a handler in this process for as long as the test runs, and returns its URL.
async fn serve<M>(handler: impl Handler<M>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Runtime::new(handler).serve(listener, std::future::pending()));
    format!("http://{address}")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Returns the JSON that a client printed, and asserts that the client succeeded.
fn printed(run: &Output) -> Value {
    assert!(run.status.success(), "{}", text(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn the_aws_cli_gets_a_response() {
    let (server, folder) = (
        LocalServer::start(&mut example("hello")),
        Folder::new("cli_good"),
    );
    let run = server.aws(&folder, &["--payload", r#"{ "name": "Żaneta" }"#]);
    let metadata = json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST" });
    assert_eq!(printed(&run), metadata);
    let response: Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    assert_eq!(response["hello"], "Żaneta");

    let event = concat!(
        "fileb://",
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/events/hello.json"
    );
    let run = server.aws(&folder, &["--payload", event]);
    assert_eq!(printed(&run), metadata);
    assert!(folder.read("out.json").starts_with(r#"{"hello":"Ada","#));
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn the_aws_cli_gets_an_error_and_its_log() {
    let server = LocalServer::start(&mut example("hello"));
    let folder = Folder::new("cli_failure");
    let run = server.aws(&folder, &["--payload", "{}", "--log-type", "Tail"]);
    let mut response = printed(&run);
    let log = response["LogResult"].take();
    assert_eq!(
        response,
        json!({
            "StatusCode": 200,
            "FunctionError": "Unhandled",
            "LogResult": null,
            "ExecutedVersion": "$LATEST",
        })
    );
    let failure = r#"{"errorType":"string","errorMessage":"name is missing","trace":[]}"#;
    assert_eq!(folder.read("out.json"), failure);

    let decode = &mut client("python");
    let decode = decode.args(["-m", "base64", "-d"]);
    let log = output(decode, log.as_str().unwrap()).stdout;
    let lines: Vec<_> = text(&log).lines().collect();
    let [start, error, end, report] = *lines else {
        panic!("{lines:?}");
    };
    let start = start.strip_prefix("START RequestId: ").unwrap();
    let id = start.strip_suffix(" Version: $LATEST").unwrap();
    let (_, error) = error.split_once('\t').unwrap();
    assert_eq!(error, format!("{id}\tERROR\tInvoke Error \t{failure}"));
    assert_eq!(end, format!("END RequestId: {id}"));
    let expected = format!("REPORT RequestId: {id}\tDuration: ");
    assert!(report.starts_with(&expected), "{report}");
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn the_aws_cli_makes_asynchronous_calls_and_dry_runs() {
    let (server, folder) = (
        LocalServer::start(&mut example("hello")),
        Folder::new("cli_types"),
    );
    for (kind, status) in [("Event", 202), ("DryRun", 204)] {
        let run = server.aws(&folder, &["--invocation-type", kind, "--payload", "{}"]);
        assert_eq!(printed(&run), json!({ "StatusCode": status }), "of {kind}");
        assert_eq!(folder.read("out.json"), "");
    }
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn the_aws_cli_names_a_version_an_alias_and_an_arn() {
    let (server, folder) = (
        LocalServer::start(&mut example("hello")),
        Folder::new("cli_names"),
    );
    let arn = "arn:aws:lambda:eu-west-1:999988887777:function:f";
    let qualified = format!("{arn}:12");
    for (arguments, version) in [
        (["--qualifier", "7"].as_slice(), "7"),
        (&["--qualifier", "live"], "$LATEST"),
        (&["--qualifier", "$LATEST.PUBLISHED"], "$LATEST.PUBLISHED"),
        (&["--function-name", "f:7"], "7"),
        (&["--function-name", "f:7", "--qualifier", "7"], "7"),
        (&["--function-name", "999988887777:function:f"], "$LATEST"),
        (&["--function-name", arn], "$LATEST"),
        (&["--function-name", &qualified], "12"),
    ] {
        let payload = ["--payload", r#"{"name":"Ada"}"#, "--log-type", "Tail"];
        let run = server.aws(&folder, &[arguments, &payload].concat());
        let response = printed(&run);
        assert_eq!(response["ExecutedVersion"], version, "of {arguments:?}");
        assert!(folder.read("out.json").starts_with(r#"{"hello":"Ada","#));
        let decode = &mut client("python");
        let decode = decode.args(["-m", "base64", "-d"]);
        let log = output(decode, response["LogResult"].as_str().unwrap()).stdout;
        let start = text(&log).lines().next().unwrap();
        let end = format!(" Version: {version}");
        assert!(start.ends_with(&end), "of {arguments:?}: {start}");
    }
    for (arguments, error) in [
        (
            ["--function-name", "f:7", "--qualifier", "8"].as_slice(),
            "(InvalidParameterValueException) when calling the Invoke operation: The derived \
             qualifier from the function name does not match the specified qualifier.",
        ),
        (
            &["--qualifier", "v1.2"],
            "(ValidationException) when calling the Invoke operation: 1 validation error detected",
        ),
        (
            &["--function-name", arn, "--region", "eu-west-2"],
            "(ResourceNotFoundException) when calling the Invoke operation: Functions from \
             'eu-west-1' are not reachable in this region ('eu-west-2')",
        ),
    ] {
        let run = server.aws(&folder, arguments);
        assert!(!run.status.success());
        let stderr = text(&run.stderr);
        assert!(stderr.contains(error), "of {arguments:?}: {stderr}");
    }
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn an_asynchronous_event_from_the_aws_cli_that_fails_is_retried() {
    let mut hello = Process::spawn(example("hello").args(["--retry", "--listen", "127.0.0.1:0"]));
    let mut stdout = hello.stdout().lines();
    let line = stdout.next().unwrap().unwrap();
    let (_, url) = line.split_once(" listens on ").unwrap();
    let folder = Folder::new("cli_retry");
    let mut aws = client("aws");
    aws.args(["lambda", "invoke", "--endpoint-url", url]);
    aws.args(["--function-name", "f", "--qualifier", "live"]);
    aws.args(["--invocation-type", "Event", "--payload", r#"{"shop":7}"#]);
    let run = output(aws.arg(folder.path("out.json")), "");
    assert_eq!(printed(&run), json!({ "StatusCode": 202 }));
    hello.wait_for("attempt 3 of 3 follows in 2s");
    hello.signal("TERM");
    hello.end();
    let record = stdout.map(Result::unwrap).last().unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let request = &record["requestContext"];
    assert_eq!(request["condition"], "RetriesExhausted");
    assert_eq!(request["approximateInvokeCount"], 3);
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST";
    assert_eq!(request["functionArn"], arn);
    assert_eq!(record["requestPayload"], json!({ "shop": 7 }));
    let message = &record["responsePayload"]["errorMessage"];
    assert_eq!(message, "name is missing");
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn the_aws_cli_prints_why_a_payload_was_rejected() {
    let (server, folder) = (
        LocalServer::start(&mut example("hello")),
        Folder::new("cli_bad"),
    );
    let run = server.aws(&folder, &["--payload", "{"]);
    let line = "An error occurred (InvalidRequestContentException) when calling the Invoke \
                operation: Could not parse request body into json: EOF while parsing an object \
                at line 1 column 1";
    assert!(text(&run.stderr).contains(line), "{}", text(&run.stderr));
    assert!(!run.status.success());
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn boto3_gets_responses_errors_and_the_log_tail() {
    let server = LocalServer::start(&mut example("hello"));
    boto3(
        &server.url,
        r#"
response = invoke({"name": "Ada"})
request = response["ResponseMetadata"]["RequestId"]
same(json.loads(response["Payload"]), {"hello": "Ada", "request": request})
same((response["StatusCode"], response["ExecutedVersion"]), (200, "$LATEST"))
assert "FunctionError" not in response and "LogResult" not in response, response

response = invoke({}, LogType="Tail")
request = response["ResponseMetadata"]["RequestId"]
same((response["StatusCode"], response["FunctionError"]), (200, "Unhandled"))
failure = b'{"errorType":"string","errorMessage":"name is missing","trace":[]}'
same(response["Payload"], failure)
start, error, end, report = base64.b64decode(response["LogResult"]).decode().splitlines()
same(start, f"START RequestId: {request} Version: $LATEST")
same(error.split("\t", 1)[1], f"{request}\tERROR\tInvoke Error \t{failure.decode()}")
same(end, f"END RequestId: {request}")
assert report.startswith(f"REPORT RequestId: {request}\tDuration: "), report

response = invoke({}, InvocationType="Event")
same((response["StatusCode"], response["Payload"]), (202, b""))
response = invoke({}, InvocationType="DryRun")
same((response["StatusCode"], response["Payload"]), (204, b""))
"#,
    );
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn boto3_raises_an_exception_for_a_rejected_request() {
    let server = LocalServer::start(&mut example("hello"));
    boto3(
        &server.url,
        r#"
for kind in ["RequestResponse", "Event", "DryRun"]:
    try:
        raise SystemExit(invoke("nonsense", InvocationType=kind))
    except client.exceptions.InvalidRequestContentException as error:
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        same(error.response["Type"], "User")
        message = error.response["Error"]["Message"]
        assert message.startswith("Could not parse request body into json: "), message

try:
    raise SystemExit(client.get_function(FunctionName="f"))
except ClientError as error:
    same(error.response["Error"]["Code"], "UnknownOperationException")
    same(error.response["ResponseMetadata"]["HTTPStatusCode"], 404)
"#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn the_context_contains_what_boto3_sent() {
    let about = |_: Value, context: Context, callback: Callback| {
        callback.succeed(json!({
            "client": context.client_context,
            "name": context.function_name,
            "arn": context.invoked_function_arn,
            "tenant": context.tenant_id,
        }));
    };
    boto3(
        &serve(about).await,
        r#"
client_context = {"client": {"installation_id": "i"}, "custom": {"k": "ż"}}
encoded = base64.b64encode(json.dumps(client_context).encode()).decode()
response = invoke({}, ClientContext=encoded, TenantId="tenant-1", Qualifier="live")
same(json.loads(response["Payload"]), {
    "client": client_context,
    "name": "f",
    "arn": "arn:aws:lambda:eu-west-1:123456789012:function:f:live",
    "tenant": "tenant-1",
})

arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
other = "arn:aws:lambda:eu-west-1:999988887777:function:orders"
for name, called in [
    ("orders", arn),
    ("function:orders", arn),
    ("orders:7", arn + ":7"),
    ("123456789012:orders:blue", arn + ":blue"),
    (other, other),
    (other + ":$LATEST", other + ":$LATEST"),
]:
    response = json.loads(invoke({}, name)["Payload"])
    same((response["name"], response["client"], response["tenant"]), ("orders", None, None))
    same(response["arn"], called)

unchecked = boto3.client(
    "lambda", endpoint_url=sys.argv[1], config=config.merge(Config(parameter_validation=False)))
for name, kind, qualifier in [
    ("orders!", "functionName", None),
    ("arn:aws:sqs:eu-west-1:123456789012:orders", "functionName", None),
    ("orders", "qualifier", "v1.2"),
]:
    try:
        parameters = {"Qualifier": qualifier} if qualifier else {}
        raise SystemExit(unchecked.invoke(FunctionName=name, **parameters))
    except ClientError as error:
        same(error.response["Error"]["Code"], "ValidationException")
        message = error.response["Error"]["Message"]
        value = qualifier or name
        start = f"1 validation error detected: Value '{value}' at '{kind}' failed to satisfy "
        assert message.startswith(start), message

for wrong in ["%%%", *(base64.b64encode(text).decode() for text in [b"no json", b"[1]", b"7"])]:
    try:
        raise SystemExit(invoke({}, ClientContext=wrong))
    except client.exceptions.InvalidRequestContentException as error:
        message = error.response["Error"]["Message"]
        same(message, "Client context must be a valid Base64-encoded JSON object.")
"#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn boto3_sends_six_megabytes_and_no_more() {
    let size = async |event: Value| Ok::<_, Error>(event.as_str().map(str::len));
    boto3(
        &serve(size).await,
        r#"
limit = 6 * 1024 * 1024
response = invoke('"' + "x" * (limit - 2) + '"')
same(response["Payload"], str(limit - 2).encode())
for size in [limit + 1, 2 * limit]:
    try:
        raise SystemExit(invoke('"' + "x" * (size - 2) + '"'))
    except ClientError as error:
        same(error.response["Error"], {
            "Code": "RequestEntityTooLargeException",
            "Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        })
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 413)
"#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn boto3_sends_an_event_of_one_megabyte_and_no_more() {
    let ignored = async |_: Value| Ok::<_, Error>(());
    boto3(
        &serve(ignored).await,
        r#"
limit = 1024 * 1024
response = invoke('"' + "x" * (limit - 2) + '"', InvocationType="Event")
same(response["StatusCode"], 202)
try:
    raise SystemExit(invoke('"' + "x" * (limit - 1) + '"', InvocationType="Event"))
except ClientError as error:
    same(error.response["Error"], {
        "Code": "RequestEntityTooLargeException",
        "Message": "1048577 byte payload is too large for the Event invocation type "
                   "(limit 1048576 bytes)",
    })
    same(error.response["ResponseMetadata"]["HTTPStatusCode"], 413)
same(client.invoke_async(FunctionName="f", InvokeArgs=b"{}")["Status"], 202)
"#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn boto3_gets_a_response_of_six_megabytes_and_no_more() {
    let sized = async |bytes: usize| Ok::<_, Error>(Bytes::from(vec![b'1'; bytes]));
    boto3(
        &serve(sized).await,
        r#"
limit = 6 * 1024 * 1024 + 100
response = invoke(limit)
assert "FunctionError" not in response
same(len(response["Payload"]), limit)
response = invoke(limit + 1)
same((response["StatusCode"], response["FunctionError"]), (200, "Unhandled"))
same(json.loads(response["Payload"])["errorType"], "Function.ResponseSizeTooLarge")
"#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn parallel_calls_run_concurrently() {
    let all = Arc::new(Barrier::new(8));
    let handler = move |event: Value, _: Context, callback: Callback| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            callback.succeed(event);
        }
    };
    boto3(
        &serve(handler).await,
        r#"
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    responses = list(pool.map(invoke, range(8)))
same([response["Payload"] for response in responses], [str(n).encode() for n in range(8)])
same(len({response["ResponseMetadata"]["RequestId"] for response in responses}), 8)
"#,
    );
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn boto3_gets_the_error_of_a_timeout() {
    let mut timer = example("timer");
    let server = LocalServer::start(timer.env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1"));
    boto3(
        &server.url,
        r#"
response = invoke({"ms": 60000})
request = response["ResponseMetadata"]["RequestId"]
same((response["StatusCode"], response["FunctionError"]), (200, "Unhandled"))
failure = json.loads(response["Payload"])
same(failure["errorType"], "Sandbox.Timedout")
message = f"RequestId: {request} Error: Task timed out after 1.00 seconds"
same(failure["errorMessage"], message)
same(invoke({"ms": 1})["Payload"], b'{"waited":1}')
"#,
    );
}

/// Returns a `cargo lambda` command in a folder with a minimal project: `cargo lambda` insists on a
/// project with a binary.
fn cargo_lambda(folder: &Folder) -> Command {
    folder.write(
        "Cargo.toml",
        "[package]\nname = \"function\"\n[[bin]]\nname = \"function\"\npath = \"main.rs\"\n\
         [workspace]\n",
    );
    folder.write("main.rs", "fn main() {}\n");
    let mut command = Command::new(live("python/bin/cargo-lambda"));
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(variable);
    }
    command.arg("lambda").current_dir(folder.path("."));
    command
}

#[test]
#[ignore = "needs tests/live/python.sh"]
fn cargo_lambda_gets_responses_although_its_deadline_is_long_past() {
    let folder = Folder::new("cargo_lambda");
    for (name, event, expected) in [
        ("hello", r#"{ "name": "Ada" }"#, Ok(json!("Ada"))),
        ("hello", "{}", Err("name is missing")),
        ("timer", r#"{ "ms": 300 }"#, Ok(json!(300))),
        ("wait_until", r#"{ "order": 7 }"#, Ok(json!(7))),
    ] {
        let address = free_address();
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let at = ["--invoke-address", &host, "--invoke-port", &port];
        let mut watch = cargo_lambda(&folder);
        let watch = watch.args(["watch", "--only-lambda-apis", "--timeout", "30"]);
        let watch = watch.args(at);
        let _watch = Process::spawn_logged(watch);
        wait_until_open(address);

        // The variables that `cargo lambda` asks the user to set.
        let mut function = example(name);
        function
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/.rt"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "_")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096");
        let function = Process::spawn(&mut function);
        let mut invoke = cargo_lambda(&folder);
        let invoke = invoke.arg("invoke").args(at).args(["--data-ascii", event]);
        let run = output(invoke, "");
        let log = function.log();
        match expected {
            Ok(expected) => {
                let response = printed(&run);
                let mut values = response.as_object().unwrap().values();
                assert_eq!(values.next(), Some(&expected), "from {name}:\n{log}");
            }
            Err(message) => {
                assert!(text(&run.stderr).contains(message), "{}", text(&run.stderr));
                assert!(!run.status.success());
            }
        }
        assert!(!log.contains("deadline"), "from {name}:\n{log}");
    }
}

/// The handler writes its next chunk only when the client asks for it, so each chunk must have
/// arrived before that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs tests/live/python.sh"]
async fn boto3_reads_a_stream_as_it_is_written() {
    let go_on = Arc::new(Semaphore::new(0));
    let handler =
        move |event: Value, stream: ResponseStream| stream_steps(event, stream, Arc::clone(&go_on));
    async fn stream_steps(
        event: Value,
        stream: ResponseStream,
        go_on: Arc<Semaphore>,
    ) -> nodeback::Result<()> {
        match event.as_str() {
            Some("go on") => go_on.add_permits(1),
            Some("fail") => {
                stream.write("started").await?;
                return Err(Error::new("OrderNotFound", "no order 7"));
            }
            _ => {
                for text in ["one", "two", "żółć"] {
                    stream.write(text).await?;
                    go_on.acquire().await.unwrap().forget();
                }
            }
        }
        stream.end().await
    }
    boto3(
        &serve(streamify_response(handler)).await,
        r#"
def stream(event, **parameters):
    payload = json.dumps(event)
    response = client.invoke_with_response_stream(FunctionName="f", Payload=payload, **parameters)
    same((response["StatusCode"], response["ExecutedVersion"]), (200, "$LATEST"))
    same(response["ResponseStreamContentType"], "application/vnd.amazon.eventstream")
    return response["EventStream"]

seen = []
for event in stream({}, LogType="Tail"):
    if "PayloadChunk" in event:
        seen.append(event["PayloadChunk"]["Payload"].decode())
        list(stream("go on"))
    else:
        same(list(event["InvokeComplete"]), ["LogResult"])
        assert b"REPORT RequestId" in base64.b64decode(event["InvokeComplete"]["LogResult"])
        seen.append("complete")
same(seen, ["one", "two", "żółć", "complete"])

[chunk, complete] = list(stream("fail"))
same(chunk["PayloadChunk"]["Payload"], b"started")
same(complete["InvokeComplete"]["ErrorCode"], "OrderNotFound")
same(json.loads(complete["InvokeComplete"]["ErrorDetails"])["errorMessage"], "no order 7")

# With the ordinary Invoke operation.
response = invoke(json.dumps("fail"))
same(json.loads(response["Payload"])["errorType"], "OrderNotFound")

try:
    stream({}, InvocationType="Event")
    assert False
except ClientError as error:
    same(error.response["Error"]["Code"], "InvalidParameterValueException")
"#,
    );
}
