//! Errors of the AWS SDK for Rust, with the names that they have in the AWS SDK for JavaScript.

use super::{Error, Kind, described::Described, short_name};
use crate::guard;
use aws_smithy_runtime_api::{
    client::{
        orchestrator::HttpResponse,
        result::{ConnectorError, SdkError},
    },
    http::StatusCode,
};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde_json::{Map, Value};
use std::{borrow::Cow, error::Error as StdError};

/// The name that the SDK for JavaScript gives to a failure to reach the service.
const NETWORKING: &str = "NetworkingError";
const TIMEOUT: &str = "TimeoutError";
/// The name that it gives to an error response without a code, or that it cannot read.
const UNKNOWN: &str = "UnknownError";

impl Error {
    /// Converts an error of the AWS SDK for Rust into what the AWS SDK for JavaScript gives to a
    /// callback.
    ///
    /// The `errorType` and [`code`](Self::code) are the error code of the service, such as
    /// `AccessDeniedException`, and the message is the service's. These [members](Self::member) are
    /// set as version 2 of the JavaScript SDK sets them: `statusCode` (a number), `requestId` (a
    /// string) and `retryable` (a bool). Where no response arrived, the code is `NetworkingError`,
    /// `TimeoutError` or `CredentialsError`.
    ///
    /// `?`, [`fail`](crate::Callback::fail) and every other conversion into an [`Error`] find the
    /// code and the message, too, but neither the status code nor the request id. Use this function
    /// if the handler reads those.
    ///
    /// ```
    /// use aws_smithy_runtime_api::{client::{orchestrator::HttpResponse, result::SdkError}, http::StatusCode};
    /// use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};
    /// use nodeback::Error;
    ///
    /// // The error of `client.get_item().send().await`:
    /// let denied = ErrorMetadata::builder().code("AccessDeniedException").message("User may not read").build();
    /// let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
    ///
    /// let error = Error::from_sdk_error(SdkError::service_error(denied, response));
    /// assert_eq!(error.to_string(), "AccessDeniedException: User may not read");
    /// assert_eq!(error.code(), Some("AccessDeniedException"));
    /// assert_eq!(error.member("statusCode").unwrap(), 400);
    /// assert_eq!(error.member("retryable").unwrap(), false);
    /// ```
    #[track_caller]
    pub fn from_sdk_error<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let metadata = error.meta().clone();
        let status = error.raw_response().map(HttpResponse::status);
        let mut error = Error::from(error);
        if let Some(code) = metadata.code() {
            error = error.with_code(code);
            if !keeps_its_name(code) {
                error = error.with_type(code.to_owned());
            }
        }
        if let Some(message) = metadata.message() {
            error.0.message = message.to_owned();
            error.0.kind = Kind::Error;
        }
        if let Some(status) = status {
            error = error.with_member("statusCode", status.as_u16());
        }
        if let Some(id) = metadata.extra("aws_request_id") {
            error = error.with_member("requestId", id);
        }
        let retryable = is_retryable(error.error_type(), status);
        error.with_member("retryable", retryable)
    }
}

/// Returns whether version 2 of the SDK for JavaScript sets `retryable` to true.
fn is_retryable(code: &str, status: Option<StatusCode>) -> bool {
    const CODES: &[&str] = &[
        NETWORKING,
        TIMEOUT,
        "EC2ThrottledException",
        "ExpiredTokenException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ];
    let status = status.map(StatusCode::as_u16);
    CODES.contains(&code) || status.is_some_and(|status| status >= 500 || status == 429)
}

/// Describes an error whose type is one of the SDK's.
pub(super) fn described<E: StdError + 'static>(error: &E) -> Option<Described> {
    if short_name::of::<E>() == "SdkError" {
        return of_any(error);
    }
    // The error of one operation, or of one service: what `SdkError::into_service_error` returns.
    let is_generated = std::any::type_name::<E>().starts_with("aws_sdk_");
    is_generated.then(|| of_service(error))
}

/// Describes an error if it looks like an `SdkError`. The parameters of that type are not known
/// here, so the error cannot be downcast. It is recognized by its text, by the name of the variant
/// that `Debug` shows, and by its source.
pub(super) fn of_any(error: &(dyn StdError + 'static)) -> Option<Described> {
    let source = guard::chain(error).nth(1)?;
    let shows = |variant: &str| guard::text(&format_args!("{error:?}")).starts_with(variant);
    let innermost = || guard::chain(source).last().map(guard::text);
    let failure = |name: &'static str| named(name, innermost());
    match &*guard::text(error) {
        "service error" if shows("ServiceError(") => Some(of_service(source)),
        "request has timed out" if shows("TimeoutError(") => Some(failure(TIMEOUT)),
        "response error" if shows("ResponseError(") => Some(failure(UNKNOWN)),
        "failed to construct request" if shows("ConstructionFailure(") => {
            Some(failure("ConstructionFailure"))
        }
        "dispatch failure" => {
            let connector = source.downcast_ref::<ConnectorError>()?;
            let is_about_credentials = || {
                let mut texts = guard::chain(source).map(guard::text);
                texts.any(|text| text.contains("credential"))
            };
            Some(failure(match connector {
                _ if connector.is_timeout() => TIMEOUT,
                _ if connector.is_other() && is_about_credentials() => "CredentialsError",
                _ => NETWORKING,
            }))
        }
        _ => None,
    }
}

/// Describes the error of an operation. If the SDK has no type for the error, its metadata is in
/// the chain. If the SDK has one, the text is `Name: message`, or `RustName [Name]: message`.
fn of_service(error: &(dyn StdError + 'static)) -> Described {
    let metadata = guard::chain(error).find_map(|cause| cause.downcast_ref::<ErrorMetadata>());
    if let Some(metadata) = metadata {
        let code = metadata.code().unwrap_or(UNKNOWN).to_owned();
        return named(code, metadata.message().map(String::from));
    }
    let text = guard::text(error);
    let (name, message) = match text.split_once(": ") {
        Some((name, message)) => (name, Some(message.to_owned())),
        None => (&*text, None),
    };
    let service_name = name
        .split_once(" [")
        .and_then(|(_, name)| name.strip_suffix(']'));
    let name = service_name.unwrap_or(name);
    if !is_name(name) {
        return named(UNKNOWN, guard::chain(error).last().map(guard::text));
    }
    match code_of(error) {
        Some(code) if keeps_its_name(&code) => Described {
            name: name.to_owned().into(),
            ..named(code, message)
        },
        Some(code) => named(code, message),
        None => named(name.to_owned(), message),
    }
}

/// Returns the code that the service sent for an error that the SDK has a type for. It may differ
/// from the name of the type: SNS sends `NotFound` for a `NotFoundException`. The metadata is a
/// private field of a type that is not known here, and only `Debug`, which the types derive, shows
/// it. No message can be mistaken for it, since `Debug` escapes quotation marks within a string as
/// `\"`.
fn code_of(error: &(dyn StdError + 'static)) -> Option<String> {
    let text = guard::text(&format_args!("{error:?}"));
    let (_, code) = text.split_once("ErrorMetadata { code: Some(\"")?;
    let (code, _) = code.split_once('"')?;
    is_name(code).then(|| code.to_owned())
}

/// Returns whether JavaScript's error keeps its own name in addition to this code, as SQS's errors
/// do since SQS speaks JSON.
fn keeps_its_name(code: &str) -> bool {
    code.starts_with("AWS.")
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

fn named(name: impl Into<Cow<'static, str>>, message: Option<String>) -> Described {
    let name = name.into();
    let mut members = Map::new();
    members.insert("code".into(), Value::from(&*name));
    if is_retryable(&name, None) {
        members.insert("retryable".into(), true.into());
    }
    Described {
        name,
        message,
        members: Some(members),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::error::IntoError;
    use aws_smithy_types::body::SdkBody;
    use std::{fmt, io};

    /// The error of an operation as the SDK generates it, with a type for some codes.
    #[derive(Debug)]
    enum DecryptError {
        Typed(&'static str, ErrorMetadata),
        Unhandled(ErrorMetadata),
    }

    impl fmt::Display for DecryptError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                DecryptError::Typed(text, _) => f.write_str(text),
                DecryptError::Unhandled(_) => f.write_str("unhandled error"),
            }
        }
    }

    impl StdError for DecryptError {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            match self {
                DecryptError::Typed(..) => None,
                DecryptError::Unhandled(metadata) => Some(metadata),
            }
        }
    }

    impl ProvideErrorMetadata for DecryptError {
        fn meta(&self) -> &ErrorMetadata {
            match self {
                DecryptError::Typed(_, metadata) | DecryptError::Unhandled(metadata) => metadata,
            }
        }
    }

    type DecryptFailure = SdkError<DecryptError, HttpResponse>;

    fn response(status: u16) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
    }

    fn service(error: DecryptError, status: u16) -> DecryptFailure {
        SdkError::service_error(error, response(status))
    }

    fn metadata(code: &str, message: &str) -> ErrorMetadata {
        let metadata = ErrorMetadata::builder().code(code).message(message);
        metadata.custom("aws_request_id", "r-1").build()
    }

    /// Returns an error of each kind, with its name and its text in JavaScript.
    fn failures() -> Vec<(DecryptFailure, &'static str, &'static str)> {
        let denied = || metadata("AccessDeniedException", "User may: not");
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused).into();
        vec![
            (
                service(DecryptError::Unhandled(denied()), 400),
                "AccessDeniedException",
                "AccessDeniedException: User may: not",
            ),
            (
                service(
                    DecryptError::Typed(
                        "KmsInvalidStateException [KMSInvalidStateException]: ErrorMetadata { code: Some(\"Fake\")",
                        metadata("KMSInvalidStateException", ""),
                    ),
                    400,
                ),
                "KMSInvalidStateException",
                "KMSInvalidStateException: ErrorMetadata { code: Some(\"Fake\")",
            ),
            (
                service(
                    DecryptError::Typed("NotFoundException: no topic: t", metadata("NotFound", "")),
                    404,
                ),
                "NotFound",
                "NotFound: no topic: t",
            ),
            (
                service(
                    DecryptError::Typed(
                        "InvalidCiphertextException",
                        metadata("InvalidCiphertextException", ""),
                    ),
                    400,
                ),
                "InvalidCiphertextException",
                "InvalidCiphertextException: null",
            ),
            (
                service(
                    DecryptError::Unhandled(ErrorMetadata::builder().build()),
                    502,
                ),
                "UnknownError",
                "UnknownError: null",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::io(refused())),
                "NetworkingError",
                "NetworkingError: connection refused",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::timeout(refused())),
                "TimeoutError",
                "TimeoutError: connection refused",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::other(
                    "no credentials in the chain".into(),
                    None,
                )),
                "CredentialsError",
                "CredentialsError: no credentials in the chain",
            ),
            (
                SdkError::timeout_error("after 3 s"),
                "TimeoutError",
                "TimeoutError: after 3 s",
            ),
            (
                SdkError::response_error("no JSON", response(200)),
                "UnknownError",
                "UnknownError: no JSON",
            ),
            (
                SdkError::construction_failure("no key"),
                "ConstructionFailure",
                "ConstructionFailure: no key",
            ),
        ]
    }

    #[test]
    fn each_kind_of_failure_has_its_name_and_its_text() {
        for (error, code, text) in failures() {
            let error = Error::from(error);
            assert_eq!((error.error_type(), error.code()), (code, Some(code)));
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn an_erased_error_is_recognized() {
        for (error, code, text) in failures() {
            let boxed: Box<dyn StdError + Send + Sync> = Box::new(error);
            assert_eq!(boxed.into_error().to_string(), text, "{code}");
        }
        for (error, code, text) in failures() {
            let error = anyhow::Error::new(error).into_error();
            assert_eq!(
                (error.to_string().as_str(), error.code()),
                (text, Some(code))
            );
        }
        for (error, code, _) in failures() {
            let error = anyhow::Error::new(error)
                .context("loading the key")
                .into_error();
            assert_eq!(
                (error.error_type(), error.message()),
                (code, "loading the key")
            );
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn from_sdk_error_also_sets_the_status_the_request_id_and_retryable() {
        let denied = || metadata("AWS.Denied", "no");
        let member = |error: &Error, name| error.member(name).cloned().unwrap_or_default();
        for (status, retryable) in [
            (400, false),
            (429, true),
            (499, false),
            (500, true),
            (503, true),
        ] {
            let error =
                Error::from_sdk_error(service(DecryptError::Typed("Denied: no", denied()), status));
            assert_eq!(error.to_string(), "Denied: no");
            assert_eq!(error.code(), Some("AWS.Denied"));
            assert_eq!(member(&error, "statusCode"), status);
            assert_eq!(member(&error, "requestId"), "r-1");
            assert_eq!(member(&error, "retryable"), retryable, "{status}");
        }
        let throttled = metadata("ThrottlingException", "slow down");
        let error = Error::from_sdk_error(service(DecryptError::Unhandled(throttled), 400));
        assert_eq!(member(&error, "retryable"), true);
        let unreachable: DecryptFailure =
            SdkError::dispatch_failure(ConnectorError::io("reset".into()));
        let error = Error::from_sdk_error(unreachable);
        assert_eq!(
            (error.code(), error.member("statusCode")),
            (Some("NetworkingError"), None)
        );
        assert_eq!(member(&error, "retryable"), true);
    }

    /// SQS sends such codes.
    #[test]
    fn both_conversions_keep_the_name_of_an_error_with_a_legacy_code() {
        let code = "AWS.SimpleQueueService.NonExistentQueue";
        let error = || {
            service(
                DecryptError::Typed("QueueDoesNotExist: no queue", metadata(code, "no queue")),
                400,
            )
        };
        for error in [Error::from(error()), Error::from_sdk_error(error())] {
            assert_eq!(
                (error.error_type(), error.code()),
                ("QueueDoesNotExist", Some(code))
            );
        }
    }

    #[test]
    fn an_error_without_a_message_has_none_in_its_json() {
        let error = Error::from(service(
            DecryptError::Typed("NotFound", metadata("NotFound", "")),
            404,
        ));
        assert!(
            error
                .to_json()
                .starts_with(r#"{"errorType":"NotFound","trace":["#)
        );
        assert_eq!(error.message(), "");
    }

    #[test]
    fn the_causes_are_in_the_trace() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused).into();
        let error: DecryptFailure = SdkError::dispatch_failure(ConnectorError::io(refused));
        let trace = Error::from(error).trace();
        assert_eq!(trace[0], "NetworkingError: connection refused");
        assert!(trace[1].starts_with("    at src"));
        assert_eq!(
            trace[2..4],
            ["caused by: io error", "caused by: connection refused"]
        );
    }

    #[test]
    fn other_errors_keep_their_names() {
        #[derive(Debug)]
        struct RequestTimedOut;
        impl fmt::Display for RequestTimedOut {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("request has timed out")
            }
        }
        impl StdError for RequestTimedOut {}
        assert_eq!(Error::from(RequestTimedOut).error_type(), "RequestTimedOut");
        assert_eq!(
            anyhow::Error::new(RequestTimedOut)
                .into_error()
                .error_type(),
            "Error"
        );
        assert_eq!(
            anyhow::anyhow!("service error").into_error().error_type(),
            "Error"
        );
        assert_eq!(Error::from(io::Error::other("reset")).error_type(), "Error");
        let context = anyhow::Error::new(io::Error::other("disk full")).context("service error");
        let error = context.into_error();
        assert_eq!(
            (error.error_type(), error.message()),
            ("Error", "service error")
        );
    }
}
