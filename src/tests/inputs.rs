//! Generators of input that breaks programs. `NODEBACK_CASES` sets how many inputs each test tries.
//! A full run tries 1,000,000.

#![allow(
    clippy::print_stderr,
    dead_code,
    unreachable_pub,
    reason = "each test uses a part of it, inside and outside of the crate"
)]

use fastrand::Rng;
use std::{env, thread};

/// Returns the number of cases: `default`, unless `NODEBACK_CASES` is set.
pub fn cases(default: u32) -> u32 {
    env::var("NODEBACK_CASES").map_or(default, |cases| {
        cases.parse().expect("NODEBACK_CASES is a number")
    })
}

/// Runs `test` with as many seeds as [`cases`] returns. A failure prints its seed, which
/// `NODEBACK_SEED` with `NODEBACK_CASES=1` runs again.
pub fn for_each_seed(default: u32, test: impl Fn(&mut Rng)) {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if thread::panicking() {
                eprintln!(
                    "NODEBACK_SEED={} NODEBACK_CASES=1 runs this case again",
                    self.0
                );
            }
        }
    }
    let first = env::var("NODEBACK_SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| seed.parse().expect("NODEBACK_SEED is a number"),
    );
    for case in 0..cases(default) {
        let seed = Seed(first.wrapping_add(case.into()));
        test(&mut Rng::with_seed(seed.0));
    }
}

/// Returns one of `these`, each with the same probability.
pub fn pick<T: Clone>(rng: &mut Rng, these: &[T]) -> T {
    these[rng.usize(..these.len())].clone()
}

/// Returns fewer than `most` values of `one`.
pub fn several<T>(rng: &mut Rng, most: usize, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(..most)).map(|_| one(rng)).collect()
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

/// Returns text of any kind, and sometimes a very long one.
pub fn text(rng: &mut Rng) -> String {
    match rng.u32(..381) {
        0..300 => several(rng, 6, |rng| pick(rng, PIECES)).concat(),
        300..360 => {
            let any = |rng: &mut Rng| {
                let most = pick(rng, &['\u{7f}', '\u{7ff}', '\u{ffff}', '\u{10ffff}']);
                rng.char(..=most)
            };
            several(rng, 12, any).into_iter().collect()
        }
        360..380 => {
            const WHOLE: [&str; 5] = ["", "Error", "OrderNotFound", "null", "Runtime.ExitError"];
            pick(rng, &WHOLE).into()
        }
        _ => {
            let piece = pick(rng, PIECES);
            piece.repeat(rng.usize(90_000..110_000) / piece.len())
        }
    }
}

/// Numbers, both valid and invalid in JSON.
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

/// Contents of JSON strings, including escapes of half a character.
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

/// Returns JSON of at most `depth` levels, in which some numbers and strings are invalid.
fn json_text(rng: &mut Rng, depth: u32) -> String {
    // There are few names, so that keys are duplicated.
    let string = |rng: &mut Rng| format!("\"{}\"", pick(rng, STRINGS));
    let nested = depth > 0 && rng.bool();
    match rng.u32(..11) {
        0..6 if nested => {
            let items = several(rng, 4, |rng| json_text(rng, depth - 1));
            format!("[{}]", items.join(","))
        }
        _ if nested => {
            let members = several(rng, 4, |rng| {
                format!("{}: {}", string(rng), json_text(rng, depth - 1))
            });
            format!("{{{}}}", members.join(","))
        }
        0..3 => pick(rng, &["null", "true", "false", "{}", "[]", "{\"n\":1}"]).into(),
        3..6 => pick(rng, NUMBERS).into(),
        6 => rng.i64(..).to_string(),
        _ => string(rng),
    }
}

fn deeply_nested(rng: &mut Rng) -> String {
    let (open, close) = pick(rng, &[("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")]);
    let depth = if rng.u32(..21) == 0 {
        rng.usize(1_000..50_000)
    } else {
        rng.usize(100..140)
    };
    let closed = if rng.bool() { depth } else { 0 };
    format!("{}1{}", open.repeat(depth), close.repeat(closed))
}

/// Returns bytes that are JSON, nearly JSON, or nothing like it.
pub fn json_bytes(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(..380) {
        0..200 => json_text(rng, 4).into_bytes(),
        200..260 => {
            let mut json = json_text(rng, 4).into_bytes();
            let (at, garbage) = (rng.usize(..=json.len()), bytes(rng));
            let end = json.len().min(at + garbage.len() / 2);
            json.splice(at..end, garbage);
            json
        }
        260..300 => {
            let mut json = json_text(rng, 4).into_bytes();
            json.truncate(rng.usize(..=json.len()));
            json
        }
        300..320 => {
            let pad = pick(rng, &["", " ", "\u{feff}", "\n\t", "\0"]);
            format!("{pad}{}{pad}", json_text(rng, 4)).into_bytes()
        }
        320..360 => bytes(rng),
        360..370 => deeply_nested(rng).into_bytes(),
        _ => serde_json::to_vec(&text(rng)).expect("a string"),
    }
}

/// Bytes that are mostly invalid in UTF-8: incomplete characters, overlong ones, and halves of
/// surrogate pairs.
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

pub fn bytes(rng: &mut Rng) -> Vec<u8> {
    if rng.u32(..3) < 2 {
        several(rng, 6, |rng| pick(rng, BAD_UTF8)).concat()
    } else {
        several(rng, 24, |rng| rng.u8(..))
    }
}
