//! Objects without the members that are `undefined`.

use serde::Serialize;
use serde_json::{Map, Value};

/// Creates a JSON object as [`json!`](crate::json!) does, except that a member written with `?` is
/// omitted if its value is `None`, as JavaScript's `JSON.stringify` omits members that are
/// `undefined`.
///
/// ```
/// use nodeback::{json, object};
///
/// // JSON.stringify({ order: 7, status: 'paid', repeated: undefined })
/// let repeated: Option<bool> = None;
/// let paid = object! { "order": 7, "status": "paid", "repeated"?: repeated };
/// assert_eq!(paid, json!({ "order": 7, "status": "paid" }));
///
/// let nested = object! { "note"?: Some("by hand"), "items": [1, 2], "customer": { "name": "Ada" } };
/// assert_eq!(nested["customer"]["name"], "Ada");
///
/// // { [name]: 7 }
/// let name = String::from("total");
/// assert_eq!(object! { (name): 7 }, json!({ "total": 7 }));
/// ```
#[macro_export]
macro_rules! object {
    (@ $map:ident) => {};
    (@ $map:ident $name:tt ? : $value:expr $(, $($rest:tt)*)?) => {
        $crate::js::insert(&mut $map, $name, &$value);
        $crate::object!(@ $map $($($rest)*)?);
    };
    (@ $map:ident $name:tt : { $($value:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert(::std::convert::Into::into($name), $crate::object! { $($value)* });
        $crate::object!(@ $map $($($rest)*)?);
    };
    (@ $map:ident $name:tt : [ $($value:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert(::std::convert::Into::into($name), $crate::json!([ $($value)* ]));
        $crate::object!(@ $map $($($rest)*)?);
    };
    (@ $map:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $map.insert(::std::convert::Into::into($name), $crate::Value::Null);
        $crate::object!(@ $map $($($rest)*)?);
    };
    (@ $map:ident $name:tt : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert(::std::convert::Into::into($name), $crate::json!($value));
        $crate::object!(@ $map $($($rest)*)?);
    };
    // Without this rule, the last one would match again and again.
    (@ $($unexpected:tt)*) => {
        ::std::compile_error!(
            "expected members such as `\"name\": value` or `\"name\"?: option`, separated by commas"
        );
    };
    ($($members:tt)*) => {{
        #[allow(unused_mut, reason = "an empty object inserts nothing")]
        let mut map = $crate::js::Members::new();
        $crate::object!(@ map $($members)*);
        $crate::Value::Object(map)
    }};
}

/// The members of an object that the macro is creating.
#[doc(hidden)]
pub type Members = Map<String, Value>;

/// Inserts a member for the macro, unless it is `None`.
#[doc(hidden)]
pub fn insert(map: &mut Members, name: impl Into<String>, value: &Option<impl Serialize>) {
    if let Some(value) = value {
        // A value that cannot be JSON becomes null. `json!` would panic.
        let value = serde_json::to_value(value).unwrap_or_default();
        map.insert(name.into(), value);
    }
}
