//! Invocations to try `--timeline` with: a fan-in, a duplicate signal, a deferred response, a timeout,
//! and a handler that blocks its thread. `README.md` in this folder shows the first four timelines.
//!
//! `cargo run --example what_happened -- --timeline timeline.html '"fan-in"' '"duplicate"' '"deferred"' '"timeout"'`

use nodeback::{Callback, Context, error, json, set_timeout};
use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tokio::time::sleep;

fn handler(which: String, context: Context, callback: Callback) {
    match which.as_str() {
        "fan-in" => fan_in(&context, callback),
        "duplicate" => duplicate(callback),
        "deferred" => deferred(&context, callback),
        "timeout" => timeout(&context, callback),
        "blocked" => blocked(callback),
        other => callback.fail(error!("nothing is called {other}")),
    }
}

/// Calls back when five reads have completed.
fn fan_in(context: &Context, callback: Callback) {
    let left = Arc::new(Mutex::new((5, Some(callback))));
    for part in 1..=5 {
        let left = Arc::clone(&left);
        context.spawn(async move {
            sleep(Duration::from_millis(60 - 10 * part)).await;
            tracing::info!(part, "read");
            let (count, callback) = &mut *left.lock().unwrap();
            *count -= 1;
            if let Some(callback) = callback.take_if(|_| *count == 0) {
                callback.succeed(json!("all five"));
            }
        });
    }
}

/// Calls back when its work is done, and again when a timer fires.
fn duplicate(callback: Callback) {
    let late = callback.clone();
    set_timeout(Duration::from_millis(30), move || late.fail("too slow"));
    set_timeout(Duration::from_millis(10), move || {
        callback.succeed(json!("in time"))
    });
}

/// Responds when a write has completed, and keeps working after the response.
fn deferred(context: &Context, callback: Callback) {
    callback.succeed(json!("written"));
    context.spawn(sleep(Duration::from_millis(40)));
    context.wait_until(async {
        sleep(Duration::from_millis(140)).await;
        tracing::info!("sent the metrics");
    });
}

/// Never calls back.
fn timeout(context: &Context, callback: Callback) {
    context.spawn(sleep(Duration::from_millis(200)));
    context.spawn(async move {
        std::future::pending::<()>().await;
        callback.succeed(json!("never"));
    });
}

/// Blocks its thread beyond the deadline.
fn blocked(callback: Callback) {
    thread::sleep(Duration::from_secs(4));
    callback.succeed(json!("too late"));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
