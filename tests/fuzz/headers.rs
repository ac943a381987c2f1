//! Any headers of the Runtime API: they make a context, and what it tells is what they say.

use super::Event;
use crate::{
    Context, Identity, Value,
    nasty::{any_of, bytes, config, json_bytes, text},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};

const ID: &str = "lambda-runtime-aws-request-id";
const DEADLINE: &str = "lambda-runtime-deadline-ms";
const TENANT: &str = "lambda-runtime-aws-tenant-id";
const CLIENT: &str = "lambda-runtime-client-context";
const IDENTITY: &str = "lambda-runtime-cognito-identity";

fn headers() -> impl Strategy<Value = HeaderMap> {
    let deadline = prop_oneof![
        any::<u64>().prop_map(|millis| millis.to_string()),
        any_of([
            "0",
            "1",
            "600000",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "",
            "x"
        ])
        .prop_map(String::from),
        (0_u64..4_102_444_800_000).prop_map(|millis| millis.to_string()),
    ];
    let json = any_of([
        "{}",
        "null",
        "",
        "[]",
        "{\"custom\":{\"a\":\"b\"},\"env\":null}",
        "{\"cognitoIdentityId\":7}",
        "{\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\",\"more\":1}",
        "\"\\ud800\"",
    ]);
    let json = prop_oneof![
        2 => json.prop_map(|json| json.as_bytes().to_vec()),
        2 => json_bytes(),
    ];
    let other = prop_oneof![bytes(), text().prop_map(String::into_bytes)];
    let header = prop_oneof![
        2 => (Just(DEADLINE), deadline.prop_map(String::into_bytes)),
        3 => (any_of([CLIENT, IDENTITY]), json),
        2 => (any_of([TENANT, DEADLINE, ID, "x-other"]), other),
        4 => (Just(ID), any_of(["request-1", "a/b", "..", "8476a536", "%2e"]).prop_map(|id| id.as_bytes().to_vec())),
    ];
    vec(header, 0..6).prop_map(|headers| {
        let valid = headers.into_iter().filter_map(|(name, value)| {
            // What no HTTP client would let through does not come here.
            Some((
                HeaderName::from_static(name),
                HeaderValue::from_bytes(&value).ok()?,
            ))
        });
        valid.collect()
    })
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn check(context: &Context, headers: &HeaderMap) -> Result<(), TestCaseError> {
    let json = |name| {
        headers
            .get(name)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default()
    };
    let client: Option<Value> = serde_json::from_slice(json(CLIENT)).ok();
    prop_assert_eq!(&context.client_context, &client);
    let identity: Option<Identity> = serde_json::from_slice(json(IDENTITY)).ok();
    prop_assert_eq!(&context.identity, &identity);
    prop_assert_eq!(&context.tenant_id, &text_of(headers, TENANT));
    // A deadline that is long past, or none, is unknown: never an instant timeout.
    let unknown = context.deadline().is_none();
    let left = context.get_remaining_time_in_millis();
    prop_assert!(left > -3_600_000, "{left}");
    prop_assert!(!unknown || left > 0, "{left}");
    Ok(())
}

#[test]
fn any_headers_make_the_context_that_they_say() {
    let target = |headers: HeaderMap| match Event::of_headers(&headers, Context::builder()) {
        Err(why) => {
            prop_assert!(why.contains(ID), "{why}");
            Ok(())
        }
        Ok(event) => {
            // It becomes a segment of the path that the answer is posted to.
            let id = event.posting.0.request_id.clone();
            let path = format!("/invocation/{id}/response").parse::<http::Uri>();
            prop_assert!(
                path.is_ok_and(|path| path.path().split('/').count() == 4),
                "{id}"
            );
            prop_assert!(!id.starts_with("..") && !id.is_empty(), "{id}");
            check(&event.context.build(), &headers)
        }
    };
    TestRunner::new(config(5_000))
        .run(&headers(), target)
        .unwrap_or_else(|failure| panic!("{failure}"));
}
