//! Specifies the context: its members, its clock, and the event loop that its tasks make up.
//!
//! The clock is paused: a test in which nothing can run on takes no time, and measures it exactly.

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
/// The deadline less the gap in which the answer is still sent.
const CUT_OFF: Duration = Duration::from_millis(2_950);

async fn second() {
    time::sleep(SECOND).await;
}

fn boom() {
    panic!("boom")
}

async fn forever() {
    std::future::pending().await
}

/// Runs a handler, and tells how long that took.
async fn timed<M>(handler: impl Handler<M>) -> (Outcome, Duration) {
    let started = Instant::now();
    let context = Context::builder().aws_request_id("request-7").build();
    let outcome = nodeback::invoke(handler, json!({}), context).await;
    (outcome, started.elapsed())
}

/// What a handler answers with, and after how long.
async fn answer<M>(handler: impl Handler<M>) -> (Result<Value, String>, Duration) {
    let (outcome, elapsed) = timed(handler).await;
    (outcome.result.map_err(|e| e.message().into()), elapsed)
}

fn failed(message: &str) -> Result<Value, String> {
    Err(message.into())
}

/// The start of a location in the caller's file, up to its column.
#[track_caller]
fn line(line: u32) -> String {
    format!("{}:{line}:", std::panic::Location::caller().file())
}

fn since_1970() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_fails_with_is_told_and_not_that_it_dropped_the_callback() {
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
async fn the_loss_of_a_wrapper_in_a_task_is_told_at_once() {
    let loses = |_: Value, context: Context, callback: Callback| {
        let wrapped = Callback::from_fn(move |error, result: Option<Value>| {
            callback(error, result);
        });
        context.spawn(async move { drop(wrapped) });
    };
    let (answer, took) = answer(loses).await;
    let message = "the callback was never called: the last callback of a wrapper was dropped";
    assert!(answer.unwrap_err().starts_with(message));
    assert!(took < SECOND);
}

#[tokio::test]
async fn the_loss_of_a_wrapper_that_forwards_nothing_is_told_at_once() {
    let loses = |_: Value, context: Context, callback: Callback| {
        let wrapped = Callback::from_fn(move |_, _: Option<Value>| drop(callback));
        context.spawn(async move { drop(wrapped) });
    };
    let (answer, took) = answer(loses).await;
    assert!(
        answer
            .unwrap_err()
            .starts_with("the callback was never called")
    );
    assert!(took < SECOND);
}
