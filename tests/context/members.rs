use super::*;

#[test]
fn members_have_plausible_defaults() {
    let context = Context::default();
    assert_eq!(context.function_name, "function");
    assert_eq!(context.function_version, "$LATEST");
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:function";
    assert_eq!(context.invoked_function_arn, arn);
    assert_eq!(context.memory_limit_in_mb, "128");
    let id = "00000000-0000-4000-8000-000000000000";
    assert_eq!(context.aws_request_id, id);
    assert_eq!(context.log_group_name, "/aws/lambda/function");
    assert_eq!(context.log_stream_name, "stream");
    assert_eq!(context.identity, None);
    assert_eq!(context.client_context, None);
    assert_eq!(context.tenant_id, None);
    assert_eq!(context.xray_trace_id, None);
    assert!(context.callback_waits_for_empty_event_loop());
}

#[tokio::test]
async fn members_reach_the_handler_as_they_were_set() {
    let identity: CognitoIdentity = serde_json::from_value(
        json!({ "cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool" }),
    )
    .unwrap();
    let built = Context::builder()
        .function_name("orders")
        .function_version("7")
        .invoked_function_arn("arn")
        .memory_limit_in_mb("256")
        .aws_request_id("request")
        .log_group_name("group")
        .log_stream_name("stream-7")
        .identity(identity)
        .client_context(json!({ "custom": { "k": "v" } }))
        .tenant_id("tenant".to_string())
        .xray_trace_id("Root=1".to_string())
        .build();
    let (members, seen) = mpsc::channel();
    let handler = move |_: Value, context: Context, callback: Callback| {
        members.send((*context).clone()).unwrap();
        callback(None, None);
    };
    let outcome = nodeback::invoke(handler, json!({}), built.clone()).await;
    assert!(outcome.result.is_ok());
    let seen = seen.recv().unwrap();
    assert_eq!(seen, *built);
    assert_eq!(seen.function_name, "orders");
    assert_eq!(seen.function_version, "7");
    assert_eq!(seen.invoked_function_arn, "arn");
    assert_eq!(seen.memory_limit_in_mb, "256");
    assert_eq!(seen.aws_request_id, "request");
    assert_eq!(seen.log_group_name, "group");
    assert_eq!(seen.log_stream_name, "stream-7");
    assert_eq!(seen.identity.unwrap().cognito_identity_id, "id");
    assert_eq!(seen.client_context.unwrap()["custom"]["k"], "v");
    assert_eq!(seen.tenant_id.unwrap(), "tenant");
    assert_eq!(seen.xray_trace_id.unwrap(), "Root=1");
}

#[tokio::test]
async fn the_ids_are_in_the_span_of_every_line_that_the_handler_logs() {
    let log = Log::start();
    let context = Context::builder()
        .aws_request_id("request-7")
        .tenant_id("tenant".to_string())
        .xray_trace_id("Root=1".to_string())
        .build();
    let handler = async |_: Value, context: Context, callback: Callback| {
        tracing::warn!("from the handler");
        task::yield_now().await;
        tracing::warn!("from its future");
        context.spawn(async { tracing::warn!("from a task") });
        callback(None, None);
    };
    nodeback::invoke(handler, json!({}), context).await;
    let lines = log.warnings();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert_eq!(line.fields["requestId"], "request-7");
        assert_eq!(line.fields["tenantId"], "tenant");
        assert_eq!(line.fields["xrayTraceId"], "Root=1");
    }
}
