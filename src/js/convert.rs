//! Conversions of values.

use crate::text;
use serde_json::Value;

/// Converts a value to a string as `'' + value` and template literals do. A missing member is
/// `undefined`.
///
/// ```
/// use nodeback::{js, json};
///
/// // `order ${event.id} of ${event.customer} for ${event.items}, note: ${event.note}`
/// let event = json!({ "id": 7.0, "customer": { "name": "Ada" }, "items": ["tea", null] });
/// let text = format!(
///     "order {} of {} for {}, note: {}",
///     js::to_string(&event["id"]),
///     js::to_string(&event["customer"]),
///     js::to_string(&event["items"]),
///     js::to_string(event.get("note")),
/// );
/// assert_eq!(text, "order 7 of [object Object] for tea,, note: undefined");
/// ```
pub fn to_string<'a>(value: impl Into<Option<&'a Value>>) -> String {
    value.into().map_or("undefined".into(), text::to_string)
}

/// Converts a number to a string as `String(number)` does.
///
/// ```
/// use nodeback::js;
///
/// assert_eq!(js::number_to_string(125.0), "125");
/// assert_eq!(js::number_to_string(1e21), "1e+21");
/// assert_eq!(js::number_to_string(0.000_000_1), "1e-7");
/// assert_eq!(js::number_to_string(f64::NAN), "NaN");
/// ```
pub fn number_to_string(number: f64) -> String {
    text::float_to_string(number)
}

/// Returns whether a value is truthy in `if (value)`: everything but a missing member, `null`,
/// `false`, `0`, `NaN` and `''`.
///
/// ```
/// use nodeback::{js, json};
///
/// let event = json!({ "name": "", "count": 0, "items": [] });
/// assert!(!js::is_truthy(event.get("missing")));
/// assert!(!js::is_truthy(&event["name"]));
/// assert!(!js::is_truthy(&event["count"]));
/// assert!(js::is_truthy(&event["items"])); // an empty array is truthy
/// ```
pub fn is_truthy<'a>(value: impl Into<Option<&'a Value>>) -> bool {
    match value.into() {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_f64().is_none_or(|number| number != 0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Returns the `typeof` of a value.
///
/// ```
/// use nodeback::{js, json};
///
/// let event = json!({ "n": 7, "none": null });
/// assert_eq!(js::type_of(&event["n"]), "number");
/// assert_eq!(js::type_of(&event["none"]), "object");
/// assert_eq!(js::type_of(event.get("missing")), "undefined");
/// ```
pub fn type_of<'a>(value: impl Into<Option<&'a Value>>) -> &'static str {
    value.into().map_or("undefined", text::type_of)
}
