//! The smallest handler: it greets the person whom the event names.
//!
//! `cargo run --example hello -- examples/events/hello.json`

use nodeback::{Callback, Context, Value, json};

fn handler(event: Value, context: Context, callback: Callback) {
    let Some(name) = event["name"].as_str() else {
        return callback.fail("name is missing");
    };
    let greeting = json!({ "hello": name, "request": context.aws_request_id });
    callback(None, Some(greeting));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
