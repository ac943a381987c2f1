//! Tests a handler as a tower service, run by lambda_runtime and lambda_http, and under tower's
//! layers.

mod support;

use lambda_runtime::LambdaEvent;
use nodeback::{Callback, Context, Error, Value, json};
use std::time::Duration;
use support::{
    Process, function as function_process,
    runtime_api::{Event, RuntimeApi},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// Runs the function under test. This is not a test: the tests start it as a process.
#[tokio::test]
#[ignore = "needs to be started by the other tests, as the process of a function"]
async fn function() {
    let stack = ServiceBuilder::new().concurrency_limit(1);
    let ran = match std::env::var("_HANDLER").as_deref() {
        Ok("lambda_http") => lambda_http::run(stack.service(nodeback::http_service(page))).await,
        _ => lambda_runtime::run(stack.service(nodeback::service(handler))).await,
    };
    ran.expect("the Runtime API");
}

fn page(event: Value, context: Context, callback: Callback) {
    match event["rawPath"].as_str() {
        Some("/context") => callback.succeed(json!({
            "statusCode": 200,
            "body": json!({
                "request": context.aws_request_id,
                "request of the event": event["requestContext"]["requestId"],
                "function": context.function_name,
                "version": context.function_version,
                "arn": context.invoked_function_arn,
                "memory": context.memory_limit_in_mb,
                "tenant": context.tenant_id,
                "trace": context.xray_trace_id,
                "milliseconds": context.get_remaining_time_in_millis(),
            }).to_string(),
        })),
        Some("/fails") => callback.fail(Error::new("OrderNotFound", "no order 7")),
        _ => callback.succeed(json!({
            "statusCode": 201,
            "headers": { "x-order": "7" },
            "cookies": ["a=1", "b=2"],
            "body": event["body"].as_str().unwrap_or_default().to_uppercase(),
        })),
    }
}

fn handler(event: Value, context: Context, callback: Callback) -> Result<(), Error> {
    match event["how"].as_str() {
        Some("throw") => Err(Error::new("OrderNotFound", "no order 7")),
        Some("task") => {
            context.spawn(async { Err::<(), _>("the write failed") });
            callback.succeed(json!("deferred"));
            Ok(())
        }
        _ => {
            let left = context.get_remaining_time_in_millis();
            callback.succeed(json!({
                "request": context.aws_request_id,
                "function": context.function_name,
                "identity": context.identity,
                "client": context.client_context,
                "in time": 0 < left && left <= 3000,
            }));
            Ok(())
        }
    }
}

#[tokio::test]
async fn lambda_runtime_runs_a_handler_within_layers() {
    let mut api = RuntimeApi::start().await;
    let _process = Process::spawn(&mut function_process("function", api.address));
    let event = |id: &str, how: &str| Event {
        request_id: id.into(),
        body: json!({ "how": how }).to_string(),
        headers: vec![
            (
                "lambda-runtime-cognito-identity",
                r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#.into(),
            ),
            (
                "lambda-runtime-client-context",
                r#"{"custom":{"k":"v"}}"#.into(),
            ),
        ],
    };
    let posted = api.invoke(event("1", "")).await;
    assert_eq!(posted.endpoint, "response");
    let response = posted.json();
    assert_eq!(
        (&response["request"], &response["function"]),
        (&json!("1"), &json!("cases"))
    );
    assert_eq!(response["identity"]["cognitoIdentityPoolId"], "p");
    assert_eq!(response["client"]["custom"]["k"], "v");
    assert_eq!(response["in time"], true);

    let posted = api.invoke(event("2", "throw")).await;
    assert_eq!(posted.endpoint, "error");
    assert_eq!(posted.json()["errorType"], "OrderNotFound");
    assert_eq!(posted.json()["errorMessage"], "no order 7");

    let posted = api.invoke(event("3", "task")).await;
    assert_eq!(posted.json()["errorMessage"], "the write failed");
}

#[tokio::test]
async fn lambda_http_runs_a_handler_with_requests() {
    let mut api = RuntimeApi::start().await;
    let _process = Process::spawn(&mut function_process("lambda_http", api.address));
    let event = |id: &str, path: &str| Event {
        request_id: id.into(),
        body: json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": {
                "content-type": "text/plain",
                "host": "example.com",
                // A client may forge the headers of the Runtime API. They must have no effect.
                "lambda-runtime-aws-request-id": "of the client",
                "lambda-runtime-deadline-ms": "1",
                "lambda-runtime-aws-tenant-id": "of the client",
            },
            "requestContext": {
                "accountId": "anonymous", "apiId": "a", "domainName": "example.com",
                "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "test" },
                "requestId": "r", "stage": "$default", "time": "t", "timeEpoch": 1
            },
            "body": "tea", "isBase64Encoded": false
        })
        .to_string(),
        headers: vec![
            ("lambda-runtime-aws-tenant-id", "tenant-1".into()),
            ("lambda-runtime-trace-id", "Root=1-2-3".into()),
        ],
    };
    let posted = api.invoke(event("1", "/orders")).await;
    assert_eq!(posted.endpoint, "response");
    let response = posted.json();
    assert_eq!(
        (&response["statusCode"], &response["body"]),
        (&json!(201), &json!("TEA"))
    );
    assert_eq!(response["headers"]["x-order"], "7");
    assert_eq!(response["cookies"], json!(["a=1", "b=2"]));

    let posted = api.invoke(event("2", "/fails")).await;
    assert_eq!(posted.json()["errorType"], "OrderNotFound");

    let posted = api.invoke(event("3", "/context")).await;
    let body = posted.json()["body"].take();
    let mut context: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
    let left = context["milliseconds"].take().as_f64().unwrap();
    assert!(0.0 < left && left <= 3_000.0, "{left}");
    assert_eq!(
        context,
        json!({
            "request": "3",
            "request of the event": "3",
            "function": "cases",
            "version": "$LATEST",
            "arn": "arn:aws:lambda:eu-west-1:123456789012:function:cases",
            "memory": "128",
            "tenant": "tenant-1",
            "trace": "Root=1-2-3",
            "milliseconds": null,
        })
    );
}

#[tokio::test]
async fn a_request_from_outside_lambda_gets_a_new_id_and_no_deadline() {
    let call = async || {
        let request = http::Request::get("/context")
            .header("lambda-runtime-aws-request-id", "of the client")
            .header("lambda-runtime-deadline-ms", "1")
            .body(String::new())
            .unwrap();
        let response = nodeback::http_service(page).oneshot(request).await.unwrap();
        let body = axum::body::Body::new(response.into_body());
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let (one, other) = (call().await, call().await);
    assert_eq!(one["request"].as_str().unwrap().len(), 36);
    assert_eq!(one["request"], one["request of the event"]);
    assert_ne!(one["request"], other["request"]);
    assert!(one["milliseconds"].as_f64().unwrap() > 600_000.0, "{one}");
}

#[tokio::test]
async fn a_request_ends_at_the_deadline_of_its_invocation() {
    let hangs = async |_: Value, _: Context, callback: Callback| {
        std::future::pending::<()>().await;
        callback.succeed(json!("never"));
    };
    let mut context = lambda_runtime::Context::default();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let deadline = now + Duration::from_millis(50);
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    let request = http::Request::get("/").extension(context);
    let request = request.body(String::new()).unwrap();
    let ended = nodeback::http_service(hangs).oneshot(request).await;
    assert_eq!(ended.unwrap_err().error_type(), "Sandbox.Timedout");
}

#[tokio::test(start_paused = true)]
async fn a_tower_layer_can_wrap_the_service() {
    let slow = async |event: Value, _: Context, callback: Callback| {
        tokio::time::sleep(Duration::from_secs(event.as_u64().unwrap_or(0))).await;
        callback.succeed(event);
    };
    let mut service = ServiceBuilder::new()
        .timeout(Duration::from_millis(1_500))
        .service(nodeback::service(slow));
    let mut call = async |event: Value| {
        let event = LambdaEvent::new(event, lambda_runtime::Context::default());
        service.ready().await.unwrap().call(event).await
    };
    assert_eq!(call(json!(1)).await.unwrap().get(), "1");
    let error = call(json!(2)).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
}

#[tokio::test]
async fn settings_apply_to_a_service_too() {
    let call = async |service: nodeback::HandlerService<_, _>| {
        let event = LambdaEvent::new(json!({}), lambda_runtime::Context::default());
        service.oneshot(event).await
    };
    let forgets = |_: Value, _: Context, _: Callback| {};
    let error = call(nodeback::service(forgets)).await.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
    let null = nodeback::service(forgets).never_called(nodeback::NeverCalled::Null);
    assert_eq!(call(null).await.unwrap().get(), "null");
}

#[tokio::test(start_paused = true)]
async fn a_service_can_fail_before_its_deadline() {
    let hangs = async |_: Value, _: Context, callback: Callback| {
        std::future::pending::<()>().await;
        callback.succeed(json!("never"));
    };
    let mut context = lambda_runtime::Context::default();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    context.deadline = u64::try_from((now + Duration::from_secs(10)).as_millis()).unwrap();
    let service = nodeback::service(hangs).fail_before_deadline(Duration::from_secs(1));
    let error = service
        .oneshot(LambdaEvent::new(json!({}), context))
        .await
        .unwrap_err();
    assert_eq!(error.error_type(), "Runtime.NoResponseBeforeDeadline");
}
