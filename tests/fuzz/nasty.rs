//! Generators of what programs choke on. `PROPTEST_CASES` says how many inputs of each target;
//! the full size is 1,000,000.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target uses a part of it, in the crate and beside it"
)]

use proptest::{collection::vec, prelude::*, strategy::Union, test_runner::Config};

/// So many cases, unless `PROPTEST_CASES` says otherwise. Nothing is written beside the sources.
pub fn config(cases: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: asked.map_or(cases, |asked| {
            asked.parse().expect("PROPTEST_CASES is a number")
        }),
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..Config::default()
    }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(String::from)
}

/// Pieces that end headers, lines, strings and JSON, or look like names.
const PIECES: &[&str] = &[
    "a",
    "Order",
    "NotFound",
    "errorType",
    " ",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\u{7f}",
    "\u{1b}[31m",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{202e}",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "{",
    "}",
    "%00",
    "%",
    "/",
    "..",
    ":",
    ";",
    ",",
    "=",
    "ż",
    "🚀",
    "e\u{301}",
    "\t",
    "\u{8}",
    "\u{1}",
    "<T>",
    "::",
    "\r\nx: y\r\n\r\n",
];

/// Text of any kind, now and then a very long one.
pub fn text() -> impl Strategy<Value = String> {
    let pieces = vec(proptest::sample::select(PIECES), 0..6).prop_map(|pieces| pieces.concat());
    prop_oneof![
        300 => pieces,
        60 => vec(any::<char>(), 0..12).prop_map(String::from_iter),
        20 => one_of(&["", "Error", "OrderNotFound", "null", "Runtime.ExitError"]),
        1 => (proptest::sample::select(PIECES), 90_000_usize..110_000)
            .prop_map(|(piece, length)| piece.repeat(length / piece.len())),
    ]
}

/// Numbers as JSON has them and as it has them not.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1.0",
    "1e400",
    "-1e400",
    "1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "0.1e+5",
    "1e1000000000000000000000",
    "00",
    "-",
    "1.",
    ".5",
    "+1",
    "NaN",
    "Infinity",
    "0x10",
    "123456789012345678901234567890.123456789012345678901234567890",
];

/// The insides of JSON strings, escapes of half characters among them.
const STRINGS: &[&str] = &[
    "",
    "a",
    "n",
    "name",
    "items",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude80",
    "\\u0000",
    "\\u00",
    "\\x",
    "\\",
    "\u{0}",
    "\u{7f}",
    "ż",
    "🚀",
    "\\\"",
    "\\/",
    "\n",
    "__proto__",
    "\u{2028}",
];

fn json_text() -> impl Strategy<Value = String> {
    let string = proptest::sample::select(STRINGS).prop_map(|inside| format!("\"{inside}\""));
    let leaf = prop_oneof![
        3 => one_of(&["null", "true", "false", "{}", "[]", "{\"n\":1}"]),
        3 => proptest::sample::select(NUMBERS).prop_map(String::from),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        4 => string,
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        // Few names, so that keys are double.
        let key = proptest::sample::select(STRINGS);
        let members = vec((key, inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let members = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\": {value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn deep() -> impl Strategy<Value = String> {
    let brackets =
        proptest::sample::select(&[("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")][..]);
    let depth = prop_oneof![20 => 100_usize..140, 1 => 1_000_usize..50_000];
    (brackets, depth, any::<bool>()).prop_map(|((open, close), depth, closed)| {
        let close = if closed {
            close.repeat(depth)
        } else {
            String::new()
        };
        format!("{}1{close}", open.repeat(depth))
    })
}

/// Bytes that are JSON, nearly JSON, or nothing like it.
pub fn json_bytes() -> impl Strategy<Value = Vec<u8>> {
    let damaged =
        (json_text(), any::<proptest::sample::Index>(), bytes()).prop_map(|(json, at, garbage)| {
            let mut json = json.into_bytes();
            let at = at.index(json.len() + 1);
            let end = json.len().min(at + garbage.len() / 2);
            json.splice(at..end, garbage);
            json
        });
    let truncated = (json_text(), any::<proptest::sample::Index>()).prop_map(|(json, at)| {
        let mut json = json.into_bytes();
        json.truncate(at.index(json.len() + 1));
        json
    });
    let padded = (
        proptest::sample::select(&["", " ", "\u{feff}", "\n\t", "\0"][..]),
        json_text(),
    )
        .prop_map(|(pad, json)| format!("{pad}{json}{pad}").into_bytes());
    prop_oneof![
        200 => json_text().prop_map(String::into_bytes),
        60 => damaged,
        40 => truncated,
        20 => padded,
        40 => bytes(),
        10 => deep().prop_map(String::into_bytes),
        10 => text().prop_map(|text| serde_json::to_vec(&text).expect("a string")),
    ]
}

/// Bytes that UTF-8 has not: cut characters, overlong ones, and halves of surrogate pairs.
const BAD_UTF8: &[&[u8]] = &[
    b"\xff",
    b"\xfe",
    b"\xc0\x80",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xf0\x9f\x9a",
    b"\0",
    b"\r\n",
    b"\x7f",
    b"\"",
    b"{",
    b"a",
    b"\\",
];

pub fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => vec(proptest::sample::select(BAD_UTF8), 0..6).prop_map(|pieces| pieces.concat()),
        1 => vec(any::<u8>(), 0..24),
    ]
}

/// Any of these, each as often.
pub fn any_of<T: std::fmt::Debug + Clone + 'static>(
    these: impl IntoIterator<Item = T>,
) -> impl Strategy<Value = T> {
    Union::new(these.into_iter().map(Just))
}
