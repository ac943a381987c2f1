//! Tests code that hangs at the deadline: it is aborted and named in the log, the invocation gets
//! the outcome that AWS would give it, and the next invocation is unaffected.

mod support;

use nodeback::{Callback, Context, Runtime, Value, json};
use std::{
    future::pending,
    sync::{Arc, mpsc},
    time::Duration,
};
use support::{
    Process, function as function_process,
    runtime_api::{Event, RuntimeApi},
};
use tokio::{net::TcpListener, sync::oneshot};

/// Runs the function named in `_HANDLER` on the number of workers in `WORKERS`. This is not a test:
/// the tests start it as a process.
#[test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
fn function() {
    if let Ok(name) = std::env::var("_HANDLER") {
        let workers = std::env::var("WORKERS").map_or(4, |workers| workers.parse().unwrap());
        // A spawned task runs on a worker, if there are any, whereas `block_on` polls its future on
        // this thread.
        tokio_with(workers).block_on(async { tokio::spawn(run(name)).await.unwrap() });
    }
}

/// Builds a runtime with this number of workers, or a current-thread runtime for 0.
fn tokio_with(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().unwrap()
}

async fn run(name: String) {
    let runtime = Runtime::new(hangs);
    let ran = match name.as_str() {
        "hangs" => runtime.run().await,
        "fails_early" => {
            runtime
                .fail_before_deadline(Duration::from_millis(100))
                .run()
                .await
        }
        other => panic!("no function {other}"),
    };
    if let Err(error) = ran {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

async fn hangs(event: Value, context: Context, callback: Callback) {
    match event["how"].as_str() {
        Some("handler") => pending().await,
        Some("blocked") => std::thread::sleep(HOUR),
        Some("task") => {
            context.spawn(async move {
                pending::<()>().await;
                callback.succeed(json!("never"));
            });
        }
        Some("stubborn") => {
            context.spawn_blocking(move || {
                std::thread::sleep(HOUR);
                callback.succeed(json!("in an hour"));
            });
        }
        Some("wait_until") => {
            context.wait_until(pending::<()>());
            callback.succeed(json!("responded"));
        }
        Some("deferred") => {
            context.spawn(pending::<()>());
            callback.succeed(json!("responded without the task"));
        }
        _ => callback.succeed(event),
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn event(id: &str, how: &str) -> Event {
    let at = std::time::UNIX_EPOCH.elapsed().expect("after 1970") + Duration::from_millis(300);
    Event {
        request_id: id.into(),
        body: json!({ "how": how }).to_string(),
        headers: vec![("lambda-runtime-deadline-ms", at.as_millis().to_string())],
    }
}

/// What hangs, a part of what is posted, and what the log names.
const CASES: [(&str, &str, &[&str]); 6] = [
    (
        "handler",
        "Sandbox.Timedout",
        &["to be aborted at the deadline: the rest of the handler"],
    ),
    (
        "blocked",
        "Sandbox.Timedout",
        &["aborted at the deadline: the handler, which blocks its thread"],
    ),
    (
        "task",
        "Sandbox.Timedout",
        &["to be aborted at the deadline: the task spawned at tests/"],
    ),
    (
        "stubborn",
        "Sandbox.Timedout",
        &["to be aborted at the deadline: the task spawned at tests/deadlines.rs:"],
    ),
    (
        "wait_until",
        r#""responded""#,
        &["aborted at the deadline: the work passed to wait_until at tests/deadlines.rs:"],
    ),
    (
        "deferred",
        r#""responded without the task""#,
        &[
            "aborted at the deadline, and the response was sent without it: the task spawned at tests/",
        ],
    ),
];

#[tokio::test]
async fn hanging_code_is_aborted_and_named_and_the_next_event_gets_its_response() {
    for (how, expected, names) in CASES {
        let mut api = RuntimeApi::start().await;
        let process = Process::spawn(&mut function_process("hangs", api.address));
        let posted = api.invoke(event("hangs", how)).await;
        let body = String::from_utf8_lossy(&posted.body).into_owned();
        assert!(body.contains(expected), "{how}: {body}");
        if posted.endpoint == "error" {
            assert!(
                body.contains("RequestId: hangs Error: Task timed out after 0."),
                "{body}"
            );
        }
        let posted = api.invoke(event("next", "respond")).await;
        assert_eq!(
            (posted.request_id.as_str(), posted.endpoint.as_str()),
            ("next", "response")
        );
        let log = process.log();
        for name in names {
            let named = log.lines().filter(|line| line.contains(name));
            assert_eq!(named.clone().count(), 1, "{how}: {log}");
            assert!(
                named.clone().all(|line| line.contains("\thangs\tWARN\t")),
                "{how}: {log}"
            );
        }
        let failures = log.matches("\thangs\tERROR\tInvoke Error").count();
        assert_eq!(failures, usize::from(is_timeout(expected)), "{how}: {log}");
    }
}

fn is_timeout(expected: &str) -> bool {
    expected.starts_with("Sandbox")
}

#[tokio::test]
async fn fail_before_deadline_fails_early_with_an_error_that_names_the_task() {
    let mut api = RuntimeApi::start().await;
    let _process = Process::spawn(&mut function_process("fails_early", api.address));
    let posted = api.invoke(event("1", "task")).await;
    assert_eq!(
        posted.json()["errorType"],
        "Runtime.NoResponseBeforeDeadline"
    );
    let message = posted.json()["errorMessage"].to_string();
    let start = "\"no response 100 ms before the deadline; aborted: the task spawned at tests/";
    assert!(message.starts_with(start), "{message}");
    // An invocation that responds in time is not affected.
    assert_eq!(api.invoke(event("2", "respond")).await.endpoint, "response");
}

#[tokio::test(start_paused = true)]
async fn the_margin_before_the_deadline_is_at_most_half_of_the_timeout() {
    let slow = |_: Value, context: Context, callback: Callback| {
        context.spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            callback.succeed(json!("slow"));
        });
    };
    for (margin, timeout, fails_at) in [
        (999, 3_000, None),
        (1_001, 3_000, Some(1_999)),
        (1_600, 3_000, Some(1_500)),
        (5_000, 3_000, Some(1_500)),
        (5_000, 4_100, None),
        (u64::MAX, 100, Some(50)),
    ] {
        let runtime = Runtime::new(slow).fail_before_deadline(Duration::from_millis(margin));
        let context = Context::builder()
            .timeout(Duration::from_millis(timeout))
            .build();
        let start = tokio::time::Instant::now();
        let outcome = runtime.invoke(json!({}), context).await;
        assert_eq!(
            outcome.result.is_ok(),
            fails_at.is_none(),
            "{margin} of {timeout}"
        );
        let took = start.elapsed().as_millis() as u64;
        let expected = fails_at.unwrap_or(2_000);
        assert!(
            took.abs_diff(expected) <= 1,
            "{margin} of {timeout}: {took}"
        );
    }
}

#[tokio::test]
async fn the_watchdog_responds_for_a_handler_that_blocks_the_only_thread() {
    for workers in [0, 1, 4] {
        let mut api = RuntimeApi::start().await;
        let mut function = function_process("hangs", api.address);
        let process = Process::spawn(function.env("WORKERS", workers.to_string()));
        let posted = api.invoke(event("blocked", "blocked")).await;
        assert_eq!(
            posted.json()["errorType"],
            "Sandbox.Timedout",
            "{workers} workers"
        );
        let log = process.log();
        let named =
            "\tblocked\tWARN\taborted at the deadline: the handler, which blocks its thread";
        assert_eq!(log.matches(named).count(), 1, "{workers} workers: {log}");
    }
}

/// Locally, nothing else stops the handler, and the server has to keep serving.
#[tokio::test]
async fn the_local_server_responds_for_a_handler_that_blocks_the_only_thread() {
    for workers in [0, 1, 4] {
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(parking_lot::Mutex::new(held));
        let blocks = move |event: Value, context: Context, callback: Callback| {
            if event == "block" {
                let _ = held.lock().recv();
            }
            callback.succeed(json!(context.get_remaining_time_in_millis() > 0));
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!(
            "http://{}/2015-03-31/functions/f/invocations",
            listener.local_addr().unwrap()
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            tokio_with(workers).block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async move {
                    let runtime = Runtime::new(blocks).local_timeout(Duration::from_millis(300));
                    runtime.serve(listener, async { drop(stopped.await) }).await
                };
                tokio::spawn(serve).await.unwrap().unwrap();
            });
        });
        let client = reqwest::Client::new();
        let call = |event: Value| client.post(&url).body(event.to_string()).send();
        let reply = call(json!("block")).await.unwrap();
        assert_eq!(reply.headers()["x-amz-function-error"], "Unhandled");
        let failure: Value = reply.json().await.unwrap();
        assert_eq!(failure["errorType"], "Sandbox.Timedout");
        drop(release);
        let reply = call(json!("go")).await.unwrap();
        assert_eq!(reply.text().await.unwrap(), "true");
        drop((stop, client));
        server.join().unwrap();
    }
}
