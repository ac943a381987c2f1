//! Log lines in JSON, with the members that Node's runtime writes.

use super::{SpanFields, target};
use crate::{error::Logged, guard};
use serde_json::{Map, Number, Value, json};
use std::{error::Error as StdError, fmt};
use tracing::{
    Event,
    field::{Field, Visit},
};

/// The members that this module sets.
const OWN: [&str; 5] = ["timestamp", "level", "requestId", "tenantId", "message"];

/// A member that this module sets on some lines.
const TARGET: &str = "target";

pub(super) fn line(time: &str, of: &SpanFields, level: &str, event: &Event<'_>) -> String {
    let mut members = Members(Map::new());
    members.own("timestamp", time.into());
    members.own("level", level.into());
    // Node omits members that are undefined.
    if !of.request_id.is_empty() {
        members.own("requestId", (*of.request_id).into());
    }
    if let Some(tenant_id) = &of.tenant_id {
        members.own("tenantId", (**tenant_id).into());
    }
    if let Some(target) = target(event.metadata()) {
        members.own(TARGET, target.into());
    }
    members.own("message", "".into());
    event.record(&mut members);
    Value::Object(members.0).to_string()
}

struct Members(Map<String, Value>);

impl Members {
    fn own(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }

    fn record(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            "message" => "message".into(),
            // A field of the event must not pass for one of ours, such as the request id.
            name if OWN.contains(&name) || (name == TARGET && self.0.contains_key(TARGET)) => {
                format!("fields.{name}")
            }
            name => name.into(),
        };
        self.0.insert(name, value);
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // A number that is not finite becomes null, as in JavaScript.
        self.record(field, Number::from_f64(value).into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        let number = Number::from_i128(value);
        self.record(
            field,
            number.map_or_else(|| value.to_string().into(), Value::Number),
        );
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        let number = Number::from_u128(value);
        self.record(
            field,
            number.map_or_else(|| value.to_string().into(), Value::Number),
        );
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        match value.downcast_ref::<Logged>() {
            // Node's `console.error(err)`: the error is the message.
            Some(error) => self.own("message", error.as_node_logs_it()),
            None => {
                let stack = guard::causes(Some(value));
                let error = json!({
                    "errorType": "Error",
                    "errorMessage": stack.first(),
                    "stackTrace": stack,
                });
                self.record(field, error);
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format!("{value:?}").into());
    }
}
