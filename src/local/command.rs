//! The command line of a function's own binary.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    /// One invocation with the event from there.
    Once(Source),
    /// The server, at this address.
    Listen(String),
}

#[derive(Debug, PartialEq)]
pub(super) enum Source {
    File(PathBuf),
    Stdin,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Stdin => f.write_str("standard input"),
        }
    }
}

const DEFAULT: &str = "127.0.0.1:9000";

/// The name that the program was started by.
pub(super) fn program(argument: Option<OsString>) -> String {
    let path = argument.unwrap_or_default();
    let name = Path::new(&path)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    if name.is_empty() {
        "function".into()
    } else {
        name.into_owned()
    }
}

pub(super) fn help(program: &str) -> String {
    format!(
        "Usage: {program} [EVENT.json | - | --listen ADDR]

  EVENT.json     invoke once with this event; print the response, or the failure
                 as JSON on stderr with exit code 1
  -              the same, with the event from standard input
  --listen ADDR  serve Lambda's Invoke API there, such as 127.0.0.1:8080
                 (port 0 takes a free one)
  --help         print this

Without an argument: --listen {DEFAULT}

Environment:
  AWS_LAMBDA_FUNCTION_TIMEOUT      seconds that an invocation may take: 3; 0 for no limit
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE  what the context tells of the memory: 128 (MB)
  AWS_LAMBDA_LOG_LEVEL             TRACE, DEBUG, INFO (the default), WARN or ERROR
  AWS_REGION                       the region in the function's ARN: us-east-1
"
    )
}

/// Reads the arguments behind the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    let Some(first) = arguments.next() else {
        return Ok(Command::Listen(DEFAULT.into()));
    };
    let text = first.to_string_lossy();
    let command = match &*text {
        "--help" | "-h" => Command::Help,
        "-" => Command::Once(Source::Stdin),
        "--listen" => {
            let address = arguments
                .next()
                .ok_or("`--listen` expects an address, host:port")?;
            listen(&address.to_string_lossy())?
        }
        option if option.starts_with("--listen=") => {
            listen(option.trim_start_matches("--listen="))?
        }
        option if option.starts_with('-') => {
            return Err(format!(
                "unknown option `{option}`: `--help` says what there is"
            ));
        }
        _ => Command::Once(Source::File(PathBuf::from(&first))),
    };
    match arguments.next() {
        None => Ok(command),
        Some(more) => Err(format!(
            "unexpected argument `{}`: expected one event file, `-` or `--listen ADDR`",
            more.to_string_lossy()
        )),
    }
}

fn listen(address: &str) -> Result<Command, String> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(Command::Listen(address.into())),
        _ => Err(format!(
            "`--listen {address}`: expected host:port, such as {DEFAULT} or [::1]:0"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn each_form_is_understood() {
        let listen = |address: &str| Ok(Command::Listen(address.into()));
        let file = |path: &str| Ok(Command::Once(Source::File(path.into())));
        assert_eq!(parsed(&[]), listen("127.0.0.1:9000"));
        assert_eq!(parsed(&["--listen", "127.0.0.1:0"]), listen("127.0.0.1:0"));
        assert_eq!(parsed(&["--listen=[::1]:80"]), listen("[::1]:80"));
        assert_eq!(parsed(&["-"]), Ok(Command::Once(Source::Stdin)));
        assert_eq!(parsed(&["event.json"]), file("event.json"));
        assert_eq!(parsed(&["./-event.json"]), file("./-event.json"));
        assert_eq!(parsed(&["--help"]), Ok(Command::Help));
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (arguments, expected) in [
            (["--listen"].as_slice(), "expects an address"),
            (&["--listen", "9000"], "expected host:port"),
            (&["--listen", "localhost:http"], "expected host:port"),
            (&["--listen", "localhost:70000"], "expected host:port"),
            (&["--port"], "--help"),
            (&["a.json", "b.json"], "unexpected argument `b.json`"),
            (&["--help", "me"], "unexpected argument `me`"),
        ] {
            let mistake = parsed(arguments).unwrap_err();
            assert!(mistake.contains(expected), "{arguments:?} gave: {mistake}");
        }
    }
}
