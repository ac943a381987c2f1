//! Converts contexts to and from lambda_runtime's type.

use super::{
    context::Context,
    context_builder::ContextBuilder,
    members::{CognitoIdentity, ContextMembers},
    state::Invocation,
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

impl Invocation {
    /// Returns the context in lambda_runtime's type, without the members that it does not have.
    pub(super) fn context_for_layers(&self) -> lambda_runtime::Context {
        let members: &ContextMembers = &self.members;
        let config = lambda_runtime::Config {
            function_name: members.function_name.clone(),
            memory: members.memory_limit_in_mb.parse().unwrap_or_default(),
            version: members.function_version.clone(),
            log_stream: members.log_stream_name.clone(),
            log_group: members.log_group_name.clone(),
        };
        let mut context = lambda_runtime::Context::default();
        context.request_id = members.aws_request_id.clone();
        context.deadline = self.limit.deadline_ms();
        context.invoked_function_arn = members.invoked_function_arn.clone();
        context.xray_trace_id = members.xray_trace_id.clone();
        context.tenant_id = members.tenant_id.clone();
        context.client_context = same(&members.client_context);
        context.identity = same(&members.identity);
        context.env_config = Arc::new(config);
        context
    }
}

/// Members that the context of lambda_runtime does not have keep the values of
/// [`Context::builder`].
impl From<lambda_runtime::Context> for ContextBuilder {
    fn from(context: lambda_runtime::Context) -> Self {
        let config = &context.env_config;
        Context::builder()
            .function_name(&config.function_name)
            .function_version(&config.version)
            .memory_limit_in_mb(config.memory.to_string())
            .log_group_name(&config.log_group)
            .log_stream_name(&config.log_stream)
            .deadline_ms(context.deadline)
            .invoked_function_arn(context.invoked_function_arn)
            .aws_request_id(context.request_id)
            .optional(|members| {
                members.client_context = same(&context.client_context);
                members.identity = context.identity.map(|identity| CognitoIdentity {
                    cognito_identity_id: identity.identity_id,
                    cognito_identity_pool_id: identity.identity_pool_id,
                });
                members.tenant_id = context.tenant_id;
                members.xray_trace_id = context.xray_trace_id;
            })
    }
}

/// Converts a value to another type with the same JSON. Returns `None` if that is not possible.
fn same<T: DeserializeOwned>(value: &Option<impl Serialize>) -> Option<T> {
    let value = serde_json::to_value(value.as_ref()?).ok()?;
    serde_json::from_value(value).ok()
}
