//! What JavaScript does with values, for the lines of a port where Rust does something else:
//! conversion to strings and to numbers, truthiness, `JSON.parse` and `JSON.stringify`, access to members that
//! fails as in Node, and objects that omit `undefined` members.
//!
//! | JavaScript | Rust |
//! | --- | --- |
//! | `'' + event.name`, `` `${event.name}` `` | [`js::to_string(event.get("name"))`](to_string) |
//! | `Number(event.price)`, `+event.price` | [`js::to_number(event.get("price"))`](to_number) |
//! | `parseInt(text, 10)`, `parseFloat(text)` | [`js::parse_int(text, 10)`](parse_int), [`js::parse_float(text)`](parse_float) |
//! | `price.toFixed(2)` | [`js::to_fixed(price, 2)`](to_fixed) |
//! | `String(1e21)` | [`js::number_to_string(1e21)`](number_to_string) |
//! | `if (event.name)` | [`if js::is_truthy(event.get("name"))`](is_truthy) |
//! | `JSON.parse(event.body)` | [`js::parse(js::to_string(event.get("body")))?`](parse) |
//! | `JSON.stringify(order)` | [`js::stringify(&order)?`](fn@stringify) |
//! | `JSON.stringify(event, null, 2)` | [`js::stringify_pretty(&event, 2)?`](fn@stringify_pretty) |
//! | `event.session.application` | [`event.member("session")?.member("application")?`](Access::member) |
//! | `event.Records[0]` | [`event.member("Records")?.item(0)?`](Access::item) |
//! | `event.Records.map(..)` | [`event.array("Records.map")?.iter().map(..)`](Access::array) |
//! | `event.key.split('/')` | [`event.string("key.split")?.split('/')`](Access::string) |
//! | `{ id, note: undefined }` | [`object! { "id": id, "note"?: note }`](crate::object!) |
//!
//! A missing member is `None`, where JavaScript has `undefined`. To read a member that may be
//! missing at any level, write `event["a"]["b"]`: it never fails, and is `Value::Null` then.

mod access;
mod convert;
mod json;
mod number;
mod object;

pub use access::Access;
pub use convert::{is_truthy, number_to_string, to_string, type_of};
pub(crate) use json::to_vec;
pub use json::{parse, stringify, stringify_pretty};
pub use number::{parse_float, parse_int, to_fixed, to_number};
#[doc(hidden)]
pub use object::{Members, insert};
