//! Parses events from JSON, and encodes results as JSON.

use crate::{
    error::Error,
    guard::guarded,
    js,
    phases::{self, Phase},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::any::Any;

/// Parses the event of a handler. [`Bytes`] are passed on without parsing.
pub(crate) fn from_json<E: DeserializeOwned + 'static>(body: Bytes) -> Result<E, Error> {
    let mut raw = Some(body);
    if let Some(event) = (&mut raw as &mut dyn Any).downcast_mut::<Option<E>>() {
        return event
            .take()
            .ok_or_else(|| Error::ours(UNMARSHAL, "no event"));
    }
    let body = raw.unwrap_or_default();
    // Validating UTF-8 once for the whole body is faster than once for each string.
    let event = match std::str::from_utf8(&body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(&body),
    };
    event.map_err(|error| {
        // Tracking the path slows parsing down, so it is determined by a second parse, after a
        // failure.
        let path = path_of_error::<E>(&body);
        let at = path.map_or(String::new(), |path| format!(" at `{path}`"));
        Error::ours(UNMARSHAL, format!("unable to parse the event{at}: {error}")).with_cause(error)
    })
}

/// The error type that AWS's own runtimes use for an event that cannot be parsed.
const UNMARSHAL: &str = "Runtime.UnmarshalError";

/// Returns the path of the member that cannot be parsed.
fn path_of_error<E: DeserializeOwned>(body: &[u8]) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let error = serde_path_to_error::deserialize::<_, E>(&mut deserializer).err()?;
    let path = error.path().to_string();
    // A dot stands for the event itself, and a question mark for an unknown path.
    (path != "." && path != "?").then_some(path)
}

/// Encodes the result of a handler. [`Bytes`] are passed on without encoding.
pub(crate) fn to_json<R: Serialize + 'static>(result: &R) -> Result<Bytes, Error> {
    if let Some(raw) = (result as &dyn Any).downcast_ref::<Bytes>() {
        return Ok(raw.clone());
    }
    stringify(result)
}

/// Encodes a result as JSON.
///
/// # Errors
///
/// Node's error for a value that `JSON.stringify` cannot encode. A `Serialize` that panics is an
/// error, too, so that it fails only its invocation, no matter which thread calls this.
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
    fn an_error_names_the_duplicate_null_or_missing_member_of_a_typed_event() {
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
    fn a_duplicate_member_of_a_value_replaces_the_first_in_its_position() {
        let json = r#"{"sku":"a","n":1,"sku":"b"}"#;
        let value: serde_json::Value = from_json(json.into()).unwrap();
        assert_eq!(value.to_string(), r#"{"sku":"b","n":1}"#);
        let line: Line = serde_json::from_value(value).unwrap();
        assert_eq!(line.sku, "b");
    }

    #[test]
    fn numbers_are_encoded_as_they_were_parsed() {
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
