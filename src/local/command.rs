//! The command line of a function's own binary.

use super::{host::Host, routes::LocalRoutes, source::Source, timeline::TimelineForm};
use crate::http::Gateway;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    /// One invocation with each of these events.
    Once {
        sources: Vec<Source>,
        /// Which of the exported handlers is meant.
        handler: Option<String>,
        /// How the timeline of each invocation is shown, if at all.
        timeline: Option<TimelineForm>,
    },
    /// The server.
    Listen {
        /// Where, if that is given.
        address: Option<String>,
        /// The hosts that requests may name as well.
        hosts: Vec<Host>,
        routes: LocalRoutes,
        /// Whether asynchronous invocations that fail are retried.
        retry: bool,
        /// The folder whose events the page offers.
        events: Option<PathBuf>,
    },
}

/// Where it listens unless it is told otherwise.
pub(super) const DEFAULT: &str = "127.0.0.1:9000";

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

pub(super) fn version(program: &str) -> String {
    format!("{program} (nodeback {})\n", env!("CARGO_PKG_VERSION"))
}

/// What the benchmark needs and the program does not have.
const BENCH: &str = if cfg!(feature = "bench") {
    ""
} else {
    ",\nin a program that is built with the feature `bench` of nodeback"
};

/// What the comparison takes that the program does not have.
const PARITY: &str = if cfg!(feature = "parity") {
    ""
} else {
    ",\nin a program that is built with the feature `parity` of nodeback"
};

pub(super) fn help(program: &str) -> String {
    format!(
        "Usage: {program} [--handler NAME] [--timeline [FILE.html]] [EVENT ...]
       {program} [--listen ADDR] [--allow-host NAME] [--retry] [--events FOLDER] [ROUTES]

  EVENT          invoke once with this event, which is a file (event.json), JSON
                 ('{{\"a\":1}}'), or standard input (-); print the response on stdout, or
                 the failure as JSON on stderr. Several events are invoked one after
                 the other, in one process. An argument is JSON if it starts with {{, [ or
                 a double quote, or is a whole JSON value such as 7 or null, and there is
                 no file of that name
  --handler NAME invoke the handler that is exported under this name, where the
                 program has several
  --timeline [FILE.html]
                 show what happened when: the handler, its tasks, timers and signals with
                 their call sites, the response and the log; as text on stderr, or as a
                 page in this file
  --listen ADDR  serve Lambda's Invoke API there, such as 127.0.0.1:8080
                 (port 0 takes a free one); an address that is not loopback,
                 such as 0.0.0.0:9000, lets the network call
  --allow-host NAME
                 take requests whose Host is NAME, such as a container's service
                 name; may be repeated. Localhost, the address or name of --listen
                 and, at 0.0.0.0, any address are always taken; another name is
                 refused, since its owner could let web pages call (DNS rebinding)
  --retry        run an asynchronous invocation (`Event`) that fails twice more, as
                 AWS does, after pauses of 1 and 2 seconds, not minutes; then print
                 the record that AWS sends to the on-failure destination
  --events FOLDER
                 offer the JSON files of this folder as events on the page of the server
  --version      print the name of the program and the version of nodeback
  --help         print this

Without an argument: --listen {DEFAULT}

The server has a page at /_nodeback/, such as http://{DEFAULT}/_nodeback/: choose an event,
invoke, and see the response, the log and what happened when, for every client.

A handler that streams is printed as it comes, and served by InvokeWithResponseStream and by
function URLs.

Without routes, a request to any path that is not the Invoke API's becomes an event of a
Lambda function URL (payload format 2.0). With routes, it becomes the event of the route that
matches, and a path without a route gets the answer that AWS gives. /lambda-url/NAME/.. is
always the function URL of that function.

Routes, each of which may be given several times:
  --rest ROUTE             an API Gateway REST API with Lambda proxy integration (payload
                           format 1.0): /clients/{{id}}, GET /clients/{{id}}, /{{proxy+}}
  --http-api ROUTE         an API Gateway HTTP API (payload format 2.0): the same, or $default
  --alb PATTERN            an Application Load Balancer: /clients/*
  NAME=ROUTE               the handler that a route calls, where the program has several:
                           --rest 'orders=GET /orders/{{id}}'
  --stage NAME             the stage: Prod for a REST API, $default for an HTTP API
  --stage-variable NAME=VALUE
  --binary-media-type TYPE a type that the REST API sends as base64: image/png, image/*, */*
  --alb-multi-value-headers
                           multi-value headers of the load balancer's target group

Compare with the original function on AWS's Node client{PARITY}:
  {program} --against FILE.EXPORT [--root FOLDER] [--fresh | --record | --recorded] [--requests]
      [--logs] [--report FILE] EVENTS ...

Measure the invocations with each event{BENCH}:
  {program} --bench N [--handler NAME] [--bench-report FILE] [--bench-save FILE]
      [--bench-baseline FILE] [--against FILE.EXPORT [--root FOLDER]] EVENTS ...
  {program} --bench-saved FILE [--bench-baseline FILE] [--bench-report FILE]

Exit codes:
  0    every invocation succeeded, or the server was stopped
  1    an invocation failed, the port differs from its original, or the program could not start
  2    the command line or an event was not understood; nothing was invoked
  130  the server was stopped by a second signal, or a benchmark by a first one

Environment:
  AWS_LAMBDA_FUNCTION_TIMEOUT      seconds that an invocation may take: 3; 0 for no limit
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE  what the context tells of the memory: 128 (MB)
  AWS_LAMBDA_FUNCTION_NAME         the function's name where the path has none: {program}
  AWS_LAMBDA_LOG_FORMAT            Text (the default) or JSON
  AWS_LAMBDA_LOG_LEVEL             TRACE, DEBUG, INFO (the default), WARN, ERROR or FATAL
  RUST_LOG                         without that: a level, or a level for each target, such as
                                   warn,my_crate=debug
  NO_COLOR                         if set, no colour on a terminal
  AWS_REGION                       the region in the function's ARN: the one that the client
                                   signed its request for, or us-east-1
  NODEBACK_LISTEN                  the same as `--listen`
  NODEBACK_ALLOW_HOST              the same as `--allow-host`; several are separated by commas
  NODEBACK_NEVER_CALLED            `null`: a callback that is never called succeeds with null,
                                   as in Node
  NODEBACK_FAIL_BEFORE_DEADLINE    milliseconds before the deadline at which an
                                   invocation without a response fails
"
    )
}

/// Reads the arguments behind the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter().peekable();
    let (mut handler, mut address, mut retry) = (None, None, false);
    let (mut timeline, mut events) = (None, None);
    let (mut hosts, mut routes, mut sources) = (Vec::new(), LocalRoutes::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        // `--name value` or `--name=value`.
        let (option, mut value) = match text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ => (&*text, None),
        };
        let mut value = |expected| {
            value
                .take()
                .or_else(|| Some(arguments.next()?.to_string_lossy().into_owned()))
                .ok_or(format!("`{option}` expects {expected}"))
        };
        let next = match option {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--retry" if text == option => {
                retry = true;
                continue;
            }
            "--retry" => return Err(format!("`{text}`: `--retry` expects no value")),
            "--handler" => {
                handler = Some(value("the name of an exported handler")?);
                continue;
            }
            "--timeline" => {
                let next = arguments.next_if(|next| TimelineForm::is_page(&next.to_string_lossy()));
                let file = match text.split_once('=') {
                    Some((_, file)) => Some(OsString::from(file)),
                    None => next,
                };
                let form = match file {
                    None => TimelineForm::Text,
                    Some(file) if TimelineForm::is_page(&file.to_string_lossy()) => {
                        TimelineForm::Page(file.into())
                    }
                    Some(file) => {
                        return Err(format!(
                            "`--timeline={}`: expected a file that ends in .html",
                            file.to_string_lossy()
                        ));
                    }
                };
                if timeline.replace(form).is_some() {
                    return Err("`--timeline` is expected once".into());
                }
                continue;
            }
            "--events" => {
                if events.replace(value("a folder")?.into()).is_some() {
                    return Err("`--events` is expected once".into());
                }
                continue;
            }
            "--allow-host" => {
                let host = Host::allowed(&value("a host name")?);
                hosts.push(host.map_err(|mistake| format!("`--allow-host`: {mistake}"))?);
                continue;
            }
            "--listen" => listen(value("an address, host:port")?)?,
            "--alb" | "--http-api" | "--rest" => {
                let gateway = match option {
                    "--alb" => Gateway::Alb,
                    "--http-api" => Gateway::HttpApi,
                    _ => Gateway::Rest,
                };
                routes = routes.add(gateway, value("a route such as `GET /clients/{id}`")?);
                continue;
            }
            "--alb-multi-value-headers" => {
                routes = routes.alb_multi_value_headers();
                continue;
            }
            "--stage" => {
                routes = routes.stage(value("the name of a stage")?);
                continue;
            }
            "--stage-variable" => {
                let variable = value("NAME=VALUE")?;
                let Some((name, value)) = variable.split_once('=') else {
                    return Err(format!(
                        "`--stage-variable {variable}`: expected NAME=VALUE"
                    ));
                };
                routes = routes.stage_variable(name, value);
                continue;
            }
            "--binary-media-type" => {
                routes = routes.binary_media_type(value("a media type")?);
                continue;
            }
            "-" if sources.contains(&Source::Stdin) => {
                return Err("`-` is expected once: standard input has one event".into());
            }
            "-" => {
                sources.push(Source::Stdin);
                continue;
            }
            _ if option.starts_with('-') => {
                return Err(format!(
                    "unknown option `{option}`: `--help` says what there is"
                ));
            }
            _ => {
                sources.push(Source::of(&argument)?);
                continue;
            }
        };
        if address.replace(next).is_some() {
            return Err("`--listen` is expected once".into());
        }
    }
    routes.parse()?;
    if sources.is_empty() {
        if timeline.is_some() {
            return Err("`--timeline` expects an event, such as event.json".into());
        }
        return match handler {
            Some(_) => {
                Err("`--handler` expects an event: the server takes the name from the URL".into())
            }
            None => Ok(Command::Listen {
                address,
                hosts,
                routes,
                retry,
                events,
            }),
        };
    }
    let serves = address.is_some() || retry || events.is_some() || !hosts.is_empty();
    if serves || routes != LocalRoutes::new() {
        return Err(
            "`--listen`, `--allow-host`, `--retry`, `--events` and routes expect the server, and an \
             event expects none"
                .into(),
        );
    }
    Ok(Command::Once {
        sources,
        handler,
        timeline,
    })
}

fn listen(address: String) -> Result<String, String> {
    let port = address
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(address),
        _ => Err(format!(
            "`--listen {address}`: expected host:port, such as {DEFAULT} or [::1]:0"
        )),
    }
}

#[cfg(test)]
#[path = "../tests/command.rs"]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn each_form_is_understood() {
        let listen = |address: &str| {
            Ok(Command::Listen {
                address: Some(address.into()),
                hosts: Vec::new(),
                routes: LocalRoutes::new(),
                retry: false,
                events: None,
            })
        };
        let once = |sources: Vec<Source>| {
            Ok(Command::Once {
                sources,
                handler: None,
                timeline: None,
            })
        };
        let path = |path: &str| Source::File(path.into());
        let file = |name: &str| once(vec![path(name)]);
        let nowhere = Ok(Command::Listen {
            address: None,
            hosts: Vec::new(),
            routes: LocalRoutes::new(),
            retry: false,
            events: None,
        });
        assert_eq!(parsed(&[]), nowhere);
        for arguments in [["--retry"].as_slice(), &["--listen=h:1", "--retry"]] {
            let retried = parsed(arguments);
            assert!(matches!(retried, Ok(Command::Listen { retry: true, .. })));
        }
        let offered = parsed(&["--events", "some events"]);
        let folder = Path::new("some events");
        assert!(
            matches!(offered, Ok(Command::Listen { events: Some(events), .. }) if events == folder)
        );
        assert_eq!(parsed(&["--listen", "127.0.0.1:0"]), listen("127.0.0.1:0"));
        assert_eq!(parsed(&["--listen=[::1]:80"]), listen("[::1]:80"));
        assert_eq!(parsed(&["-"]), once(vec![Source::Stdin]));
        assert_eq!(parsed(&["event.json"]), file("event.json"));
        assert_eq!(parsed(&["./-event.json"]), file("./-event.json"));
        assert_eq!(
            parsed(&["a.json", "-", r#"{"a":1}"#, "b.json"]),
            once(vec![
                path("a.json"),
                Source::Stdin,
                Source::Inline(br#"{"a":1}"#.into()),
                path("b.json"),
            ])
        );
        assert_eq!(parsed(&["--help", "me"]), Ok(Command::Help));
        assert_eq!(parsed(&["a.json", "--version"]), Ok(Command::Version));
        let shown = |timeline: TimelineForm| {
            Ok(Command::Once {
                sources: vec![path("event.json")],
                handler: None,
                timeline: Some(timeline),
            })
        };
        let page = |path: &str| shown(TimelineForm::Page(path.into()));
        for (arguments, expected) in [
            (
                ["--timeline", "event.json"].as_slice(),
                shown(TimelineForm::Text),
            ),
            (&["event.json", "--timeline"], shown(TimelineForm::Text)),
            (&["event.json", "--timeline", "out.html"], page("out.html")),
            (&["--timeline=a=b.htm", "event.json"], page("a=b.htm")),
        ] {
            assert_eq!(parsed(arguments), expected, "{arguments:?}");
        }
        let other = Ok(Command::Once {
            sources: vec![Source::Stdin],
            handler: Some("other".into()),
            timeline: None,
        });
        assert_eq!(parsed(&["--handler", "other", "-"]), other);
        assert_eq!(parsed(&["-", "--handler=other"]), other);
        assert_eq!(parsed(&["a=b.json"]), file("a=b.json"));
        let allowing = |address: Option<&str>, names: &[&str]| {
            let names = names.iter().map(|name| Host::Name((*name).into()));
            Ok(Command::Listen {
                address: address.map(String::from),
                hosts: names.collect(),
                routes: LocalRoutes::new(),
                retry: false,
                events: None,
            })
        };
        assert_eq!(
            parsed(&["--allow-host=orders"]),
            allowing(None, &["orders"])
        );
        let arguments = ["--allow-host", "a", "--listen", "a:1", "--allow-host", "b"];
        assert_eq!(parsed(&arguments), allowing(Some("a:1"), &["a", "b"]));
    }

    #[test]
    fn routes_and_their_settings_are_understood() {
        let routes = LocalRoutes::new()
            .rest("GET /clients/{id}")
            .http_api("orders=$default")
            .alb("/old/*")
            .alb_multi_value_headers()
            .stage("dev")
            .stage_variable("query", "a=b")
            .binary_media_type("image/*");
        let command = parsed(&[
            "--rest",
            "GET /clients/{id}",
            "--http-api=orders=$default",
            "--alb",
            "/old/*",
            "--alb-multi-value-headers",
            "--listen=127.0.0.1:0",
            "--stage=dev",
            "--stage-variable",
            "query=a=b",
            "--binary-media-type",
            "image/*",
        ]);
        let address = Some("127.0.0.1:0".into());
        assert_eq!(
            command,
            Ok(Command::Listen {
                address,
                hosts: Vec::new(),
                routes,
                retry: false,
                events: None,
            })
        );
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (arguments, expected) in [
            (["--listen"].as_slice(), "expects an address"),
            (&["--listen", "9000"], "expected host:port"),
            (&["--listen", "localhost:http"], "expected host:port"),
            (&["--listen", "localhost:70000"], "expected host:port"),
            (&["--port"], "--help"),
            (&["-", "a.json", "-"], "`-` is expected once"),
            (&[""], "not an empty argument"),
            (
                &["--listen=a:1", "--listen=a:2"],
                "`--listen` is expected once",
            ),
            (&["a.json", "--listen=a:1"], "expect the server"),
            (&["--handler"], "expects the name"),
            (&["--handler", "other"], "expects an event"),
            (&["--allow-host"], "expects a host name"),
            (
                &["--allow-host", "a:1"],
                "`a:1`: expected a host name without a port",
            ),
            (&["--allow-host", "a", "-"], "expect the server"),
            (&["--retry", "-"], "expect the server"),
            (&["--events", "a", "-"], "expect the server"),
            (&["--events"], "expects a folder"),
            (&["--events=a", "--events=b"], "is expected once"),
            (&["--retry=1"], "expects no value"),
            (&["--timeline"], "`--timeline` expects an event"),
            (&["--timeline=a.txt", "7"], "a file that ends in .html"),
            (&["--timeline", "--timeline", "7"], "is expected once"),
            (&["--rest"], "expects a route"),
            (&["--rest", "clients"], "expected a route such as"),
            (&["--http-api", "/{a+}/b"], "at the end of the path"),
            (&["--rest", "/", "event.json"], "expect the server"),
            (&["--stage-variable", "a"], "expected NAME=VALUE"),
            (&["--stage", "a/b"], "expected letters"),
            (&["--binary-media-type", "png"], "expected a type"),
        ] {
            let mistake = parsed(arguments).unwrap_err();
            assert!(mistake.contains(expected), "{arguments:?} gave: {mistake}");
        }
    }
}
