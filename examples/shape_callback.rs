//! Node's callback handler, which responds or fails by calling `callback(error, result)`.
//!
//! `cargo run --example shape_callback -- examples/events/shape_callback.json`
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     switch (event.operation) {
//!         case 'ping': return callback(null, 'pong');
//!         case 'echo': return callback(null, event.payload);
//!         default: callback(new Error(`Unrecognized operation "${event.operation}"`));
//!     }
//! };
//! ```

use nodeback::{Callback, Context, Value, error, json};

fn handler(event: Value, _: Context, callback: Callback) {
    match event["operation"].as_str() {
        Some("ping") => callback(None, Some(json!("pong"))),
        Some("echo") => callback(None, event.get("payload").cloned()),
        _ => {
            let error = error!("Unrecognized operation {}", event["operation"]);
            callback(Some(error), None);
        }
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
