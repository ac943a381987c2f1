//! The first handlers in `original.js`, ported one to one and in the same order.

use crate::state::{STATE, hold, later};
use futures::FutureExt;
use nodeback::{Callback, Context, Error, Value, json};
use serde::{Serialize, Serializer, ser};
use std::sync::atomic::Ordering;

handlers! {
    result_object result_echo result_string result_number result_false result_array
    result_null result_undefined result_none result_only_null_error result_unicode
    result_undefined_member result_circular result_http
    error_error error_type_error error_named error_string error_empty_string error_number
    error_zero error_false error_true error_object error_array error_json_string
    error_beats_result error_undefined_is_none error_empty_message error_multiline
    twice_results twice_result_then_error twice_error_then_result twice_callback_then_done
    twice_succeed_then_callback twice_race never_called
    throw_error throw_string throw_after_callback
    later_timer later_promise later_error
    wait_true_defers_result wait_false_sends_at_once wait_true_error_at_once wait_done_at_once
    context_succeed context_fail_error context_fail_string context_fail_nothing
    context_done_result context_done_error context_members
    async_return async_return_nothing async_throw async_throw_string
    async_callback_before_return async_return_and_callback async_callback_after_return
    warm_counter_x2 error_then_again_x2
}

// callback: results

fn result_object(event: Value, _: Context, callback: Callback) {
    callback(None, Some(json!({ "hello": event["name"], "n": 1 })));
}

fn result_echo(event: Value, _: Context, callback: Callback) {
    callback(None, Some(event));
}

fn result_string(_: Value, _: Context, callback: Callback<&'static str>) {
    callback(None, Some("plain"));
}

fn result_number(_: Value, _: Context, callback: Callback<f64>) {
    callback(None, Some(42.5));
}

fn result_false(_: Value, _: Context, callback: Callback<bool>) {
    callback(None, Some(false));
}

fn result_array(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!([1, "two", null])));
}

fn result_null(_: Value, _: Context, callback: Callback) {
    callback(None, Some(Value::Null));
}

fn result_undefined(_: Value, _: Context, callback: Callback<()>) {
    callback(None, Some(()));
}

fn result_none(_: Value, _: Context, callback: Callback) {
    callback(None, None);
}

fn result_only_null_error(_: Value, _: Context, callback: Callback) {
    callback.call(None, None);
}

fn result_unicode(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!({ "s": "żółć 🚀 \u{7}" })));
}

#[derive(Serialize)]
struct Members {
    a: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<u32>,
}

fn result_undefined_member(_: Value, _: Context, callback: Callback<Members>) {
    callback(None, Some(Members { a: 1, b: None }));
}

/// A value that cannot be serialized.
pub(crate) struct Circular;

impl Serialize for Circular {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("it contains itself"))
    }
}

fn result_circular(_: Value, _: Context, callback: Callback<Circular>) {
    callback(None, Some(Circular));
}

fn result_http(_: Value, _: Context, callback: Callback) {
    callback(
        None,
        Some(json!({
            "statusCode": 200,
            "headers": { "Content-Type": "application/json" },
            "body": json!({ "message": "ok" }).to_string(),
        })),
    );
}

// callback: errors

fn error_error(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::msg("boom")), None);
}

fn error_type_error(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::new("TypeError", "bad type")), None);
}

fn error_named(_: Value, _: Context, callback: Callback) {
    #[derive(Debug)]
    struct OrderNotFound(u32);
    impl std::fmt::Display for OrderNotFound {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "no order {}", self.0)
        }
    }
    impl std::error::Error for OrderNotFound {}
    callback.fail(OrderNotFound(7));
}

fn error_string(_: Value, _: Context, callback: Callback) {
    callback.fail("Unauthorized");
}

fn error_empty_string(_: Value, _: Context, callback: Callback) {
    callback.fail("");
}

fn error_number(_: Value, _: Context, callback: Callback) {
    callback.fail(42);
}

fn error_zero(_: Value, _: Context, callback: Callback) {
    callback.fail(0);
}

fn error_false(_: Value, _: Context, callback: Callback) {
    callback.fail(false);
}

fn error_true(_: Value, _: Context, callback: Callback) {
    callback.fail(true);
}

fn error_object(_: Value, _: Context, callback: Callback) {
    callback.fail(json!({ "code": 7, "message": "m" }));
}

fn error_array(_: Value, _: Context, callback: Callback) {
    callback.fail(json!([1, 2]));
}

fn error_json_string(_: Value, _: Context, callback: Callback) {
    callback.fail(json!({ "errorType": "BadRequest", "httpStatus": 400 }).to_string());
}

fn error_beats_result(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::msg("boom")), Some(json!({ "ignored": true })));
}

fn error_undefined_is_none(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!({ "ok": true })));
}

fn error_empty_message(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::msg("")), None);
}

fn error_multiline(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::msg("line one\nline two")), None);
}

// several signals

fn twice_results(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!(1)));
    callback(None, Some(json!(2)));
}

fn twice_result_then_error(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!(1)));
    callback(Some(Error::msg("late")), None);
}

fn twice_error_then_result(_: Value, _: Context, callback: Callback) {
    callback(Some(Error::msg("first")), None);
    callback(None, Some(json!(2)));
}

fn twice_callback_then_done(_: Value, context: Context, callback: Callback) {
    callback(None, Some(json!("callback")));
    context.done(None, Some(json!("done")));
}

fn twice_succeed_then_callback(_: Value, context: Context, callback: Callback) {
    context.succeed("succeed");
    callback(Some(Error::msg("late")), None);
}

fn twice_race(_: Value, context: Context, callback: Callback) {
    let slow = callback.clone();
    later(&context, 30, move || slow(None, Some(json!("slow"))));
    later(&context, 5, move || callback(None, Some(json!("fast"))));
}

pub(crate) fn never_called(_: Value, _: Context, _: Callback) {}

// throw

fn throw_error(_: Value, _: Context, _: Callback) -> Result<(), Error> {
    Err(Error::new("RangeError", "thrown"))
}

fn throw_string(_: Value, _: Context, _: Callback) -> Result<(), &'static str> {
    Err("thrown string")
}

fn throw_after_callback(_: Value, _: Context, callback: Callback) -> Result<(), Error> {
    callback(None, Some(json!("first")));
    Err(Error::msg("after"))
}

// callbacks called later

fn later_timer(_: Value, context: Context, callback: Callback) {
    later(&context, 20, move || callback(None, Some(json!("later"))));
}

fn later_promise(_: Value, context: Context, callback: Callback) {
    context.spawn(async { "p" }.map(move |value| callback(None, Some(json!(value)))));
}

fn later_error(_: Value, context: Context, callback: Callback) {
    later(&context, 10, move || {
        callback(Some(Error::msg("later")), None)
    });
}

// the event loop

fn wait_true_defers_result(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback(None, Some(json!("deferred")));
}

fn wait_false_sends_at_once(_: Value, context: Context, callback: Callback) {
    context.set_callback_waits_for_empty_event_loop(false);
    hold(&context, || Ok(()));
    callback(None, Some(json!("at once")));
}

fn wait_true_error_at_once(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback(Some(Error::msg("at once")), None);
}

fn wait_done_at_once(_: Value, context: Context, _: Callback) {
    hold(&context, || Ok(()));
    context.done(None, Some(json!("at once")));
}

// the old context methods

fn context_succeed(_: Value, context: Context) {
    context.succeed(json!({ "a": 1 }));
}

fn context_fail_error(_: Value, context: Context) {
    context.fail(Error::msg("failed"));
}

fn context_fail_string(_: Value, context: Context) {
    context.fail("failed");
}

fn context_fail_nothing(_: Value, context: Context) {
    context.fail(());
}

fn context_done_result(_: Value, context: Context) {
    context.done(None, Some(json!({ "a": 2 })));
}

fn context_done_error(_: Value, context: Context) {
    context.done(Some(Error::msg("done")), None);
}

fn context_members(_: Value, context: Context, callback: Callback) {
    let remaining: i64 = context.get_remaining_time_in_millis();
    callback(
        None,
        Some(json!({
            "functionName": context.function_name,
            "functionVersion": context.function_version,
            "memoryLimitInMB": context.memory_limit_in_mb,
            "logGroupName": context.log_group_name,
            "logStreamName": context.log_stream_name,
            "awsRequestId": context.aws_request_id,
            "invokedFunctionArn": context.invoked_function_arn,
            "waits": context.callback_waits_for_empty_event_loop(),
            "remaining": if json!(remaining).is_number() { "number" } else { "" },
        })),
    );
}

// async handlers

async fn async_return(event: Value) -> Result<Value, Error> {
    Ok(json!({ "hello": event["name"] }))
}

async fn async_return_nothing(_: Value) -> Result<(), Error> {
    Ok(())
}

async fn async_throw(_: Value) -> Result<(), Error> {
    Err(Error::msg("async boom"))
}

async fn async_throw_string(_: Value) -> Result<(), &'static str> {
    Err("async string")
}

async fn async_callback_before_return(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!("callback")));
}

/// If an async handler takes the callback as a parameter, its return value does not signal. This
/// handler therefore gets the callback from the context.
async fn async_return_and_callback(_: Value, context: Context) -> Result<Value, Error> {
    let callback = context.done_callback();
    callback(None, Some(json!("callback")));
    Ok(json!("return"))
}

async fn async_callback_after_return(_: Value, context: Context, callback: Callback) {
    later(&context, 20, move || callback(None, Some(json!("late"))));
}

// state kept between invocations

fn warm_counter_x2(_: Value, _: Context, callback: Callback<u32>) {
    callback(None, Some(STATE.count.fetch_add(1, Ordering::Relaxed) + 1));
}

fn error_then_again_x2(_: Value, _: Context, callback: Callback) {
    match STATE.count.fetch_add(1, Ordering::Relaxed) {
        0 => callback(Some(Error::msg("first invocation")), None),
        _ => callback(None, Some(json!("second"))),
    }
}
