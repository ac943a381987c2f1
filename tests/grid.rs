//! Tests the outcome of an invocation for each combination of what a handler does (the rows) and
//! its shape (the columns).
//
// A test is named row::column. `x` marks a test, `-` a combination that is impossible or redundant.
//
// columns: callback, fallible_callback, async_callback, fallible_async_callback,
//          async_return, sync_return, context_only
//
// result                           x x x x  x x  x
// null                             x x x x  x x  x
// error                            x x x x  x x  x
// thrown                           - x - x  - -  -  a returned `Err` is the row above
// twice                            x x x x  x -  x  async_return signals, then returns. sync_return
// error_then_result                x x x x  x -  x    could, too, but it runs on another thread, so
// thrown_after_callback            - x - x  x -  -    the response may be sent before it returns.
// never_called                     x x x x  - -  x  a return is always a signal
// panic                            x x x x  x x  x
// panic_after_callback             x x x x  x -  x
// from_a_task                      x x x x  x x  x
// from_a_thread                    x x x x  x x  x
// after_the_deadline               x x x x  x x  x
// result_that_does_not_serialize   x x x x  x x  x
// bad_event                        x x x x  x x  x

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use nodeback::{CallSite, Callback, Context, Error, Outcome, Value, error, json};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};
use tokio::{task, time};

/// Returns an event that is valid as a [`Value`] and invalid as an [`Order`].
fn event() -> Value {
    json!({ "items": [{ "count": 1 }, { "count": "two" }] })
}

#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    count: u32,
}

impl Order {
    fn total(&self) -> u32 {
        self.items.iter().map(|item| item.count).sum()
    }
}

/// A map whose keys are not strings, which JSON cannot represent.
type Unserializable = BTreeMap<Vec<u8>, u8>;

fn unserializable() -> Unserializable {
    BTreeMap::from([(vec![1], 1)])
}

fn context() -> Context {
    Context::builder().timeout(MINUTE).build()
}

const MINUTE: Duration = Duration::from_secs(60);

fn boom() {
    panic!("boom")
}

/// Returns the `errorType` and the `errorMessage` of the outcome.
fn failure(outcome: &Outcome) -> (&str, &str) {
    let error = outcome.result.as_ref().unwrap_err();
    (error.error_type(), error.message())
}

/// Defines one row: the attribute of its tests after `in`, what the handler does for each group of
/// shapes, the check of the outcome after `=>`, and further tests that need their own code.
macro_rules! row {
    (
        $row:ident in $test:tt
        $($shapes:ident |$($argument:tt: $type:ty),+| $body:block)+
        => |$outcome:ident| $then:block
        $($and:item)*
    ) => {
        mod $row {
            use super::*;

            fn then($outcome: Outcome) $then

            $(cells!($test $shapes [$($argument: $type),+] $body);)+
            $($and)*
        }
    };
}

/// Defines the tests of a group of shapes that share a body.
macro_rules! cells {
    ($test:tt callbacks [$($arguments:tt)+] $body:block) => {
        cells!($test infallible [$($arguments)+] $body);
        cells!($test fallible [$($arguments)+] { $body Ok::<(), Error>(()) });
    };
    ($test:tt infallible [$($arguments:tt)+] $body:block) => {
        cell!($test callback |$($arguments)+| $body);
        cell!($test async_callback async |$($arguments)+| $body);
    };
    ($test:tt fallible [$($arguments:tt)+] $body:block) => {
        cell!($test fallible_callback |$($arguments)+| $body);
        cell!($test fallible_async_callback async |$($arguments)+| $body);
    };
    ($test:tt returns [$($arguments:tt)+] $body:block) => {
        cells!($test async_return [$($arguments)+] $body);
        cells!($test sync_return [$($arguments)+] $body);
    };
    ($test:tt async_return [$($arguments:tt)+] $body:block) => {
        cell!($test async_return async |$($arguments)+| $body);
    };
    ($test:tt sync_return [$($arguments:tt)+] $body:block) => {
        cell!($test sync_return |$($arguments)+| $body);
    };
    ($test:tt context_only [$($arguments:tt)+] $body:block) => {
        cell!($test context_only |$($arguments)+| $body);
    };
}

macro_rules! cell {
    ([$($test:tt)+] $column:ident $($handler:tt)+) => {
        #[$($test)+]
        async fn $column() {
            then(nodeback::invoke($($handler)+, event(), context()).await);
        }
    };
}

row! { result in [tokio::test]
    callbacks |event: Value, _: Context, callback: Callback| { callback(None, Some(event)); }
    returns |event: Value, _: Context| { Ok::<_, Error>(event) }
    context_only |event: Value, context: Context| { context.succeed(event); }
    => |outcome| {
        assert_eq!(outcome.result.unwrap(), event());
        assert!(outcome.duplicate_signals.is_empty() && outcome.unfinished_tasks.is_empty());
    }
}

row! { null in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback| { callback(None, None); }
    returns |_: Value, _: Context| { Ok::<(), Error>(()) }
    context_only |_: Value, context: Context| { context.done(None, None); }
    => |outcome| { assert_eq!(outcome.result.unwrap(), Value::Null); }
}

row! { error in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback| {
        callback(Some(error!("boom")), Some(json!("ignored")));
    }
    returns |_: Value, _: Context| { Err::<Value, _>(error!("boom")) }
    context_only |_: Value, context: Context| { context.fail(error!("boom")); }
    => |outcome| {
        assert_eq!(failure(&outcome), ("Error", "boom"));
        assert!(outcome.duplicate_signals.is_empty());
    }
}

row! { thrown in [tokio::test]
    fallible |_: Value, _: Context, _callback: Callback| { Err("thrown string") }
    => |outcome| {
        assert_eq!(failure(&outcome), ("string", "thrown string"));
        assert!(outcome.duplicate_signals.is_empty());
    }
}

row! { twice in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback| {
        callback(None, Some(json!(1)));
        callback(None, Some(json!(2)));
    }
    async_return |_: Value, context: Context| {
        context.succeed(1);
        Ok::<_, Error>(2)
    }
    context_only |_: Value, context: Context| {
        context.succeed(1);
        context.succeed(2);
    }
    => |outcome| {
        assert_eq!(outcome.result.unwrap(), json!(1));
        assert_eq!((outcome.duplicate_signals.len(), outcome.duplicate_signal_count), (1, 1));
    }
}

row! { error_then_result in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback| {
        callback(Some(error!("first")), None);
        callback(None, Some(json!(2)));
    }
    async_return |_: Value, context: Context| {
        context.fail(error!("first"));
        Ok::<_, Error>(2)
    }
    context_only |_: Value, context: Context| {
        context.fail(error!("first"));
        context.succeed(2);
    }
    => |outcome| {
        assert_eq!(failure(&outcome), ("Error", "first"));
        assert_eq!(outcome.duplicate_signal_count, 1);
    }
}

row! { thrown_after_callback in [tokio::test]
    fallible |_: Value, _: Context, callback: Callback| {
        callback(None, Some(json!("first")));
        Err(error!("after"))
    }
    async_return |_: Value, context: Context| {
        context.succeed("first");
        Err::<Value, _>(error!("after"))
    }
    => |outcome| {
        assert_eq!(outcome.result.unwrap(), json!("first"));
        assert_eq!(outcome.duplicate_signals[0].duplicate, CallSite::Returned);
    }
}

row! { never_called in [tokio::test]
    callbacks |_: Value, _: Context, _callback: Callback| {}
    context_only |_: Value, _: Context| {}
    => |outcome| {
        let (error_type, message) = failure(&outcome);
        assert_eq!(error_type, "Runtime.CallbackNotCalled");
        assert!(!message.contains("src/"), "a location in this crate instead of the handler: {message}");
    }
}

row! { panic in [tokio::test]
    callbacks |_: Value, _: Context, _callback: Callback| { boom(); }
    returns |_: Value, _: Context| { boom(); Ok::<_, Error>(1) }
    context_only |_: Value, _: Context| { boom(); }
    => |outcome| { assert_eq!(failure(&outcome), ("Runtime.Panic", "boom")); }
}

row! { panic_after_callback in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback| {
        callback(None, Some(json!("first")));
        boom();
    }
    async_return |_: Value, context: Context| {
        context.succeed("first");
        boom();
        Ok::<_, Error>(1)
    }
    context_only |_: Value, context: Context| {
        context.succeed("first");
        boom();
    }
    => |outcome| { assert_eq!(failure(&outcome), ("Runtime.Panic", "boom")); }
}

row! { from_a_task in [tokio::test]
    callbacks |event: Value, _: Context, callback: Callback| {
        task::spawn(async move {
            task::yield_now().await;
            callback(None, Some(event));
        });
    }
    async_return |event: Value, _: Context| { task::spawn(async move { event }).await }
    sync_return |event: Value, _: Context| {
        let task = task::spawn(async move { event });
        tokio::runtime::Handle::current().block_on(task)
    }
    context_only |event: Value, context: Context| {
        task::spawn(async move {
            task::yield_now().await;
            context.succeed(event);
        });
    }
    => |outcome| { assert_eq!(outcome.result.unwrap(), event()); }
}

row! { from_a_thread in [tokio::test]
    callbacks |event: Value, _: Context, callback: Callback| {
        thread::spawn(move || callback(None, Some(event)));
    }
    async_return |event: Value, _: Context| {
        let (callback, completion) = nodeback::callback();
        thread::spawn(move || callback(None, Some(event)));
        completion.await
    }
    sync_return |event: Value, _: Context| {
        let (callback, completion) = nodeback::callback();
        thread::spawn(move || callback(None, Some(event)));
        completion.wait()
    }
    context_only |event: Value, context: Context| {
        thread::spawn(move || context.succeed(event));
    }
    => |outcome| { assert_eq!(outcome.result.unwrap(), event()); }
}

row! { after_the_deadline in [tokio::test(start_paused = true)]
    callbacks |_: Value, _: Context, callback: Callback| {
        task::spawn(async move {
            time::sleep(2 * MINUTE).await;
            callback(None, Some(json!("late")));
        });
    }
    async_return |_: Value, _: Context| {
        time::sleep(2 * MINUTE).await;
        Ok::<_, Error>("late")
    }
    context_only |_: Value, context: Context| {
        task::spawn(async move {
            time::sleep(2 * MINUTE).await;
            context.succeed("late");
        });
    }
    => |outcome| {
        let message = "RequestId: 00000000-0000-4000-8000-000000000000 \
                       Error: Task timed out after 60.00 seconds";
        assert_eq!(failure(&outcome), ("Sandbox.Timedout", message));
        assert!(outcome.duplicate_signals.is_empty());
    }

    /// This test cannot pause tokio's clock, which does not advance while a blocking task runs.
    #[tokio::test]
    async fn sync_return() {
        let (release, released) = mpsc::channel::<()>();
        let released = parking_lot::Mutex::new(released);
        let handler = move |_: Value, _: Context| {
            let _ = released.lock().recv();
            Ok::<_, Error>("late")
        };
        let context = Context::builder().timeout(Duration::from_millis(20));
        let outcome = nodeback::invoke(handler, event(), context.build()).await;
        drop(release);
        assert_eq!(failure(&outcome).0, "Sandbox.Timedout");
    }
}

row! { result_that_does_not_serialize in [tokio::test]
    callbacks |_: Value, _: Context, callback: Callback<Unserializable>| {
        callback(None, Some(unserializable()));
    }
    returns |_: Value, _: Context| { Ok::<_, Error>(unserializable()) }
    context_only |_: Value, context: Context| { context.succeed(unserializable()); }
    => |outcome| {
        assert_eq!(failure(&outcome), ("Error", "Unable to stringify response body"));
    }
}

row! { bad_event in [tokio::test]
    callbacks |order: Order, _: Context, callback: Callback<u32>| { callback.succeed(order.total()); }
    returns |order: Order, _: Context| { Ok::<_, Error>(order.total()) }
    context_only |order: Order, context: Context| { context.succeed(order.total()); }
    => |outcome| {
        let (error_type, message) = failure(&outcome);
        assert_eq!(error_type, "Runtime.UnmarshalError");
        let start = "unable to parse the event at `items[1].count`: invalid type: string \"two\"";
        assert!(message.starts_with(start), "{message}");
    }
}
