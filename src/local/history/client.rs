//! The kinds of clients, for the list of invocations.

use crate::http::Gateway;
use serde::Serialize;

/// The kind of client that an invocation came from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::local) enum Client {
    /// The page of the local server.
    Page,
    Invoke,
    InvokeWithResponseStream,
    /// `Invoke` of the type `Event`, or `InvokeAsync`.
    Event,
    /// The second or third attempt of an asynchronous invocation, for which no client waits.
    Retry,
    FunctionUrl,
    RestApi,
    HttpApi,
    LoadBalancer,
}

impl From<Gateway> for Client {
    fn from(gateway: Gateway) -> Self {
        match gateway {
            Gateway::Rest => Client::RestApi,
            Gateway::HttpApi => Client::HttpApi,
            Gateway::Alb => Client::LoadBalancer,
        }
    }
}
