//! `custom_resource.js` in Rust: a CloudFormation custom resource, which reserves, changes and
//! releases a name. It PUTs the outcome to the URL in the event.
//!
//! `sed -n 1p examples/ported/custom_resource.jsonl | cargo run --example ported_custom_resource -- -`

use nodeback::{
    Callback, Context, Error, Value, error, js, json, object, set_immediate, set_timeout,
};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::Duration,
};

static RESERVED: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

fn put(url: String, _body: String, done: impl FnOnce(Option<Error>, u16) + Send + 'static) {
    set_timeout(Duration::from_millis(1), move || {
        if url.starts_with("https://broken.") {
            return done(Some(error!("PUT failed with 403")), 0);
        }
        done(None, 200);
    });
}

#[derive(Default)]
struct Details {
    reason: Option<String>,
    id: Option<Value>,
    data: Option<Value>,
}

fn send(event: &Value, context: &Context, status: &str, details: Details) {
    let log = &context.log_stream_name;
    let reason = format!("See the details in CloudWatch Log Stream: {log}");
    let body = object! {
        "Status": status,
        "Reason": details.reason.unwrap_or(reason),
        "PhysicalResourceId": details.id.unwrap_or_else(|| json!(log)),
        "StackId"?: event.get("StackId"),
        "RequestId"?: event.get("RequestId"),
        "LogicalResourceId"?: event.get("LogicalResourceId"),
        "NoEcho": false,
        "Data"?: details.data,
    };
    let done = context.done_callback();
    let url = js::to_string(event.get("ResponseURL"));
    put(url, body.to_string(), move |error, _| {
        if let Some(error) = error {
            return done.fail(format!("send(..) failed: {error}"));
        }
        done(None, Some(body));
    });
}

fn is_name(name: &str) -> bool {
    let may_follow = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() >= 3
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(may_follow)
}

fn reserve(name: String, owner: String, done: Callback) {
    set_immediate(move || {
        if !is_name(&name) {
            let error = Error::new("RangeError", format!("not a name: {name}"));
            return done.fail(error);
        }
        let mut reserved = RESERVED.lock().unwrap();
        if let Some(other) = reserved.get(&name).filter(|other| **other != owner) {
            return done.fail(error!("{name} is taken by {other}"));
        }
        let arn = format!("arn:names:::{name}");
        reserved.insert(name, owner);
        let count = reserved.len();
        drop(reserved);
        done(None, Some(json!({ "Arn": arn, "Count": count })));
    });
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn create(event: &Value, done: Callback) {
    let name = text(&event["ResourceProperties"]["Name"]);
    reserve(name, text(&event["StackId"]), done);
}

fn update(event: &Value, done: Callback) {
    let before = text(&event["OldResourceProperties"]["Name"]);
    let name = text(&event["ResourceProperties"]["Name"]);
    if before == name {
        return done(None, Some(json!({ "Unchanged": "true" })));
    }
    let reserved = Callback::from_fn(move |error, data| {
        if error.is_none() {
            RESERVED.lock().unwrap().remove(&before);
        }
        done(error, data);
    });
    reserve(name, text(&event["StackId"]), reserved);
}

fn delete(event: &Value, done: Callback) {
    let id = text(&event["PhysicalResourceId"]);
    RESERVED.lock().unwrap().remove(&id);
    done(None, None);
}

pub(crate) fn handler(event: Value, context: Context) {
    let run: fn(&Value, Callback) = match event["RequestType"].as_str() {
        Some("Create") => create,
        Some("Update") => update,
        Some("Delete") => delete,
        _ => {
            let other = js::to_string(event.get("RequestType"));
            let reason = Some(format!("no such type: {other}"));
            let details = Details {
                reason,
                ..Details::default()
            };
            return send(&event, &context, "FAILED", details);
        }
    };
    let request = event.clone();
    let done = Callback::from_fn(move |error: Option<Error>, data| {
        let id = match error {
            Some(_) => request.get("PhysicalResourceId"),
            None => request["ResourceProperties"].get("Name"),
        };
        let (id, reason) = (id.cloned(), error.map(|error| error.to_string()));
        let status = if reason.is_some() {
            "FAILED"
        } else {
            "SUCCESS"
        };
        send(&request, &context, status, Details { reason, id, data });
    });
    run(&event, done);
}

#[tokio::main]
async fn main() -> nodeback::Result<()> {
    nodeback::run(handler).await
}
