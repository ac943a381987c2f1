//! The environment variables that Lambda sets.

use crate::{
    error::{Error, Result},
    invocation::{Context, ContextBuilder},
};
use http::Uri;
use std::env;

pub(super) struct LambdaEnvironment {
    pub(super) endpoint: Uri,
    /// The part of the context that all invocations share.
    pub(super) context: ContextBuilder,
    /// Whether the environment is a snapshot that will be restored.
    pub(super) snapstart: bool,
    /// The function's handler setting, whose part after the last dot names a handler.
    pub(super) handler: String,
    /// How many invocations may be in flight at the same time.
    pub(super) concurrency: usize,
}

pub(super) fn read() -> Result<LambdaEnvironment> {
    parse(|name| env::var(name).ok())
}

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// Returns the address of the Runtime API, if it can be parsed.
pub(super) fn endpoint(variable: impl Fn(&str) -> Option<String>) -> Option<Uri> {
    let uri = variable(RUNTIME_API)?.parse::<Uri>().ok()?;
    uri.authority().is_some().then_some(uri)
}

fn parse(variable: impl Fn(&str) -> Option<String>) -> Result<LambdaEnvironment> {
    let mut mistakes = Vec::new();
    let endpoint = endpoint(&variable);
    if endpoint.is_none() {
        mistakes.push(match variable(RUNTIME_API) {
            None => format!("{RUNTIME_API} is missing"),
            Some(text) => format!("{RUNTIME_API} is `{text}`, expected host:port"),
        });
    }
    // Each event replaces the id and the ARN. Copying empty strings for it allocates nothing.
    let mut context = Context::builder()
        .aws_request_id("")
        .invoked_function_arn("");
    match variable("AWS_LAMBDA_FUNCTION_NAME") {
        None => mistakes.push("AWS_LAMBDA_FUNCTION_NAME is missing".into()),
        Some(name) => context = context.function_name(name),
    }
    match variable("AWS_LAMBDA_FUNCTION_VERSION") {
        None => mistakes.push("AWS_LAMBDA_FUNCTION_VERSION is missing".into()),
        Some(version) => context = context.function_version(version),
    }
    match variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") {
        None => mistakes.push("AWS_LAMBDA_FUNCTION_MEMORY_SIZE is missing".into()),
        Some(text) if text.parse::<i32>().is_err() => mistakes.push(format!(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is `{text}`, expected a number of MB"
        )),
        Some(memory) => context = context.memory_limit_in_mb(memory),
    }
    let text = |name| variable(name).unwrap_or_default();
    let context = context
        .log_group_name(text("AWS_LAMBDA_LOG_GROUP_NAME"))
        .log_stream_name(text("AWS_LAMBDA_LOG_STREAM_NAME"));
    let mut concurrency = 1;
    if let Some(text) = variable(MAX_CONCURRENCY) {
        match text.trim().parse() {
            Ok(number) if number > 0 => concurrency = number,
            _ => mistakes.push(format!(
                "{MAX_CONCURRENCY} is `{text}`, expected a number of invocations, at least 1"
            )),
        }
    }
    match endpoint {
        Some(endpoint) if mistakes.is_empty() => Ok(LambdaEnvironment {
            endpoint,
            context,
            handler: text("_HANDLER"),
            snapstart: text("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
            concurrency,
        }),
        _ => Err(Error::ours(
            "Runtime.InvalidEnvironment",
            mistakes.join("; "),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<LambdaEnvironment> {
        parse(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, v)| (*v).into())
        })
    }

    const COMPLETE: [(&str, &str); 4] = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ];

    #[test]
    fn a_complete_environment_is_read() {
        let environment = of(&COMPLETE).unwrap();
        assert_eq!(
            environment.endpoint.authority().unwrap().as_str(),
            "127.0.0.1:9001"
        );
        assert_eq!(environment.concurrency, 1);
    }

    #[test]
    fn concurrency_is_at_least_one() {
        for (text, concurrency) in [("16", Some(16)), (" 2 ", Some(2)), ("1", Some(1))]
            .into_iter()
            .chain(["0", "-1", "1.5", "many", ""].map(|text| (text, None)))
        {
            let mut variables = COMPLETE.to_vec();
            variables.push((MAX_CONCURRENCY, text));
            match of(&variables) {
                Ok(environment) => assert_eq!(Some(environment.concurrency), concurrency),
                Err(mistake) => {
                    let expected = format!("{MAX_CONCURRENCY} is `{text}`, expected a number");
                    assert!(mistake.message().starts_with(&expected), "{mistake}");
                    assert_eq!(mistake.error_type(), "Runtime.InvalidEnvironment");
                    assert_eq!(concurrency, None);
                }
            }
        }
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let mistake = of(&[]).err().unwrap();
        for (name, _) in COMPLETE {
            assert!(mistake.message().contains(&format!("{name} is missing")));
        }
        assert!(endpoint(|_| None).is_none());
    }

    #[test]
    fn a_bad_value_is_reported_with_what_was_expected() {
        let mut variables = COMPLETE;
        variables[3].1 = "lots";
        let mistake = of(&variables).err().unwrap();
        assert!(
            mistake
                .message()
                .contains("`lots`, expected a number of MB")
        );
        variables[0].1 = "/no/host";
        assert!(
            of(&variables)
                .err()
                .unwrap()
                .message()
                .contains("expected host:port")
        );
    }
}
