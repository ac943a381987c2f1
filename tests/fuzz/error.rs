//! Any error, on the wire and in the headers of its answer.

use super::{ERROR_TYPE, HEADER_LIMIT, XRAY_CAUSE, headers};
use crate::{
    Error, ErrorName, IntoError, Value,
    nasty::{config, json_bytes, text},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};

/// Names, messages, causes and stacks, by every way into an error.
fn errors() -> impl Strategy<Value = Error> {
    let causes = prop_oneof![4 => vec(text(), 0..4), 1 => vec(text(), 0..40)];
    let plain = (text(), text()).prop_map(|(name, message)| Error::new(name, message));
    let caused = (text(), text(), causes.clone()).prop_map(|(name, message, causes)| {
        causes
            .into_iter()
            .fold(Error::new(name, message), |cause, message| {
                Error::msg(message).with_cause(cause)
            })
    });
    let chained = (text(), text(), causes).prop_map(|(name, message, causes)| {
        let error = anyhow::anyhow!(message).context(ErrorName::new(name));
        causes
            .into_iter()
            .fold(error, anyhow::Error::context)
            .into_error()
    });
    let stacked = (text(), text(), text()).prop_map(|(name, message, stack)| {
        serde_json::json!({ "name": name, "message": message, "stack": stack }).into_error()
    });
    let thrown = json_bytes().prop_map(|json| {
        serde_json::from_slice::<Value>(&json).map_or_else(IntoError::into_error, Value::into_error)
    });
    prop_oneof![
        4 => plain,
        3 => caused,
        2 => chained,
        2 => stacked,
        2 => thrown,
        1 => text().prop_map(IntoError::into_error),
        1 => any::<f64>().prop_map(IntoError::into_error),
    ]
}

fn check(error: &Error) -> Result<(), TestCaseError> {
    let wire: Value = serde_json::from_str(&error.to_wire()).expect("JSON");
    let keys: Vec<_> = wire.as_object().expect("an object").keys().collect();
    prop_assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
    prop_assert_eq!(&wire["errorType"], error.error_type());
    prop_assert_eq!(&wire["errorMessage"], error.message());
    let trace = wire["trace"].as_array().expect("a list");
    prop_assert!(trace.iter().all(Value::is_string));

    let headers = headers(Some(error));
    let name = headers.get(ERROR_TYPE).expect("a name");
    prop_assert!(name.to_str().is_ok());
    let cause = headers.get(XRAY_CAUSE).expect("a cause");
    prop_assert!(cause.len() < 2 * HEADER_LIMIT, "{} bytes", cause.len());
    let cause: Value = serde_json::from_slice(cause.as_bytes()).expect("JSON");
    let shown = cause["exceptions"][0]["type"].as_str().expect("a name");
    prop_assert!(error.error_type().starts_with(shown));
    Ok(())
}

#[test]
fn any_error_is_json_on_the_wire_and_valid_in_headers() {
    TestRunner::new(config(5_000))
        .run(&errors(), |error| check(&error))
        .unwrap_or_else(|failure| panic!("{failure}"));
}
