//! The command line of a function's own binary.

use super::{
    arguments::{Argument, Arguments},
    host::Host,
    routes::LocalRoutes,
    source::Source,
    timeline::TimelineForm,
};
use crate::http::Gateway;
use std::{ffi::OsString, path::PathBuf};

/// A parsed command line.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    /// One invocation for each of these events.
    Once {
        sources: Vec<Source>,
        /// The name of the exported handler.
        handler: Option<String>,
        /// The form in which to show the timeline of each invocation.
        timeline: Option<TimelineForm>,
    },
    /// The server.
    Listen {
        /// The address to listen on.
        address: Option<String>,
        /// Additional hosts that a request may name.
        hosts: Vec<Host>,
        routes: LocalRoutes,
        /// Whether to retry asynchronous invocations that fail.
        retry: bool,
        /// The folder whose events the page offers.
        events: Option<PathBuf>,
    },
}

/// The default address of the server.
pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1:9000";

/// Parses the arguments that follow the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = Arguments::new(arguments.into_iter().collect());
    let (mut handler, mut address, mut retry) = (None, None, false);
    let (mut timeline, mut events) = (None, None);
    let (mut hosts, mut routes, mut sources) = (Vec::new(), LocalRoutes::new(), Vec::new());
    while let Some(argument) = arguments.read() {
        let Argument {
            whole,
            option,
            inline,
        } = &argument;
        let mut value = |expected: &str| arguments.value(&argument, expected);
        let next = match option.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--retry" => {
                if let Some(value) = inline {
                    return Err(format!("`--retry={value}`: `--retry` expects no value"));
                }
                retry = true;
                continue;
            }
            "--handler" => {
                handler = Some(value("the name of an exported handler")?);
                continue;
            }
            "--timeline" => {
                let file = match inline {
                    Some(file) => Some(OsString::from(file)),
                    None => arguments.next_if(TimelineForm::is_page),
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
                let gateway = match option.as_str() {
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
                    "unknown option `{option}`: `--help` lists the options"
                ));
            }
            _ => {
                sources.push(Source::of(whole)?);
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
            "`--listen`, `--allow-host`, `--retry`, `--events` and routes are for the server: \
             expected no event with them"
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
            "`--listen {address}`: expected host:port, such as {DEFAULT_ADDRESS} or [::1]:0"
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
    fn each_form_is_parsed() {
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
        let folder = PathBuf::from("some events");
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
        // A file of the option itself takes no further argument.
        let event = parsed(&["--timeline=a.html", "b.html"]);
        assert!(matches!(event, Ok(Command::Once { sources, .. }) if sources == [path("b.html")]));
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
    fn routes_and_their_settings_are_parsed() {
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
    fn the_error_of_an_invalid_command_line_states_what_was_expected() {
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
            (&["a.json", "--listen=a:1"], "are for the server"),
            (&["--handler"], "expects the name"),
            (&["--handler", "other"], "expects an event"),
            (&["--allow-host"], "expects a host name"),
            (
                &["--allow-host", "a:1"],
                "`a:1`: expected a host name without a port",
            ),
            (&["--allow-host", "a", "-"], "are for the server"),
            (&["--retry", "-"], "are for the server"),
            (&["--events", "a", "-"], "are for the server"),
            (&["--events"], "expects a folder"),
            (&["--events=a", "--events=b"], "is expected once"),
            (&["--retry=1"], "expects no value"),
            (&["--timeline"], "`--timeline` expects an event"),
            (&["--timeline=a.txt", "7"], "a file that ends in .html"),
            (&["--timeline", "--timeline", "7"], "is expected once"),
            (&["--rest"], "expects a route"),
            (&["--rest", "clients"], "expected a route such as"),
            (&["--http-api", "/{a+}/b"], "at the end of the path"),
            (&["--rest", "/", "event.json"], "are for the server"),
            (&["--stage-variable", "a"], "expected NAME=VALUE"),
            (&["--stage", "a/b"], "expected letters"),
            (&["--binary-media-type", "png"], "expected a type"),
        ] {
            let mistake = parsed(arguments).unwrap_err();
            assert!(mistake.contains(expected), "{arguments:?} gave: {mistake}");
        }
    }
}
