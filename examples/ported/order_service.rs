//! `order_service.js` in Rust: orders behind an API Gateway REST API, over a table with an
//! error-first API.
//!
//! `jq '.[3]' examples/ported/order_service.json | cargo run --example ported_order_service -- -`

use nodeback::{Callback, Context, Error, Result, Value, json};
use std::sync::{LazyLock, Mutex};

/// In the order in which they came, as JavaScript's `Map` keeps them.
static ORDERS: LazyLock<Mutex<Vec<Value>>> = LazyLock::new(|| {
    Mutex::new(vec![
        json!({ "id": "7", "sku": "tea", "quantity": 2, "cents": 900 }),
    ])
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

    fn soon(f: impl FnOnce(&mut Vec<Value>) + Send + 'static) {
        tokio::spawn(async { f(&mut ORDERS.lock().unwrap()) });
    }

    pub(super) fn get(
        id: String,
        done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static,
    ) {
        soon(move |orders| {
            if id == "throttled" {
                return done(
                    Some(Error::new("ThroughputExceeded", "the table is busy")),
                    None,
                );
            }
            done(
                None,
                orders.iter().find(|order| order["id"] == *id).cloned(),
            );
        });
    }

    pub(super) fn list(done: impl FnOnce(Option<Error>, Vec<Value>) + Send + 'static) {
        soon(|orders| done(None, orders.clone()));
    }

    pub(super) fn put(
        order: Value,
        done: impl FnOnce(Option<Error>, Option<Value>) + Send + 'static,
    ) {
        soon(move |orders| {
            if orders.iter().any(|other| other["id"] == order["id"]) {
                let id = order["id"].as_str().unwrap_or_default();
                let message = format!("order {id} exists");
                return done(Some(Error::new("ConditionFailed", message)), None);
            }
            orders.push(order.clone());
            done(None, Some(order));
        });
    }

    pub(super) fn remove(id: String, done: impl FnOnce(Option<Error>, bool) + Send + 'static) {
        soon(move |orders| {
            let before = orders.len();
            orders.retain(|order| order["id"] != *id);
            done(None, orders.len() < before);
        });
    }
}

fn validate(body: &str) -> Result<Value, Vec<String>> {
    let Ok(order) = serde_json::from_str::<Value>(body) else {
        return Err(vec!["the body is no JSON".into()]);
    };
    let (sku, mut problems) = (order["sku"].as_str().unwrap_or("undefined"), vec![]);
    if order["id"].as_str().is_none_or(str::is_empty) {
        problems.push("id is missing".into());
    }
    if price(sku).is_none() {
        problems.push(format!("no such sku: {sku}"));
    }
    match order["quantity"].as_i64() {
        None => problems.push("quantity is not a whole number".into()),
        Some(1..=99) => {}
        Some(quantity) => problems.push(format!("quantity {quantity} is not within 1 and 99")),
    }
    if problems.is_empty() {
        Ok(order)
    } else {
        Err(problems)
    }
}

/// The two ways in which the service answers.
struct Reply {
    request_id: String,
    callback: Callback,
}

impl Reply {
    fn respond(self, status: u16, body: &Value) {
        self.callback.succeed(json!({
            "statusCode": status,
            "headers": { "content-type": "application/json", "x-request-id": self.request_id },
            "body": body.to_string(),
        }));
    }

    fn fail(self, error: Error) {
        match error.error_type() {
            "ConditionFailed" => self.respond(409, &json!({ "message": error.message() })),
            "ThroughputExceeded" => self.respond(503, &json!({ "message": "try again" })),
            _ => self.callback.fail(error),
        }
    }
}

pub(crate) fn handler(event: Value, context: Context, callback: Callback) -> Result<()> {
    let request_id = context.aws_request_id.clone();
    let reply = Reply {
        request_id,
        callback,
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&event["pathParameters"]["id"]);

    match (&*text(&event["httpMethod"]), &*text(&event["resource"])) {
        ("GET", "/orders") => table::list(|error, all| match error {
            Some(error) => reply.fail(error),
            None => reply.respond(200, &json!({ "count": all.len(), "orders": all })),
        }),
        ("GET", "/orders/{id}") => table::get(id.clone(), move |error, order| {
            if let Some(error) = error {
                return reply.fail(error);
            }
            let Some(order) = order else {
                return reply.respond(404, &json!({ "message": format!("no order {id}") }));
            };
            reply.respond(200, &order);
        }),
        ("POST", "/orders") => {
            let order = match validate(&text(&event["body"])) {
                Ok(order) => order,
                Err(problems) => {
                    let message = "not a valid order";
                    reply.respond(400, &json!({ "message": message, "problems": problems }));
                    return Ok(());
                }
            };
            let price = price(&text(&order["sku"])).unwrap_or_default();
            let order = json!({
                "id": order["id"],
                "sku": order["sku"],
                "quantity": order["quantity"],
                "cents": order["quantity"].as_u64().unwrap_or_default() * price,
            });
            table::put(order, |error, saved| match error {
                Some(error) => reply.fail(error),
                None => reply.respond(201, &saved.unwrap_or_default()),
            });
        }
        ("DELETE", "/orders/{id}") => table::remove(id, |error, existed| match error {
            Some(error) => reply.fail(error),
            None => reply.respond(if existed { 204 } else { 404 }, &Value::Null),
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
