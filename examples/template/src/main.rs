//! A port of `handler(event, context, callback)`. Replace it with your own.

use nodeback::{Callback, Context, Result, Value, js, json};

fn handler(event: Value, context: Context, callback: Callback) -> Result<()> {
    tracing::info!("{} bytes of event", js::stringify(&event)?.len());
    let Some(name) = event["name"].as_str() else {
        callback.fail("name is missing");
        return Ok(());
    };
    callback.succeed(json!({ "hello": name, "request": context.aws_request_id }));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    nodeback::run(handler).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_greets_by_name() {
        let outcome = nodeback::invoke(handler, json!({ "name": "Ada" }), Context::default()).await;
        assert_eq!(outcome.result.unwrap()["hello"], "Ada");
        assert!(outcome.duplicate_signals.is_empty() && outcome.unfinished_tasks.is_empty());
    }

    #[tokio::test]
    async fn it_fails_without_a_name() {
        let outcome = nodeback::invoke(handler, json!({}), Context::default()).await;
        assert_eq!(outcome.result.unwrap_err().message(), "name is missing");
    }
}
