//! A small REST service behind an API Gateway HTTP API. The routes call `done(error, result)`,
//! which turns both into HTTP responses, as in AWS's own Node blueprint.
//!
//! `cargo run --example api_gateway -- examples/events/api_gateway.json`
//!
//! ```js
//! const done = (err, res) => callback(null, {
//!     statusCode: err ? '400' : '200',
//!     body: err ? err.message : JSON.stringify(res),
//!     headers: { 'Content-Type': 'application/json' },
//! });
//! ```

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use nodeback::{Callback, Context, Error, Result, Value, json};
use serde::Deserialize;

#[derive(Deserialize)]
struct NewOrder {
    sku: String,
    quantity: u32,
}

fn handler(event: ApiGatewayV2httpRequest, context: Context, callback: Callback) {
    let done = http(callback);
    let path = event.raw_path.as_deref().unwrap_or_default();
    let path: Vec<_> = path.trim_matches('/').split('/').collect();
    match (event.request_context.http.method.as_str(), &*path) {
        ("GET", ["orders"]) => done.succeed(json!([{ "id": "7" }])),
        ("GET", ["orders", id]) => done.settle(find(id)),
        ("POST", ["orders"]) => done.settle(create(event.body.as_deref(), &context)),
        (method, _) => done.fail(not_found(format!("no route {method} /{}", path.join("/")))),
    }
}

fn http(callback: Callback) -> Callback {
    Callback::from_fn(move |error, result: Option<Value>| {
        let (status, body) = match error {
            None => (200, result.unwrap_or_default()),
            Some(error) => match error.error_type() {
                "BadRequest" => (400, json!({ "message": error.message() })),
                "NotFound" => (404, json!({ "message": error.message() })),
                _ => return callback(Some(error), None),
            },
        };
        let response = json!({
            "statusCode": status,
            "headers": { "content-type": "application/json" },
            "body": body.to_string(),
        });
        callback(None, Some(response));
    })
}

fn find(id: &str) -> Result<Value> {
    match id {
        "7" => Ok(json!({ "id": id, "sku": "tea", "quantity": 2 })),
        _ => Err(not_found(format!("no order {id}"))),
    }
}

fn create(body: Option<&str>, context: &Context) -> Result<Value> {
    let order: NewOrder = serde_json::from_str(body.unwrap_or_default())
        .map_err(|error| Error::from(error).with_type("BadRequest"))?;
    Ok(json!({ "id": context.aws_request_id, "sku": order.sku, "quantity": order.quantity }))
}

fn not_found(message: String) -> Error {
    Error::new("NotFound", message)
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
