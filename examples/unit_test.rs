//! A handler with unit tests: `nodeback::invoke` runs one invocation in process, without HTTP.
//!
//! `cargo test --example unit_test`, or `cargo run --example unit_test -- examples/events/unit_test.json`

use nodeback::{Callback, Context, Error, Value, json};

fn handler(event: Value, context: Context, callback: Callback) {
    let Some(amount) = event["amount"].as_f64() else {
        return callback.fail(Error::new("InvalidAmount", "amount is not a number"));
    };
    context.spawn(async move {
        tokio::task::yield_now().await;
        callback(None, Some(json!({ "gross": amount * 1.25 })));
    });
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodeback::invoke;

    #[tokio::test]
    async fn tax_is_added() {
        let outcome = invoke(handler, json!({ "amount": 100 }), Context::default()).await;
        assert_eq!(outcome.result.unwrap(), json!({ "gross": 125 }));
        assert_eq!(outcome.duplicate_signal_count, 0);
    }

    #[tokio::test]
    async fn an_amount_is_required() {
        let outcome = invoke(handler, json!({}), Context::default()).await;
        let error = outcome.result.unwrap_err();
        assert_eq!(error.error_type(), "InvalidAmount");
    }
}
