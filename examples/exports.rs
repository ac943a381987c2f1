//! Two functions in one program, as a Node module has several `exports`. On Lambda the handler
//! setting chooses (`index.cancel`), locally the function's name in the URL.
//!
//! `cargo run --example exports -- --handler create examples/events/exports.json`

use nodeback::{Callback, Context, Result, Value, error, json};

fn create(order: Value, _: Context, callback: Callback) {
    match order["id"].as_u64() {
        Some(id) => callback(None, Some(json!({ "created": id }))),
        None => callback(Some(error!("an order has an id")), None),
    }
}

// The shapes need not be the same.
async fn cancel(order: Value) -> Result<Value> {
    Ok(json!({ "cancelled": order["id"] }))
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::exports()
        .handler("create", create)
        .handler("cancel", cancel)
        .run()
        .await
}
