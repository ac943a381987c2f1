//! The examples under AWS's Runtime Interface Emulator, which runs a function's process, sends it
//! events through the Runtime API and stops it at its timeout, as Lambda does.

mod support;

use nodeback::{Value, json};
use reqwest::{Client, StatusCode};
use std::{fs, net::SocketAddr, process::Command, time::Duration};
use support::{Process, ROOT, example, free_address, live, output, wait_until_open};

/// Which handler of an example that has several.
const HANDLER: &str = "create";

/// An example that the emulator runs. It is started by the first event.
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
        // What the function does not answer, the emulator may leave without an answer too.
        let response = call.timeout(Duration::from_secs(30)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    }

    async fn invoke(&self, event: Value) -> Value {
        let text = self.text(&event.to_string()).await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.terminate();
    }
}

/// The text with every request id in it made the same.
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
            // A race, which anyone may win.
            "spawned_task" => continue,
            // They need an upstream, and a feature that is off.
            "shared_state" | "snapstart" => continue,
            _ => {}
        }
        let mut server = example(name);
        server.arg(&event);
        if name == "exports" {
            server.args(["--handler", HANDLER]);
        }
        let server = output(&mut server, "");
        assert!(server.status.success(), "{name} locally: {server:?}");
        let server = String::from_utf8(server.stdout).unwrap();
        let emulator = Emulator::start(name, "10");
        // Not only the first time.
        for _ in 0..2 {
            let answer = emulator.text(&fs::read_to_string(&event).unwrap()).await;
            assert_eq!(
                without_ids(&answer),
                without_ids(server.trim_end()),
                "{name}"
            );
        }
        examples += 1;
    }
    assert_ne!(examples, 0);
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_failure_is_answered_and_logged_and_the_process_goes_on() {
    let mut hello = Emulator::start("hello", "10");
    let answer = hello.invoke(json!({})).await;
    let failure = json!({ "errorType": "string", "errorMessage": "name is missing", "trace": [] });
    assert_eq!(answer, failure);
    let answer: Value = serde_json::from_str(&hello.text("{").await).unwrap();
    assert_eq!(answer["errorType"], "Runtime.UnmarshalError");
    let answer = hello.invoke(json!({ "name": "Ada" })).await;
    assert_eq!(answer["hello"], "Ada");

    let id = answer["request"].as_str().unwrap();
    let log = hello.process.wait_for(&format!("END RequestId: {id}"));
    assert_eq!(log.matches("\tERROR\tInvoke Error \t{").count(), 2, "{log}");
    assert_eq!(log.matches("INIT START").count(), 1, "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn what_is_too_slow_is_timed_out_and_the_next_event_is_answered() {
    let timer = Emulator::start("timer", "1");
    // The emulator says so and stops the process, unless the function itself is first.
    let text = timer.text(r#"{ "ms": 60000 }"#).await;
    assert!(text.contains("Task timed out after "), "{text}");
    let answer = timer.invoke(json!({ "ms": 1 })).await;
    assert_eq!(answer, json!({ "waited": 1 }));
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn the_first_of_several_signals_wins_and_the_others_are_logged() {
    let mut race = Emulator::start("spawned_task", "10");
    let event = json!({ "frankfurt": 500, "oregon": 0, "thread": 1000 });
    assert_eq!(race.invoke(event).await, json!({ "winner": "oregon" }));
    let log = race.process.wait_for("END RequestId: ");
    let line = log.lines().find(|line| line.contains("signalled again"));
    let place = "examples/spawned_task.rs:";
    assert_eq!(line.unwrap_or(log).matches(place).count(), 2, "{log}");

    let answer = race.invoke(json!({})).await;
    assert_eq!(answer["errorType"], "Runtime.UnmarshalError");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.contains("missing field `frankfurt`"), "{message}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn what_wait_until_runs_ends_within_its_invocation() {
    let mut orders = Emulator::start("wait_until", "10");
    let event = json!({ "order": 7, "email": "ada@example.com" });
    assert_eq!(orders.invoke(event).await, json!({ "accepted": 7 }));
    let log = orders.process.wait_for("END RequestId: ");
    let line = "\tINFO\tsent the receipt to ada@example.com\n";
    assert_eq!(log.matches(line).count(), 1, "{log}");

    let answer = orders.invoke(json!({ "order": 8 })).await;
    assert_eq!(answer, json!({ "accepted": 8 }));
    let log = orders.process.wait_for("no address for the receipt\n");
    let line = "\tERROR\tthe work passed to wait_until at examples/wait_until.rs:";
    assert_eq!(log.matches(line).count(), 1, "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_success_waits_for_the_tasks_of_its_invocation() {
    let mut event_loop = Emulator::start("event_loop", "10");
    let answer = event_loop.invoke(json!({ "wait": true })).await;
    assert_eq!(answer, "called before the timer fired");
    let log = event_loop.process.wait_for("END RequestId: ");
    assert!(log.contains("\tINFO\tthe timer fired\n"), "{log}");
}

#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn an_http_error_is_an_answer_and_no_failure() {
    let mut orders = Emulator::start("api_gateway", "10");
    let event = fs::read_to_string(format!("{ROOT}/examples/events/api_gateway.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    event["rawPath"] = json!("/nowhere");
    let answer = orders.invoke(event.clone()).await;
    assert_eq!(answer["statusCode"], 404);
    assert_eq!(answer["body"], r#"{"message":"no route POST /nowhere"}"#);

    event["rawPath"] = json!("/orders");
    event["body"] = json!("{}");
    assert_eq!(orders.invoke(event).await["statusCode"], 400);

    let answer = orders.invoke(json!([])).await;
    assert_eq!(answer["errorType"], "Runtime.UnmarshalError");
    let log = orders.process.wait_for("Runtime.UnmarshalError");
    assert_eq!(log.matches("Invoke Error").count(), 1, "{log}");
}

/// It buffers a stream, and knows nothing of the metadata that comes first.
#[tokio::test]
#[ignore = "needs tests/live/python.sh"]
async fn a_stream_is_taken_as_it_is_written() {
    let streaming = Emulator::start("streaming", "10");
    let metadata = r#"{"statusCode":200,"headers":{"Content-Type":"text/plain"}}"#;
    let lines: String = (0..10).map(|line| format!("line {line}\n")).collect();
    // Not only the first time.
    for _ in 0..2 {
        let text = streaming.text("{}").await;
        assert_eq!(text, format!("{metadata}{}{lines}", "\0".repeat(8)));
    }
}
