//! The smallest handler: greets whom the event names.
//!
//! `cargo run --example hello -- examples/events/hello.json`

use nodeback::{Callback, Context, Value, json};

fn handler(event: Value, context: Context, callback: Callback) {
    match event["name"].as_str() {
        Some(name) => callback.succeed(json!({
            "hello": name,
            "request": context.aws_request_id,
        })),
        None => callback.fail("name is missing"),
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
