//! `custom_resource.js` in Rust: a CloudFormation custom resource, a name that is reserved, changed
//! and given back. What came of it is PUT to the address in the event.
//!
//! `jq '.[0]' examples/ported/custom_resource.json | cargo run --example ported_custom_resource -- -`

use nodeback::{Context, Error, Value, error, json};
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::Duration,
};

static RESERVED: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// CloudFormation's response. What is `undefined` in the original is left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    status: &'static str,
    reason: String,
    physical_resource_id: String,
    stack_id: Value,
    request_id: Value,
    logical_resource_id: Value,
    no_echo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

#[derive(Default)]
struct Details {
    reason: Option<String>,
    id: Option<String>,
    data: Option<Value>,
}

type Done = Box<dyn FnOnce(Option<Error>, Option<Value>) + Send>;

fn put(url: &str, _body: String, done: impl FnOnce(Option<Error>, u16) + Send + 'static) {
    let broken = url.starts_with("https://broken.");
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        match broken {
            true => done(Some(error!("PUT failed with 403")), 0),
            false => done(None, 200),
        }
    });
}

fn send(event: &Value, context: &Context, status: &'static str, details: Details) {
    let log = &context.log_stream_name;
    let reason = details.reason;
    let body = json!(Response {
        status,
        reason: reason
            .unwrap_or_else(|| format!("See the details in CloudWatch Log Stream: {log}")),
        physical_resource_id: details.id.unwrap_or_else(|| log.clone()),
        stack_id: event["StackId"].clone(),
        request_id: event["RequestId"].clone(),
        logical_resource_id: event["LogicalResourceId"].clone(),
        no_echo: false,
        data: details.data,
    });
    let done = context.done_callback();
    put(
        &text(&event["ResponseURL"]),
        body.to_string(),
        move |error, _| {
            if let Some(error) = error {
                return done.fail(format!("send(..) failed: {error}"));
            }
            done(None, Some(body));
        },
    );
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is_name(name: &str) -> bool {
    name.len() >= 3
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn reserve(name: String, owner: String, done: Done) {
    tokio::spawn(async move {
        if !is_name(&name) {
            let error = Error::new("RangeError", format!("not a name: {name}"));
            return done(Some(error), None);
        }
        let mut reserved = RESERVED.lock().unwrap();
        if let Some(other) = reserved.get(&name).filter(|other| **other != owner) {
            return done(Some(error!("{name} is taken by {other}")), None);
        }
        let arn = format!("arn:names:::{name}");
        reserved.insert(name, owner);
        let count = reserved.len();
        drop(reserved);
        done(None, Some(json!({ "Arn": arn, "Count": count })));
    });
}

fn create(event: &Value, done: Done) {
    reserve(
        text(&event["ResourceProperties"]["Name"]),
        text(&event["StackId"]),
        done,
    );
}

fn update(event: &Value, done: Done) {
    let before = text(&event["OldResourceProperties"]["Name"]);
    let name = text(&event["ResourceProperties"]["Name"]);
    if before == name {
        return done(None, Some(json!({ "Unchanged": "true" })));
    }
    let reserved = move |error: Option<Error>, data| {
        if error.is_none() {
            RESERVED.lock().unwrap().remove(&before);
        }
        done(error, data);
    };
    reserve(name, text(&event["StackId"]), Box::new(reserved));
}

fn delete(event: &Value, done: Done) {
    RESERVED
        .lock()
        .unwrap()
        .remove(&text(&event["PhysicalResourceId"]));
    done(None, None);
}

pub(crate) fn handler(event: Value, context: Context) {
    let of_type: fn(&Value, Done) = match &*text(&event["RequestType"]) {
        "Create" => create,
        "Update" => update,
        "Delete" => delete,
        other => {
            let reason = Some(format!("no such type: {other}"));
            return send(
                &event,
                &context,
                "FAILED",
                Details {
                    reason,
                    ..Details::default()
                },
            );
        }
    };
    let (then, again) = (event.clone(), context.clone());
    of_type(
        &event,
        Box::new(move |error, data| {
            let id = match error {
                Some(_) => &then["PhysicalResourceId"],
                None => &then["ResourceProperties"]["Name"],
            };
            let id = id.as_str().map(String::from);
            let (status, reason) = match error {
                Some(error) => ("FAILED", Some(error.to_string())),
                None => ("SUCCESS", None),
            };
            send(&then, &again, status, Details { reason, id, data });
        }),
    );
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
