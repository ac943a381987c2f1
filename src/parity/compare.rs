//! What differs between the original and the port.

use super::outcome::{Answer, Seen};
use serde_json::Value;

/// A difference: where it is, and what each side has there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// A JSON pointer into the response or the error, or a word for what is not in them.
    pub(super) path: String,
    pub(super) original: String,
    pub(super) port: String,
}

/// So many differences of one invocation are told.
const DIFFERENCES: usize = 20;

/// As much of a value is shown.
const SHOWN: usize = 120;

/// Compares what was seen of an invocation.
pub(super) fn differences(original: &Seen, port: &Seen) -> Vec<Difference> {
    let mut differences = Differences::default();
    match (&original.answer, &port.answer) {
        (original, port) if original == port => {}
        (Answer::Response(original), Answer::Response(port)) => differences.bodies(original, port),
        (Answer::Error(original), Answer::Error(port)) => {
            differences.values("", Some(original), Some(port))
        }
        (original, port) => differences.add("outcome", outcome(original), outcome(port)),
    }
    if differences.0.is_empty() && original.deferred != port.deferred {
        differences.add("deferred", deferral(original), deferral(port));
    }
    differences.0
}

fn outcome(answer: &Answer) -> String {
    match answer {
        Answer::Response(body) => format!("response {}", shown(&String::from_utf8_lossy(body))),
        Answer::Error(error) => format!("error {}", shown(&error.to_string())),
        Answer::Nothing => "no response before the deadline or the end of the process".into(),
    }
}

fn deferral(seen: &Seen) -> String {
    match (seen.deferred, seen.pending.as_slice()) {
        (false, _) => "immediate".into(),
        (true, []) => "waited".into(),
        (true, pending) => format!("waited for {}", pending.join(", ")),
    }
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, path: impl Into<String>, original: String, port: String) {
        if self.0.len() < DIFFERENCES {
            let path = path.into();
            self.0.push(Difference {
                path,
                original,
                port,
            });
        }
    }

    /// Compares bodies whose bytes differ.
    fn bodies(&mut self, original: &[u8], port: &[u8]) {
        let parsed = (
            serde_json::from_slice::<Value>(original),
            serde_json::from_slice::<Value>(port),
        );
        if let (Ok(original), Ok(port)) = &parsed {
            self.values("", Some(original), Some(port));
        }
        if self.0.is_empty() {
            let text = |body| shown(&String::from_utf8_lossy(body));
            self.add("", text(original), text(port));
        }
    }

    fn values(&mut self, path: &str, original: Option<&Value>, port: Option<&Value>) {
        match (original, port) {
            (Some(Value::Object(original)), Some(Value::Object(port))) => {
                let only_there = port.keys().filter(|key| !original.contains_key(*key));
                for key in original.keys().chain(only_there) {
                    let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.values(&path, original.get(key), port.get(key));
                }
                let order = |members: &serde_json::Map<String, Value>| {
                    members.keys().cloned().collect::<Vec<_>>()
                };
                let (original, port) = (order(original), order(port));
                if original != port
                    && original.iter().all(|key| port.contains(key))
                    && original.len() == port.len()
                {
                    let names = |names: &[String]| {
                        format!("keys in the order {}", shown(&names.join(", ")))
                    };
                    self.add(path, names(&original), names(&port));
                }
            }
            (Some(Value::Array(original)), Some(Value::Array(port))) => {
                for at in 0..original.len().max(port.len()) {
                    self.values(&format!("{path}/{at}"), original.get(at), port.get(at));
                }
            }
            (original, port) if original != port => self.add(path, member(original), member(port)),
            _ => {}
        }
    }
}

fn member(value: Option<&Value>) -> String {
    value.map_or("undefined".into(), |value| shown(&value.to_string()))
}

/// A text, cut where it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!(
            "{}.. ({} bytes)",
            text.get(..end).unwrap_or_default(),
            text.len()
        ),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;
    use std::time::Duration;

    fn seen(answer: Answer) -> Seen {
        Seen {
            answer,
            deferred: false,
            pending: vec![],
            ended: None,
            duration: Duration::ZERO,
        }
    }

    fn response(text: &'static str) -> Seen {
        seen(Answer::Response(Bytes::from_static(text.as_bytes())))
    }

    fn told(original: &Seen, port: &Seen) -> Vec<String> {
        let told = |one: &Difference| format!("{}: {} | {}", one.path, one.original, one.port);
        differences(original, port).iter().map(told).collect()
    }

    #[test]
    fn a_response_is_compared_to_the_byte() {
        for (original, port, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#, vec![]),
            (r#"{"a":1}"#, r#"{"a":2}"#, vec!["/a: 1 | 2"]),
            (r#"{"a":1}"#, r#"{"a":1.0}"#, vec!["/a: 1 | 1.0"]),
            (r#"{"a":null}"#, "{}", vec!["/a: null | undefined"]),
            (
                r#"{"a":[1,2]}"#,
                r#"{"a":[1]}"#,
                vec!["/a/1: 2 | undefined"],
            ),
            (
                r#"{"a/b":{"c":1,"d":2}}"#,
                r#"{"a/b":{"d":2,"c":1}}"#,
                vec!["/a~1b: keys in the order c, d | keys in the order d, c"],
            ),
            (r#""a""#, r#""b""#, vec![r#": "a" | "b""#]),
            (r#""é""#, r#""\u00e9""#, vec![r#": "é" | "\u00e9""#]),
            ("no JSON", "1", vec![": no JSON | 1"]),
        ] {
            assert_eq!(
                told(&response(original), &response(port)),
                expected,
                "{original}"
            );
        }
    }

    #[test]
    fn errors_outcomes_and_deferral_are_compared() {
        let error = |message: &str| {
            seen(Answer::Error(
                json!({ "errorType": "Error", "errorMessage": message }),
            ))
        };
        assert_eq!(
            told(&error("a"), &error("b")),
            [r#"/errorMessage: "a" | "b""#]
        );
        assert_eq!(
            told(&error("a"), &response("1")),
            [r#"outcome: error {"errorType":"Error","errorMessage":"a"} | response 1"#]
        );
        assert!(told(&seen(Answer::Nothing), &seen(Answer::Nothing)).is_empty());
        let deferred = Seen {
            deferred: true,
            pending: vec!["Timeout".into()],
            ..response("1")
        };
        assert_eq!(
            told(&deferred, &response("1")),
            ["deferred: waited for Timeout | immediate"]
        );
        assert!(told(&deferred, &deferred).is_empty());
    }

    #[test]
    fn a_long_value_is_cut_and_many_differences_are_bounded() {
        let long = "x".repeat(1_000_000);
        let cut = shown(&long);
        assert!(cut.len() < 200 && cut.ends_with("(1000000 bytes)"));
        let many = |n: u32| seen(Answer::Error(json!(vec![n; 1000])));
        assert_eq!(differences(&many(1), &many(2)).len(), DIFFERENCES);
    }
}
