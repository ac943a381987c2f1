//! The oldest Node style: `context.succeed`, `context.fail` and `context.done`, which respond at
//! once even if tasks still run.
//!
//! `cargo run --example shape_context -- examples/events/shape_context.json`
//!
//! ```js
//! exports.handler = function (event, context) {
//!     if (event.warmup) return context.done(null, 'warm');
//!     if (!event.name) return context.fail('name is missing');
//!     context.succeed({ hello: event.name, function: context.functionName });
//! };
//! ```

use nodeback::{Context, Value, json};

fn handler(event: Value, context: Context) {
    if event["warmup"] == true {
        return context.done(None, Some(json!("warm")));
    }
    match event["name"].as_str() {
        None => context.fail("name is missing"),
        Some(name) => context.succeed(json!({ "hello": name, "function": context.function_name })),
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
