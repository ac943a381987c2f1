//! Runs invocations with arbitrary bytes as their events. The outcome must be available at once and
//! must be valid JSON.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../src/tests/inputs.rs"]
mod inputs;

use futures::FutureExt;
use inputs::{for_each_seed, json_bytes};
use nodeback::{Bytes, Callback, Context, Error, RawValue, Runtime, Value, js};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use std::{collections::BTreeMap, time::Duration};

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    n: Option<u64>,
    name: Option<String>,
    #[serde(default)]
    items: Vec<BTreeMap<String, f64>>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Returns a function that invokes a handler, which responds with its event.
fn echo<E>() -> impl Fn(&[u8]) -> Result<Bytes, Error>
where
    E: serde::de::DeserializeOwned + Serialize + Send + 'static,
{
    let runtime =
        Runtime::new(|event: E, _: Context, callback: Callback<E>| callback.succeed(event));
    move |event| {
        let context = Context::builder().timeout(Duration::ZERO).build();
        let outcome = runtime.invoke_raw(Bytes::copy_from_slice(event), context);
        outcome.now_or_never().expect("an outcome at once")
    }
}

/// Checks that a response is valid JSON, and that an error has valid JSON.
fn check(outcome: &Result<Bytes, Error>) {
    let error = match outcome {
        Ok(body) => return assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok()),
        Err(error) => error,
    };
    assert_eq!(error.error_type(), "Runtime.UnmarshalError");
    let json: Value = serde_json::from_str(&error.to_json()).unwrap();
    assert_eq!(&json["errorMessage"], error.message());
    assert!(json["trace"].is_array());
}

#[test]
fn any_event_leads_to_valid_json() {
    let (value, order) = (echo::<Value>(), echo::<Order>());
    let (raw, bytes) = (echo::<Box<RawValue>>(), echo::<Bytes>());
    let text = echo::<Option<String>>();
    for_each_seed(5_000, |rng| {
        let event = json_bytes(rng);
        let outcome = value(&event);
        let expected = serde_json::from_slice::<Value>(&event);
        assert_eq!(outcome.is_ok(), expected.is_ok());
        if let (Ok(body), Ok(expected)) = (&outcome, &expected) {
            // A number is printed as in JavaScript, which may turn a float into an integer.
            assert_eq!(body, &js::stringify(expected).unwrap());
        }
        check(&outcome);
        check(&order(&event));
        check(&text(&event));
        check(&raw(&event));
        assert_eq!(bytes(&event).unwrap(), event);
    });
}
