//! Responds first and continues to work afterwards. Lambda sends the next event when that work has
//! ended.
//!
//! `cargo run --example wait_until -- examples/events/wait_until.json`

use nodeback::{Callback, Context, Result, Value, error, json};
use std::time::Duration;
use tokio::time::sleep;

fn handler(event: Value, context: Context, callback: Callback) {
    callback(None, Some(json!({ "accepted": event["order"] })));
    context.wait_until(send_receipt(event));
}

async fn send_receipt(event: Value) -> Result<()> {
    sleep(Duration::from_millis(200)).await;
    let email = event["email"]
        .as_str()
        .ok_or_else(|| error!("no address for the receipt"))?;
    tracing::info!("sent the receipt to {email}");
    Ok(())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
