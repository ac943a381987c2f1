//! `JSON.parse` and `JSON.stringify`.

use crate::error::Result;
use serde::Serialize;
use serde_json::{
    Serializer, Value,
    ser::{Formatter, PrettyFormatter},
};
use std::io::{self, Write};

/// Parses JSON as `JSON.parse` does. Text that is not JSON is a `SyntaxError`, with serde_json's
/// message.
///
/// ```
/// use nodeback::js;
///
/// # fn main() -> nodeback::Result<()> {
/// let order = js::parse(r#"{ "id": 7 }"#)?;
/// assert_eq!(order["id"], 7);
/// assert_eq!(js::parse("{").unwrap_err().error_type(), "SyntaxError");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `SyntaxError` if the text is not JSON.
#[track_caller]
pub fn parse(text: impl AsRef<str>) -> Result<Value> {
    // `map_err` would not pass on the location of the caller.
    Ok(serde_json::from_str(text.as_ref())?)
}

/// Converts a value to JSON as `JSON.stringify` does: numbers are printed as JavaScript prints
/// them, but integers keep all their digits.
///
/// ```
/// use nodeback::{js, json};
///
/// # fn main() -> nodeback::Result<()> {
/// let body = js::stringify(&json!({ "total": 125.0, "tiny": 1e-7, "large": 1e21 }))?;
/// assert_eq!(body, r#"{"total":125,"tiny":1e-7,"large":1e+21}"#);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Fails if the value cannot be JSON, such as a map whose keys are not strings. A [`Value`] never
/// fails.
#[track_caller]
pub fn stringify(value: &(impl Serialize + ?Sized)) -> Result<String> {
    let json = to_vec(value)?;
    Ok(String::from_utf8(json)?)
}

/// Converts a value to JSON with line breaks and with `spaces` spaces for each level, as
/// `JSON.stringify(value, null, spaces)` does. As in JavaScript, more than 10 spaces count as 10. If
/// `spaces` is 0, the result is the same as that of [`stringify`](fn@stringify).
///
/// ```
/// use nodeback::{js, json};
///
/// # fn main() -> nodeback::Result<()> {
/// let event = json!({ "id": 7.0, "items": [], "customer": { "name": "Ada" } });
/// // console.log('event:', JSON.stringify(event, null, 2));
/// println!("event: {}", js::stringify_pretty(&event, 2)?);
/// let expected = r#"{
///   "id": 7,
///   "items": [],
///   "customer": {
///     "name": "Ada"
///   }
/// }"#;
/// assert_eq!(js::stringify_pretty(&event, 2)?, expected);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`stringify`](fn@stringify).
#[track_caller]
pub fn stringify_pretty(value: &(impl Serialize + ?Sized), spaces: usize) -> Result<String> {
    if spaces == 0 {
        return stringify(value);
    }
    let spaces = " ".repeat(spaces.min(10));
    let pretty = Pretty(PrettyFormatter::with_indent(spaces.as_bytes()));
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, pretty))?;
    Ok(String::from_utf8(json)?)
}

/// Returns the bytes of [`stringify`].
pub(crate) fn to_vec(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Vec<u8>> {
    // The initial capacity of serde_json's own `to_vec`.
    let mut json = Vec::with_capacity(128);
    value.serialize(&mut Serializer::with_formatter(&mut json, JsNumbers))?;
    Ok(json)
}

/// Formats compact JSON, the trait's default, with floating-point numbers as JavaScript prints
/// them.
struct JsNumbers;

impl Formatter for JsNumbers {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // Most numbers are within these bounds, where serde_json's own printer is faster. It prints
        // the same digits there, without an exponent, but with `.0` after an integer.
        if (1e-4..1e15).contains(&value.abs()) {
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(value);
            return writer.write_all(text.strip_suffix(".0").unwrap_or(text).as_bytes());
        }
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        // Prints the shortest digits of the `f32`, rather than those of the `f64` that it would
        // become.
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }
}

/// Formats JSON with line breaks as serde_json does, which is as `JSON.stringify` does, and numbers
/// like [`JsNumbers`].
struct Pretty<'a>(PrettyFormatter<'a>);

macro_rules! as_serde_json {
    ($($name:ident($($argument:ident: $type:ty)?);)+) => {$(
        fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $type)?) -> io::Result<()> {
            self.0.$name(writer $(, $argument)?)
        }
    )+};
}

impl Formatter for Pretty<'_> {
    as_serde_json! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        JsNumbers.write_f64(writer, value)
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        JsNumbers.write_f32(writer, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, value::RawValue};

    fn text(value: &(impl Serialize + ?Sized)) -> String {
        stringify(value).unwrap()
    }

    #[test]
    fn numbers_are_as_json_stringify_prints_them() {
        for (number, printed) in [
            (125.0, "125"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(text(&number), printed);
            assert_eq!(text(&[number]), format!("[{printed}]"));
        }
        assert_eq!(text(&0.1_f32), "0.1");
        assert_eq!(text(&2.0_f32), "2");
    }

    #[test]
    fn both_printers_print_the_same() {
        let mut rng = fastrand::Rng::with_seed(7);
        let exponents = (-8..24).map(|exponent| 10_f64.powi(exponent));
        let near = exponents.flat_map(|power| {
            let bits = power.to_bits();
            [bits - 1, bits, bits + 1].map(f64::from_bits)
        });
        let random = (0..100_000).map(|_| {
            let whole = rng.f64() * 10_f64.powi(rng.i32(-8..24));
            if rng.bool() { whole.round() } else { whole }
        });
        for number in near.chain(random.collect::<Vec<_>>()) {
            for number in [number, -number] {
                let printed = ryu_js::Buffer::new().format_finite(number).to_owned();
                assert_eq!(text(&number), printed);
            }
        }
    }

    #[test]
    fn integers_keep_their_digits() {
        assert_eq!(text(&9_007_199_254_740_993_u64), "9007199254740993");
        assert_eq!(text(&u128::MAX), u128::MAX.to_string());
        assert_eq!(
            text(&json!(-9_223_372_036_854_775_808_i64)),
            "-9223372036854775808"
        );
    }

    #[test]
    fn everything_else_is_as_serde_json_prints_it() {
        let value = json!({ "a": ["ż \" \\ \u{7} /", null, true, {}, []], "b": { "c": "🚀" } });
        assert_eq!(text(&value), value.to_string());
        let raw = RawValue::from_string("[1.0, 2e2]".into()).unwrap();
        assert_eq!(text(&raw), "[1.0, 2e2]");
    }
}
