//! Tests a handler with shared state, which is created before the first event, or fails to be.

mod support;

use axum::{Router, extract::Path, routing::get};
use nodeback::json;
use std::net::SocketAddr;
use support::{
    Process, example, on_lambda, output,
    runtime_api::{Event, RuntimeApi},
};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_failure_to_create_the_state_is_reported_to_lambda_and_ends_the_process() {
    for (url, kind, message) in [
        (None, "MissingSetting", "STOCK_URL is not set"),
        (
            Some("stock"),
            "BadSetting",
            "STOCK_URL is `stock`: relative URL without a base",
        ),
    ] {
        let mut api = RuntimeApi::start().await;
        let mut function = example("shared_state");
        on_lambda(&mut function, api.address);
        function.envs(url.map(|url| ("STOCK_URL", url)));
        let function = Process::spawn(&mut function);
        let posted = api.posted().await;
        assert_eq!(posted.endpoint, "init/error");
        assert_eq!(posted.header("lambda-runtime-function-error-type"), kind);
        assert_eq!(posted.json()["errorType"], kind);
        assert_eq!(posted.json()["errorMessage"], message);
        let (log, code) = function.end();
        let line = format!("Error: {kind}: {message}\n");
        assert!(log.starts_with(&line), "{log}");
        assert_eq!(code, Some(1));
        assert_eq!(api.polls(), 0);
    }
}

#[test]
fn a_failure_to_create_the_state_ends_the_process_locally_too() {
    let run = output(example("shared_state").arg("-"), "{}");
    let line =
        "Error: MissingSetting: STOCK_URL is not set\n    at examples/ecosystem/shared_state.rs:";
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(stderr.starts_with(line), "{stderr}");
    assert_eq!((run.stdout, run.status.code()), (vec![], Some(1)));
}

async fn stock(Path(item): Path<String>) -> String {
    item.len().to_string()
}

async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/stock/{item}", get(stock));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn invocations_share_the_state() {
    let mut api = RuntimeApi::start().await;
    let mut function = example("shared_state");
    on_lambda(&mut function, api.address);
    function.env("STOCK_URL", format!("http://{}/stock", upstream().await));
    let _function = Process::spawn(&mut function);
    for (asked, item) in [(1, "tea"), (2, "coffee")] {
        let posted = api.invoke(Event {
            request_id: asked.to_string(),
            body: json!({ "item": item }).to_string(),
            ..Event::default()
        });
        let response = json!({ "item": item, "count": item.len(), "asked": asked });
        assert_eq!(posted.await.json(), response);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails_fails_the_invocation() {
    let url = format!("http://{}/nowhere", upstream().await);
    let run = output(example("shared_state").env("STOCK_URL", url).arg("-"), "{}");
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(stderr.contains("404 Not Found"), "{stderr}");
    assert_eq!(run.status.code(), Some(1));
}
