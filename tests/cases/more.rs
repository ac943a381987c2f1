//! The other handlers in `original.js`, ported one to one and in the same order.

use crate::state::{STATE, hold, later};
use futures::{
    FutureExt,
    future::{join_all, select_ok, try_join_all},
};
use nodeback::{Callback, Context, Error, IntoError, Value, json};
use std::{
    fmt::Display,
    future::{pending, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::sleep;

handlers! {
    pass_callback pass_callback_error pass_done pass_done_error pass_to_catch pass_to_then
    pass_to_then_error pass_to_timer pass_wrapped pass_to_table pass_to_one_of_two
    nested nested_error_inside nested_error_first nested_error_as_text nested_error_swallowed
    nested_missing_return nested_error_by_name nested_waterfall nested_series nested_recursion
    fan_in_results_in_order fan_in_as_they_end fan_in_first_error fan_in_of_nothing fan_in_partial
    fan_in_promise_all fan_in_promise_all_rejects fan_in_all_settled
    race_error_wins race_error_too_late race_promise race_any race_timeout_cleared
    race_timeout_fires race_of_ten
    chain_finally chain_finally_after_error chain_finally_after_callback_x2
    chain_throws_after_callback chain_throws_unhandled chain_rejects_unhandled
    chain_throw_reaches_catch chain_catch_recovers chain_rethrows_text chain_rejects_with_text
    throw_null throw_number throw_object throw_named throw_after_succeed throw_after_fail
    throw_in_helper throw_caught throw_in_timer throw_in_timer_of_nobody throw_is_a_panic
    throw_is_a_panic_after_callback throw_is_a_panic_in_timer throw_in_timer_after_error
    hold_false_after_call hold_string_error hold_fail hold_succeed hold_async_return
    hold_async_throw hold_throw hold_until_called hold_until_failed hold_then_done_is_late
    hold_then_error_is_late hold_then_throw hold_spawns_more hold_changed_result hold_never_called
    leftover_result leftover_error leftover_succeed leftover_async leftover_calls_back
    leftover_holds_the_next leftover_throws_into_the_next
    kept_callback_x2 kept_callback_error_x2 kept_context_x2 kept_flag_x2 kept_lazy_x4 kept_list_x3
    kept_errors_x3
    name_empty name_unicode name_dots name_colons name_newline name_quotes name_very_long
    name_number name_of_subclass name_changed name_of_aggregate name_with_code name_with_cause
    message_unicode message_controls message_delete message_escapes message_crlf message_very_long
    message_json message_prefix message_as_text message_as_text_without_name
    like_error like_error_and_more like_error_no_stack like_error_empty_message
    like_error_number_name like_error_thrown value_nested_array value_empty_array
    value_empty_object value_numbers value_huge value_negative_zero value_nan value_infinity
    value_fraction value_text_unicode value_text_long
    result_long result_long_unicode result_many_numbers result_many_keys result_100_deep
    result_1000_deep result_controls result_escapes result_key_order result_number_keys
    result_numbers result_numbers_e result_whole_floats result_not_numbers result_holes
    result_empties result_json_text
    echo_changed
    done_both done_nothing done_text done_zero done_then_callback done_circular fail_null
    fail_false fail_object fail_two_arguments fail_then_succeed fail_later succeed_nothing
    succeed_twice succeed_then_fail succeed_later callback_then_fail callback_then_succeed_later
    async_awaits async_awaits_error async_catches async_throws_value async_calls_back_then_throws
    async_awaits_then_calls_back async_fails_context async_forever async_many promise_returned
    value_returned
}

async fn wait(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

async fn work<T>(value: T) -> T {
    wait(2).await;
    value
}

async fn failing<E>(error: E) -> Result<&'static str, E> {
    wait(2).await;
    Err(error)
}

// Error-first functions, as a library would provide them.

fn read(
    context: &Context,
    key: impl Display,
    done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static,
) {
    let text = json!(format!("value of {key}"));
    later(context, 2, move || done(None, Some(text)));
}

fn read_nothing(
    context: &Context,
    key: &'static str,
    done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static,
) {
    later(context, 2, move || {
        done(Some(Error::new("NoSuchKey", format!("no {key}"))), None);
    });
}

struct Order {
    id: u32,
    customer: &'static str,
}

fn find_order(
    context: &Context,
    id: u32,
    done: impl FnOnce(Option<Error>, Option<Order>) + Send + 'static,
) {
    later(context, 2, move || {
        let customer = match id {
            7 => "ada",
            8 => "bob",
            _ => {
                return done(
                    Some(Error::new("OrderNotFound", format!("no order {id}"))),
                    None,
                );
            }
        };
        done(None, Some(Order { id, customer }));
    });
}

fn find_email(
    context: &Context,
    name: &'static str,
    done: impl FnOnce(Option<Error>, Option<&'static str>) + Send + 'static,
) {
    later(context, 2, move || match name {
        "ada" => done(None, Some("ada@example.com")),
        _ => done(Some(Error::msg(format!("{name} has no address"))), None),
    });
}

// the callback passed to other functions

fn pass_callback(_: Value, context: Context, callback: Callback) {
    read(&context, "order", callback.into_error_first());
}

fn pass_callback_error(_: Value, context: Context, callback: Callback) {
    read_nothing(&context, "order", callback.into_error_first());
}

fn pass_done(_: Value, context: Context) {
    read(
        &context,
        "order",
        context.done_callback().into_error_first(),
    );
}

fn pass_done_error(_: Value, context: Context) {
    read_nothing(
        &context,
        "order",
        context.done_callback().into_error_first(),
    );
}

fn pass_to_catch(_: Value, context: Context, callback: Callback) {
    let callback = callback.into_error_only();
    context.spawn(async {
        if let Err(error) = failing(Error::new("TypeError", "rejected")).await {
            callback(error);
        }
    });
}

fn pass_to_then(_: Value, context: Context) {
    let done = context.done_callback::<&str>().into_once();
    context.spawn(async { done(Ok::<_, Error>(work("resolved").await)) });
}

fn pass_to_then_error(_: Value, context: Context) {
    let done = context.done_callback().into_once();
    context.spawn(async { done(failing(Error::msg("rejected")).await) });
}

fn pass_to_timer(_: Value, context: Context) {
    let done = context.clone();
    later(&context, 2, move || {
        done.done(None, Some(json!("from the timer")))
    });
}

fn pass_wrapped(_: Value, context: Context, callback: Callback) {
    let respond = Callback::from_fn(move |error: Option<Error>, result: Option<Value>| {
        callback(
            None,
            Some(json!({
                "statusCode": if error.is_some() { 400 } else { 200 },
                "body": error.map_or_else(
                    || result.unwrap_or_default().to_string(),
                    |error| error.message().to_owned(),
                ),
            })),
        );
    });
    read_nothing(&context, "order", respond.into_error_first());
}

fn pass_to_table(event: Value, _: Context, callback: Callback) {
    type Operation = fn(Callback);
    let table: [(&str, Operation); 2] = [
        ("create", |done| done(None, Some(json!("created")))),
        ("remove", |done| done(Some(Error::msg("not allowed")), None)),
    ];
    let wanted = if event["name"] == "Ada" {
        "remove"
    } else {
        "create"
    };
    for (name, f) in table {
        if name == wanted {
            return f(callback);
        }
    }
}

fn pass_to_one_of_two(_: Value, context: Context, callback: Callback) {
    let on_error = callback.clone();
    later(&context, 4, move || {
        on_error(Some(Error::msg("too late")), None)
    });
    later(&context, 2, move || callback(None, Some(json!("end"))));
}

// nested error-first functions

fn receipt(id: u32, context: Context, callback: Callback) {
    let then = context.clone();
    find_order(&context, id, move |error, order| {
        let Some(order) = order else {
            return callback(error, None);
        };
        let inner = then.clone();
        find_email(&then, order.customer, move |error, email| {
            if let Some(error) = error {
                return callback.fail(Error::msg(format!("order {id}: {error}")));
            }
            read(&inner, email.unwrap_or_default(), move |error, text| {
                callback(error, Some(json!({ "id": order.id, "text": text })));
            });
        });
    });
}

fn nested(_: Value, context: Context, callback: Callback) {
    receipt(7, context, callback);
}

fn nested_error_inside(_: Value, context: Context, callback: Callback) {
    receipt(8, context, callback);
}

fn nested_error_first(_: Value, context: Context, callback: Callback) {
    receipt(9, context, callback);
}

fn nested_error_as_text(_: Value, context: Context, callback: Callback) {
    find_order(&context, 9, move |error, _| {
        callback.fail(format!("Error in order: {}", error.unwrap()));
    });
}

fn nested_error_swallowed(_: Value, context: Context, callback: Callback) {
    find_order(&context, 9, move |error, _| {
        if error.is_some() {
            return callback(None, None);
        }
        callback(None, Some(json!("found")));
    });
}

fn nested_missing_return(_: Value, context: Context, callback: Callback) {
    find_order(&context, 9, move |error, _| {
        if error.is_some() {
            callback(error, None);
        }
        callback(None, Some(json!("went on")));
    });
}

fn nested_error_by_name(_: Value, context: Context, callback: Callback) {
    find_order(&context, 9, move |error, _| {
        let missing = error.is_some_and(|error| error.error_type() == "OrderNotFound");
        callback(
            None,
            Some(json!({ "statusCode": if missing { 404 } else { 500 } })),
        );
    });
}

fn nested_waterfall(event: Value, context: Context, callback: Callback) {
    type Next = Box<dyn FnOnce(Option<Error>, Value) + Send>;
    type Steps = [fn(&Context, Value, Next); 3];
    fn run(steps: Steps, at: usize, value: Value, context: Context, callback: Callback) {
        let Some(step) = steps.get(at) else {
            return callback(None, Some(value));
        };
        let then = context.clone();
        step(
            &context,
            value,
            Box::new(move |error, value| match error {
                Some(error) => callback.fail(error),
                None => run(steps, at + 1, value, then, callback),
            }),
        );
    }
    let steps: Steps = [
        |context, v, next| {
            later(context, 1, move || {
                next(None, json!(v.as_u64().unwrap() + 1))
            });
        },
        |_, v, next| next(None, json!(v.as_u64().unwrap() * 10)),
        |context, v, next| {
            later(context, 1, move || next(None, json!(format!("{v}!"))));
        },
    ];
    run(steps, 0, event["n"].clone(), context, callback);
}

fn nested_series(_: Value, context: Context, callback: Callback) {
    fn next(keys: &'static [&str], mut texts: Vec<Value>, context: Context, callback: Callback) {
        let [key, rest @ ..] = keys else {
            return callback(None, Some(json!(texts)));
        };
        let then = context.clone();
        read(&context, key, move |_, text| {
            texts.extend(text);
            next(rest, texts, then, callback);
        });
    }
    next(&["a", "b", "c"], vec![], context, callback);
}

fn nested_recursion(_: Value, context: Context, callback: Callback) {
    fn countdown(n: u32, context: Context, callback: Callback) {
        if n == 0 {
            return callback(None, Some(json!("lift-off")));
        }
        let then = context.clone();
        context.spawn(ready(()).map(move |()| countdown(n - 1, then, callback)));
    }
    countdown(50, context, callback);
}

// fan-in

fn fan_in_results_in_order(_: Value, context: Context, callback: Callback) {
    let results = Arc::new(Mutex::new((vec![0; 5], 5)));
    for i in 0..5 {
        let (results, callback) = (Arc::clone(&results), callback.clone());
        later(&context, 12 - 2 * i, move || {
            let (results, left) = &mut *results.lock().unwrap();
            results[i as usize] = i * i;
            *left -= 1;
            if *left == 0 {
                callback(None, Some(json!(results)));
            }
        });
    }
}

fn fan_in_as_they_end(_: Value, context: Context, callback: Callback) {
    let ended = Arc::new(Mutex::new(vec![]));
    let delays = [25, 5, 15];
    for ms in delays {
        let (ended, callback) = (Arc::clone(&ended), callback.clone());
        later(&context, ms, move || {
            let mut ended = ended.lock().unwrap();
            ended.push(ms);
            if ended.len() == delays.len() {
                callback(None, Some(json!(*ended)));
            }
        });
    }
}

fn fan_in_first_error(_: Value, context: Context, callback: Callback) {
    let left = Arc::new(AtomicU32::new(3));
    let done = move |error: Option<Error>| {
        if error.is_some() {
            return callback(error, None);
        }
        if left.fetch_sub(1, Relaxed) == 1 {
            callback(None, Some(json!("all")));
        }
    };
    let done = Arc::new(done);
    for (ms, error) in [
        (1, None),
        (3, Some("the second failed")),
        (5, Some("the third failed")),
    ] {
        let done = Arc::clone(&done);
        later(&context, ms, move || done(error.map(Error::msg)));
    }
}

fn fan_in_of_nothing(_: Value, _: Context, callback: Callback) {
    let jobs: [u32; 0] = [];
    for _ in jobs {
        callback(None, Some(json!("all")));
    }
}

fn fan_in_partial(_: Value, context: Context, callback: Callback) {
    let shared = Arc::new(Mutex::new((vec![], 4)));
    for i in 0..4 {
        let (shared, callback) = (Arc::clone(&shared), callback.clone());
        later(&context, i, move || {
            let (failures, left) = &mut *shared.lock().unwrap();
            if i % 2 == 1 {
                failures.push(json!({ "itemIdentifier": format!("m{i}") }));
            }
            *left -= 1;
            if *left == 0 {
                callback(None, Some(json!({ "batchItemFailures": failures })));
            }
        });
    }
}

fn fan_in_promise_all(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let all = [
            work(json!(1)).boxed(),
            wait(6).map(|()| json!("two")).boxed(),
            ready(json!(3)).boxed(),
        ];
        callback(None, Some(json!(join_all(all).await)));
    });
}

fn fan_in_promise_all_rejects(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let all = [
            work(Ok("1")).boxed(),
            wait(60).map(|()| Err(Error::msg("slow"))).boxed(),
            failing(Error::msg("fast")).boxed(),
        ];
        callback.settle(try_join_all(all).await.map(|values| json!(values)));
    });
}

fn fan_in_all_settled(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let all = [
            work(Ok(json!(1))).boxed(),
            failing(Error::msg("lost"))
                .map(|one| one.map(Value::from))
                .boxed(),
        ];
        let all = join_all(all).await.into_iter();
        let all = all.map(|one| one.unwrap_or_else(|error| json!(error.message())));
        callback(None, Some(all.collect()));
    });
}

// races

fn race_error_wins(_: Value, context: Context, callback: Callback) {
    let slow = callback.clone();
    later(&context, 30, move || slow(None, Some(json!("slow"))));
    later(&context, 3, move || {
        callback(Some(Error::msg("fast")), None)
    });
}

fn race_error_too_late(_: Value, context: Context, callback: Callback) {
    let fast = callback.clone();
    later(&context, 3, move || fast(None, Some(json!("fast"))));
    later(&context, 20, move || {
        callback(Some(Error::msg("slow")), None)
    });
}

fn race_promise(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let value = tokio::select! {
            () = wait(20) => "slow",
            value = work("fast") => value,
        };
        callback(None, Some(json!(value)));
    });
}

fn race_any(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let any = [
            failing(Error::msg("first")).boxed(),
            wait(8).map(|()| Ok("second")).boxed(),
        ];
        callback.settle(select_ok(any).await.map(|(value, _)| json!(value)));
    });
}

fn race_timeout_cleared(_: Value, context: Context, callback: Callback) {
    let late = callback.clone();
    let timeout = later(&context, 60_000, move || {
        late(Some(Error::msg("timed out")), None)
    });
    read(&context, "order", move |error, text| {
        timeout.abort();
        callback(error, text);
    });
}

fn race_timeout_fires(_: Value, context: Context, callback: Callback) {
    let late = callback.clone();
    let timeout = later(&context, 5, move || {
        late.fail(Error::new("Timeout", "no response within 5 ms"));
    });
    let slow = later(&context, 60_000, move || {
        timeout.abort();
        callback(None, Some(json!("slow")));
    });
    later(&context, 8, move || slow.abort());
}

fn race_of_ten(_: Value, context: Context, callback: Callback) {
    for i in (1..=10).rev() {
        let callback = callback.clone();
        later(&context, 3 * i, move || callback(None, Some(json!(i))));
    }
}

// promise chains

fn chain_finally(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let mut log = vec![work("value").await];
        log.push("finally");
        callback(None, Some(json!(log)));
    });
}

fn chain_finally_after_error(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let mut log = vec![];
        if let Err(error) = failing(Error::msg("lost")).await {
            log.push(error.message().to_owned());
        }
        log.push("finally".into());
        callback(None, Some(json!(log)));
    });
}

fn chain_finally_after_callback_x2(_: Value, context: Context, callback: Callback) {
    let seen = STATE.ended.load(Relaxed);
    context.spawn(async move {
        let value = work("value").await;
        callback(None, Some(json!(format!("{value} after {seen}"))));
        STATE.ended.fetch_add(1, Relaxed);
    });
}

fn chain_throws_after_callback(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let chain = async {
            callback(None, Some(json!(work("value").await)));
            Err::<(), _>(Error::msg("after"))
        };
        if let Err(error) = chain.await {
            callback(Some(error), None);
        }
    });
}

fn chain_throws_unhandled(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        callback(None, Some(json!(work("value").await)));
        Err::<(), _>(Error::msg("after"))
    });
}

fn chain_rejects_unhandled(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let value = failing(Error::new("RangeError", "nobody catches it")).await?;
        callback(None, Some(json!(value)));
        Ok::<_, Error>(())
    });
}

fn chain_throw_reaches_catch(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let chain = async {
            work("value").await;
            Err::<Value, _>(Error::new("BadValue", "thrown in then"))
        };
        callback.settle(chain.await);
    });
}

fn chain_catch_recovers(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let chain = async {
            let value = failing("lost").await;
            Ok::<_, Error>(value.map_or_else(|text| format!("recovered from {text}"), Into::into))
        };
        callback.settle(chain.await.map(Value::from));
    });
}

fn chain_rethrows_text(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        let chain = failing(Error::msg("lost")).await;
        let chain = chain.map_err(|error| format!("wrapped: {}", error.message()));
        callback.settle(chain.map(Value::from));
    });
}

fn chain_rejects_with_text(_: Value, context: Context, callback: Callback) {
    context.spawn(async move { callback.settle(failing("only a text").await.map(Value::from)) });
}

// thrown

fn throw_null(_: Value, _: Context, _: Callback) -> Result<(), ()> {
    Err(())
}

fn throw_number(_: Value, _: Context, _: Callback) -> Result<(), u32> {
    Err(7)
}

fn throw_object(_: Value, _: Context, _: Callback) -> Result<(), Value> {
    Err(json!({ "code": 7 }))
}

fn throw_named(_: Value, _: Context, _: Callback) -> Result<(), Error> {
    Err(Error::new("BadRequest", "name is missing"))
}

fn throw_after_succeed(_: Value, context: Context, _: Callback) -> Result<(), Error> {
    context.succeed("succeeded");
    Err(Error::msg("after"))
}

fn throw_after_fail(_: Value, context: Context, _: Callback) -> Result<(), Error> {
    context.fail(Error::msg("failed"));
    Err(Error::msg("after"))
}

fn throw_in_helper(event: Value, _: Context, _: Callback) -> Result<(), Error> {
    let check = |n: &Value| match n.as_u64() {
        Some(n @ 3..) => Err(Error::new("RangeError", format!("{n} is too many"))),
        _ => Ok(()),
    };
    check(&event["n"])?;
    Ok(())
}

fn throw_caught(_: Value, _: Context, callback: Callback) {
    if let Err(error) = Err::<(), _>(Error::msg("inside")) {
        callback(None, Some(json!(error.message())));
    }
}

fn throw_in_timer(event: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        wait(2).await;
        if event["n"] != 0 {
            return Err(Error::new("RangeError", "in a timer"));
        }
        callback(None, Some(json!("not reached")));
        Ok(())
    });
}

fn throw_in_timer_of_nobody(_: Value, context: Context, _: Callback) {
    context.spawn(failing(Error::msg("in a timer")));
}

fn throw_is_a_panic(_: Value, _: Context, _: Callback) {
    panic!("a bug");
}

fn throw_is_a_panic_after_callback(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!("first")));
    panic!("a bug");
}

fn throw_is_a_panic_in_timer(event: Value, context: Context, callback: Callback) {
    later(&context, 2, move || {
        if event["n"] != 0 {
            panic!("a bug");
        }
        callback(None, Some(json!("not reached")));
    });
}

fn throw_in_timer_after_error(_: Value, context: Context, callback: Callback) {
    context.spawn(async move {
        wait(2).await;
        callback(Some(Error::msg("signalled")), None);
        Err::<(), _>(Error::msg("after"))
    });
}

// the event loop

fn hold_false_after_call(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback(None, Some(json!("deferred")));
    context.set_callback_waits_for_empty_event_loop(false);
}

fn hold_string_error(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback.fail("at once");
}

fn hold_fail(_: Value, context: Context) {
    hold(&context, || Ok(()));
    context.fail(Error::msg("at once"));
}

fn hold_succeed(_: Value, context: Context) {
    hold(&context, || Ok(()));
    context.succeed("at once");
}

async fn hold_async_return(_: Value, context: Context) -> Result<&'static str, Error> {
    hold(&context, || Ok(()));
    Ok("at once")
}

async fn hold_async_throw(_: Value, context: Context) -> Result<(), Error> {
    hold(&context, || Ok(()));
    Err(Error::msg("at once"))
}

fn hold_throw(_: Value, context: Context, _: Callback) -> Result<(), Error> {
    hold(&context, || Ok(()));
    Err(Error::msg("at once"))
}

fn hold_until_called(_: Value, context: Context, callback: Callback) {
    hold(&context, move || {
        callback(None, Some(json!("called late")));
        Ok(())
    });
}

fn hold_until_failed(_: Value, context: Context, callback: Callback) {
    hold(&context, move || {
        callback(Some(Error::msg("failed late")), None);
        Ok(())
    });
}

fn hold_then_done_is_late(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback(None, Some(json!("deferred")));
    let late = context.clone();
    later(&context, 2, move || late.done(None, Some(json!("done"))));
}

fn hold_then_error_is_late(_: Value, context: Context, callback: Callback) {
    hold(&context, || Ok(()));
    callback(None, Some(json!("deferred")));
    callback(Some(Error::msg("late")), None);
}

fn hold_then_throw(_: Value, context: Context, callback: Callback) {
    hold(&context, || Err(Error::msg("while it was deferred")));
    callback(None, Some(json!("deferred")));
}

fn hold_spawns_more(_: Value, context: Context, callback: Callback) {
    let more = context.clone();
    hold(&context, move || {
        later(&more, 5, || {});
        Ok(())
    });
    callback(None, Some(json!("deferred")));
}

fn hold_changed_result(_: Value, context: Context, callback: Callback) {
    let result = Arc::new(Mutex::new(vec!["at the call"]));
    let changed = Arc::clone(&result);
    hold(&context, move || {
        changed.lock().unwrap().push("while deferred");
        Ok(())
    });
    callback(None, Some(json!(*result.lock().unwrap())));
}

fn hold_never_called(_: Value, context: Context, _: Callback) {
    hold(&context, || Ok(()));
}

// unfinished tasks of an earlier invocation

/// Leaves an unfinished task behind, if the event asks for it.
fn leave(event: &Value, context: &Context) {
    if event["hold"] == true {
        hold(context, || {
            STATE.leftovers.fetch_add(1, Relaxed);
            Ok(())
        });
    }
}

fn leftover_result(event: Value, context: Context, callback: Callback<u32>) {
    context.set_callback_waits_for_empty_event_loop(false);
    leave(&event, &context);
    callback(None, Some(STATE.leftovers.load(Relaxed)));
}

fn leftover_error(event: Value, context: Context, callback: Callback) {
    leave(&event, &context);
    callback.fail(Error::msg(format!(
        "leftovers: {}",
        STATE.leftovers.load(Relaxed)
    )));
}

fn leftover_succeed(event: Value, context: Context) {
    leave(&event, &context);
    context.succeed(STATE.leftovers.load(Relaxed));
}

async fn leftover_async(event: Value, context: Context) -> Result<u32, Error> {
    leave(&event, &context);
    Ok(STATE.leftovers.load(Relaxed))
}

fn leftover_calls_back(event: Value, context: Context, callback: Callback) {
    context.set_callback_waits_for_empty_event_loop(false);
    if event["hold"] == true {
        hold(&context, move || {
            STATE.leftovers.fetch_add(1, Relaxed);
            callback(None, Some(json!("stale")));
            Ok(())
        });
        return context.succeed("first");
    }
    callback(None, Some(json!(STATE.leftovers.load(Relaxed))));
}

fn leftover_holds_the_next(event: Value, context: Context, callback: Callback) {
    let first = event["hold"] == true;
    if first {
        context.set_callback_waits_for_empty_event_loop(false);
        hold(&context, || Ok(()));
    }
    callback(None, Some(json!(if first { "first" } else { "second" })));
}

fn leftover_throws_into_the_next(event: Value, context: Context, callback: Callback) {
    let first = event["hold"] == true;
    if first {
        context.set_callback_waits_for_empty_event_loop(false);
        hold(&context, || Err(Error::msg("left over")));
    }
    callback(None, Some(json!(if first { "first" } else { "second" })));
}

// state kept between invocations

fn kept_callback_x2(_: Value, _: Context, callback: Callback) {
    if let Some(stale) = STATE.callback.lock().unwrap().replace(callback.clone()) {
        stale(None, Some(json!("stale")));
    }
    callback(None, Some(json!("fresh")));
}

fn kept_callback_error_x2(_: Value, _: Context, callback: Callback) {
    if let Some(stale) = STATE.callback.lock().unwrap().replace(callback.clone()) {
        stale(Some(Error::msg("stale")), None);
    }
    callback(None, Some(json!("fresh")));
}

fn kept_context_x2(_: Value, context: Context, callback: Callback) {
    if let Some(stale) = STATE.context.lock().unwrap().replace(context.clone()) {
        stale.fail("stale");
    }
    callback(None, Some(json!(context.aws_request_id)));
}

fn kept_flag_x2(_: Value, context: Context, callback: Callback<bool>) {
    callback(None, Some(context.callback_waits_for_empty_event_loop()));
    context.set_callback_waits_for_empty_event_loop(false);
}

fn load(context: &Context, done: impl FnOnce(Result<String, Error>) + Send + 'static) {
    later(context, 1, || {
        done(match STATE.tries.fetch_add(1, Relaxed) + 1 {
            1 => Err(Error::msg("not yet")),
            tries => Ok(format!("secret {tries}")),
        });
    });
}

fn kept_lazy_x4(_: Value, context: Context, callback: Callback<String>) {
    if let Some(secret) = &*STATE.secret.lock().unwrap() {
        return callback(None, Some(format!("{secret}, kept")));
    }
    load(&context, |loaded| {
        if let Ok(secret) = &loaded {
            *STATE.secret.lock().unwrap() = Some(secret.clone());
        }
        callback.settle(loaded);
    });
}

fn kept_list_x3(_: Value, _: Context, callback: Callback) {
    let mut requests = STATE.requests.lock().unwrap();
    let next = requests.len() + 1;
    requests.push(next);
    callback(None, Some(json!(*requests)));
}

fn kept_errors_x3(_: Value, _: Context, callback: Callback) -> Result<(), Error> {
    match STATE.tries.fetch_add(1, Relaxed) + 1 {
        2 => return Err(Error::msg("the second")),
        3 => callback.fail("the third"),
        _ => callback(None, Some(json!("the first"))),
    }
    Ok(())
}

// names of errors

fn name_empty(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("", "no name"));
}

fn name_unicode(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("Błąd🚀", "not ASCII"));
}

fn name_dots(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("com.example.Orders.NotFound", "dots"));
}

fn name_colons(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("orders::Missing: x", "colons"));
}

fn name_newline(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("Two\r\nLines", "newline"));
}

fn name_quotes(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new(r#""quoted" \ name"#, "quotes"));
}

fn name_very_long(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("N".repeat(5000), "long"));
}

fn name_number(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new(42.to_string(), "a number"));
}

fn name_of_subclass(_: Value, _: Context, callback: Callback) {
    #[derive(Debug)]
    struct OrderNotFound(&'static str);
    impl Display for OrderNotFound {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl std::error::Error for OrderNotFound {}
    callback.fail(OrderNotFound("without a name of its own"));
}

fn name_changed(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("TypeError", "renamed").with_type("Renamed"));
}

fn name_of_aggregate(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::new("AggregateError", "both failed"));
}

fn name_with_code(_: Value, _: Context, callback: Callback) {
    let error = std::io::Error::from_raw_os_error(2);
    callback.fail(Error::new("SystemError", "no such file").with_cause(error));
}

fn name_with_cause(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("outer").with_cause(Error::msg("inner")));
}

// messages of errors

fn message_unicode(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("zażółć 🚀 e\u{301} 日本"));
}

fn message_controls(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg(
        "\u{0}\u{1}\u{8}\u{b}\u{1b}\u{1f}\u{80}\u{2028}\u{2029}\u{feff}",
    ));
}

fn message_delete(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("delete \u{7f}"));
}

fn message_escapes(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("\"\\/\u{8}\u{c}\n\r\t</script>'&"));
}

fn message_crlf(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("one\r\ntwo\n\nthree\n"));
}

fn message_very_long(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("long ".repeat(5000)));
}

fn message_json(_: Value, _: Context, callback: Callback) {
    let message = json!({ "httpStatus": 404, "message": "\"none\"" });
    callback.fail(Error::msg(message.to_string()));
}

fn message_prefix(_: Value, _: Context, callback: Callback) {
    callback.fail(Error::msg("[404] Not Found"));
}

fn message_as_text(_: Value, _: Context, callback: Callback) {
    let texts = [
        Error::new("Named", "text"),
        Error::new("Named", ""),
        Error::msg(""),
        Error::new("TypeError", "x"),
    ];
    callback(None, Some(texts.iter().map(ToString::to_string).collect()));
}

fn message_as_text_without_name(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!(Error::new("", "text").to_string())));
}

// errors that are not of the class `Error`

fn like(name: &str, message: &str, stack: &str) -> Value {
    json!({ "name": name, "message": message, "stack": stack })
}

fn like_error(_: Value, _: Context, callback: Callback) {
    callback.fail(like(
        "Mine",
        "like an error",
        "Mine: like an error\n    at here",
    ));
}

fn like_error_and_more(_: Value, _: Context, callback: Callback) {
    let mut error = like("Mine", "like an error", "stack");
    error["code"] = json!(7);
    callback.fail(error);
}

fn like_error_no_stack(_: Value, _: Context, callback: Callback) {
    callback.fail(json!({ "name": "Mine", "message": "no stack" }));
}

fn like_error_empty_message(_: Value, _: Context, callback: Callback) {
    callback.fail(like("Mine", "", "stack"));
}

fn like_error_number_name(_: Value, _: Context, callback: Callback) {
    callback.fail(json!({ "name": 7, "message": "message", "stack": "stack" }));
}

fn like_error_thrown(_: Value, _: Context, _: Callback) -> Result<(), Value> {
    Err(like("Mine", "thrown", "stack"))
}

fn value_nested_array(_: Value, _: Context, callback: Callback) {
    callback.fail(json!([[1, [2, null]], [], ["a", {}, [true]], ""]));
}

fn value_empty_array(_: Value, _: Context, callback: Callback) {
    callback.fail(json!([]));
}

fn value_empty_object(_: Value, _: Context, callback: Callback) {
    callback.fail(json!({}));
}

fn value_numbers(_: Value, _: Context, callback: Callback) {
    callback.fail(json!([
        0.1,
        -0.0,
        1e21,
        1e20,
        1e-7,
        0.000_001,
        123_456_789.125,
        -1.5e300
    ]));
}

fn value_huge(_: Value, _: Context, callback: Callback) {
    callback.fail(1e21);
}

fn value_negative_zero(_: Value, _: Context, callback: Callback) {
    callback.fail(-0.0);
}

fn value_nan(_: Value, _: Context, callback: Callback) {
    callback.fail(f64::NAN);
}

fn value_infinity(_: Value, _: Context, callback: Callback) {
    callback.fail(f64::NEG_INFINITY);
}

fn value_fraction(_: Value, _: Context, callback: Callback) {
    callback.fail(0.1 + 0.2);
}

fn value_text_unicode(_: Value, _: Context, callback: Callback) {
    callback.fail("żółć 🚀\n\"\\\u{1}");
}

fn value_text_long(_: Value, _: Context, callback: Callback) {
    callback.fail("x".repeat(20_000));
}

// results

fn result_long(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!({ "text": "x".repeat(32 * 1024) })));
}

fn result_long_unicode(_: Value, _: Context, callback: Callback<String>) {
    callback(None, Some("ż🚀".repeat(5000)));
}

fn result_many_numbers(_: Value, _: Context, callback: Callback<Vec<u32>>) {
    callback(None, Some((0..5000).map(|i| i * 3).collect()));
}

fn result_many_keys(_: Value, _: Context, callback: Callback) {
    let entry = |i: u32| (format!("key {}", i * 7919 % 1000), json!(i));
    callback(None, Some((0..1000).map(entry).collect()));
}

fn result_100_deep(_: Value, _: Context, callback: Callback) {
    let deeper = |deep: Value, i| {
        if i % 2 == 1 {
            json!({ "deep": deep })
        } else {
            json!([deep])
        }
    };
    callback(None, Some((0..100).fold(json!("bottom"), deeper)));
}

fn result_1000_deep(_: Value, _: Context, callback: Callback) {
    let deeper = |deep: Value, _| json!({ "deep": deep });
    callback(None, Some((0..1000).fold(Value::Null, deeper)));
}

fn result_controls(_: Value, _: Context, callback: Callback<String>) {
    callback(None, Some((0..=0xa0_u8).map(char::from).collect()));
}

fn result_escapes(_: Value, _: Context, callback: Callback) {
    callback(
        None,
        Some(json!({
            "\"\\/\n": "</script>\u{2028}\u{2029}\u{feff}\u{fffd}\u{ffff}",
            "": "empty",
            "ключ": "\u{10ffff}",
        })),
    );
}

fn result_key_order(_: Value, _: Context, callback: Callback) {
    let nested = json!({ "y": 1, "x": 2 });
    callback(
        None,
        Some(json!({ "z": 1, "a": 2, "Z": 3, "_": 4, "a b": 5, "nested": nested })),
    );
}

fn result_number_keys(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!({ "b": 1, "10": 2, "9": 3 })));
}

fn result_numbers(_: Value, _: Context, callback: Callback) {
    let (most, least) = (9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64);
    callback(
        None,
        Some(json!([
            0,
            -1,
            most,
            least,
            0.1 + 0.2,
            5e-324,
            f64::EPSILON,
            1e-7,
            1.5,
            -0.001,
            123_456.789
        ])),
    );
}

fn result_numbers_e(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!([f64::MAX, 1e21, 0.000_001, 1e20])));
}

fn result_whole_floats(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!([1.0, -0.0, 100.0])));
}

fn result_not_numbers(_: Value, _: Context, callback: Callback<[f64; 3]>) {
    callback(None, Some([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]));
}

fn result_holes(_: Value, _: Context, callback: Callback) {
    let undefined = None::<u32>;
    callback(None, Some(json!([undefined, null, [undefined], {}])));
}

fn result_empties(_: Value, _: Context, callback: Callback) {
    callback(None, Some(json!(["", [], {}, null, false, 0])));
}

fn result_json_text(_: Value, _: Context, callback: Callback) {
    let text = json!({ "a": "\"" }).to_string();
    callback(None, Some(json!(json!(text).to_string())));
}

// events, echoed

fn echo_changed(mut event: Value, _: Context, callback: Callback) {
    event["response"] = json!({ "ok": true });
    event.as_object_mut().unwrap().shift_remove("name");
    event["n"] = Value::Null;
    callback(None, Some(event));
}

// context.done, fail and succeed

fn done_both(_: Value, context: Context) {
    context.done(Some(Error::msg("beats the result")), Some(json!("result")));
}

fn done_nothing(_: Value, context: Context) {
    context.done(None, None);
}

fn done_text(_: Value, context: Context) {
    context.done(Some("only a text".into_error()), None);
}

fn done_zero(_: Value, context: Context) {
    context.done(Some(0.into_error()), None);
}

fn done_then_callback(_: Value, context: Context, callback: Callback) {
    context.done(None, Some(json!("done")));
    callback(None, Some(json!("callback")));
}

fn done_circular(_: Value, context: Context) {
    context.done_callback().succeed(crate::first::Circular);
}

fn fail_null(_: Value, context: Context) {
    context.fail(Value::Null);
}

fn fail_false(_: Value, context: Context) {
    context.fail(false);
}

fn fail_object(_: Value, context: Context) {
    context.fail(json!({ "code": 7 }));
}

fn fail_two_arguments(_: Value, context: Context) {
    context.fail("first");
}

fn fail_then_succeed(_: Value, context: Context) {
    context.fail("failed");
    context.succeed("succeeded");
}

fn fail_later(_: Value, context: Context) {
    let late = context.clone();
    later(&context, 2, move || {
        late.fail(Error::new("Late", "failed late"))
    });
}

fn succeed_nothing(_: Value, context: Context) {
    context.succeed(());
}

fn succeed_twice(_: Value, context: Context) {
    context.succeed(1);
    context.succeed(2);
}

fn succeed_then_fail(_: Value, context: Context) {
    context.succeed("succeeded");
    context.fail("failed");
}

fn succeed_later(_: Value, context: Context) {
    let late = context.clone();
    later(&context, 2, move || late.succeed(json!({ "late": true })));
}

fn callback_then_fail(_: Value, context: Context, callback: Callback) {
    callback(None, Some(json!("callback")));
    context.fail("failed");
}

fn callback_then_succeed_later(_: Value, context: Context, callback: Callback) {
    callback(None, Some(json!("callback")));
    let late = context.clone();
    later(&context, 2, move || late.succeed("succeeded"));
}

// async functions, and functions that return a promise

async fn async_awaits(_: Value, context: Context) -> Result<String, Error> {
    let (callback, completion) = nodeback::callback();
    read(&context, "order", callback.into_error_first());
    let text: Option<Value> = completion.await?;
    Ok(format!(
        "got {}",
        text.unwrap_or_default().as_str().unwrap_or_default()
    ))
}

async fn async_awaits_error(_: Value, context: Context) -> Result<Option<Value>, Error> {
    let (callback, completion) = nodeback::callback();
    read_nothing(&context, "order", callback.into_error_first());
    completion.await
}

async fn async_catches(_: Value, context: Context) -> Result<Value, Error> {
    let (callback, completion) = nodeback::callback();
    find_order(&context, 9, callback.into_error_first());
    match completion.await {
        Ok(_) => Ok(Value::Null),
        Err(error) => Ok(json!({ "statusCode": 404, "body": error.to_string() })),
    }
}

async fn async_throws_value(_: Value) -> Result<(), Value> {
    Err(json!({ "code": 7 }))
}

async fn async_calls_back_then_throws(
    _: Value,
    _: Context,
    callback: Callback,
) -> Result<(), Error> {
    callback(None, Some(json!("first")));
    Err(Error::msg("after"))
}

async fn async_awaits_then_calls_back(_: Value, _: Context, callback: Callback) {
    wait(2).await;
    callback(None, Some(json!("callback")));
}

async fn async_fails_context(_: Value, context: Context) -> Result<&'static str, Error> {
    context.fail("failed");
    Ok("returned")
}

async fn async_forever(_: Value) -> Result<(), Error> {
    pending().await
}

async fn async_many(_: Value) -> Result<u32, Error> {
    Ok(join_all([1, 2, 3].map(|n| work(n * n)))
        .await
        .into_iter()
        .sum())
}

async fn promise_returned(_: Value) -> Result<&'static str, Error> {
    Ok(work("promised").await)
}

fn value_returned(_: Value, _: Context, _: Callback) {}
