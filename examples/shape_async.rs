//! Node's async handler, which returns or throws, with a typed event and a typed response.
//!
//! `cargo run --example shape_async -- examples/events/shape_async.json`
//!
//! ```js
//! exports.handler = async (event, context) => {
//!     const prices = await Promise.all(event.items.map(item => priceOf(item.sku)));
//!     const total = event.items.reduce((sum, item, i) => sum + prices[i] * item.quantity, 0);
//!     return { customer: event.customer, total, requestId: context.awsRequestId };
//! };
//! ```

use futures::future::try_join_all;
use nodeback::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::sleep;

#[derive(Deserialize)]
struct Order {
    customer: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    sku: String,
    quantity: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    customer: String,
    total: f64,
    request_id: String,
}

async fn handler(order: Order, context: Context) -> Result<Receipt> {
    let prices = try_join_all(order.items.iter().map(|item| price_of(&item.sku))).await?;
    let total = prices
        .iter()
        .zip(&order.items)
        .map(|(price, item)| price * f64::from(item.quantity))
        .sum();
    Ok(Receipt {
        customer: order.customer,
        total,
        request_id: context.aws_request_id.clone(),
    })
}

/// Simulates a database query.
async fn price_of(sku: &str) -> Result<f64> {
    sleep(Duration::from_millis(20)).await;
    match sku {
        "tea" => Ok(4.5),
        "cup" => Ok(12.0),
        _ => Err(Error::new("UnknownSku", format!("unknown sku {sku}"))),
    }
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
