//! Between callbacks and futures: an outcome passes either way, once.

use nodeback::{Callback, Context, Value, callbackify, invoke, json, promisify};
use std::{future::pending, io};

type Done<R> = Box<dyn FnOnce(Result<R, io::Error>) + Send>;

#[tokio::test]
async fn a_promisified_call_ends_as_its_callback_was_called() {
    let good = promisify(|done| done.succeed(7));
    assert_eq!(good.await.unwrap(), Some(7));
    let bad = promisify::<u8, _>(|done| done.fail("no"));
    assert_eq!(bad.await.unwrap_err().message(), "no");
    let nothing = promisify::<u8, _>(|done| done(None, None));
    assert_eq!(nothing.await.unwrap(), None);
}

#[tokio::test]
async fn a_promisified_call_waits_for_what_comes_later() {
    let (keep, kept) = std::sync::mpsc::channel::<Done<u8>>();
    let completion = promisify(|done| keep.send(Box::new(done.into_once())).unwrap());
    tokio::spawn(async move { kept.recv().unwrap()(Ok(7)) });
    assert_eq!(completion.await.unwrap(), Some(7));
}

#[tokio::test]
async fn an_api_that_drops_its_callback_is_told() {
    let error = promisify::<u8, _>(drop).await.unwrap_err();
    assert_eq!(error.error_type(), "Runtime.CallbackNotCalled");
}

#[tokio::test]
async fn a_callbackified_future_signals_what_it_ends_with() {
    let (callback, completion) = nodeback::callback();
    callbackify(async { "7".parse::<u8>() }, callback).await;
    assert_eq!(completion.await.unwrap(), Some(7));
    let (callback, completion) = nodeback::callback();
    callbackify(async { "x".parse::<u8>() }, callback).await;
    assert_eq!(completion.await.unwrap_err().error_type(), "ParseIntError");
}

#[tokio::test]
async fn a_panic_of_a_callbackified_task_is_the_answer() {
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
async fn a_callbackified_future_that_is_dropped_loses_its_callback() {
    let (callback, completion) = nodeback::callback::<u8>();
    drop(callbackify(pending::<Result<u8, io::Error>>(), callback));
    assert_eq!(
        completion.await.unwrap_err().error_type(),
        "Runtime.CallbackNotCalled"
    );
}
