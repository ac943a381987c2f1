//! Tests several concurrent invocations in one process, as on Lambda Managed Instances. Nothing of
//! one invocation is mixed up with another, and one that misbehaves does not affect the others.

mod support;

use nodeback::{Callback, Context, Error, Value, json};
use std::{collections::BTreeMap, time::Duration};
use support::{
    Process, function as function_process,
    runtime_api::{Event, Posted, RuntimeApi},
    size,
};
use tokio::time::{self, Instant};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    std::panic::set_hook(Box::new(|_| {}));
    let ran = match name.as_str() {
        "identifies" => nodeback::run(identifies).await,
        "neighbors" => nodeback::run(neighbors).await,
        other => panic!("no function {other}"),
    };
    if let Err(error) = ran {
        eprintln!("Error: {error}");
        std::process::exit(1);
    }
}

/// Responds with the data of its own context, from a task that runs interleaved with others.
fn identifies(event: Value, context: Context, callback: Callback) {
    let own = context.clone();
    context.spawn(async move {
        for step in 0..3 {
            tracing::info!("step {step} of {}", own.aws_request_id);
            time::sleep(Duration::from_millis(event["pause"].as_u64().unwrap_or(0))).await;
        }
        callback.succeed(json!({
            "event": event["n"],
            "request": own.aws_request_id,
            "tenant": own.tenant_id,
            "client": own.client_context,
            "trace": own.xray_trace_id,
        }));
    });
}

/// Responds, or misbehaves in the way that the event asks for.
async fn neighbors(event: Value, context: Context, callback: Callback) -> Result<(), Error> {
    match event["how"].as_str() {
        Some("panic") => panic!("ouch"),
        Some("hang") => std::future::pending().await,
        Some("block") => std::thread::sleep(Duration::from_secs(3600)),
        Some("flood") => {
            for n in 0..10_000 {
                callback(None, Some(json!(n)));
            }
        }
        Some("fork") => {
            for _ in 0..1_000 {
                context.spawn(async { panic!("each of them") });
            }
        }
        _ => callback.succeed(event),
    }
    Ok(())
}

fn start(api: &RuntimeApi, name: &str, concurrency: usize) -> Process {
    let mut function = function_process(name, api.address);
    Process::spawn(function.env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string()))
}

#[tokio::test]
async fn contexts_request_ids_tasks_and_logs_are_never_mixed() {
    for concurrency in [2, 16, 64] {
        let mut api = RuntimeApi::start().await;
        let process = start(&api, "identifies", concurrency);
        let events = size(200, 5_000);
        for n in 0..events {
            api.send(Event {
                request_id: format!("request-{n}"),
                body: json!({ "n": n, "pause": n % 3 }).to_string(),
                headers: vec![
                    ("lambda-runtime-aws-tenant-id", format!("tenant-{n}")),
                    (
                        "lambda-runtime-client-context",
                        json!({ "custom": n }).to_string(),
                    ),
                    ("lambda-runtime-trace-id", format!("Root={n}")),
                    ("lambda-runtime-invocation-id", format!("invocation-{n}")),
                ],
            });
        }
        let mut seen = BTreeMap::new();
        for _ in 0..events {
            let posted = api.posted().await;
            let n = posted.json()["event"].as_u64().expect("its number");
            assert_eq!(
                posted.json(),
                json!({
                    "event": n,
                    "request": format!("request-{n}"),
                    "tenant": format!("tenant-{n}"),
                    "client": { "custom": n },
                    "trace": format!("Root={n}"),
                })
            );
            assert_eq!(posted.request_id, format!("request-{n}"));
            assert_eq!(
                posted.header("lambda-runtime-invocation-id"),
                format!("invocation-{n}")
            );
            assert_eq!(seen.insert(n, ()), None, "a second response for {n}");
        }
        assert!(api.polls() <= events as usize + concurrency);

        let log = process.log();
        let steps: Vec<_> = log
            .lines()
            .filter(|line| line.contains("\tINFO\tstep "))
            .collect();
        assert_eq!(steps.len() as u64, 3 * events);
        for line in steps {
            let id = line.split('\t').nth(1).expect("a column for it");
            assert!(line.ends_with(&format!(" of {id}")), "{line}");
        }
    }
}

/// Runs good invocations, with a bad one sent before each, and returns how long the good ones took.
async fn run_with(bad: Option<&str>, concurrency: usize) -> Vec<Duration> {
    let mut api = RuntimeApi::start().await;
    let _process = start(&api, "neighbors", concurrency);
    api.wait_for_polls(concurrency).await;
    let mut took = Vec::new();
    for n in 0..size(20, 500) {
        let sent = u64::from(bad.is_some());
        if let Some(how) = bad {
            api.send(Event {
                request_id: format!("bad-{n}"),
                body: json!({ "how": how }).to_string(),
                headers: vec![("lambda-runtime-deadline-ms", in_millis(400))],
            });
        }
        let id = format!("good-{n}");
        api.send(Event {
            request_id: id.clone(),
            body: json!({ "n": n }).to_string(),
            ..Event::default()
        });
        let start = Instant::now();
        let mut posted = Vec::new();
        while posted.iter().all(|posted: &Posted| posted.request_id != id) {
            posted.push(api.posted().await);
        }
        took.push(start.elapsed());
        let good = posted.pop().expect("the good one");
        assert_eq!(
            (good.endpoint.as_str(), good.json()),
            ("response", json!({ "n": n }))
        );
        for _ in posted.len() as u64..sent {
            posted.push(api.posted().await);
        }
        for bad in posted {
            assert_eq!(bad.request_id, format!("bad-{n}"));
            match bad.endpoint.as_str() {
                "response" => assert_eq!(bad.json(), json!(0)),
                _ => assert!(bad.json()["errorType"].is_string()),
            }
        }
    }
    took.sort();
    took
}

fn in_millis(millis: u64) -> String {
    let at = std::time::UNIX_EPOCH.elapsed().expect("after 1970") + Duration::from_millis(millis);
    at.as_millis().to_string()
}

#[tokio::test]
async fn an_invocation_that_panics_or_floods_its_callback_affects_no_other() {
    let alone = run_with(None, 16).await;
    for bad in ["panic", "flood", "fork"] {
        let took = run_with(Some(bad), 16).await;
        let median = took.len() / 2;
        println!(
            "{bad}: a good invocation took {:?} with it, {:?} alone",
            took[median], alone[median]
        );
    }
}

#[tokio::test]
async fn an_invocation_that_hangs_ends_at_its_deadline_and_frees_its_worker() {
    let mut api = RuntimeApi::start().await;
    let _process = start(&api, "neighbors", 2);
    // One after the other, and more than there are workers.
    for (n, how) in ["hang", "block", "hang", "block", "block"]
        .into_iter()
        .enumerate()
    {
        let posted = api.invoke(Event {
            request_id: format!("bad-{n}"),
            body: json!({ "how": how }).to_string(),
            headers: vec![("lambda-runtime-deadline-ms", in_millis(100))],
        });
        let posted = posted.await;
        assert_eq!(posted.request_id, format!("bad-{n}"));
        assert_eq!(posted.json()["errorType"], "Sandbox.Timedout", "{how}");
        if n < 4 {
            let id = format!("good-{n}");
            let good = Event {
                request_id: id.clone(),
                body: "{}".into(),
                ..Event::default()
            };
            let posted = api.invoke(good).await;
            assert_eq!(
                (posted.request_id, posted.endpoint.as_str()),
                (id, "response")
            );
        }
    }
}
