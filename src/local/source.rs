//! The sources of events on the command line.

use super::event::check;
use crate::text::excerpt;
use bytes::Bytes;
use std::{
    ffi::OsStr,
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// An event on the command line.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    File(PathBuf),
    /// The argument is the event.
    Inline(Vec<u8>),
    Stdin,
}

impl Source {
    /// Classifies an argument. It is an event if it looks like JSON and no file has that name, and
    /// the name of a file otherwise.
    ///
    /// # Errors
    ///
    /// Returns an error if the argument is empty, such as an unset variable of a shell script.
    pub(super) fn of(argument: &OsStr) -> Result<Self, String> {
        if argument.is_empty() {
            return Err(
                "expected an event file, an event as JSON, or `-`, and not an empty argument"
                    .into(),
            );
        }
        let (bytes, path) = (argument.as_encoded_bytes(), Path::new(argument));
        Ok(match looks_like_json(bytes) && !path.exists() {
            true => Source::Inline(bytes.into()),
            false => Source::File(path.into()),
        })
    }

    /// Reads the event. An empty one is `{}`, as over HTTP.
    ///
    /// # Errors
    ///
    /// Returns why the event could not be read or is not JSON.
    pub(super) fn read(&self) -> Result<Bytes, String> {
        let event = match self {
            Source::File(path) => std::fs::read(path),
            Source::Inline(event) => Ok(event.clone()),
            Source::Stdin => {
                let mut event = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut event);
                read.map(|_| event)
            }
        };
        event.map_err(|error| error.to_string()).and_then(parse)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Inline(event) => {
                let event = String::from_utf8_lossy(event);
                write!(f, "the event `{}`", excerpt(&event, 40))
            }
            Source::Stdin => f.write_str("standard input"),
        }
    }
}

/// Returns whether an argument is meant as JSON, even if it is malformed.
fn looks_like_json(argument: &[u8]) -> bool {
    let first = argument.trim_ascii_start().first();
    // The name of a file may start like a number or a literal of JSON, so those have to be valid.
    first.is_some_and(|first| b"{[\"".contains(first)) || check(argument).is_ok()
}

/// The byte order mark that some editors, and PowerShell, put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn parse(event: Vec<u8>) -> Result<Bytes, String> {
    if event.starts_with(b"\xff\xfe") || event.starts_with(b"\xfe\xff") {
        return Err("expected the event in UTF-8, but it is in UTF-16".into());
    }
    let event = without_byte_order_mark(event.into());
    if event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    check(&event).map_err(|error| format!("expected the event as JSON: {error}"))?;
    Ok(event)
}

pub(super) fn without_byte_order_mark(event: Bytes) -> Bytes {
    match event.starts_with(BYTE_ORDER_MARK) {
        true => event.slice(BYTE_ORDER_MARK.len()..),
        false => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_json_if_it_looks_like_json_and_no_file_has_that_name() {
        for json in [
            "{}",
            " \n{\"a\":1}",
            "[1]",
            "\"text\"",
            "{broken",
            "42",
            "true",
            "null ",
        ] {
            let source = Source::of(OsStr::new(json)).unwrap();
            assert_eq!(source, Source::Inline(json.into()), "{json}");
        }
        for name in [
            "event.json",
            "2026-11-26.json",
            "nullable",
            "true.json",
            "'{a}'",
            "a{}",
        ] {
            let source = Source::of(OsStr::new(name)).unwrap();
            assert_eq!(source, Source::File(name.into()), "{name}");
        }
    }

    #[test]
    fn an_event_may_have_a_byte_order_mark_or_be_empty() {
        for (event, expected) in [
            (b"\xef\xbb\xbf{\"a\":1}".as_slice(), "{\"a\":1}"),
            (b"\xef\xbb\xbf", "{}"),
            (b"", "{}"),
            (b" [1]\r\n", " [1]\r\n"),
        ] {
            assert_eq!(parse(event.into()).unwrap(), expected);
        }
        for (event, mistake) in [
            (b"\xff\xfe{\0}\0".as_slice(), "it is in UTF-16"),
            (b"\xfe\xff\0{\0}", "it is in UTF-16"),
            (b"\xef\xbb\xbf\xef\xbb\xbf{}", "expected value"),
            (b" \n", "EOF while parsing a value"),
            (b"\"\xe9\"", "invalid utf-8"),
        ] {
            let error = parse(event.into()).unwrap_err();
            assert!(error.contains(mistake), "{error}");
        }
    }

    #[test]
    fn an_inline_event_is_named_by_its_start() {
        let source = Source::Inline(format!("[\"\n{}\"]", "x".repeat(99)).into());
        assert_eq!(
            source.to_string(),
            format!("the event `[\"\\n{}…`", "x".repeat(37))
        );
    }
}
