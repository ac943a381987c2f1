//! What differs between the original and the port.

use super::outcome::{Answer, Seen};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// A difference: where it is, and what each side has there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// A JSON pointer into the response or the error, or `outcome` or `deferred`, or the place in a request, such as
    /// `requests/2/body`.
    pub(super) path: String,
    pub(super) original: String,
    pub(super) port: String,
}

/// How many differences of one invocation are reported.
const DIFFERENCES: usize = 20;

/// How many characters of a value are shown.
const SHOWN: usize = 120;

/// How deep a body is looked into. What is deeper is compared as text.
const DEPTH: usize = 100;

/// Compares what was seen of an invocation. `ignores` is asked about each path at which there is a difference.
pub(super) fn differences(
    original: &Seen,
    port: &Seen,
    ignores: impl Fn(&str) -> bool,
) -> Vec<Difference> {
    let mut differences = Differences::new(&ignores);
    match (&original.answer, &port.answer) {
        (original, port) if original == port => {}
        (Answer::Response(original), Answer::Response(port)) => differences.bodies(original, port),
        (Answer::Error(original), Answer::Error(port)) => {
            let (original, port) = (original.to_string(), port.to_string());
            differences.bodies(original.as_bytes(), port.as_bytes());
        }
        (original, port) => differences.add("outcome", outcome(original), outcome(port)),
    }
    if differences.list.is_empty() && original.deferred != port.deferred {
        differences.add("deferred", deferral(original), deferral(port));
    }
    differences.list
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

pub(super) struct Differences<'a> {
    pub(super) list: Vec<Difference>,
    ignores: &'a dyn Fn(&str) -> bool,
    has_ignored: bool,
}

impl<'a> Differences<'a> {
    pub(super) fn new(ignores: &'a dyn Fn(&str) -> bool) -> Self {
        Differences {
            list: Vec::new(),
            ignores,
            has_ignored: false,
        }
    }

    pub(super) fn add(&mut self, path: &str, original: String, port: String) {
        if (self.ignores)(path) {
            self.has_ignored = true;
        } else if self.list.len() < DIFFERENCES {
            let path = path.to_owned();
            self.list.push(Difference {
                path,
                original,
                port,
            });
        }
    }

    /// Compares bodies whose bytes differ.
    fn bodies(&mut self, original: &[u8], port: &[u8]) {
        let parsed = (
            serde_json::from_slice::<&RawValue>(original),
            serde_json::from_slice::<&RawValue>(port),
        );
        if let (Ok(original), Ok(port)) = &parsed {
            self.values("", 0, Some(original.get()), Some(port.get()));
        }
        // They differ only in white space, or are no JSON.
        if self.list.is_empty() && !self.has_ignored {
            let text = |body| shown(&String::from_utf8_lossy(body));
            self.add("", text(original), text(port));
        }
    }

    /// Compares values by their text, so that `1` differs from `1.0`.
    pub(super) fn values(
        &mut self,
        path: &str,
        depth: usize,
        original: Option<&str>,
        port: Option<&str>,
    ) {
        if original == port {
            return;
        }
        let (Some(original), Some(port)) = (original, port) else {
            return self.add(path, member(original), member(port));
        };
        if depth < DEPTH {
            if let (Ok(original), Ok(port)) = (members(original), members(port)) {
                return self.objects(path, depth, &original, &port);
            }
            if let (Ok(original), Ok(port)) = (items(original), items(port)) {
                for at in 0..original.len().max(port.len()) {
                    let (original, port) = (original.get(at), port.get(at));
                    let text = |item: Option<&&'_ RawValue>| item.map(|item| item.get().to_owned());
                    let (original, port) = (text(original), text(port));
                    self.values(
                        &format!("{path}/{at}"),
                        depth + 1,
                        original.as_deref(),
                        port.as_deref(),
                    );
                }
                return;
            }
        }
        self.add(path, shown(original), shown(port));
    }

    fn objects(&mut self, path: &str, depth: usize, original: &Members<'_>, port: &Members<'_>) {
        let (original, port) = (&original.0, &port.0);
        fn find<'a>(members: &'a [(String, &RawValue)], key: &str) -> Option<&'a str> {
            // The last one counts, as in `JSON.parse`.
            let found = members.iter().rev().find(|(name, _)| name == key);
            found.map(|(_, value)| value.get())
        }
        let only_there = port.iter().filter(|(key, _)| find(original, key).is_none());
        for (key, _) in original.iter().chain(only_there) {
            let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.values(&path, depth + 1, find(original, key), find(port, key));
        }
        let keys = |members: &[(String, &RawValue)]| {
            members
                .iter()
                .map(|(key, _)| key.clone())
                .collect::<Vec<_>>()
        };
        let (original, port) = (keys(original), keys(port));
        let (mut sorted, mut sorted_port) = (original.clone(), port.clone());
        sorted.sort();
        sorted_port.sort();
        if original != port && sorted == sorted_port {
            let names =
                |names: &[String]| format!("keys in the order {}", shown(&names.join(", ")));
            self.add(path, names(&original), names(&port));
        }
    }
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

fn members(text: &str) -> serde_json::Result<Members<'_>> {
    serde_json::from_str(text)
}

fn items(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::from_str(text)
}

fn member(text: Option<&str>) -> String {
    text.map_or("undefined".into(), shown)
}

/// A text, cut where it is long.
pub(super) fn shown(text: &str) -> String {
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
        differences(original, port, |_| false)
            .iter()
            .map(told)
            .collect()
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
        assert_eq!(
            differences(&many(1), &many(2), |_| false).len(),
            DIFFERENCES
        );
    }

    /// Neither their number, nor deferral, nor a number's text is hidden behind them.
    #[test]
    fn what_is_ignored_hides_nothing_else() {
        let ignored = |path: &str| path.starts_with("/ids") || path == "/date";
        let told = |original: &'static str, port: &'static str| {
            let differences = differences(&response(original), &response(port), ignored);
            differences
                .into_iter()
                .map(|one| one.path)
                .collect::<Vec<_>>()
        };
        let ids = |n: u32| format!(r#"{{"ids":{:?},"total":{n}}}"#, vec![n; 50]);
        let (one, two) = (ids(1).leak(), ids(2).leak());
        assert_eq!(told(one, two), ["/total"]);
        assert_eq!(
            told(
                r#"{"date":1,"n":1e21}"#,
                r#"{"date":2,"n":1000000000000000000000.0}"#
            ),
            ["/n"]
        );
        assert!(told(r#"{"date":1}"#, r#"{"date":2}"#).is_empty());
        let deferred = Seen {
            deferred: true,
            ..response(r#"{"date":1}"#)
        };
        let differences = differences(&deferred, &response(r#"{"date":2}"#), ignored);
        assert_eq!(differences[0].path, "deferred");
    }

    #[test]
    fn a_deep_body_is_compared_as_text_below_a_depth() {
        let deep =
            |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000)).leak();
        let (one, two) = (response(deep("1")), response(deep("2")));
        assert_eq!(differences(&one, &two, |_| false).len(), 1);
    }
}
