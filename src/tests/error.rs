//! Any error: its JSON, and the headers of its response.

use super::{ERROR_TYPE, HEADER_LIMIT, XRAY_CAUSE, headers};
use crate::{
    error::{Error, ErrorName, IntoError},
    inputs::{for_each_seed, json_bytes, pick, several, text},
};
use fastrand::Rng;
use http::HeaderMap;
use serde_json::Value;

/// Names, messages, causes and stacks, by every way into an error.
fn error(rng: &mut Rng) -> Error {
    let causes = |rng: &mut Rng| {
        let most = if rng.u32(..5) == 0 { 40 } else { 4 };
        several(rng, most, text)
    };
    match rng.u32(..15) {
        0..4 => Error::new(text(rng), text(rng)),
        4..7 => {
            let error = Error::new(text(rng), text(rng));
            causes(rng).into_iter().fold(error, |cause, message| {
                Error::msg(message).with_cause(cause)
            })
        }
        7..9 => {
            let error = anyhow::anyhow!(text(rng)).context(ErrorName::new(text(rng)));
            let chained = causes(rng).into_iter().fold(error, anyhow::Error::context);
            chained.into_error()
        }
        9..11 => {
            let (name, message, stack) = (text(rng), text(rng), text(rng));
            serde_json::json!({ "name": name, "message": message, "stack": stack }).into_error()
        }
        11..13 => match serde_json::from_slice::<Value>(&json_bytes(rng)) {
            Ok(value) => value.into_error(),
            Err(error) => error.into_error(),
        },
        13 => text(rng).into_error(),
        _ => {
            const NUMBERS: [f64; 9] = [
                0.0,
                -0.0,
                1.0,
                1e21,
                f64::MIN_POSITIVE,
                5e-324,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
            ];
            let number = pick(rng, &NUMBERS);
            let number = if rng.bool() {
                number
            } else {
                f64::from_bits(rng.u64(..))
            };
            number.into_error()
        }
    }
}

fn check(error: &Error) {
    let json: Value = serde_json::from_str(&error.to_json()).expect("JSON");
    let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
    assert_eq!(&json["errorType"], error.error_type());
    assert_eq!(&json["errorMessage"], error.message());
    let trace = json["trace"].as_array().expect("a list");
    assert!(trace.iter().all(Value::is_string));

    let headers: HeaderMap = headers(Some(error)).into_iter().collect();
    let name = headers.get(ERROR_TYPE).expect("a name");
    assert!(name.to_str().is_ok());
    let cause = headers.get(XRAY_CAUSE).expect("a cause");
    assert!(cause.len() < 2 * HEADER_LIMIT, "{} bytes", cause.len());
    let cause: Value = serde_json::from_slice(cause.as_bytes()).expect("JSON");
    let shown = cause["exceptions"][0]["type"].as_str().expect("a name");
    assert!(error.error_type().starts_with(shown));
}

#[test]
fn any_error_has_its_json_and_valid_headers() {
    for_each_seed(5_000, |rng| check(&error(rng)));
}
