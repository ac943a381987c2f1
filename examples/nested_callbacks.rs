//! Nested error-first functions, as code written before promises has them. The last function gets
//! the callback itself as its closure, and a wrapper around the callback adds a status to the
//! response.
//!
//! `cargo run --example nested_callbacks -- examples/events/nested_callbacks.json`
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     callback = withStatus(callback);
//!     findOrder(event.order, (err, order) => {
//!         if (err) return callback(err);
//!         findCustomer(order.customer, (err, email) => {
//!             if (err) return callback(new Error(`order ${order.id}: ${err}`));
//!             sendReceipt(email, order, callback);
//!         });
//!     });
//! };
//! ```

use nodeback::{Callback, Context, Error, Value, error, json};
use std::{io, time::Duration};
use tokio::time::sleep;

struct Order {
    id: u64,
    customer: &'static str,
}

fn handler(event: Value, _: Context, callback: Callback) {
    let callback = with_status(callback);
    find_order(event["order"].as_u64(), move |error, order| {
        let Some(order) = order else {
            return callback(error, None);
        };
        find_customer(order.customer, move |error, email| match (error, email) {
            (None, Some(email)) => send_receipt(email, order, callback.into_error_first()),
            (error, _) => {
                let error = error.map(|error| error!("order {}: {error}", order.id));
                callback(error, None);
            }
        });
    });
}

fn with_status(callback: Callback) -> Callback {
    Callback::from_fn(move |error, result| {
        let result = result.map(|receipt: Value| json!({ "status": "sent", "receipt": receipt }));
        callback(error, result);
    })
}

fn find_order(id: Option<u64>, done: impl FnOnce(Option<Error>, Option<Order>) + Send + 'static) {
    tokio::spawn(async move {
        sleep(Duration::from_millis(20)).await;
        let (id, customer) = match id {
            Some(id @ 7) => (id, "ada"),
            Some(id @ 8) => (id, "bob"),
            _ => return done(Some(Error::new("OrderNotFound", "no such order")), None),
        };
        done(None, Some(Order { id, customer }));
    });
}

fn find_customer(
    name: &'static str,
    done: impl FnOnce(Option<Error>, Option<String>) + Send + 'static,
) {
    tokio::spawn(async move {
        sleep(Duration::from_millis(20)).await;
        match name {
            "ada" => done(None, Some("ada@example.com".into())),
            _ => done(Some(error!("{name} has no address")), None),
        }
    });
}

fn send_receipt(
    email: String,
    order: Order,
    done: impl FnOnce(Option<io::Error>, Option<Value>) + Send + 'static,
) {
    done(None, Some(json!({ "to": email, "order": order.id })));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
