//! An async handler that calls the callback. Returning from the function does not settle the
//! invocation; only the callback does.
//!
//! `cargo run --example shape_async_callback -- examples/events/shape_async_callback.json`
//!
//! ```js
//! exports.handler = async (event, context, callback) => {
//!     const price = await priceOf(event.sku);
//!     callback(null, { sku: event.sku, price });
//! };
//! ```

use nodeback::{Callback, Context, Error, Result, Value, json};
use std::time::Duration;
use tokio::time::sleep;

async fn handler(event: Value, _: Context, callback: Callback) -> Result<()> {
    let price = price_of(&event["sku"]).await?;
    callback(None, Some(json!({ "sku": event["sku"], "price": price })));
    Ok(())
}

/// Simulates a database query.
async fn price_of(sku: &Value) -> Result<f64> {
    sleep(Duration::from_millis(20)).await;
    match sku.as_str() {
        Some("tea") => Ok(4.5),
        Some("cup") => Ok(12.0),
        _ => Err(Error::new("UnknownSku", format!("unknown sku {sku}"))),
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
