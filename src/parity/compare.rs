//! The differences between the original and the port.

use super::{
    compare_stream::ended,
    excerpt::{Excerpt, shown, shown_pair},
    log,
    outcome::{Seen, SentOutcome},
    report::plural,
    stream,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{cmp::Ordering, collections::HashMap, fmt, mem};

/// A difference: where it is, and what each side has there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// A JSON pointer into the response or the error, or `outcome`, `mode`, `deferred` or `log/2`,
    /// or the place in a stream, such as `metadata/headers` and `body/7`, or in a request, such as
    /// `requests/2/body`.
    pub(super) path: String,
    pub(super) original: Excerpt,
    pub(super) port: Excerpt,
}

/// The maximum number of listed differences of an invocation. One more entry says that there are
/// others.
const DIFFERENCES: usize = 1000;

/// The depth down to which a body is compared member by member. Deeper values are compared as text.
const DEPTH: usize = 100;

/// Compares both sides of an invocation. `ignores` is called with the path of each difference.
pub(super) fn differences(
    original: &Seen,
    port: &Seen,
    ignores: impl Fn(&str) -> bool,
) -> Vec<Difference> {
    let mut differences = Differences::new(&ignores);
    if stream::modes_differ(original, port) {
        differences.add("mode", mode(original), mode(port));
    }
    let (original_outcome, port_outcome) = stream::alike(original, port);
    match (&*original_outcome, &*port_outcome) {
        (original, port) if original == port => {}
        (SentOutcome::Response(original), SentOutcome::Response(port)) => {
            differences.bodies("", original, port);
        }
        (SentOutcome::Error(original), SentOutcome::Error(port)) => {
            let (original, port) = (original.to_string(), port.to_string());
            differences.bodies("", original.as_bytes(), port.as_bytes());
        }
        (SentOutcome::Stream(original), SentOutcome::Stream(port)) => {
            differences.streams(original, port)
        }
        (original, port) => differences.add("outcome", described(original), described(port)),
    }
    let both_respond = matches!(
        (&original.outcome, &port.outcome),
        (SentOutcome::Response(_), SentOutcome::Response(_))
    );
    // Differences between the responses may be accepted, and must not hide a difference in
    // deferral.
    if both_respond && original.deferred != port.deferred {
        differences.add("deferred", deferral(original), deferral(port));
    }
    if let (Some(original), Some(port)) = (&original.log, &port.log) {
        log::differences(original, port, |path, original, port| {
            differences.texts(path, original, port);
        });
    }
    differences.list
}

fn described(outcome: &SentOutcome) -> String {
    match outcome {
        SentOutcome::Response(body) => {
            format!("response {}", shown(&String::from_utf8_lossy(body)))
        }
        SentOutcome::Stream(stream) => {
            let bytes = stream.body.len();
            let plural = plural(bytes);
            format!("{} after {bytes} byte{plural}", ended(&stream.end))
        }
        SentOutcome::Error(error) => format!("error {}", shown(&error.to_string())),
        SentOutcome::Nothing => "no response before the deadline or the end of the process".into(),
    }
}

fn mode(seen: &Seen) -> String {
    match seen.outcome {
        SentOutcome::Stream(_) => "streamed".into(),
        _ => "not streamed".into(),
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

    pub(super) fn add(
        &mut self,
        path: &str,
        original: impl Into<Excerpt>,
        port: impl Into<Excerpt>,
    ) {
        if (self.ignores)(path) {
            self.has_ignored = true;
            return;
        }
        let (path, original, port) = match self.list.len().cmp(&DIFFERENCES) {
            Ordering::Less => (path.to_owned(), original.into(), port.into()),
            // The differences beyond the limit have no path of their own, so that only an entry for
            // the whole response can accept them.
            Ordering::Equal => (
                String::new(),
                format!("more than {DIFFERENCES} differences").into(),
                Excerpt::default(),
            ),
            Ordering::Greater => return,
        };
        self.list.push(Difference {
            path,
            original,
            port,
        });
    }

    /// Compares bodies whose bytes differ, at a path.
    pub(super) fn bodies(&mut self, path: &str, original: &[u8], port: &[u8]) {
        let (before, has_ignored) = (self.list.len(), mem::take(&mut self.has_ignored));
        let parsed = (
            serde_json::from_slice::<&RawValue>(original),
            serde_json::from_slice::<&RawValue>(port),
        );
        if let (Ok(original), Ok(port)) = &parsed {
            self.values(path, 0, Some(original.get()), Some(port.get()));
        }
        // They differ only in white space, or are not JSON.
        if self.list.len() == before && !self.has_ignored {
            self.texts(
                path,
                &String::from_utf8_lossy(original),
                &String::from_utf8_lossy(port),
            );
        }
        self.has_ignored |= has_ignored;
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
        self.texts(path, original, port);
    }

    /// Adds a difference of two texts, which may be long.
    pub(super) fn texts(&mut self, path: &str, original: &str, port: &str) {
        let (original, port) = shown_pair(original, port);
        self.add(path, original, port);
    }

    fn objects(&mut self, path: &str, depth: usize, original: &Members<'_>, port: &Members<'_>) {
        let (original, port) = (&original.0, &port.0);
        let (of_original, of_port) = (by_key(original), by_key(port));
        let only_there = port
            .iter()
            .filter(|(key, _)| !of_original.contains_key(&**key));
        for (key, _) in original.iter().chain(only_there) {
            let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
            let value = |members: &HashMap<&str, &'_ str>| {
                members.get(&**key).map(|value| (*value).to_owned())
            };
            let (original, port) = (value(&of_original), value(&of_port));
            self.values(&path, depth + 1, original.as_deref(), port.as_deref());
        }
        // A key that only one side has is reported above, where it may be ignored or accepted. It
        // does not count for the order.
        let keys = |members: &[(String, &RawValue)], others: &HashMap<&str, &str>| {
            let keys = members.iter().map(|(key, _)| key);
            keys.filter(|key| others.contains_key(&***key))
                .cloned()
                .collect::<Vec<_>>()
        };
        let (original, port) = (keys(original, &of_port), keys(port, &of_original));
        let (mut sorted, mut sorted_port) = (original.clone(), port.clone());
        sorted.sort();
        sorted_port.sort();
        if original != port && sorted == sorted_port {
            let (original, port) = shown_pair(&original.join(", "), &port.join(", "));
            let names = |names: Excerpt| format!("keys in the order {names}");
            self.add(path, names(original), names(port));
        }
    }
}

/// Maps the keys of an object to their values. The last of duplicate keys counts, as in
/// `JSON.parse`.
fn by_key<'a>(members: &'a [(String, &'a RawValue)]) -> HashMap<&'a str, &'a str> {
    let pair = |(key, value): &'a (String, &'a RawValue)| (&**key, value.get());
    members.iter().map(pair).collect()
}

/// The members of an object, in their order.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

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

pub(super) fn members(text: &str) -> serde_json::Result<Members<'_>> {
    serde_json::from_str(text)
}

fn items(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::from_str(text)
}

fn member(text: Option<&str>) -> Excerpt {
    text.map_or("undefined".to_owned().into(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn response(text: &'static str) -> Seen {
        Seen::from(SentOutcome::Response(Bytes::from_static(text.as_bytes())))
    }

    fn listed(original: &Seen, port: &Seen) -> Vec<String> {
        let listed = |one: &Difference| format!("{}: {} | {}", one.path, one.original, one.port);
        differences(original, port, |_| false)
            .iter()
            .map(listed)
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
                listed(&response(original), &response(port)),
                expected,
                "{original}"
            );
        }
    }

    #[test]
    fn errors_outcomes_and_deferral_are_compared() {
        let error = |message: &str| {
            Seen::from(SentOutcome::Error(
                json!({ "errorType": "Error", "errorMessage": message }),
            ))
        };
        assert_eq!(
            listed(&error("a"), &error("b")),
            [r#"/errorMessage: "a" | "b""#]
        );
        assert_eq!(
            listed(&error("a"), &response("1")),
            [r#"outcome: error {"errorType":"Error","errorMessage":"a"} | response 1"#]
        );
        assert!(
            listed(
                &Seen::from(SentOutcome::Nothing),
                &Seen::from(SentOutcome::Nothing)
            )
            .is_empty()
        );
        let deferred = Seen {
            deferred: true,
            pending: vec!["Timeout".into()],
            ..response("1")
        };
        assert_eq!(
            listed(&deferred, &response("1")),
            ["deferred: waited for Timeout | immediate"]
        );
        assert!(listed(&deferred, &deferred).is_empty());
        // The other difference may be accepted.
        assert_eq!(
            listed(&deferred, &response("2")),
            [": 1 | 2", "deferred: waited for Timeout | immediate"]
        );
    }

    #[test]
    fn a_long_value_is_shown_where_it_differs() {
        let long = |end: &str| response(format!("\"{}{end}\"", "x".repeat(1_000_000)).leak());
        let same = "x".repeat(40);
        assert_eq!(
            listed(&long("1"), &long("2")),
            [format!(
                r#": ..{same}1" (from byte 999961 of 1000003) | ..{same}2" (from byte 999961 of 1000003)"#
            )]
        );
    }

    #[test]
    fn many_differences_are_bounded() {
        let many = |n: u32| Seen::from(SentOutcome::Error(json!(vec![n; 5000])));
        assert_eq!(
            differences(&many(1), &many(2), |_| false).len(),
            DIFFERENCES + 1
        );
    }

    /// The time to find a member does not depend on the number of members.
    #[test]
    fn an_object_of_many_members_is_compared() {
        let object = |last: u32| {
            let members: Vec<String> = (0..100_000)
                .map(|n| format!("\"{n}\":{}", n.min(last)))
                .collect();
            response(format!("{{{}}}", members.join(",")).leak())
        };
        assert_eq!(
            listed(&object(99_999), &object(99_998)),
            ["/99999: 99999 | 99998"]
        );
    }

    /// However many differences are ignored, those in deferral, in the text of a number and in the
    /// order of keys are reported.
    #[test]
    fn what_is_ignored_hides_nothing_else() {
        let ignored = |path: &str| path.starts_with("/ids") || path == "/date";
        let listed = |original: &'static str, port: &'static str| {
            let differences = differences(&response(original), &response(port), ignored);
            differences
                .into_iter()
                .map(|one| one.path)
                .collect::<Vec<_>>()
        };
        let ids = |n: u32| format!(r#"{{"ids":{:?},"total":{n}}}"#, vec![n; 50]);
        let (one, two) = (ids(1).leak(), ids(2).leak());
        assert_eq!(listed(one, two), ["/total"]);
        assert_eq!(
            listed(
                r#"{"date":1,"n":1e21}"#,
                r#"{"date":2,"n":1000000000000000000000.0}"#
            ),
            ["/n"]
        );
        assert_eq!(
            listed(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1,"date":1}"#),
            [""]
        );
        assert!(listed(r#"{"a":1,"b":2}"#, r#"{"a":1,"date":1,"b":2}"#).is_empty());
        assert!(listed(r#"{"date":1}"#, r#"{"date":2}"#).is_empty());
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
