//! Any command line: it is understood, or the mistake says what was expected.

use super::{Command, parse};
use crate::inputs::{bytes, for_each_seed, pick, several, text};
use crate::local::help::program;
use fastrand::Rng;
use std::ffi::OsString;

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn argument(rng: &mut Rng) -> OsString {
    const KNOWN: [&str; 32] = [
        "--listen",
        "--handler",
        "--handler=other",
        "--listen=",
        "--allow-host",
        "--allow-host=my-service",
        "--allow-host=my-service:80",
        "--help",
        "--retry",
        "--retry=1",
        "--events",
        "--events=a",
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
        "--rest=/{proxy+}",
        "--http-api",
        "--alb=/*",
        "--stage-variable=a=b",
        "a=GET /orders/{id}",
        "--version",
        "{\"a\":1}",
        "[",
        "null",
    ];
    match rng.u32(..10) {
        0..4 => pick(rng, &KNOWN).into(),
        4..7 => os_string([pick(rng, &KNOWN).as_bytes(), &bytes(rng)].concat()),
        7..9 => os_string(bytes(rng)),
        _ => text(rng).into(),
    }
}

#[test]
fn any_command_line_is_understood_or_says_what_was_expected() {
    for_each_seed(20_000, |rng| {
        let arguments = several(rng, 4, argument);
        assert!(!program(arguments.first().cloned()).is_empty());
        match parse(arguments.clone()) {
            Ok(Command::Listen {
                address,
                hosts,
                routes,
                retry,
                events,
            }) => {
                assert!(routes.parse().is_ok());
                if let Some(address) = address {
                    let (_, port) = address.rsplit_once(':').expect("a port");
                    assert!(port.parse::<u16>().is_ok());
                } else if routes == Default::default() {
                    assert_eq!(
                        arguments.is_empty(),
                        hosts.is_empty() && !retry && events.is_none()
                    );
                }
            }
            Ok(Command::Once { sources, .. }) => {
                assert!(!sources.is_empty() && sources.len() <= arguments.len());
            }
            Ok(Command::Help | Command::Version) => assert!(!arguments.is_empty()),
            Err(mistake) => assert!(
                mistake.contains("expect") || mistake.contains("`--help` lists the options"),
                "{mistake}"
            ),
        }
    });
}
