//! Runs the examples under AWS's Runtime Interface Emulator. Like Lambda, it starts the process of
//! a function, sends it events through the Runtime API, and stops it at the timeout.

mod support;

use nodeback::{Value, json};
use reqwest::{Client, StatusCode};
use std::{fs, net::SocketAddr, process::Command, thread, time::Duration};
use support::{Process, ROOT, example, free_address, live, output, wait_until_open};

/// The handler to run in an example that has several.
const HANDLER: &str = "create";

/// The emulator with an example, which it starts when the first event arrives.
struct Emulator {
    process: Process,
    address: SocketAddr,
}

impl Emulator {
    fn start(name: &str, timeout: &str) -> Self {
        let (address, api) = (free_address(), free_address());
        let mut command = Command::new(live("aws-lambda-rie"));
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(variable);
        }
        command
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("_HANDLER", format!("index.{HANDLER}"))
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout)
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &api.to_string()])
            .arg(example(name).get_program());
        let process = Process::spawn_logged(&mut command);
        wait_until_open(address);
        Emulator { process, address }
    }

    async fn text(&self, event: &str) -> String {
        let address = self.address;
        let url = format!("http://{address}/2015-03-31/functions/function/invocations");
        let call = Client::new().post(url).body(event.to_owned());
        // If the function sends no outcome, the emulator may never respond either.
        let response = call.timeout(Duration::from_secs(30)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    }

    async fn invoke(&self, event: Value) -> Value {
        let text = self.text(&event.to_string()).await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.terminate();
        // The emulator is not ours, and may be what has failed.
        if thread::panicking() {
            println!("The log of the emulator:\n{}", self.process.ended_log());
        }
    }
}

/// Replaces every request id in the text with `ID`.
fn without_ids(text: &str) -> String {
    let id = |candidate: &str| {
        let parts: Vec<_> = candidate.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12] && candidate.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    let words = text.split_inclusive(|c: char| c != '-' && !c.is_ascii_alphanumeric());
    words
        .map(|word| match word.get(..36) {
            Some(start) if id(start) => word.replacen(start, "ID", 1),
            _ => word.into(),
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn every_example_responds_as_it_does_locally() {
    let mut examples = 0;
    for entry in fs::read_dir(format!("{ROOT}/examples/events")).unwrap() {
        let event = entry.unwrap().path();
        let name = event.file_stem().unwrap().to_str().unwrap();
        match name {
            // A race with no certain winner.
            "spawned_task" => continue,
            // The first needs an upstream server, the second a feature that is not enabled here.
            "shared_state" | "snapstart" => continue,
            _ => {}
        }
        let mut server = example(name);
        server.arg(&event);
        if name == "exports" {
            server.args(["--handler", HANDLER]);
        }
        let local = output(&mut server, "");
        assert!(local.status.success(), "{name} locally: {local:?}");
        let local = String::from_utf8(local.stdout).unwrap();
        let emulator = Emulator::start(name, "10");
        // The second event reaches a process that is already running.
        for _ in 0..2 {
            let response = emulator.text(&fs::read_to_string(&event).unwrap()).await;
            assert_eq!(
                without_ids(&response),
                without_ids(local.trim_end()),
                "{name}"
            );
        }
        examples += 1;
    }
    assert_ne!(examples, 0);
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn an_error_is_posted_and_logged_and_the_process_keeps_running() {
    let mut hello = Emulator::start("hello", "10");
    let response = hello.invoke(json!({})).await;
    let failure = json!({ "errorType": "string", "errorMessage": "name is missing", "trace": [] });
    assert_eq!(response, failure);
    let response: Value = serde_json::from_str(&hello.text("{").await).unwrap();
    assert_eq!(response["errorType"], "Runtime.UnmarshalError");
    let response = hello.invoke(json!({ "name": "Ada" })).await;
    assert_eq!(response["hello"], "Ada");

    let id = response["request"].as_str().unwrap();
    let log = hello.process.wait_for(&format!("END RequestId: {id}"));
    assert_eq!(log.matches("\tERROR\tInvoke Error \t{").count(), 2, "{log}");
    assert_eq!(log.matches("INIT START").count(), 1, "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_slow_handler_times_out_and_the_next_event_gets_its_response() {
    let timer = Emulator::start("timer", "1");
    // Either the function or the emulator reports the timeout, whichever is first. The emulator
    // also stops the process.
    let text = timer.text(r#"{ "ms": 60000 }"#).await;
    assert!(text.contains("Task timed out after "), "{text}");
    let response = timer.invoke(json!({ "ms": 1 })).await;
    assert_eq!(response, json!({ "waited": 1 }));
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn the_first_of_several_signals_wins_and_the_others_are_logged() {
    let mut race = Emulator::start("spawned_task", "10");
    let event = json!({ "frankfurt": 500, "oregon": 0, "thread": 1000 });
    assert_eq!(race.invoke(event).await, json!({ "winner": "oregon" }));
    let log = race.process.wait_for("END RequestId: ");
    let line = log.lines().find(|line| line.contains("signalled again"));
    let call_site = "examples/spawned_task.rs:";
    assert_eq!(line.unwrap_or(log).matches(call_site).count(), 2, "{log}");

    let response = race.invoke(json!({})).await;
    assert_eq!(response["errorType"], "Runtime.UnmarshalError");
    let message = response["errorMessage"].as_str().unwrap();
    assert!(message.contains("missing field `frankfurt`"), "{message}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn work_passed_to_wait_until_ends_within_its_invocation() {
    let mut orders = Emulator::start("wait_until", "10");
    let event = json!({ "order": 7, "email": "ada@example.com" });
    assert_eq!(orders.invoke(event).await, json!({ "accepted": 7 }));
    let log = orders.process.wait_for("END RequestId: ");
    let line = "\tINFO\tsent the receipt to ada@example.com\n";
    assert_eq!(log.matches(line).count(), 1, "{log}");

    let response = orders.invoke(json!({ "order": 8 })).await;
    assert_eq!(response, json!({ "accepted": 8 }));
    let log = orders.process.wait_for("no address for the receipt\n");
    let line = "\tERROR\tthe work passed to wait_until at examples/wait_until.rs:";
    assert_eq!(log.matches(line).count(), 1, "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_success_waits_for_the_tasks_of_its_invocation() {
    let mut event_loop = Emulator::start("event_loop", "10");
    let response = event_loop.invoke(json!({ "wait": true })).await;
    assert_eq!(response, "called before the timer fired");
    let log = event_loop.process.wait_for("END RequestId: ");
    assert!(log.contains("\tINFO\tthe timer fired\n"), "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn an_http_error_is_a_response_and_not_a_failed_invocation() {
    let mut orders = Emulator::start("api_gateway", "10");
    let event = fs::read_to_string(format!("{ROOT}/examples/events/api_gateway.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    event["rawPath"] = json!("/nowhere");
    let response = orders.invoke(event.clone()).await;
    assert_eq!(response["statusCode"], 404);
    assert_eq!(response["body"], r#"{"message":"no route POST /nowhere"}"#);

    event["rawPath"] = json!("/orders");
    event["body"] = json!("{}");
    assert_eq!(orders.invoke(event).await["statusCode"], 400);

    let response = orders.invoke(json!([])).await;
    assert_eq!(response["errorType"], "Runtime.UnmarshalError");
    let log = orders.process.wait_for("Runtime.UnmarshalError");
    assert_eq!(log.matches("Invoke Error").count(), 1, "{log}");
}

/// The emulator buffers the stream and returns the metadata at its start like any other data.
#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_stream_is_returned_exactly_as_it_was_written() {
    let streaming = Emulator::start("streaming", "10");
    let metadata = r#"{"statusCode":200,"headers":{"Content-Type":"text/plain"}}"#;
    let lines: String = (0..10).map(|line| format!("line {line}\n")).collect();
    // The second event reaches a process that is already running.
    for _ in 0..2 {
        let text = streaming.text("{}").await;
        assert_eq!(text, format!("{metadata}{}{lines}", "\0".repeat(8)));
    }
}
