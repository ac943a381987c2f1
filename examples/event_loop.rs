//! Node's `callbackWaitsForEmptyEventLoop`. If it is true, which is the default, a success waits
//! for the tasks of the invocation. If it is false, they continue while the next invocation runs.
//!
//! `cargo run --example event_loop -- examples/events/event_loop.json`
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     context.callbackWaitsForEmptyEventLoop = event.wait;
//!     setTimeout(() => console.log('the timer fired'), 500);
//!     callback(null, 'called before the timer fired');
//! };
//! ```

use nodeback::{Callback, Context, json};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::sleep;

#[derive(Deserialize)]
struct Event {
    wait: bool,
}

fn handler(event: Event, context: Context, callback: Callback) {
    context.set_callback_waits_for_empty_event_loop(event.wait);
    context.spawn(async {
        sleep(Duration::from_millis(500)).await;
        tracing::info!("the timer fired");
    });
    callback(None, Some(json!("called before the timer fired")));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
