//! Node's `awslambda.streamifyResponse`: the response is sent as it is written.
//!
//! ```js
//! exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
//!     stream = awslambda.HttpResponseStream.from(stream, {
//!         statusCode: 200,
//!         headers: { 'Content-Type': 'text/plain' },
//!     });
//!     for (let line = 0; line < 10; line++) {
//!         stream.write(`line ${line}\n`);
//!         await setTimeout(event.pause ?? 0);
//!     }
//!     stream.end();
//! });
//! ```
//!
//! Run `cargo run --example streaming` to serve it. Then `curl -N http://localhost:9000/` prints
//! each line as it arrives. `cargo run --example streaming -- '{"pause": 200}'` runs one invocation
//! and prints its lines.

use nodeback::{Context, HttpResponseStream, ResponseStream, Value, json, streamify_response};
use std::time::Duration;

async fn handler(event: Value, stream: ResponseStream, _: Context) -> nodeback::Result<()> {
    let metadata = json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain" } });
    let stream = HttpResponseStream::from(stream, metadata);
    for line in 0..10 {
        stream.write(format!("line {line}\n")).await?;
        let pause = event["pause"].as_u64().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    stream.end().await
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(streamify_response(handler)).await
}
