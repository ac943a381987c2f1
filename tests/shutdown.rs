//! Tests the SnapStart hooks around a snapshot, and the shutdown hooks.
#![cfg(unix)]

mod support;

use axum::http::StatusCode;
use futures::future::{BoxFuture, FutureExt, ready};
use lambda_runtime_api_client::BoxError;
use nodeback::{Runtime, SnapStartResource, Value, json};
use std::{io::BufRead, process::Command, sync::Arc};
use support::{
    Process, example, function as function_process, on_lambda, output,
    runtime_api::{Event, RuntimeApi},
};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let resource = |resource: &'static str| {
        let fails = name.clone();
        Arc::new(Resource {
            name: resource,
            fails,
        })
    };
    let handler = async |_: Value| Ok::<_, nodeback::Error>("responded");
    let runtime = match name.as_str() {
        "hooks" => Runtime::new(handler)
            .on_shutdown(async || eprintln!("the first hook"))
            .on_shutdown(|| -> std::future::Ready<()> { panic!("in the second hook") })
            .on_shutdown(async || panic!("in the third hook"))
            .on_shutdown(async || eprintln!("the last hook")),
        _ => Runtime::new(handler),
    };
    let runtime = runtime
        .register_snapstart_resource(resource("first"))
        .register_snapstart_resource(resource("second"));
    if let Err(error) = runtime.run().await {
        eprintln!("\n{error}");
        std::process::exit(1);
    }
}

/// Prints each call of a hook, and fails in the hook whose name is in `fails`.
struct Resource {
    name: &'static str,
    fails: String,
}

impl Resource {
    fn hook(&self, hook: &str) -> BoxFuture<'_, Result<(), BoxError>> {
        eprintln!("{}: {hook}", self.name);
        if self.fails == format!("{hook} panics") {
            panic!("in the hook");
        }
        let done = if self.fails == hook {
            Err("ouch".into())
        } else {
            Ok(())
        };
        ready(done).boxed()
    }
}

impl SnapStartResource for Resource {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        self.hook("before_snapshot")
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        self.hook("after_restore")
    }
}

fn snapstart(handler: &str, api: &RuntimeApi) -> Command {
    let mut function = function_process(handler, api.address);
    function.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");
    function
}

fn start(api: &RuntimeApi) -> Command {
    let mut function = example("snapstart");
    on_lambda(&mut function, api.address);
    function
}

fn event() -> Event {
    Event {
        request_id: "1".into(),
        body: "{}".into(),
        ..Event::default()
    }
}

/// Starts the function, and waits until it has registered its extension. Without an extension,
/// Lambda would not send `SIGTERM`.
async fn registered(api: &mut RuntimeApi, mut function: Command) -> Process {
    let function = Process::spawn(&mut function);
    let posted = api.posted().await;
    assert_eq!(posted.endpoint, "extension/register");
    let name = posted.header("lambda-extension-name");
    assert!(name.contains("graceful-shutdown"), "{name}");
    assert_eq!(posted.json(), json!({ "events": [] }));
    function
}

#[tokio::test]
async fn the_hooks_of_resources_run_before_the_snapshot_and_after_the_restore() {
    let mut api = RuntimeApi::start().await;
    let mut function = Process::spawn(&mut snapstart("two", &api));
    function.wait_for("first: before_snapshot");
    assert_eq!(api.polls(), 0);
    api.restore();
    assert_eq!(api.invoke(event()).await.json(), "responded");
    let log = function.log();
    let hooks = log.lines().filter(|line| line.contains(": "));
    assert_eq!(
        hooks.collect::<Vec<_>>(),
        [
            "second: before_snapshot",
            "first: before_snapshot",
            "first: after_restore",
            "second: after_restore"
        ]
    );
}

#[tokio::test]
async fn a_resource_that_fails_is_reported_to_lambda_and_ends_the_process() {
    for (name, endpoint, kind) in [
        (
            "before_snapshot",
            "init/error",
            "Runtime.BeforeSnapshotError",
        ),
        (
            "after_restore",
            "restore/error",
            "Runtime.AfterRestoreError",
        ),
    ] {
        let mut api = RuntimeApi::start().await;
        let function = Process::spawn(&mut snapstart(name, &api));
        api.restore();
        let posted = api.posted().await;
        assert_eq!(posted.endpoint, endpoint);
        assert_eq!(posted.header("lambda-runtime-function-error-type"), kind);
        assert_eq!(posted.json()["errorMessage"], "ouch");
        let (log, code) = function.end();
        assert!(log.contains(&format!("\n{kind}: ouch\n")), "{log}");
        assert_eq!(code, Some(1));
        assert_eq!(api.polls(), 0);
    }
}

#[tokio::test]
async fn a_resource_that_panics_is_reported_to_lambda_too() {
    for (name, endpoint) in [
        ("before_snapshot panics", "init/error"),
        ("after_restore panics", "restore/error"),
    ] {
        let mut api = RuntimeApi::start().await;
        let function = Process::spawn(&mut snapstart(name, &api));
        api.restore();
        let posted = api.posted().await;
        assert_eq!(posted.endpoint, endpoint);
        assert_eq!(posted.json()["errorType"], "Runtime.Panic");
        assert_eq!(posted.json()["errorMessage"], "in the hook");
        assert_eq!(function.end().1, Some(1));
    }
}

#[tokio::test]
async fn the_example_reconnects_after_the_restore() {
    let mut api = RuntimeApi::start().await;
    let mut function = start(&api);
    function.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");
    let mut function = registered(&mut api, function).await;
    function.wait_for("the connection is closed");
    api.restore();
    let posted = api.invoke(event()).await;
    assert_eq!(posted.json(), json!({ "connected": true }));
}

#[tokio::test]
async fn without_snapstart_and_locally_no_snapshot_hook_runs() {
    let mut api = RuntimeApi::start().await;
    let function = start(&api);
    let function = registered(&mut api, function).await;
    let posted = api.invoke(event()).await;
    assert_eq!(posted.json(), json!({ "connected": true }));
    assert_eq!(function.log(), "");

    let mut server = example("snapstart");
    server.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");
    let run = output(server.arg("-"), "{}");
    assert_eq!(run.stdout, b"{\"connected\":true}\n");
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(
        stderr.starts_with("REPORT RequestId: ") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[tokio::test]
async fn the_shutdown_hook_runs_when_lambda_shuts_the_environment_down() {
    let mut api = RuntimeApi::start().await;
    let function = start(&api);
    let function = registered(&mut api, function).await;
    api.invoke(event()).await;
    function.signal("TERM");
    let (log, code) = function.end();
    assert_eq!(
        log.matches("the connection is closed\n").count(),
        1,
        "{log}"
    );
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn all_shutdown_hooks_run_even_if_some_of_them_panic() {
    let mut api = RuntimeApi::start().await;
    let function = function_process("hooks", api.address);
    let function = registered(&mut api, function).await;
    api.invoke(event()).await;
    function.signal("TERM");
    let (log, code) = function.end();
    let at = |line: &str| {
        log.find(line)
            .unwrap_or_else(|| panic!("no `{line}` in: {log}"))
    };
    let lines = [
        "the first hook",
        "a shutdown hook panicked: in the second hook",
        "a shutdown hook panicked: in the third hook",
        "the last hook",
    ];
    assert!(lines.map(at).is_sorted(), "{log}");
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn a_rejected_registration_of_the_extension_ends_the_process_with_one_error() {
    let mut api = RuntimeApi::start().await;
    api.reply_with(StatusCode::FORBIDDEN);
    let function = start(&api);
    let function = registered(&mut api, function).await;
    let posted = api.posted().await;
    assert_eq!(posted.endpoint, "init/error");
    let kind = "Runtime.ShutdownHookError";
    assert_eq!(posted.header("lambda-runtime-function-error-type"), kind);
    let (log, code) = function.end();
    // lambda_runtime panics here, so the log also contains the message of the panic.
    let errors = log.lines().filter(|line| line.starts_with("Error: "));
    let [error] = errors.collect::<Vec<_>>()[..] else {
        panic!("not one error in: {log}");
    };
    assert!(error.starts_with(&format!("Error: {kind}: ")), "{error}");
    assert!(error.contains("403 Forbidden"), "{error}");
    assert_eq!(code, Some(1));
    assert_eq!(api.polls(), 0);
}

#[test]
fn the_shutdown_hook_runs_locally_after_an_interrupt() {
    for signal in ["INT", "TERM"] {
        let mut server = Process::spawn(example("snapstart").args(["--listen", "127.0.0.1:0"]));
        let listens = server.stdout().lines().next();
        assert!(listens.unwrap().unwrap().starts_with("snapstart listens"));
        server.signal(signal);
        let (log, code) = server.end();
        assert_eq!(
            log.matches("the connection is closed\n").count(),
            1,
            "{log}"
        );
        assert_eq!(code, Some(0));
    }
}
