//! The members of a context.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The members of a [`Context`](crate::Context), which dereferences to them.
///
/// | Rust | Node |
/// | --- | --- |
/// | `function_name` | `functionName` |
/// | `function_version` | `functionVersion` |
/// | `invoked_function_arn` | `invokedFunctionArn` |
/// | `memory_limit_in_mb` | `memoryLimitInMB` |
/// | `aws_request_id` | `awsRequestId` |
/// | `log_group_name`, `log_stream_name` | `logGroupName`, `logStreamName` |
/// | `identity`, `client_context` | `identity`, `clientContext` |
/// | `tenant_id` | `tenantId` |
/// | `xray_trace_id` | `process.env._X_AMZN_TRACE_ID` |
/// | [`get_remaining_time_in_millis()`](crate::Context::get_remaining_time_in_millis) | `getRemainingTimeInMillis()` |
/// | [`callback_waits_for_empty_event_loop()`](crate::Context::callback_waits_for_empty_event_loop) | `callbackWaitsForEmptyEventLoop` |
/// | [`succeed`](crate::Context::succeed), [`fail`](crate::Context::fail), [`done`](crate::Context::done) | the same |
///
/// ```
/// let context = nodeback::Context::builder().function_name("orders").build();
/// assert_eq!(context.function_name, "orders");
/// assert_eq!(context.memory_limit_in_mb, "128");
/// assert_eq!(context.client_context, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ContextMembers {
    /// The name of the function.
    pub function_name: String,
    /// The version of the function, such as `$LATEST` or `7`.
    pub function_version: String,
    /// The ARN that was used to invoke the function, with the version or the alias, if one was
    /// used.
    pub invoked_function_arn: String,
    /// The memory of the function, in MB. It is a string, as in Node.
    pub memory_limit_in_mb: String,
    /// The id of this invocation.
    pub aws_request_id: String,
    /// The CloudWatch log group of the function.
    pub log_group_name: String,
    /// The CloudWatch log stream of this environment.
    pub log_stream_name: String,
    /// The Cognito identity of a mobile caller, if there is one.
    pub identity: Option<CognitoIdentity>,
    /// The client context that the caller sent, if any.
    pub client_context: Option<Value>,
    /// The tenant, if the function uses tenant isolation.
    pub tenant_id: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub xray_trace_id: Option<String>,
}

/// The Cognito identity that invoked the function. Its JSON is the same as in Node.
///
/// ```
/// let identity: nodeback::CognitoIdentity =
///     serde_json::from_str(r#"{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}"#).unwrap();
/// assert_eq!(identity.cognito_identity_pool_id, "pool");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CognitoIdentity {
    /// The id of the authenticated identity.
    pub cognito_identity_id: String,
    /// The identity pool that authenticated it.
    pub cognito_identity_pool_id: String,
}

impl Default for ContextMembers {
    fn default() -> Self {
        ContextMembers {
            function_name: "function".into(),
            function_version: "$LATEST".into(),
            invoked_function_arn: "arn:aws:lambda:us-east-1:123456789012:function:function".into(),
            memory_limit_in_mb: "128".into(),
            aws_request_id: "00000000-0000-4000-8000-000000000000".into(),
            log_group_name: "/aws/lambda/function".into(),
            log_stream_name: "stream".into(),
            identity: None,
            client_context: None,
            tenant_id: None,
            xray_trace_id: None,
        }
    }
}
