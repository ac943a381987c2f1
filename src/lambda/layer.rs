//! The tower layer that answers invocations.

use super::answer;
use crate::{
    context::{Context, ContextBuilder},
    invoke::Function,
};
use futures::future::BoxFuture;
use http::{HeaderMap, response::Parts};
use lambda_runtime::LambdaInvocation;
use lambda_runtime_api_client::{BoxError, PooledClient};
use serde::de::DeserializeOwned;
use std::{
    sync::Arc,
    task::{self, Poll},
};
use tower::{Layer, Service};
use tracing::Instrument;

/// Puts the function in the place of the service that it is laid on.
#[derive(Clone)]
pub(super) struct AnswerLayer {
    pub(super) function: Function,
    pub(super) client: Arc<PooledClient>,
}

impl<S> Layer<S> for AnswerLayer {
    type Service = Self;

    fn layer(&self, _: S) -> Self {
        self.clone()
    }
}

impl Service<LambdaInvocation> for AnswerLayer {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (function, client) = (self.function.clone(), Arc::clone(&self.client));
        Box::pin(async move {
            let LambdaInvocation {
                parts,
                body,
                context,
            } = invocation;
            let context = members(&parts, context);
            let mut invocation = function.start(body, context);
            let answer = invocation.answer().await;
            if let Err(error) = &answer {
                invocation.log_failure(error);
            }
            answer::post(&client, &parts.headers, invocation.request_id(), answer)
                .instrument(invocation.span().clone())
                .await;
            // lambda_runtime asks for the next event when this returns.
            invocation.finish().await;
            Ok(())
        })
    }
}

fn members(parts: &Parts, context: lambda_runtime::Context) -> ContextBuilder {
    let config = &context.env_config;
    Context::builder()
        .function_name(&config.function_name)
        .function_version(&config.version)
        .memory_limit_in_mb(config.memory.to_string())
        .log_group_name(&config.log_group)
        .log_stream_name(&config.log_stream)
        .deadline_ms(context.deadline)
        // lambda_runtime's types of these two drop what they do not know.
        .client_context(json(&parts.headers, "lambda-runtime-client-context"))
        .identity(json(&parts.headers, "lambda-runtime-cognito-identity"))
        .invoked_function_arn(context.invoked_function_arn)
        .aws_request_id(context.request_id)
        .tenant_id(context.tenant_id)
        .xray_trace_id(context.xray_trace_id)
}

fn json<T: DeserializeOwned>(headers: &HeaderMap, name: &str) -> Option<T> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    serde_json::from_slice(value.as_bytes()).ok()
}
