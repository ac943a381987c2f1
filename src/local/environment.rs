//! What a function finds around it at the desk.

use super::Desk;
use crate::{
    Result,
    error::IntoError,
    invocation::{Context, ContextBuilder},
};
use std::{env, time::Duration};

/// The function's settings, as Lambda would have them.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    timeout: Duration,
    memory: String,
    region: String,
    log_stream: String,
}

/// The function that a call named, by its name or an ARN.
#[derive(Debug, PartialEq)]
pub(super) struct FunctionName<'a> {
    pub(super) name: &'a str,
    pub(super) qualifier: Option<&'a str>,
}

impl<'a> FunctionName<'a> {
    /// Out of `name`, `name:qualifier`, a whole or a partial ARN.
    pub(super) fn parse(text: &'a str) -> Self {
        let rest = match text.split_once("function:") {
            Some((before, rest)) if before.ends_with(':') => rest,
            _ => text,
        };
        match rest.split_once(':') {
            Some((name, qualifier)) => FunctionName {
                name,
                qualifier: Some(qualifier),
            },
            None => FunctionName {
                name: rest,
                qualifier: None,
            },
        }
    }

    /// Whether it is one that AWS takes. A handler may make the path of a file of it.
    pub(super) fn is_valid(&self) -> bool {
        let is_word = |text: &str| {
            (1..=140).contains(&text.len())
                && !text.starts_with('.')
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let qualifier = self.qualifier.unwrap_or("$LATEST");
        is_word(self.name) && (qualifier == "$LATEST" || is_word(qualifier))
    }
}

impl Environment {
    /// What the environment says, and the program where that says nothing.
    pub(super) fn read(desk: &Desk) -> Result<Self> {
        let region = env::var("AWS_REGION").or_else(|_| env::var("AWS_DEFAULT_REGION"));
        let day = jiff::Timestamp::now().strftime("%Y/%m/%d").to_string();
        Ok(Environment {
            timeout: match env::var("AWS_LAMBDA_FUNCTION_TIMEOUT") {
                Ok(text) => timeout(&text)?,
                Err(_) => desk.timeout.unwrap_or(TIMEOUT),
            },
            memory: env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").unwrap_or_else(|_| "128".into()),
            region: region.unwrap_or_else(|_| "us-east-1".into()),
            log_stream: format!("{day}/[$LATEST]{}", uuid::Uuid::new_v4().simple()),
        })
    }

    /// The memory of the function, in MB.
    pub(super) fn memory(&self) -> &str {
        &self.memory
    }

    /// A new request id, and the context of its invocation.
    pub(super) fn context(&self, name: &str, qualifier: Option<&str>) -> (String, ContextBuilder) {
        let request_id = new_id();
        let arn = format!(
            "arn:aws:lambda:{}:123456789012:function:{name}",
            self.region
        );
        let context = Context::builder()
            .aws_request_id(request_id.clone())
            .function_name(name)
            .invoked_function_arn(qualifier.map_or(arn.clone(), |of| format!("{arn}:{of}")))
            .memory_limit_in_mb(self.memory.clone())
            .log_group_name(format!("/aws/lambda/{name}"))
            .log_stream_name(self.log_stream.clone())
            .timeout(self.timeout);
        (request_id, context)
    }
}

/// A request id.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Lambda's default.
const TIMEOUT: Duration = Duration::from_secs(3);

fn timeout(text: &str) -> Result<Duration> {
    text.trim().parse().map(Duration::from_secs).map_err(|_| {
        let message = format!(
            "AWS_LAMBDA_FUNCTION_TIMEOUT is `{text}`: expected whole seconds, or 0 for no limit"
        );
        message.into_error()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_any_form_that_aws_takes() {
        let named = |name, qualifier| FunctionName { name, qualifier };
        for (text, function) in [
            ("orders", named("orders", None)),
            ("orders:live", named("orders", Some("live"))),
            ("123456789012:function:orders", named("orders", None)),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:orders",
                named("orders", None),
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:orders:7",
                named("orders", Some("7")),
            ),
            ("function:live", named("function", Some("live"))),
        ] {
            assert_eq!(FunctionName::parse(text), function, "{text}");
        }
    }

    #[test]
    fn a_name_or_a_qualifier_that_could_be_a_path_is_none() {
        for text in [
            "orders",
            "orders-2_b.c",
            "o:live",
            "o:$LATEST",
            "function:7",
        ] {
            assert!(FunctionName::parse(text).is_valid(), "{text}");
        }
        let long = "o".repeat(141);
        for text in [
            "..",
            "../o",
            "o/p",
            "o\\p",
            "o\0",
            "o\r\nx: y",
            "ö",
            "",
            ":7",
            "o:",
            "o:..",
            "o:a:b",
            "o:$OLD",
            &long,
        ] {
            assert!(!FunctionName::parse(text).is_valid(), "{text:?}");
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
