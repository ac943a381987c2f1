//! Values and numbers as JavaScript prints them.

use serde_json::{Number, Value};

/// The value's `typeof`.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => "object",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    }
}

/// The value's `toString()`.
pub(crate) fn to_string(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number(value),
        Value::String(value) => value.clone(),
        Value::Object(_) => "[object Object]".into(),
        // `Array.prototype.join`, which shows null as nothing.
        Value::Array(items) => {
            let item = |item: &Value| {
                if item.is_null() {
                    String::new()
                } else {
                    to_string(item)
                }
            };
            items.iter().map(item).collect::<Vec<_>>().join(",")
        }
    }
}

fn number(value: &Number) -> String {
    match value.as_f64() {
        Some(float) if value.is_f64() => float_to_string(float),
        // An integer keeps all its digits, also beyond 2^53 where JavaScript would lose some.
        _ => value.to_string(),
    }
}

/// `Number.prototype.toString`.
pub(crate) fn float_to_string(value: f64) -> String {
    ryu_js::Buffer::new().format(value).to_owned()
}

/// Returns the start of a text from outside in a form that fits into one line of the log: without
/// control characters, which could end the line or control a terminal.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let mut excerpt = String::new();
    for (n, character) in text.chars().enumerate() {
        if n == limit {
            excerpt.push('…');
            break;
        }
        if "\"'\\".contains(character) {
            excerpt.push(character);
        } else {
            excerpt.extend(character.escape_debug());
        }
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_as_in_javascript() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (42.5, "42.5"),
            (-0.5, "-0.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (0.000_001, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float_to_string(value), text);
        }
    }

    #[test]
    fn an_excerpt_is_short_and_controls_no_terminal() {
        assert_eq!(excerpt(r#"{"a":'ż\'}"#, 99), r#"{"a":'ż\'}"#);
        assert_eq!(
            excerpt("\u{1b}[31m\n\u{85}\u{202e}", 99),
            r"\u{1b}[31m\n\u{85}\u{202e}"
        );
        assert_eq!(excerpt("żółw", 4), "żółw");
        assert_eq!(excerpt("żółwik", 4), "żółw…");
    }

    #[test]
    fn arrays_join_and_objects_do_not_show() {
        let value = json!([1, null, ["a", [true]], { "k": 1 }, 2.0]);
        assert_eq!(to_string(&value), "1,,a,true,[object Object],2");
        assert_eq!(type_of(&value), "object");
    }
}
