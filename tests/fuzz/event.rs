//! Any bytes as the event of an invocation: it is answered at once, with JSON.

use super::super::{Function, raw};
use crate::{
    Bytes, Callback, Context, Error, RawValue, Value,
    nasty::{config, json_bytes},
};
use futures::FutureExt;
use proptest::{
    prelude::{prop_assert, prop_assert_eq},
    test_runner::{TestCaseError, TestRunner},
};
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

type Answer = Result<Bytes, Error>;

/// A handler that gives back its event.
fn echo<E>() -> impl Fn(&[u8]) -> Answer
where
    E: serde::de::DeserializeOwned + Serialize + Send + 'static,
{
    let handler = |event: E, _: Context, callback: Callback<E>| callback.succeed(event);
    let function = Function::new(handler);
    move |event| {
        let context = Context::builder().timeout(Duration::ZERO);
        raw(&function, Bytes::copy_from_slice(event), context)
            .now_or_never()
            .expect("an answer at once")
    }
}

/// An answer that is JSON, or a failure whose wire form is.
fn check(answer: &Answer) -> Result<(), TestCaseError> {
    let error = match answer {
        Ok(body) => {
            prop_assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok());
            return Ok(());
        }
        Err(error) => error,
    };
    prop_assert_eq!(error.error_type(), "Runtime.UnmarshalError");
    let wire: Value = serde_json::from_str(&error.to_wire()).expect("JSON");
    prop_assert_eq!(&wire["errorMessage"], error.message());
    prop_assert!(wire["trace"].is_array());
    Ok(())
}

#[test]
fn any_bytes_are_answered_with_json() {
    let (value, order) = (echo::<Value>(), echo::<Order>());
    let (raw, bytes) = (echo::<Box<RawValue>>(), echo::<Bytes>());
    let text = echo::<Option<String>>();
    let target = |event: Vec<u8>| {
        let answer = value(&event);
        let expected = serde_json::from_slice::<Value>(&event);
        prop_assert_eq!(answer.is_ok(), expected.is_ok());
        if let (Ok(answer), Ok(expected)) = (&answer, &expected) {
            prop_assert_eq!(
                &serde_json::from_slice::<Value>(answer).expect("JSON"),
                expected
            );
        }
        check(&answer)?;
        check(&order(&event))?;
        check(&text(&event))?;
        check(&raw(&event))?;
        prop_assert_eq!(&bytes(&event).expect("as it came")[..], &event[..]);
        Ok(())
    };
    TestRunner::new(config(5_000))
        .run(&json_bytes(), target)
        .unwrap_or_else(|failure| panic!("{failure}"));
}
