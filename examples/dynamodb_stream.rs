//! Processes the records of a DynamoDB stream. It reports the sequence number of the first record
//! that fails, and Lambda then sends the records from that one on again
//! (`FunctionResponseTypes: ReportBatchItemFailures`).
//!
//! `cargo run --example dynamodb_stream -- examples/events/dynamodb_stream.json`

use nodeback::{Callback, Context, Result, Value, error, json};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    records: Vec<Value>,
}

fn handler(event: Event, _: Context, callback: Callback) {
    for record in event.records {
        if let Err(error) = process(&record) {
            tracing::warn!("{error}");
            let failed = json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] });
            return callback.succeed(json!({ "batchItemFailures": [failed] }));
        }
    }
    callback.succeed(json!({ "batchItemFailures": [] }));
}

fn process(record: &Value) -> Result<()> {
    let change = &record["dynamodb"];
    let id = change["Keys"]["Id"]["N"].as_str().unwrap_or_default();
    match record["eventName"].as_str() {
        Some("REMOVE") => tracing::info!("order {id} is gone"),
        _ => {
            let total = change["NewImage"]["Total"]["N"]
                .as_str()
                .ok_or_else(|| error!("order {id} has no total"))?;
            tracing::info!("order {id} is at {}", total.parse::<f64>()?);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
