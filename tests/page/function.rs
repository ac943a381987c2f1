//! The function whose page tests/browser.rs opens.

use nodeback::{Callback, Context, Error, Value, json, set_timeout};
use std::{future::pending, time::Duration};
use tokio::time::sleep;

/// Runs the scenario that its event names, and echoes any other event.
fn shown(event: Value, context: Context, callback: Callback) {
    match event["do"].as_str() {
        Some("fail") => {
            let error = Error::new("OrderNotFound", "no order 7");
            callback.fail(error.with_cause("the table `orders` has no item with this key"));
        }
        Some("duplicate") => {
            let late = callback.clone();
            set_timeout(Duration::from_millis(30), move || late.fail("too slow"));
            set_timeout(Duration::from_millis(10), move || {
                callback.succeed(json!("in time"))
            });
        }
        Some("deferred") => {
            callback.succeed(json!("written"));
            context.spawn(sleep(Duration::from_millis(40)));
            context.wait_until(async {
                sleep(Duration::from_millis(90)).await;
                tracing::info!("sent the metrics");
            });
        }
        Some("timeout") => {
            context.spawn(async move {
                pending::<()>().await;
                callback.succeed(json!("never"));
            });
        }
        Some("large") => callback.succeed(json!("x".repeat(6 * 1024 * 1024 - 2))),
        Some("hostile") => {
            let text = event["text"].as_str().unwrap_or_default().to_owned();
            tracing::warn!("{text}");
            callback.fail(Error::new(text.clone(), text));
        }
        // A request to the function URL, whose response repeats its body in a header.
        _ if event["rawPath"].is_string() => callback.succeed(json!({
            "statusCode": 201,
            "headers": { "x-shown": event["body"] },
            "cookies": ["a=1", "b=2"],
        })),
        _ => callback.succeed(event),
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(shown).await
}
