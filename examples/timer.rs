//! Node's `setTimeout(() => callback(null, ..), ms)`.
//!
//! `cargo run --example timer -- examples/events/timer.json`

use nodeback::{Callback, Context, Value, json};
use std::time::Duration;
use tokio::time::sleep;

fn handler(event: Value, context: Context, callback: Callback) {
    let ms = event["ms"].as_u64().unwrap_or(0);
    context.spawn(async move {
        sleep(Duration::from_millis(ms)).await;
        callback.succeed(json!({ "waited": ms }));
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
