//! On AWS Lambda: lambda_runtime polls, a tower layer of ours answers.

mod answer;
mod environment;
mod layer;

use crate::{Result, error::Error, invoke::Function, panic::Panic};
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use lambda_runtime_api_client::PooledClient;
use layer::AnswerLayer;
use serde::de::IgnoredAny;
use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

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
    let layer = AnswerLayer {
        function,
        client: Arc::new(client),
    };
    // The layer takes this one's place: it answers what lambda_runtime cannot, Node's errors.
    let replaced = service_fn(async |_: LambdaEvent<IgnoredAny>| Ok::<_, Infallible>(()));
    let ran = async {
        // Sequential unless AWS_LAMBDA_MAX_CONCURRENCY asks for more.
        Runtime::new(replaced).layer(layer).run_concurrent().await
    };
    let stopped = |error: String| {
        Error::ours(
            "Runtime.ExitError",
            format!("the Runtime API failed: {error}"),
        )
    };
    // It panics on what the API should never send.
    let ran = AssertUnwindSafe(ran).catch_unwind().await;
    ran.map_err(|payload| stopped(Panic::of(payload).0))?
        .map_err(|error| stopped(error.to_string()))
}
