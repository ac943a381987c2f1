//! Any headers of the Runtime API: they make a context that holds what they hold.

use super::PolledEvent;
use crate::{
    inputs::{bytes, for_each_seed, json_bytes, pick, several, text},
    invocation::{CognitoIdentity, Context},
};
use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

const ID: &str = "lambda-runtime-aws-request-id";
const DEADLINE: &str = "lambda-runtime-deadline-ms";
const TENANT: &str = "lambda-runtime-aws-tenant-id";
const CLIENT: &str = "lambda-runtime-client-context";
const IDENTITY: &str = "lambda-runtime-cognito-identity";

fn deadline(rng: &mut Rng) -> String {
    const TEXTS: [&str; 8] = [
        "0",
        "1",
        "600000",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "",
        "x",
    ];
    match rng.u32(..3) {
        0 => rng.u64(..).to_string(),
        1 => pick(rng, &TEXTS).into(),
        _ => rng.u64(..4_102_444_800_000).to_string(),
    }
}

fn json(rng: &mut Rng) -> Vec<u8> {
    const TEXTS: [&str; 8] = [
        "{}",
        "null",
        "",
        "[]",
        "{\"custom\":{\"a\":\"b\"},\"env\":null}",
        "{\"cognitoIdentityId\":7}",
        "{\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\",\"more\":1}",
        "\"\\ud800\"",
    ];
    if rng.bool() {
        pick(rng, &TEXTS).into()
    } else {
        json_bytes(rng)
    }
}

fn header(rng: &mut Rng) -> (&'static str, Vec<u8>) {
    const IDS: [&str; 5] = ["request-1", "a/b", "..", "8476a536", "%2e"];
    match rng.u32(..11) {
        0..2 => (DEADLINE, deadline(rng).into()),
        2..5 => (pick(rng, &[CLIENT, IDENTITY]), json(rng)),
        5..7 => {
            let name = pick(rng, &[TENANT, DEADLINE, ID, "x-other"]);
            (
                name,
                if rng.bool() {
                    bytes(rng)
                } else {
                    text(rng).into()
                },
            )
        }
        _ => (ID, pick(rng, &IDS).into()),
    }
}

fn headers(rng: &mut Rng) -> HeaderMap {
    let valid = several(rng, 6, header)
        .into_iter()
        .filter_map(|(name, value)| {
            // An HTTP client rejects the other values.
            let value = HeaderValue::from_bytes(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
    valid.collect()
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn check(context: &Context, headers: &HeaderMap) {
    let json = |name| {
        headers
            .get(name)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default()
    };
    let client: Option<Value> = serde_json::from_slice(json(CLIENT)).ok();
    assert_eq!(&context.client_context, &client);
    let identity: Option<CognitoIdentity> = serde_json::from_slice(json(IDENTITY)).ok();
    assert_eq!(&context.identity, &identity);
    assert_eq!(&context.tenant_id, &text_of(headers, TENANT));
    // A deadline that is long past, or none, is unknown: never an instant timeout.
    let unknown = context.deadline().is_none();
    let left = context.get_remaining_time_in_millis();
    assert!(left > -3_600_000, "{left}");
    assert!(!unknown || left > 0, "{left}");
}

#[test]
fn a_request_id_that_is_too_long_to_be_posted_is_rejected() {
    let event = |length: usize| {
        let id = HeaderValue::from_str(&"a".repeat(length)).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(ID), id)]);
        PolledEvent::of_headers(&headers, Context::builder())
    };
    assert!(event(1024).is_ok());
    let why = event(1025).err().unwrap();
    assert!(
        why.contains("has 1025 bytes: expected an id of at most 1024"),
        "{why}"
    );
}

#[test]
fn any_headers_make_the_context_that_they_describe() {
    for_each_seed(5_000, |rng| {
        let headers = headers(rng);
        let event = match PolledEvent::of_headers(&headers, Context::builder()) {
            Ok(event) => event,
            Err(why) => return assert!(why.contains(ID), "{why}"),
        };
        // It becomes a segment of the path that the response is posted to.
        let id = event.address.0.request_id.clone();
        let path = format!("/invocation/{id}/response").parse::<http::Uri>();
        assert!(
            path.is_ok_and(|path| path.path().split('/').count() == 4),
            "{id}"
        );
        assert!(!id.starts_with("..") && !id.is_empty(), "{id}");
        check(&event.context.build(), &headers);
    });
}
