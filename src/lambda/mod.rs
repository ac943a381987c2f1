//! On AWS Lambda: asks the Runtime API for events, and posts the answers.

mod answer;
mod backoff;
mod environment;
mod event;
mod poll;
mod snapstart;
mod worker;

use crate::{Result, error::Error, invoke::Function};
use lambda_runtime_api_client::PooledClient;
use poll::Poll;
use std::sync::Arc;
use tokio::sync::mpsc;
use worker::Worker;

/// Answers invocations until the environment is shut down, or the Runtime API fails.
pub(crate) async fn run(function: Function) -> Result<()> {
    let environment = match environment::read() {
        Ok(environment) => environment,
        Err(mistake) => {
            if let Some(endpoint) = mistake.endpoint {
                let client = PooledClient::builder().with_endpoint(endpoint).build();
                answer::init_error(&client, &mistake.error).await;
            }
            return Err(mistake.error);
        }
    };
    let client = PooledClient::builder()
        .with_endpoint(environment.endpoint)
        .with_pool_size(environment.concurrency)
        .build();
    if environment.snapstart {
        snapstart::restored(&client, &[]).await?;
    }
    let (exit, mut exits) = mpsc::unbounded_channel();
    let worker = Worker {
        function,
        client: Arc::new(client),
        poll: Arc::new(Poll::default()),
        context: environment.context,
        exit,
    };
    for _ in 0..environment.concurrency {
        worker.clone().spawn();
    }
    // Each of them goes on until it says why it cannot.
    exits.recv().await.map_or(Ok(()), Err)
}

/// Why the process has to exit.
fn stopped(why: impl std::fmt::Display) -> Error {
    Error::ours(
        "Runtime.ExitError",
        format!("the Runtime API failed: {why}"),
    )
}
