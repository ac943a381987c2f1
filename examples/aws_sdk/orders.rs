//! `orders.js` in Rust: orders in DynamoDB. The original passes the error of each nested call to
//! the callback. `await?` does the same without nesting.

use aws_sdk_dynamodb::{Client, Error::ConditionalCheckFailedException, types::ReturnValue};
use nodeback::{Context, Result, Value, js, json, object};
use serde_dynamo::{from_item, to_attribute_value, to_item};

fn response(status: u16, body: &Value) -> Value {
    json!({ "statusCode": status, "body": body.to_string() })
}

async fn read(documents: &Client, id: &Value) -> Result<Value> {
    let get = |table, id| documents.get_item().table_name(table).key("id", id);
    let Some(order) = get("orders", to_attribute_value(id)?).send().await?.item else {
        let message = format!("no order {}", js::to_string(id));
        return Ok(response(404, &json!({ "message": message })));
    };
    let order: Value = from_item(order)?;
    let customer = get("customers", to_attribute_value(&order["customer"])?)
        .send()
        .await?
        .item;
    let customer: Value = customer.map_or(Ok(Value::Null), from_item)?;
    let body = object! {
        "id": id, "sku"?: order.get("sku"), "quantity"?: order.get("quantity"), "customer": customer["name"],
    };
    Ok(response(200, &body))
}

async fn place(documents: &Client, order: &Value) -> Result<Value> {
    let id = &order["id"];
    let put = documents
        .put_item()
        .table_name("orders")
        .set_item(Some(to_item(order)?));
    let put = put
        .condition_expression("attribute_not_exists(id)")
        .send()
        .await;
    match put.map_err(aws_sdk_dynamodb::Error::from) {
        Err(ConditionalCheckFailedException(_)) => {
            let message = format!("order {} exists", js::to_string(id));
            return Ok(response(409, &json!({ "message": message })));
        }
        put => put?,
    };
    let update = documents
        .update_item()
        .table_name("stock")
        .key("sku", to_attribute_value(&order["sku"])?)
        .update_expression("SET pieces = pieces - :quantity")
        .condition_expression("pieces >= :quantity")
        .expression_attribute_values(":quantity", to_attribute_value(&order["quantity"])?)
        .return_values(ReturnValue::UpdatedNew);
    let stock: Value = from_item(update.send().await?.attributes.unwrap_or_default())?;
    Ok(response(
        201,
        &object! { "id": id, "pieces"?: stock.get("pieces") },
    ))
}

pub(crate) async fn handler(documents: Client, event: Value) -> Result<Value> {
    match event["action"].as_str() {
        Some("read") => read(&documents, &event["id"]).await,
        Some("place") => place(&documents, &event["order"]).await,
        _ => {
            let scan = documents
                .scan()
                .table_name(js::to_string(event.get("table")));
            let limit = event["limit"]
                .as_i64()
                .and_then(|limit| limit.try_into().ok());
            Ok(json!(scan.set_limit(limit).send().await?.count))
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let documents = Client::new(&aws_config::load_from_env().await);
    nodeback::run(move |event: Value, _: Context| handler(documents.clone(), event)).await
}
