//! A race between two tasks and a plain thread, each with its own clone of the callback. The first
//! call wins. A later call only leads to a line in the log, with the call sites of both.
//!
//! `cargo run --example spawned_task -- examples/events/spawned_task.json`

use nodeback::{Callback, Context, json};
use serde::Deserialize;
use std::{thread, time::Duration};
use tokio::time::sleep;

/// The time that each participant takes, in milliseconds.
#[derive(Deserialize)]
struct Race {
    frankfurt: u64,
    oregon: u64,
    thread: u64,
}

fn handler(race: Race, context: Context, callback: Callback) {
    for (mirror, ms) in [("frankfurt", race.frankfurt), ("oregon", race.oregon)] {
        let callback = callback.clone();
        context.spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            callback(None, Some(json!({ "winner": mirror })));
        });
    }
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(race.thread));
        callback(None, Some(json!({ "winner": "thread" })));
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
