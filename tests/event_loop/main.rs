//! Tests the event loop of an invocation: the order of its tasks, what the response waits for, and
//! which invocation is the current one. Most tests run on every flavor of tokio's runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod a_signal_and_a_failure;
mod a_task;
mod after_the_response;
#[path = "../common/flavors.rs"]
mod flavors;
mod order;
mod the_current_invocation;
mod the_response_waits;

use flavors::on_every_flavor;
use nodeback::{
    Callback, Context, Error, Handler, NeverCalled, Outcome, Result, Runtime, UnfinishedTask,
    Value, error, json, set_immediate, set_timeout,
};
use parking_lot::Mutex;
use std::{
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    thread,
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time,
};

const TICK: Duration = Duration::from_millis(4);

/// What happened, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: impl ToString) {
        self.0.lock().push(what.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

async fn invoke<M>(handler: impl Handler<M>) -> Outcome {
    let context = Context::builder().timeout(Duration::from_secs(20)).build();
    nodeback::invoke(handler, json!({}), context).await
}

/// Returns the error of an outcome as `errorType: errorMessage`.
fn failure(outcome: Outcome) -> String {
    let error = outcome.result.unwrap_err();
    format!("{}: {}", error.error_type(), error.message())
}

/// Returns a function to call once for each job. The last call responds with the jobs in the order
/// of the calls.
fn fan_in(jobs: usize, callback: Callback) -> impl Fn(usize) + Clone + Send + 'static {
    let done = Arc::new(Mutex::new(vec![]));
    move |job| {
        let mut done = done.lock();
        done.push(job);
        if done.len() == jobs {
            callback.clone().succeed(json!(*done));
        }
    }
}
