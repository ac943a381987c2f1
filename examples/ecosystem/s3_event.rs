//! Lists the objects in an S3 notification, with their keys decoded: S3 sends
//! `Happy+Face.jpg` for `Happy Face.jpg`.
//!
//! `cargo run --example s3_event -- examples/events/s3_event.json`
//!
//! ```js
//! const key = decodeURIComponent(record.s3.object.key.replace(/\+/g, ' '));
//! ```

use aws_lambda_events::s3::S3Event;
use nodeback::{Callback, Context, Result};
use percent_encoding::percent_decode_str;

fn handler(event: S3Event, _: Context, callback: Callback<Vec<String>>) {
    let objects = event.records.into_iter().map(|record| {
        let bucket = record.s3.bucket.name.unwrap_or_default();
        let key = record.s3.object.key.unwrap_or_default();
        Ok(format!("s3://{bucket}/{}", decoded(&key)?))
    });
    callback.settle(objects.collect::<Result<_>>());
}

fn decoded(key: &str) -> Result<String> {
    let key = key.replace('+', " ");
    Ok(percent_decode_str(&key).decode_utf8()?.into_owned())
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
