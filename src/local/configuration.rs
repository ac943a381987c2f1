//! The configuration of a function that runs locally.

use super::function_name::{DEFAULT_REGION, FunctionName};
use super::host::Host;
use super::routes::LocalRoutes;
use crate::{
    clock,
    error::{Error, Result},
    invocation::{Context, ContextBuilder},
};
use std::{env, path::PathBuf, time::Duration};

/// The settings of the local server, which the environment and the command line may override.
#[derive(Debug, Default)]
pub(crate) struct LocalSettings {
    pub(crate) address: Option<String>,
    pub(crate) timeout: Option<Duration>,
    /// The hosts that requests may name, in addition to localhost and the address of the server.
    pub(crate) hosts: Vec<Host>,
    pub(crate) routes: LocalRoutes,
    /// Whether to retry asynchronous invocations that fail.
    pub(crate) retry: bool,
    /// The folder whose events the page offers.
    pub(crate) events: Option<PathBuf>,
}

/// The configuration of the function, which Lambda would store.
#[derive(Clone, Debug)]
pub(crate) struct FunctionConfiguration {
    timeout: Duration,
    memory: String,
    /// The region of the server, if the environment names one.
    region: Option<String>,
    log_stream: String,
}

impl FunctionConfiguration {
    /// Reads the environment. A variable that is not set leaves the setting of the program, or the
    /// default.
    pub(crate) fn read(settings: &LocalSettings) -> Result<Self> {
        // The date in a time such as 2026-11-25T19:03:58Z.
        let now = humantime::format_rfc3339_seconds(clock::now()).to_string();
        let day = now.split('T').next().unwrap_or_default().replace('-', "/");
        Ok(FunctionConfiguration {
            timeout: match env::var("AWS_LAMBDA_FUNCTION_TIMEOUT") {
                Ok(text) => timeout(&text)?,
                Err(_) => settings.timeout.unwrap_or(TIMEOUT),
            },
            memory: env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").unwrap_or_else(|_| "128".into()),
            region: region(|name| env::var(name).ok()),
            log_stream: format!("{day}/[$LATEST]{}", uuid::Uuid::new_v4().simple()),
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the memory size of the function, in MB.
    pub(super) fn memory(&self) -> &str {
        &self.memory
    }

    /// Returns the region of the functions: that of the server, the one that the client signed its
    /// request for, or the default.
    pub(super) fn region<'a>(&'a self, signed_for: Option<&'a str>) -> &'a str {
        let own = self.region.as_deref();
        own.or(signed_for).unwrap_or(DEFAULT_REGION)
    }

    /// Returns the context of an invocation that does not come over HTTP.
    #[cfg(feature = "parity")]
    pub(crate) fn context_of(&self, name: &str) -> ContextBuilder {
        self.context(&FunctionName::of(name).placed_in(self.region(None)))
            .1
    }

    /// Returns a new request id, and the context of its invocation.
    pub(super) fn context(&self, function: &FunctionName<'_>) -> (String, ContextBuilder) {
        let request_id = new_id();
        let name = function.name;
        let context = Context::builder()
            .aws_request_id(request_id.clone())
            .function_name(name)
            .function_version(function.version())
            .invoked_function_arn(function.arn())
            .memory_limit_in_mb(self.memory.clone())
            .log_group_name(format!("/aws/lambda/{name}"))
            .log_stream_name(self.log_stream.clone())
            .timeout(self.timeout);
        (request_id, context)
    }
}

/// Returns a new request id.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Returns the region that the environment names. An empty variable counts as missing: Docker Compose
/// sets one for `AWS_REGION: ${AWS_REGION}` if the host has no such variable.
fn region(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
    regions
        .filter_map(variable)
        .find(|region| !region.is_empty())
}

/// Lambda's default timeout.
const TIMEOUT: Duration = Duration::from_secs(3);

fn timeout(text: &str) -> Result<Duration> {
    text.trim().parse().map(Duration::from_secs).map_err(|_| {
        let message = format!(
            "AWS_LAMBDA_FUNCTION_TIMEOUT is `{text}`: expected whole seconds, or 0 for no limit"
        );
        Error::ours("Runtime.InvalidEnvironment", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_the_first_variable_that_is_not_empty() {
        for (own, default, expected) in [
            (Some("eu-west-1"), Some("us-west-2"), Some("eu-west-1")),
            (None, Some("us-west-2"), Some("us-west-2")),
            (Some(""), Some("us-west-2"), Some("us-west-2")),
            (Some(""), Some(""), None),
            (None, None, None),
        ] {
            let region = region(|name| match name {
                "AWS_REGION" => own.map(String::from),
                _ => default.map(String::from),
            });
            assert_eq!(region.as_deref(), expected, "{own:?} {default:?}");
        }
    }

    #[test]
    fn a_timeout_is_whole_seconds() {
        assert_eq!(timeout("0").unwrap(), Duration::ZERO);
        assert_eq!(timeout(" 900 ").unwrap(), Duration::from_secs(900));
        for text in ["", "3s", "-1", "1.5"] {
            let error = timeout(text).unwrap_err();
            assert!(
                error.message().contains("expected whole seconds"),
                "{error}"
            );
        }
    }
}
