//! `image_records.js` in Rust: inspects new images in an S3 bucket, with retries, and records them.
//!
//! `sed -n 2p examples/ported/image_records.jsonl | cargo run --example ported_image_records -- -`

use futures::future::try_join_all;
use nodeback::{Callback, Context, Error, Result, Value, json, spawn};
use percent_encoding::percent_decode_str;
use std::time::Duration;
use tokio::time::sleep;

const ATTEMPTS: u32 = 3;

#[derive(Clone, Copy)]
struct Object {
    size: u64,
    r#type: &'static str,
    busy: u32,
}

fn objects(key: &str) -> Option<Object> {
    let (size, r#type, busy) = match key {
        "cat.jpg" => (2048, "image/jpeg", 0),
        "summer 2024/lake & hills.png" => (4096, "image/png", 2),
        "notes.txt" => (10, "text/plain", 0),
        "busy.jpg" => (1, "image/jpeg", 9),
        _ => return None,
    };
    Some(Object { size, r#type, busy })
}

async fn head(key: &str, attempt: u32) -> Result<Object> {
    sleep(Duration::from_millis(1)).await;
    let Some(object) = objects(key) else {
        let message = format!("The specified key does not exist: {key}");
        return Err(Error::new("NoSuchKey", message));
    };
    if attempt <= object.busy {
        return Err(Error::new("SlowDown", "Please reduce your request rate."));
    }
    Ok(object)
}

async fn retrying(key: &str) -> Result<(Object, u32)> {
    let mut attempt = 1;
    loop {
        let error = match head(key, attempt).await {
            Ok(object) => return Ok((object, attempt)),
            Err(error) if error.error_type() != "SlowDown" => return Err(error),
            Err(error) => error,
        };
        if attempt == ATTEMPTS {
            let message = format!("{key}: {error} (after {attempt} attempts)");
            return Err(Error::new("GaveUp", message));
        }
        sleep(Duration::from_millis(2_u64.pow(attempt))).await;
        attempt += 1;
    }
}

async fn image(key: String) -> Result<Value> {
    let (object, attempts) = retrying(&key).await?;
    Ok(if object.r#type.starts_with("image/") {
        json!({ "key": key, "size": object.size, "attempts": attempts })
    } else {
        json!({ "key": key, "ignored": object.r#type })
    })
}

fn keys(event: &Value) -> Vec<String> {
    let records = event["Records"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records
        .filter(|record| text(&record["eventName"]).starts_with("ObjectCreated:"))
        .map(|record| text(&record["s3"]["object"]["key"]).replace('+', " "))
        .map(|key| percent_decode_str(&key).decode_utf8_lossy().into_owned())
        .collect()
}

pub(crate) fn handler(event: Value, context: Context, callback: Callback) {
    spawn(async move {
        match try_join_all(keys(&event).into_iter().map(image)).await {
            Ok(images) => {
                let bytes: u64 = images
                    .iter()
                    .filter_map(|image| image["size"].as_u64())
                    .sum();
                callback(None, Some(json!({ "images": images, "bytes": bytes })));
            }
            Err(error) => callback(Some(error), None),
        }
        context.done(None, Some(json!("never heard")));
    });
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}
