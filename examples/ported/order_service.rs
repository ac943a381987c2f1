//! `order_service.js` in Rust: a service for orders behind an API Gateway REST API, which uses a
//! table with an error-first API.
//!
//! `sed -n 4p examples/ported/order_service.jsonl | cargo run --example ported_order_service -- -`

use nodeback::{Callback, Context, Error, Result, Value, js, json};
use std::sync::{LazyLock, Mutex};

/// The orders in the sequence of their insertion, as in a JavaScript `Map`.
static ORDERS: LazyLock<Mutex<Vec<Value>>> = LazyLock::new(|| {
    let order = json!({ "id": "7", "sku": "tea", "quantity": 2, "cents": 900 });
    Mutex::new(vec![order])
});

fn price(sku: &str) -> Option<u64> {
    match sku {
        "tea" => Some(450),
        "coffee" => Some(700),
        _ => None,
    }
}

mod table {
    use super::{Error, ORDERS, Value};
    use nodeback::set_immediate;

    pub(super) fn get(
        id: String,
        done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static,
    ) {
        set_immediate(move || {
            if id == "throttled" {
                let busy = Error::new("ThroughputExceeded", "the table is busy");
                return done(Some(busy), None);
            }
            let order = ORDERS
                .lock()
                .unwrap()
                .iter()
                .find(|order| order["id"] == *id)
                .cloned();
            done(None, order);
        });
    }

    pub(super) fn list(done: impl FnOnce(Option<Error>, Vec<Value>) + Send + 'static) {
        set_immediate(|| done(None, ORDERS.lock().unwrap().clone()));
    }

    pub(super) fn put(order: Value, done: impl FnOnce(Option<Error>, Value) + Send + 'static) {
        set_immediate(move || {
            let mut orders = ORDERS.lock().unwrap();
            if orders.iter().any(|other| other["id"] == order["id"]) {
                let message = format!("order {} exists", nodeback::js::to_string(&order["id"]));
                return done(Some(Error::new("ConditionFailed", message)), Value::Null);
            }
            orders.push(order.clone());
            done(None, order);
        });
    }

    pub(super) fn remove(id: String, done: impl FnOnce(Option<Error>, bool) + Send + 'static) {
        set_immediate(move || {
            let mut orders = ORDERS.lock().unwrap();
            let before = orders.len();
            orders.retain(|order| order["id"] != *id);
            done(None, orders.len() < before);
        });
    }
}

fn validate(body: &str) -> (Value, Vec<String>) {
    let Ok(order) = js::parse(body) else {
        return (Value::Null, vec!["the body is not JSON".into()]);
    };
    let (sku, mut problems) = (js::to_string(order.get("sku")), vec![]);
    if order["id"].as_str().is_none_or(str::is_empty) {
        problems.push("id is missing".into());
    }
    if price(&sku).is_none() {
        problems.push(format!("no such sku: {sku}"));
    }
    match order["quantity"].as_i64() {
        None => problems.push("quantity is not a whole number".into()),
        Some(1..=99) => {}
        Some(quantity) => problems.push(format!("quantity {quantity} is not within 1 and 99")),
    }
    (order, problems)
}

pub(crate) fn handler(event: Value, context: Context, callback: Callback) -> Result<()> {
    let (fails, request_id) = (callback.clone(), context.aws_request_id.clone());
    let respond = move |status: u16, body: &Value| {
        callback(
            None,
            Some(json!({
                "statusCode": status,
                "headers": { "content-type": "application/json", "x-request-id": request_id },
                "body": body.to_string(),
            })),
        );
    };
    let done = respond.clone();
    let fail = move |error: Error| match error.error_type() {
        "ConditionFailed" => done(409, &json!({ "message": error.message() })),
        "ThroughputExceeded" => done(503, &json!({ "message": "try again" })),
        _ => fails.fail(error),
    };
    let id = event["pathParameters"]["id"]
        .as_str()
        .unwrap_or("undefined")
        .to_owned();

    let route = ["httpMethod", "resource"].map(|name| js::to_string(event.get(name)));
    match (&*route[0], &*route[1]) {
        ("GET", "/orders") => table::list(move |error, all| match error {
            Some(error) => fail(error),
            None => respond(200, &json!({ "count": all.len(), "orders": all })),
        }),
        ("GET", "/orders/{id}") => {
            table::get(id.clone(), move |error, order| match (error, order) {
                (Some(error), _) => fail(error),
                (None, None) => respond(404, &json!({ "message": format!("no order {id}") })),
                (None, Some(order)) => respond(200, &order),
            })
        }
        ("POST", "/orders") => {
            let (order, problems) = validate(event["body"].as_str().unwrap_or("null"));
            if !problems.is_empty() {
                let message = "not a valid order";
                respond(400, &json!({ "message": message, "problems": problems }));
                return Ok(());
            }
            let quantity = order["quantity"].as_u64().unwrap_or(0);
            let cents = quantity * price(&js::to_string(&order["sku"])).unwrap_or(0);
            let order = json!({ "id": order["id"], "sku": order["sku"], "quantity": quantity, "cents": cents });
            table::put(order, move |error, saved| match error {
                Some(error) => fail(error),
                None => respond(201, &saved),
            });
        }
        ("DELETE", "/orders/{id}") => table::remove(id, move |error, existed| match error {
            Some(error) => fail(error),
            None => respond(if existed { 204 } else { 404 }, &Value::Null),
        }),
        (method, resource) => {
            return Err(Error::new("NoSuchRoute", format!("{method} {resource}")));
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}
