//! Tests how a program with several functions chooses the one to run: on Lambda, locally and in
//! process.

mod support;

use nodeback::{Context, Error, Runtime, Value, json};
use reqwest::{Client, StatusCode};
use std::process::Command;
use support::{
    Process, example, on_lambda, output,
    runtime_api::{Event, RuntimeApi},
};
use tokio::{net::TcpListener, sync::oneshot};

fn create(order: Value) -> nodeback::Result<Value> {
    Ok(json!({ "created": order["id"] }))
}

async fn cancel(order: Value, context: Context) -> nodeback::Result<Value> {
    Ok(json!({ "cancelled": order["id"], "by": context.function_name }))
}

fn exports() -> Runtime {
    nodeback::exports()
        .handler("create", create)
        .handler("cancel", cancel)
}

fn start(api: &RuntimeApi, handler: &str) -> Command {
    let mut exports = example("exports");
    on_lambda(&mut exports, api.address);
    exports.env("_HANDLER", handler);
    exports
}

#[tokio::test]
async fn on_lambda_the_last_part_of_the_handler_setting_chooses_the_function() {
    for (handler, response) in [
        ("index.create", json!({ "created": 7 })),
        ("index.cancel", json!({ "cancelled": 7 })),
        ("src/orders.cancel", json!({ "cancelled": 7 })),
        ("cancel", json!({ "cancelled": 7 })),
    ] {
        let mut api = RuntimeApi::start().await;
        let _exports = Process::spawn(&mut start(&api, handler));
        let posted = api.invoke(Event {
            request_id: "1".into(),
            body: r#"{"id":7}"#.into(),
            ..Event::default()
        });
        assert_eq!(posted.await.json(), response, "{handler}");
    }
}

#[tokio::test]
async fn on_lambda_an_unknown_name_fails_the_initialization_and_lists_the_functions() {
    for (setting, mistake) in [
        ("index.delete", "`index.delete` is not exported"),
        ("", "no handler is named"),
    ] {
        let mut api = RuntimeApi::start().await;
        let exports = Process::spawn(&mut start(&api, setting));
        let posted = api.posted().await;
        assert_eq!(posted.endpoint, "init/error");
        let kind = "Runtime.HandlerNotFound";
        assert_eq!(posted.header("lambda-runtime-function-error-type"), kind);
        let message = format!("{mistake}: expected one of create, cancel");
        assert_eq!(posted.json()["errorMessage"], message);
        let (log, code) = exports.end();
        assert_eq!(
            (log, code),
            (format!("Error: {kind}: {message}\n"), Some(1))
        );
        assert_eq!(api.polls(), 0);
    }
}

#[tokio::test]
async fn locally_the_name_in_the_url_chooses_and_an_unknown_name_gets_status_404_with_the_list() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(exports().serve(listener, async { stopped.await.unwrap_or(()) }));
    let call = async |name: &str| {
        let url = format!("http://{address}/2015-03-31/functions/{name}/invocations");
        let call = Client::new().post(url).body(r#"{"id":7}"#).send();
        let response = call.await.unwrap();
        let kind = response.headers().get("x-amzn-errortype").cloned();
        (
            response.status(),
            kind,
            response.json::<Value>().await.unwrap(),
        )
    };
    let cancelled = json!({ "cancelled": 7, "by": "cancel" });
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:cancel";
    for name in ["cancel", "cancel:live", arn] {
        assert_eq!(call(name).await, (StatusCode::OK, None, cancelled.clone()));
    }
    let created = json!({ "created": 7 });
    assert_eq!(call("create").await, (StatusCode::OK, None, created));

    let (status, kind, body) = call("delete").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(kind.unwrap(), "ResourceNotFoundException");
    let message = body["message"].as_str().unwrap();
    assert!(message.ends_with("`delete` is not exported: expected one of create, cancel"));
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

#[test]
fn on_the_command_line_an_option_chooses_the_function() {
    let event = "examples/events/exports.json";
    for (name, member) in [("create", "created"), ("cancel", "cancelled")] {
        let run = output(example("exports").args(["--handler", name, event]), "");
        let response = format!("{{\"{member}\":7}}\n");
        assert_eq!(String::from_utf8(run.stdout).unwrap(), response);
        assert_eq!(run.status.code(), Some(0));
    }
    // The variable works as on Lambda, too.
    let run = output(
        example("exports")
            .arg(event)
            .env("_HANDLER", "index.cancel"),
        "",
    );
    assert_eq!(
        String::from_utf8(run.stdout).unwrap(),
        "{\"cancelled\":7}\n"
    );
    for (arguments, mistake) in [
        (
            ["--handler=delete", event].as_slice(),
            "`delete` is not exported",
        ),
        (&[event], "no handler is named"),
    ] {
        let run = output(example("exports").args(arguments), "");
        let stderr = String::from_utf8(run.stderr).unwrap();
        let line =
            format!("exports: `--handler NAME`: {mistake}: expected one of create, cancel\n");
        assert_eq!(stderr, line);
        assert_eq!((run.stdout, run.status.code()), (vec![], Some(2)));
    }
}

#[tokio::test]
async fn in_process_the_function_name_of_the_context_chooses_the_function() {
    let exports = exports();
    let call = async |name: &str| {
        let context = Context::builder().function_name(name).build();
        exports.invoke(json!({ "id": 7 }), context).await.result
    };
    assert_eq!(call("create").await.unwrap(), json!({ "created": 7 }));
    assert_eq!(call("cancel").await.unwrap()["cancelled"], 7);
    let error: Error = call("delete").await.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.HandlerNotFound");
}

#[tokio::test]
async fn a_single_function_handles_every_name_and_a_repeated_name_replaces_it() {
    let one = nodeback::exports()
        .handler("create", create)
        .handler("create", cancel);
    for name in ["create", "orders", ""] {
        let context = Context::builder().function_name(name).build();
        let result = one
            .invoke(json!({ "id": 7 }), context)
            .await
            .result
            .unwrap();
        assert_eq!(result, json!({ "cancelled": 7, "by": name }));
    }
}

#[tokio::test]
async fn a_program_without_a_function_fails_with_an_error_that_explains_what_to_add() {
    let outcome = nodeback::exports().invoke((), Context::default()).await;
    let error = outcome.result.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.HandlerNotFound");
    assert!(
        error
            .message()
            .ends_with("at least one handler in `nodeback::exports()`")
    );
}
