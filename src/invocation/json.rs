//! Event bytes in, response bytes out.

use crate::{
    error::Error,
    guard::guarded,
    js,
    phases::{self, Phase},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;

/// A handler's event out of the bytes that came; [`Bytes`] takes them as they are.
pub(crate) fn from_json<E: DeserializeOwned + 'static>(body: Bytes) -> Result<E, Error> {
    let mut raw = Some(body);
    if let Some(event) = (&mut raw as &mut dyn Any).downcast_mut::<Option<E>>() {
        return event
            .take()
            .ok_or_else(|| Error::ours(UNMARSHAL, "no event"));
    }
    let body = raw.unwrap_or_default();
    // To know at once that it is all text is less work than to look at each string.
    let event = match std::str::from_utf8(&body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(&body),
    };
    event.map_err(|error| {
        // Knowing the path slows every parse down, so it is looked for after a failure only.
        let path = path_of_error::<E>(&body);
        let at = path.map_or(String::new(), |path| format!(" at `{path}`"));
        Error::ours(UNMARSHAL, format!("unable to parse the event{at}: {error}")).with_cause(error)
    })
}

/// The name that AWS's own runtimes give to an event that cannot be read.
const UNMARSHAL: &str = "Runtime.UnmarshalError";

fn path_of_error<E: DeserializeOwned>(body: &[u8]) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let error = serde_path_to_error::deserialize::<_, E>(&mut deserializer).err()?;
    let path = error.path().to_string();
    // A dot stands for the event itself, a question mark for nothing known.
    (path != "." && path != "?").then_some(path)
}

/// A handler's result as the response's bytes; [`Bytes`] pass as they are.
pub(crate) fn to_json<R: Serialize + 'static>(result: &R) -> Result<Bytes, Error> {
    if let Some(raw) = (result as &dyn Any).downcast_ref::<Bytes>() {
        return Ok(raw.clone());
    }
    stringify(result)
}

/// A result as JSON, or what Node says of one that `JSON.stringify` refuses. A `Serialize` that panics
/// fails its invocation, on whichever thread it is called.
pub(crate) fn stringify(result: &impl Serialize) -> Result<Bytes, Error> {
    phases::mark(Phase::Signalled);
    let json = guarded(|| js::to_vec(result)).map_err(Error::panic);
    phases::mark(Phase::Encoded);
    let json = json?;
    json.map(Bytes::from).map_err(|error| {
        Error::ours("Error", "Unable to stringify response body").with_cause(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Line {
        sku: String,
        note: Option<String>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Order {
        line: Line,
    }

    #[test]
    fn a_duplicate_or_null_member_of_a_typed_event_is_named() {
        for (json, expected) in [
            (
                r#"{"line":{"sku":"a","sku":"b"}}"#,
                "unable to parse the event at `line`: duplicate field `sku` at line 1 column 24",
            ),
            (
                r#"{"line":{"sku":null}}"#,
                "unable to parse the event at `line.sku`: invalid type: null, expected a string at line 1 column 19",
            ),
            (
                r#"{"line":{}}"#,
                "unable to parse the event at `line`: missing field `sku` at line 1 column 10",
            ),
        ] {
            let error = from_json::<Order>(json.into()).unwrap_err();
            assert_eq!(error.error_type(), UNMARSHAL);
            assert_eq!(error.message(), expected);
        }
        let json = r#"{"line":{"sku":"a","note":null,"other":1,"other":2}}"#;
        let order: Order = from_json(json.into()).unwrap();
        assert_eq!((&*order.line.sku, order.line.note), ("a", None));
    }

    #[test]
    fn of_a_duplicate_member_a_value_has_the_last_in_the_place_of_the_first() {
        let json = r#"{"sku":"a","n":1,"sku":"b"}"#;
        let value: serde_json::Value = from_json(json.into()).unwrap();
        assert_eq!(value.to_string(), r#"{"sku":"b","n":1}"#);
        let line: Line = serde_json::from_value(value).unwrap();
        assert_eq!(line.sku, "b");
    }

    #[test]
    fn a_number_comes_out_as_it_came_in() {
        for text in [
            "1.2345678901234561e30",
            "0.30000000000000004",
            "9007199254740993.0",
            "122.416294033786585",
            "5e-324",
            "1.7976931348623157e308",
        ] {
            let number: f64 = from_json(text.into()).unwrap();
            assert_eq!(number, text.parse::<f64>().unwrap(), "{text}");
            let body = to_json(&number).unwrap();
            assert_eq!(from_json::<f64>(body).unwrap(), number, "{text}");
        }
    }
}
