//! State that all invocations share: a counter, and an HTTP client that is created once, before the
//! first event. Its upstream server is `STOCK_URL`. Without it, the function cannot start, and it
//! reports the reason to Lambda.
//!
//! `STOCK_URL=http://127.0.0.1:8080/stock cargo run --example shared_state -- examples/events/shared_state.json`

use nodeback::{Callback, Context, Error, Result, Runtime, Value, json};
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

struct Stock {
    client: reqwest::Client,
    url: String,
    asked: AtomicU64,
}

impl Stock {
    fn connect() -> Result<Self> {
        let url = env::var("STOCK_URL")
            .map_err(|_| Error::new("MissingSetting", "STOCK_URL is not set"))?;
        reqwest::Url::parse(&url)
            .map_err(|error| Error::new("BadSetting", format!("STOCK_URL is `{url}`: {error}")))?;
        Ok(Stock {
            client: reqwest::Client::builder().build()?,
            url,
            asked: AtomicU64::new(0),
        })
    }

    async fn count(&self, item: &str) -> Result<Value> {
        let url = format!("{}/{item}", self.url);
        let response = self.client.get(url).send().await?.error_for_status()?;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(json!({ "item": item, "count": response.json::<u64>().await?, "asked": asked }))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Runtime::with_init(async {
        let stock = Arc::new(Stock::connect()?);
        Ok(move |event: Value, context: Context, callback: Callback| {
            let stock = Arc::clone(&stock);
            context.spawn(async move {
                let item = event["item"].as_str().unwrap_or("tea");
                callback.settle(stock.count(item).await);
            });
        })
    })
    .await?
    .run()
    .await
}
