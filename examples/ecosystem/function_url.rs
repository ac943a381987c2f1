//! A page behind a Lambda function URL, which counts the visits of a user in a cookie.
//!
//! Run `cargo run --example function_url`, and open http://127.0.0.1:9000/ in a browser.
//!
//! ```js
//! exports.handler = (event, context, callback) => {
//!     if (event.rawPath !== '/') return callback(null, { statusCode: 404, body: 'no such page' });
//!     const cookie = (event.cookies || []).find(c => c.startsWith('visits='));
//!     const visits = Number(cookie ? cookie.slice(7) : 0) + 1;
//!     callback(null, {
//!         statusCode: 200,
//!         headers: { 'Content-Type': 'text/html; charset=utf-8' },
//!         cookies: [`visits=${visits}`],
//!         body: `<p>Visit ${visits}</p>`,
//!     });
//! };
//! ```

use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use nodeback::{Callback, Context, json};

fn handler(event: LambdaFunctionUrlRequest, _: Context, callback: Callback) {
    if event.raw_path.as_deref() != Some("/") {
        let headers = json!({ "Content-Type": "text/plain" });
        let body = "no such page";
        return callback.succeed(json!({ "statusCode": 404, "headers": headers, "body": body }));
    }
    let cookies = event.cookies.unwrap_or_default();
    let before = cookies
        .iter()
        .find_map(|cookie| cookie.strip_prefix("visits="));
    let visits = before.and_then(|n| n.parse::<u32>().ok()).unwrap_or(0) + 1;
    callback.succeed(json!({
        "statusCode": 200,
        "headers": { "Content-Type": "text/html; charset=utf-8" },
        "cookies": [format!("visits={visits}")],
        "body": format!("<p>Visit {visits}</p>"),
    }));
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
