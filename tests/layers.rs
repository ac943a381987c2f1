//! Tests tower layers around invocations on Lambda, locally and in a test.

mod support;

use lambda_runtime::{LambdaInvocation, layers::TracingLayer};
use lambda_runtime_api_client::BoxError;
use nodeback::{Callback, Context, InvocationService, Runtime, Value, json};
use reqwest::Client;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{
    Process, function as function_process,
    runtime_api::{Event, RuntimeApi},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
};
use tower::{
    Layer, ServiceExt, layer::layer_fn, service_fn, timeout::TimeoutLayer,
    util::BoxCloneSyncService,
};

/// Runs the function named in `_HANDLER`. This is not a test: the tests start it as a process.
#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let Ok(name) = std::env::var("_HANDLER") else {
        return;
    };
    let short = TimeoutLayer::new(Duration::from_millis(300));
    let ran = match name.as_str() {
        "order" => ordered(&Seen::default()).run(),
        "fails" => Runtime::new(echo).layer(failing("closed today")).run(),
        "skips" => Runtime::new(echo).layer(skipping()).run(),
        "panics" => Runtime::new(echo).layer(panicking()).run(),
        "waits" => Runtime::new(waits).layer(short).run(),
        "responds_first" => Runtime::new(responds_first).layer(short).run(),
        "spawned" => {
            let runtime = Runtime::new(responds_first).layer(spawning());
            runtime.layer(short).run()
        }
        other => panic!("no function {other}"),
    };
    ran.await.unwrap();
}

fn echo(event: Value, _: Context, callback: Callback) {
    tracing::info!("entered");
    callback.succeed(event);
}

/// Spawns a task that connects to the test and responds when the test closes the connection.
/// Dropping the task closes the connection.
fn waits(event: Value, context: Context, callback: Callback) {
    let Some(address) = event["address"].as_str().map(String::from) else {
        return callback.succeed(event);
    };
    context.spawn(async move {
        let mut connection = TcpStream::connect(address).await?;
        connection.read_to_end(&mut Vec::new()).await?;
        callback.succeed(json!("after all"));
        Ok::<_, nodeback::Error>(())
    });
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

type Boxed = BoxCloneSyncService<LambdaInvocation, (), BoxError>;

/// What was done, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::info!("saw {what}");
        self.0.lock().unwrap().push(what);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A layer that notes the start and the end of each invocation.
    fn layer(&self, name: &'static str) -> impl Layer<InvocationService, Service = Boxed> + use<> {
        let seen = self.clone();
        layer_fn(move |inner: InvocationService| {
            let seen = seen.clone();
            Boxed::new(service_fn(move |invocation: LambdaInvocation| {
                let (inner, seen) = (inner.clone(), seen.clone());
                async move {
                    let id = invocation.context.request_id.clone();
                    seen.note(format!("{name} in {id}"));
                    let ended = inner.oneshot(invocation).await;
                    seen.note(format!("{name} out"));
                    ended
                }
            }))
        })
    }
}

fn ordered(seen: &Seen) -> Runtime {
    let handler = {
        let seen = seen.clone();
        move |event: Value, _: Context, callback: Callback| {
            seen.note("handler");
            callback.succeed(event);
        }
    };
    Runtime::new(handler)
        .layer(TracingLayer::new())
        .layer(seen.layer("inner"))
        .layer(seen.layer("outer"))
}

const ORDER: [&str; 5] = [
    "outer in 1",
    "inner in 1",
    "handler",
    "inner out",
    "outer out",
];

/// A layer that never calls the handler.
fn failing(why: &'static str) -> impl Layer<InvocationService, Service = Boxed> {
    layer_fn(move |_| Boxed::new(service_fn(async move |_| Err(why.into()))))
}

/// A layer that runs the inner service in a separate task, which continues when a timeout drops the
/// layer's own future.
fn spawning() -> impl Layer<InvocationService, Service = Boxed> {
    layer_fn(|inner: InvocationService| {
        Boxed::new(service_fn(move |invocation: LambdaInvocation| {
            let rest = tokio::spawn(inner.clone().oneshot(invocation));
            async move { rest.await? }
        }))
    })
}

fn panicking() -> impl Layer<InvocationService, Service = Boxed> {
    layer_fn(|_| BoxCloneSyncService::new(service_fn(async |_: LambdaInvocation| panic!("a bug"))))
}

fn skipping() -> impl Layer<InvocationService, Service = Boxed> {
    layer_fn(|_| Boxed::new(service_fn(async |_| Ok(()))))
}

/// A layer that fails after the inner service has completed.
fn failing_after() -> impl Layer<InvocationService, Service = Boxed> {
    layer_fn(|inner: InvocationService| {
        Boxed::new(service_fn(move |invocation| {
            let inner = inner.clone();
            async move {
                inner.oneshot(invocation).await?;
                Err("too late to fail".into())
            }
        }))
    })
}

fn context(request_id: &str) -> Context {
    Context::builder().aws_request_id(request_id).build()
}

/// A listener for the connection of a handler, and the event with its address.
async fn listen() -> (TcpListener, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let event = json!({ "address": listener.local_addr().unwrap().to_string() });
    (listener, event)
}

async fn assert_closed(mut connection: TcpStream) {
    let ended = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut [0])).await;
    assert_eq!(ended.expect("the task was dropped").unwrap(), 0);
}

fn event(request_id: &str, body: &Value) -> Event {
    Event {
        request_id: request_id.into(),
        body: body.to_string(),
        ..Event::default()
    }
}

#[tokio::test]
async fn the_last_layer_is_outermost_in_a_test() {
    let seen = Seen::default();
    let outcome = ordered(&seen).invoke(json!(7), context("1")).await;
    assert_eq!(outcome.result.unwrap(), 7);
    assert_eq!(seen.all(), ORDER);
}

#[tokio::test]
async fn the_last_layer_is_outermost_on_lambda() {
    let mut api = RuntimeApi::start().await;
    let mut function = Process::spawn(&mut function_process("order", api.address));
    assert_eq!(api.invoke(event("1", &json!(7))).await.json(), 7);
    let log = function.wait_for("saw outer out");
    let saw = log
        .lines()
        .filter_map(|line| Some(line.split_once("saw ")?.1));
    assert_eq!(saw.collect::<Vec<_>>(), ORDER);
}

/// Serves the function locally, calls it once, and returns the body of the response.
async fn locally(runtime: Runtime, event: &Value) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(runtime.serve(listener, async { stopped.await.unwrap_or(()) }));
    let url = format!("http://{address}/2015-03-31/functions/f/invocations");
    let response = Client::new().post(url).body(event.to_string()).send().await;
    let response = response.unwrap().json().await.unwrap();
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn the_last_layer_is_outermost_locally() {
    let seen = Seen::default();
    assert_eq!(locally(ordered(&seen), &json!(7)).await, 7);
    let mut saw = seen.all();
    for line in &mut saw {
        // The local server generates the request id.
        if let Some((name, _)) = line.split_once(" in ") {
            *line = format!("{name} in 1");
        }
    }
    assert_eq!(saw, ORDER);
}

#[tokio::test]
async fn a_layer_that_does_not_run_the_handler_fails_the_invocation() {
    let fails = || Runtime::new(echo).layer(failing("closed today"));
    let skips = || Runtime::new(echo).layer(skipping());
    let not_invoked = "Runtime.NotInvoked";

    let error = fails().invoke((), context("1")).await.result.unwrap_err();
    assert_eq!(
        (error.error_type(), error.message()),
        ("Error", "closed today")
    );
    let error = skips().invoke((), context("1")).await.result.unwrap_err();
    assert_eq!(error.error_type(), not_invoked);

    let response = locally(fails(), &json!({})).await;
    assert_eq!(response["errorMessage"], "closed today");
    let response = locally(skips(), &json!({})).await;
    assert_eq!(response["errorType"], not_invoked);

    for (name, member, expected) in [
        ("fails", "errorMessage", "closed today"),
        ("skips", "errorType", not_invoked),
        ("panics", "errorMessage", "a bug"),
    ] {
        let mut api = RuntimeApi::start().await;
        let function = Process::spawn(&mut function_process(name, api.address));
        // The process keeps running after the first failure.
        for id in ["1", "2"] {
            let posted = api.invoke(event(id, &json!({}))).await;
            assert_eq!((&*posted.endpoint, &*posted.request_id), ("error", id));
            assert_eq!(posted.json()[member], expected);
        }
        let log = function.log();
        assert_eq!(log.matches("Invoke Error").count(), 2, "{log}");
        assert!(!log.contains("entered"), "{log}");
    }
}

#[tokio::test]
async fn a_layer_that_fails_after_the_response_changes_nothing() {
    let runtime = || Runtime::new(echo).layer(failing_after());
    let outcome = runtime().invoke(json!(7), context("1")).await;
    assert_eq!(outcome.result.unwrap(), 7);
    assert_eq!(locally(runtime(), &json!(7)).await, 7);
}

#[tokio::test]
async fn a_timeout_layer_aborts_the_handler_and_its_tasks() {
    let (listener, waiting) = listen().await;
    let runtime = Runtime::new(waits).layer(TimeoutLayer::new(Duration::from_millis(300)));
    let (outcome, accepted) =
        tokio::join!(runtime.invoke(waiting, context("1")), listener.accept());
    assert_eq!(outcome.result.unwrap_err().error_type(), "Elapsed");
    assert_closed(accepted.unwrap().0).await;
}

#[tokio::test]
async fn a_timeout_layer_aborts_tasks_on_lambda_too_and_the_log_names_them() {
    let mut api = RuntimeApi::start().await;
    let function = Process::spawn(&mut function_process("waits", api.address));
    let (listener, waiting) = listen().await;
    let posted = api.invoke(event("1", &waiting)).await;
    assert_eq!(posted.json()["errorType"], "Elapsed");
    assert_closed(listener.accept().await.unwrap().0).await;
    assert_eq!(api.invoke(event("2", &json!(7))).await.json(), 7);
    let log = function.log();
    let name = "\t1\tWARN\taborted with its invocation: the task spawned at tests/layers.rs:";
    assert_eq!(log.matches(name).count(), 1, "{log}");
}

#[tokio::test]
async fn the_values_that_a_handler_holds_are_dropped_with_its_future() {
    struct Dropped(Arc<Notify>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let hangs = {
        let dropped = Arc::clone(&dropped);
        move |_: Value, _: Context, callback: Callback| {
            let dropped = Dropped(Arc::clone(&dropped));
            async move {
                std::future::pending::<()>().await;
                drop((dropped, callback));
            }
        }
    };
    let runtime = Runtime::new(hangs).layer(TimeoutLayer::new(Duration::from_millis(1)));
    let error = runtime.invoke((), context("1")).await.result.unwrap_err();
    assert_eq!(error.error_type(), "Elapsed");
    dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn no_layer_aborts_work_that_follows_the_response() {
    let done = Arc::new(Mutex::new(false));
    let handler = {
        let done = Arc::clone(&done);
        move |_: Value, context: Context, callback: Callback| {
            let done = Arc::clone(&done);
            context.wait_until(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                *done.lock().unwrap() = true;
            });
            callback.succeed(json!("responded"));
        }
    };
    let runtime = Runtime::new(handler).layer(TimeoutLayer::new(Duration::from_millis(300)));
    let outcome = runtime.invoke((), context("1")).await;
    assert_eq!(outcome.result.unwrap(), "responded");
    assert!(outcome.unfinished_tasks.is_empty() && *done.lock().unwrap());
}

#[tokio::test]
async fn no_layer_aborts_work_that_follows_the_response_on_lambda() {
    for name in ["responds_first", "spawned"] {
        let mut api = RuntimeApi::start().await;
        let mut function = Process::spawn(&mut function_process(name, api.address));
        let (listener, waiting) = listen().await;
        let posted = api.invoke(event("1", &waiting)).await;
        let expected = ("response", json!("responded"));
        assert_eq!((&*posted.endpoint, posted.json()), expected);
        let (connection, _) = listener.accept().await.unwrap();
        function.wait_for(
            "\t1\tERROR\ta layer failed after the outcome had been sent: request timed out",
        );
        let polls = api.polls();
        assert_eq!(
            polls, 1,
            "the function polled for the next event before the work had ended"
        );
        drop(connection);
        let posted = api.invoke(event("2", &json!({}))).await;
        assert_eq!((&*posted.endpoint, posted.json()), expected);
    }
}

/// A service that can be cloned `left` more times. Each further clone panics.
struct Clones {
    inner: InvocationService,
    left: Arc<Mutex<usize>>,
}

impl Clone for Clones {
    fn clone(&self) -> Self {
        let mut left = self
            .left
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *left = left.checked_sub(1).expect("one clone too many");
        drop(left);
        Clones {
            inner: self.inner.clone(),
            left: Arc::clone(&self.left),
        }
    }
}

impl tower::Service<LambdaInvocation> for Clones {
    type Response = ();
    type Error = BoxError;
    type Future = <InvocationService as tower::Service<LambdaInvocation>>::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        self.inner.call(invocation)
    }
}

#[tokio::test]
async fn a_layer_that_panics_when_it_is_cloned_fails_that_invocation() {
    let left = Arc::new(Mutex::new(3));
    let counted = Arc::clone(&left);
    let runtime = Runtime::new(echo).layer(layer_fn(move |inner| Clones {
        inner,
        left: Arc::clone(&counted),
    }));
    let invoke = || runtime.invoke(json!({}), Context::default());
    assert_eq!(invoke().await.result.unwrap(), json!({}));
    *left.lock().unwrap() = 0;
    let error = invoke().await.result.unwrap_err();
    assert_eq!(
        (error.error_type(), error.message()),
        ("Runtime.Panic", "one clone too many")
    );
}

#[tokio::test]
async fn a_layer_also_applies_to_handlers_that_are_added_after_it() {
    let seen = Seen::default();
    let runtime = nodeback::exports()
        .handler("before", echo)
        .layer(seen.layer("layer"))
        .handler("after", echo);
    for name in ["before", "after"] {
        let context = Context::builder().function_name(name).aws_request_id(name);
        let outcome = runtime.invoke(json!({}), context.build()).await;
        assert!(outcome.result.is_ok());
    }
    let expected = [
        "layer in before",
        "layer out",
        "layer in after",
        "layer out",
    ];
    assert_eq!(seen.all(), expected);
}
