//! Tests the context: its members, its clock, and the tasks that it runs.
//!
//! Most tests pause tokio's clock. It then advances as soon as every task waits, so that the tests
//! take no time and measure it exactly.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod at_once;
#[path = "../common/mod.rs"]
mod common;
mod deadline;
mod failure;
mod members;
mod remaining_time;
mod return_without_content;
mod success;
mod tasks;
mod unfinished_tasks;
mod wait_until;

use common::Log;
use nodeback::{
    Callback, CognitoIdentity, Context, Error, Handler, Outcome, Task, UnfinishedTask, Value,
    error, json,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::oneshot,
    task,
    time::{self, Instant},
};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);
/// When tasks are aborted: 50 ms before the deadline, which leaves time to send the response.
const ABORTED_AT: Duration = Duration::from_millis(2_950);

async fn second() {
    time::sleep(SECOND).await;
}

fn boom() {
    panic!("boom")
}

async fn forever() {
    std::future::pending().await
}

/// Runs a handler. Returns its outcome and how long it took.
async fn timed<M>(handler: impl Handler<M>) -> (Outcome, Duration) {
    let started = Instant::now();
    let context = Context::builder().aws_request_id("request-7").build();
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    (outcome, started.elapsed())
}

/// Runs a handler. Returns its result, with the message of an error, and how long it took.
async fn result_of<M>(handler: impl Handler<M>) -> (Result<Value, String>, Duration) {
    let (outcome, elapsed) = timed(handler).await;
    (outcome.result.map_err(|e| e.message().into()), elapsed)
}

fn failed(message: &str) -> Result<Value, String> {
    Err(message.into())
}

/// Returns the start of a location in the caller's file, without the column.
#[track_caller]
fn line(line: u32) -> String {
    format!("{}:{line}:", std::panic::Location::caller().file())
}

fn since_1970() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_task_is_reported_and_not_the_callback_that_it_dropped() {
    let fails = |event: Value, context: Context, callback: Callback| {
        context.spawn(async move {
            let _callback = callback;
            match event.as_u64() {
                Some(n) if n % 2 == 0 => panic!("even"),
                _ => Err::<(), _>("odd"),
            }
        });
    };
    for n in 0..500 {
        let outcome = nodeback::invoke(fails, json!(n), Context::default()).await;
        let expected = ["even", "odd"][n % 2];
        assert_eq!(outcome.result.unwrap_err().message(), expected);
    }
}

#[tokio::test]
async fn a_wrapper_that_a_task_drops_is_reported_at_once() {
    let drops = |_: Value, context: Context, callback: Callback| {
        let wrapped = Callback::from_fn(move |error, result: Option<Value>| {
            callback(error, result);
        });
        context.spawn(async move { drop(wrapped) });
    };
    let (result, took) = result_of(drops).await;
    let message =
        "the callback was never called: its last handle, the callback itself, was dropped";
    assert!(result.unwrap_err().starts_with(message));
    assert!(took < SECOND);
}
