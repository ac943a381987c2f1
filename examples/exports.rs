//! Two functions in one program, like a Node module with several `exports`. On Lambda, the handler
//! setting chooses the function (`index.cancel`); locally, the function name in the URL does.
//!
//! `cargo run --example exports -- --handler create examples/events/exports.json`

use nodeback::{Callback, Context, Result, Value, error, json};

fn create(order: Value, _: Context, callback: Callback) {
    match order["id"].as_u64() {
        Some(id) => callback(None, Some(json!({ "created": id }))),
        None => callback(Some(error!("an order needs an id")), None),
    }
}

// The handlers may have different shapes.
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
