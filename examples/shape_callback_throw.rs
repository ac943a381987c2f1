//! A callback handler that may also throw: returning an `Err`, for example through `?`, has the
//! same effect as `callback(err)`.
//!
//! `cargo run --example shape_callback_throw -- examples/events/shape_callback_throw.json`
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     const order = JSON.parse(event.body);
//!     if (order.quantity === 0) throw new Error(`order ${order.id} is empty`);
//!     callback(null, { id: order.id, total: order.price * order.quantity });
//! };
//! ```

use nodeback::{Callback, Context, Result, error, json};
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    body: String,
}

#[derive(Deserialize)]
struct Order {
    id: u64,
    price: f64,
    quantity: u32,
}

fn handler(event: Event, _: Context, callback: Callback) -> Result<()> {
    let order: Order = serde_json::from_str(&event.body)?;
    if order.quantity == 0 {
        return Err(error!("order {} is empty", order.id));
    }
    let total = order.price * f64::from(order.quantity);
    callback(None, Some(json!({ "id": order.id, "total": total })));
    Ok(())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
