//! Any command line: it is understood, or the mistake says what was expected.

use super::{Command, parse, program};
use crate::nasty::{any_of, bytes, config, text};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::ffi::OsString;

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn arguments() -> impl Strategy<Value = Vec<OsString>> {
    const KNOWN: [&str; 16] = [
        "--listen",
        "--handler",
        "--handler=other",
        "--listen=",
        "--help",
        "-h",
        "-",
        "--",
        "--listen=[::1]:0",
        "127.0.0.1:0",
        ":",
        "[::1]:65536",
        "localhost:-1",
        "event.json",
        "",
        "=",
    ];
    let known = any_of(KNOWN).prop_map(OsString::from);
    let near = (any_of(KNOWN), bytes())
        .prop_map(|(known, garbage)| os_string([known.as_bytes(), &garbage].concat()));
    let argument = prop_oneof![
        4 => known,
        3 => near,
        2 => bytes().prop_map(os_string),
        1 => text().prop_map(OsString::from),
    ];
    vec(argument, 0..4)
}

#[test]
fn any_command_line_is_understood_or_says_what_was_expected() {
    let target = |arguments: Vec<OsString>| {
        prop_assert!(!program(arguments.first().cloned()).is_empty());
        match parse(arguments.clone()) {
            Ok(Command::Listen(None)) => prop_assert!(arguments.is_empty()),
            Ok(Command::Listen(Some(address))) => {
                let (_, port) = address.rsplit_once(':').expect("a port");
                prop_assert!(port.parse::<u16>().is_ok());
            }
            Ok(Command::Once { .. } | Command::Help) => prop_assert!(!arguments.is_empty()),
            Err(mistake) => prop_assert!(
                mistake.contains("expect") || mistake.contains("`--help` says what there is"),
                "{mistake}"
            ),
        }
        Ok(())
    };
    TestRunner::new(config(20_000))
        .run(&arguments(), target)
        .unwrap_or_else(|failure| panic!("{failure}"));
}
