//! An event that is passed on without being parsed: its numbers, spaces and order of keys reach the
//! response unchanged. For an event that need not become part of the response, use `Bytes`.
//!
//! `cargo run --example shape_raw -- examples/events/shape_raw.json`

use nodeback::{Callback, Context, RawValue};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    request_id: String,
    length: usize,
    event: Box<RawValue>,
}

fn handler(event: Box<RawValue>, context: Context, callback: Callback<Envelope>) {
    callback.succeed(Envelope {
        request_id: context.aws_request_id.clone(),
        length: event.get().len(),
        event,
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
