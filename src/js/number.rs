//! Conversions between numbers and strings.

use super::convert;
use crate::text;
use serde_json::Value;

/// Converts a value to a number as `Number(value)` and `+value` do. The result is `NaN` for a
/// missing member and for a string that is not a number, such as `12px`.
///
/// Whitespace around a number is ignored, and an empty string is `0`. For a `&str`, pass
/// `&json!(text)`. To use the number as an index or as a count, convert it with `as`, which rounds
/// toward zero and makes `NaN` a `0`. A `Value` cannot hold `NaN`: `json!` makes it `null`.
///
/// ```
/// use nodeback::{js, json};
///
/// // const price = Number(event.price);
/// let event = json!({ "price": " 4.25 ", "count": "12px", "note": null });
/// assert_eq!(js::to_number(&event["price"]), 4.25);
/// assert!(js::to_number(&event["count"]).is_nan());
/// assert_eq!(js::to_number(&event["note"]), 0.0); // `null` is `0`
/// assert!(js::to_number(event.get("missing")).is_nan());
/// ```
pub fn to_number<'a>(value: impl Into<Option<&'a Value>>) -> f64 {
    match value.into() {
        None => f64::NAN,
        Some(Value::Null) => 0.0,
        Some(Value::Bool(value)) => f64::from(u8::from(*value)),
        Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN),
        Some(Value::String(text)) => string_to_number(text),
        // Both become strings first.
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            string_to_number(&text::to_string(value))
        }
    }
}

/// Parses the integer at the start of a string, as `parseInt(text, radix)` does. Returns `NaN` if
/// the string does not start with an integer or if the radix is not in the range 2 to 36.
///
/// A radix of 16 or 0 accepts the prefix `0x`. Without that prefix, 0 stands for 10, as if the
/// second argument were missing in JavaScript. If the radix is neither 10 nor a power of 2, the last
/// digits of a number above 2^53 may differ from those in JavaScript. For a [`Value`], pass
/// [`js::to_string`](super::to_string) of it, which is what JavaScript does.
///
/// ```
/// use nodeback::{js, json};
///
/// // const limit = parseInt(event.limit, 10) || 50;
/// let limit = |event| match js::parse_int(js::to_string(&event), 10) {
///     limit if limit.is_nan() || limit == 0.0 => 50.0,
///     limit => limit,
/// };
/// assert_eq!(limit(json!("12px")), 12.0);
/// assert_eq!(limit(json!("all")), 50.0);
/// assert_eq!(js::parse_int("ff", 16), 255.0);
/// ```
pub fn parse_int(text: impl AsRef<str>, radix: u32) -> f64 {
    let (is_negative, digits) = sign(text.as_ref().trim_start_matches(is_whitespace));
    let (radix, digits) = match (radix, digits.split_at_checked(2)) {
        (0 | 16, Some(("0x" | "0X", digits))) => (16, digits),
        (0, _) => (10, digits),
        (radix, _) => (radix, digits),
    };
    if !(2..=36).contains(&radix) {
        return f64::NAN;
    }
    let end = digits.find(|digit: char| !digit.is_digit(radix));
    let number = integer(digits.split_at(end.unwrap_or(digits.len())).0, radix);
    if is_negative { -number } else { number }
}

/// Parses the decimal number at the start of a string, as `parseFloat(text)` does. Returns `NaN` if
/// the string does not start with a number.
///
/// ```
/// use nodeback::js;
///
/// assert_eq!(js::parse_float("4.25 EUR"), 4.25);
/// assert_eq!(js::parse_float("1e3"), 1000.0);
/// assert!(js::parse_float("EUR 4.25").is_nan());
/// ```
pub fn parse_float(text: impl AsRef<str>) -> f64 {
    decimal_prefix(text.as_ref().trim_start_matches(is_whitespace)).0
}

/// Converts a number to a string with a fixed number of digits after the decimal point, as
/// `number.toFixed(digits)` does.
///
/// Halves are rounded away from zero, where `format!("{number:.2}")` rounds them to the even digit.
/// More than 100 digits count as 100; JavaScript throws a `RangeError`.
///
/// ```
/// use nodeback::js;
///
/// assert_eq!(js::to_fixed(0.125, 2), "0.13");
/// assert_eq!(format!("{:.2}", 0.125), "0.12");
/// assert_eq!(js::to_fixed(1.005, 2), "1.00"); // 1.005 is stored as 1.00499999999999989..
/// assert_eq!(js::to_fixed(7.0, 0), "7");
/// ```
pub fn to_fixed(number: f64, digits: u8) -> String {
    // From here on, JavaScript prints an exponent and no digits after the decimal point.
    if !number.is_finite() || number.abs() >= 1e21 {
        return convert::number_to_string(number);
    }
    let digits = usize::from(digits.min(100));
    // The sum of `-0` and `0` is `0`, which is printed without a sign.
    let number = number + 0.0;
    let mut text = format!("{number:.digits$}");
    // Rust rounds the exact value, as JavaScript does, but it rounds a half to the even digit. If it
    // rounded down, the exact value starts with the text, and JavaScript prints the next digit.
    if is_half(number, digits) && format!("{number:.0$}", digits + 1).starts_with(&text) {
        let even = text.pop().and_then(|digit| digit.to_digit(10));
        text.extend(even.and_then(|even| char::from_digit(even + 1, 10)));
    }
    text
}

/// Returns whether a number is exactly between two numbers with this many digits after the decimal
/// point.
///
/// In decimal, the fraction of a floating-point number has as many digits as in binary, and the
/// last one is a 5. So the number is a half if its last binary digit is the one after `digits`.
fn is_half(number: f64, digits: usize) -> bool {
    let shift = i32::try_from(digits + 1).unwrap_or(i32::MAX);
    // Neither operation rounds.
    (number.abs() * 2_f64.powi(shift)) % 2.0 == 1.0
}

/// JavaScript's `WhiteSpace` and `LineTerminator`. Unicode's property differs in two characters.
fn is_whitespace(character: char) -> bool {
    match character {
        '\u{feff}' => true,
        '\u{85}' => false,
        character => character.is_whitespace(),
    }
}

/// Converts a whole string.
fn string_to_number(text: &str) -> f64 {
    let text = text.trim_matches(is_whitespace);
    let (radix, digits) = match text.split_at_checked(2) {
        Some(("0x" | "0X", digits)) => (16, digits),
        Some(("0o" | "0O", digits)) => (8, digits),
        Some(("0b" | "0B", digits)) => (2, digits),
        _ if text.is_empty() => return 0.0,
        _ => {
            return match decimal_prefix(text) {
                (number, "") => number,
                _ => f64::NAN,
            };
        }
    };
    if digits.chars().all(|digit| digit.is_digit(radix)) {
        integer(digits, radix)
    } else {
        f64::NAN
    }
}

/// Splits off a sign, and returns whether it is negative.
fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Returns the value of a string of digits, or `NaN` if the string is empty.
fn integer(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() || radix == 10 {
        // Rust rounds to the nearest number, too.
        return digits.parse().unwrap_or(f64::NAN);
    }
    let values = digits.chars().filter_map(|digit| digit.to_digit(radix));
    if radix.is_power_of_two() {
        return binary(values, radix.trailing_zeros());
    }
    values.fold(0.0, |number, digit| {
        number * f64::from(radix) + f64::from(digit)
    })
}

/// Returns the value of digits of some bits each, rounded once, as JavaScript requires.
fn binary(digits: impl Iterator<Item = u32>, bits: u32) -> f64 {
    let (mut number, mut more) = (0_u64, 0_i32);
    for digit in digits {
        if number.leading_zeros() >= bits {
            number = number << bits | u64::from(digit);
        } else {
            // The number has at least 60 bits, of which the last ones only decide how it is rounded: they
            // are more than a half if any later bit is set.
            number |= u64::from(digit != 0);
            more = more.saturating_add_unsigned(bits);
        }
    }
    number as f64 * 2_f64.powi(more)
}

fn after_digits(text: &str) -> &str {
    text.trim_start_matches(|digit: char| digit.is_ascii_digit())
}

/// Parses the longest prefix that is a decimal number, and returns it with the rest.
fn decimal_prefix(text: &str) -> (f64, &str) {
    let (is_negative, unsigned) = sign(text);
    let signed = |number: f64| if is_negative { -number } else { number };
    if let Some(rest) = unsigned.strip_prefix("Infinity") {
        return (signed(f64::INFINITY), rest);
    }
    let mut rest = after_digits(unsigned);
    let mut digits = unsigned.len() - rest.len();
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = after_digits(fraction);
        let more = fraction.len() - after.len();
        if digits + more > 0 {
            rest = after;
        }
        digits += more;
    }
    if digits == 0 {
        return (f64::NAN, text);
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = sign(exponent).1;
        let after = after_digits(exponent);
        // Without digits, the `e` does not belong to the number.
        if after.len() < exponent.len() {
            rest = after;
        }
    }
    let number = unsigned.split_at(unsigned.len() - rest.len()).0;
    (signed(number.parse().unwrap_or(f64::NAN)), rest)
}
