//! Tests `promisify` and `callbackify`: an outcome passes between callbacks and futures exactly
//! once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use futures::FutureExt;
use nodeback::{
    CallSite, Callback, Context, Error, IntoError, Result, Value, callbackify, invoke, json,
    promisify,
};
use std::{
    future::pending,
    io,
    panic::catch_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

type Done<R> = Box<dyn FnOnce(Result<R, io::Error>) + Send>;

#[tokio::test]
async fn a_promisified_call_completes_with_what_its_callback_was_called_with() {
    let good = promisify(|done| done.succeed(7));
    assert_eq!(good.await.unwrap(), Some(7));
    let bad = promisify::<u8, _>(|done| done.fail("no"));
    assert_eq!(bad.await.unwrap_err().message(), "no");
    let nothing = promisify::<u8, _>(|done| done(None, None));
    assert_eq!(nothing.await.unwrap(), None);
}

#[tokio::test]
async fn a_promisified_call_waits_for_a_later_signal() {
    let (keep, kept) = std::sync::mpsc::channel::<Done<u8>>();
    let completion = promisify(|done| keep.send(Box::new(done.into_once())).unwrap());
    tokio::spawn(async move { kept.recv().unwrap()(Ok(7)) });
    assert_eq!(completion.await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_promisified_call_that_drops_its_callback_fails() {
    let error = promisify::<u8, _>(drop).await.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
}

#[tokio::test]
async fn a_callbackified_future_signals_its_output() {
    let (callback, completion) = nodeback::callback();
    callbackify(async { "7".parse::<u8>() }, callback).await;
    assert_eq!(completion.await.unwrap(), Some(7));
    let (callback, completion) = nodeback::callback();
    callbackify(async { "x".parse::<u8>() }, callback).await;
    assert_eq!(completion.await.unwrap_err().error_type(), "ParseIntError");
}

#[tokio::test]
async fn a_panic_of_a_callbackified_task_is_the_outcome() {
    async fn fails(event: Value) -> Result<Value, io::Error> {
        assert!(event.is_null(), "no event was expected");
        pending().await
    }
    let handler = |event: Value, context: Context, callback: Callback| {
        context.spawn(callbackify(fails(event), callback));
    };
    let outcome = invoke(handler, json!({}), Context::default()).await;
    assert_eq!(
        outcome.result.unwrap_err().message(),
        "no event was expected"
    );
}

#[tokio::test]
async fn dropping_a_callbackified_future_drops_its_callback() {
    let (callback, completion) = nodeback::callback::<u8>();
    drop(callbackify(pending::<Result<u8, io::Error>>(), callback));
    assert_eq!(
        completion.await.unwrap_err().error_type(),
        "Runtime.CallbackNotCalled"
    );
}

#[tokio::test]
async fn a_promisified_call_starts_before_it_is_awaited() {
    let mut called = false;
    let completion = promisify(|done: Callback<u8>| {
        called = true;
        done
    });
    assert!(called);
    drop(completion);
}

#[tokio::test]
async fn the_signal_of_a_promisified_call_whose_future_was_dropped_is_rejected() {
    let mut kept = None;
    let completion = promisify(|done| kept = Some(done));
    let done = kept.unwrap();
    assert!(!done.is_signalled());
    drop(completion);
    assert!(done.is_signalled());
    let rejected = done.try_settle(Ok::<_, io::Error>(7)).unwrap_err();
    assert_eq!(rejected.first(), CallSite::Closed);
}

#[test]
fn a_panic_in_a_promisified_call_passes_through() {
    let panicked = catch_unwind(|| promisify::<u8, _>(|_| panic!("in the call")));
    let payload = panicked.unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "in the call");
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_a_promisified_call_drops_fails_the_handler_at_once() {
    async fn drops(context: Context, callback: Callback<u8>) -> Result<()> {
        let item = promisify(|done| {
            context.spawn(async move {
                sleep(Duration::from_secs(1)).await;
                drop::<Callback<u8>>(done);
            })
        });
        callback.settle(Ok::<_, Error>(item.await?.unwrap()));
        Ok(())
    }
    async fn in_the_handler(_: Value, context: Context, callback: Callback<u8>) -> Result<()> {
        drops(context, callback).await
    }
    fn in_a_task(_: Value, context: Context, callback: Callback<u8>) {
        context.spawn(drops(context.clone(), callback));
    }
    async fn ends<M>(handler: impl nodeback::Handler<M>) {
        let started = Instant::now();
        let outcome = invoke(handler, json!({}), Context::default()).await;
        let error = outcome.result.unwrap_err();
        assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
        // At the time of the drop, not at the deadline.
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    }
    ends(in_the_handler).await;
    ends(in_a_task).await;
}

#[tokio::test]
async fn a_callbackified_future_runs_when_it_is_polled() {
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let (callback, completion) = nodeback::callback();
    let work = async move {
        runs.store(true, SeqCst);
        Ok::<_, io::Error>(7)
    };
    let future = callbackify(work, callback);
    tokio::task::yield_now().await;
    assert!(!ran.load(SeqCst));
    future.await;
    assert!(ran.load(SeqCst));
    assert_eq!(completion.await.unwrap(), Some(7));
}

#[tokio::test]
async fn an_error_of_a_callbackified_task_after_another_signal_is_rejected_with_its_call_site() {
    let at = Arc::new(AtomicU32::new(0));
    let called_at = Arc::clone(&at);
    let handler = move |_: Value, context: Context, callback: Callback| {
        callback(None, Some(json!("first")));
        let fails = async { Err::<Value, _>("too late") };
        called_at.store(line!() + 1, SeqCst);
        context.spawn(callbackify(fails, callback));
    };
    let outcome = invoke(handler, json!({}), Context::default()).await;
    assert_eq!(outcome.result.unwrap(), "first");
    let [rejected] = &*outcome.duplicate_signals else {
        panic!("{:?}", outcome.duplicate_signals)
    };
    let CallSite::Call {
        location: duplicate,
        ..
    } = rejected.duplicate
    else {
        panic!("{rejected}")
    };
    assert_eq!(
        (duplicate.file(), duplicate.line()),
        (file!(), at.load(SeqCst))
    );
}

#[tokio::test]
async fn a_panic_of_a_callbackified_future_outside_an_invocation_drops_its_callback() {
    let (callback, completion) = nodeback::callback::<u8>();
    let panics = async {
        let result: Option<io::Result<u8>> = tokio::task::yield_now().map(|()| None).await;
        result.expect("a result")
    };
    tokio::spawn(callbackify(panics, callback));
    let error = completion.await.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
    assert!(error.message().contains("by a panic"), "{error}");
}

#[tokio::test]
async fn the_values_that_a_callbackified_future_holds_are_dropped_before_it_signals() {
    struct Held(Arc<AtomicBool>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let held = Held(Arc::clone(&dropped));
    let callback = Callback::from_fn(move |_, _: Option<u8>| assert!(dropped.load(SeqCst)));
    let work = async move {
        tokio::task::yield_now().await;
        Ok::<_, io::Error>(u8::from(held.0.load(SeqCst)))
    };
    callbackify(work, callback).await;
}

#[tokio::test]
async fn a_round_trip_through_both_keeps_the_error() {
    let twice = promisify(|done| {
        let work = async { Err::<u8, _>(Error::new("OrderNotFound", "no order 7")) };
        tokio::spawn(callbackify(work, done));
    });
    let error = twice.await.unwrap_err();
    assert_eq!(error.to_string(), "OrderNotFound: no order 7");
}

/// The expectations are what `util.promisify` of Node 20 did with `callback(err, 7)`.
#[tokio::test]
async fn a_falsy_error_resolves_as_in_node() {
    for falsy in [json!(0), json!(-0.0), json!(""), json!(false)] {
        let error = || falsy.clone().into_error();
        let both = promisify(|done| done.call(Some(error()), Some(7)));
        assert_eq!(both.await.unwrap(), Some(7), "{falsy}");
        let literal = promisify(|done| done(Some(error()), Some(7)));
        assert_eq!(literal.await.unwrap(), Some(7), "{falsy}");
        let passed_on = promisify(|done| done.into_error_first()(Some(error()), Some(7)));
        assert_eq!(passed_on.await.unwrap(), Some(7), "{falsy}");
        let clone = promisify(|done| done.clone().call(Some(error()), Some(7)));
        assert_eq!(clone.await.unwrap(), Some(7), "{falsy}");
        let alone = promisify::<u8, _>(|done| done.fail(error()));
        assert_eq!(alone.await.unwrap(), None, "{falsy}");
        let result = promisify::<u8, _>(|done| done.into_once()(Err(error())));
        assert_eq!(result.await.unwrap(), None, "{falsy}");
        let only = promisify::<u8, _>(|done| done.into_error_only()(error()));
        assert_eq!(only.await.unwrap(), None, "{falsy}");
        let tried = promisify::<u8, _>(|done| done.try_settle(Err(error())).unwrap());
        assert_eq!(tried.await.unwrap(), None, "{falsy}");
    }
    for truthy in [
        json!(1),
        json!("x"),
        json!("0"),
        json!(true),
        json!([]),
        json!({}),
    ] {
        let rejected = promisify(|done| done.call(Some(truthy.clone().into_error()), Some(7)));
        assert!(rejected.await.is_err(), "{truthy}");
    }
    // `new Error('')` is an object, and therefore truthy.
    let rejected = promisify(|done| done.call(Some(Error::msg("")), Some(7)));
    assert!(rejected.await.is_err());
}

#[tokio::test]
async fn a_callback_that_is_not_promisified_fails_even_with_a_falsy_error() {
    let (callback, completion) = nodeback::callback();
    callback(Some(0.into_error()), Some(7));
    assert_eq!(completion.await.unwrap_err().message(), "0");
    let handler = |_: Value, _: Context, callback: Callback| callback.fail("");
    let outcome = invoke(handler, json!({}), Context::default()).await;
    assert_eq!(outcome.result.unwrap_err().error_type(), "string");
}

/// The expectations are what `util.callbackify` of Node 20 passed to its callback.
#[tokio::test]
async fn a_falsy_rejection_is_wrapped_as_in_node() {
    for falsy in [json!(0), json!(""), json!(false)] {
        let (callback, completion) = nodeback::callback::<u8>();
        let rejects = async move { Err(falsy) };
        callbackify(rejects, callback).await;
        let error = completion.await.unwrap_err();
        assert_eq!(
            (error.error_type(), error.code(), error.message()),
            (
                "Error",
                Some("ERR_FALSY_VALUE_REJECTION"),
                "Promise was rejected with falsy value"
            )
        );
    }
    let (callback, completion) = nodeback::callback::<u8>();
    callbackify(async { Err("x") }, callback).await;
    assert_eq!(completion.await.unwrap_err().message(), "x");
}
