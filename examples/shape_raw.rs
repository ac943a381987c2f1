//! An event that is passed on unparsed: its numbers, its spaces and the order of its keys reach
//! the answer as they came. `Bytes` does the same for an event that is not passed on.
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
