//! The output of `--help` and `--version`.

use super::command::DEFAULT_ADDRESS;
use std::{ffi::OsString, path::Path};

/// Returns the name of the program, from the first argument of its command line.
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

/// Returns the output of `--version`.
pub(super) fn version(program: &str) -> String {
    format!("{program} (nodeback {})\n", env!("CARGO_PKG_VERSION"))
}

/// The feature that `--bench` requires, for a program that is built without it.
const BENCH: &str = if cfg!(feature = "bench") {
    ""
} else {
    ",\nin a program that is built with the feature `bench` of nodeback"
};

/// The feature that `--against` requires, for a program that is built without it.
const PARITY: &str = if cfg!(feature = "parity") {
    ""
} else {
    ",\nin a program that is built with the feature `parity` of nodeback"
};

/// Returns the output of `--help`.
pub(super) fn help(program: &str) -> String {
    format!(
        "Usage: {program} [--handler NAME] [--timeline [FILE.html]] [EVENT ...]
       {program} [--listen ADDR] [--allow-host NAME] [--retry] [--events FOLDER] [ROUTES]

  EVENT          invoke the handler once with this event, which is a file (event.json), JSON
                 ('{{\"a\":1}}') or standard input (-); print the response on stdout, or the
                 error as JSON on stderr. Several events are invoked one after the other,
                 in one process. An argument is JSON if it starts with {{, [ or a double
                 quote, or is a whole JSON value such as 7 or null, and no file has that
                 name
  --handler NAME invoke the handler that is exported under this name, in a program with
                 several handlers
  --timeline [FILE.html]
                 show what happened when: the handler, its tasks, timers and signals with
                 their call sites, the response and the log; as text on stderr, or as a
                 page in this file
  --listen ADDR  serve Lambda's Invoke API at this address, such as 127.0.0.1:8080 (port 0
                 selects a free port). An address that is not loopback, such as
                 0.0.0.0:9000, can be reached from the network
  --allow-host NAME
                 accept requests whose Host is NAME, such as the service name of a
                 container; can be repeated. Localhost, the address or name of --listen
                 and, with 0.0.0.0, any IP address are always accepted. Other names are
                 rejected, since their owners could let web pages call (DNS rebinding)
  --retry        retry an asynchronous invocation (`Event`) that fails up to two times, as
                 AWS does, but after 1 and 2 seconds instead of minutes; then print the
                 record that AWS sends to the on-failure destination
  --events FOLDER
                 offer the JSON files of this folder as events on the page of the server
  --version      print the name of the program and the version of nodeback
  --help         print this help

Without arguments: --listen {DEFAULT_ADDRESS}

The server has a page at /_nodeback/, such as http://{DEFAULT_ADDRESS}/_nodeback/. On it you choose
an event, invoke the function, and see the response, the log and the timeline of each
invocation, including those of other clients.

A streamed response is printed as it arrives. The server streams it through
InvokeWithResponseStream and function URLs.

Without routes, a request to any path outside the Invoke API becomes an event of a Lambda
function URL (payload format 2.0). With routes, it becomes an event of the route that matches,
and a path without a route gets the response that AWS would send. /lambda-url/NAME/.. is always
the function URL of the function NAME.

Routes, each of which can be repeated:
  --rest ROUTE             add a route of an API Gateway REST API with Lambda proxy
                           integration (payload format 1.0): /clients/{{id}},
                           GET /clients/{{id}}, /{{proxy+}}
  --http-api ROUTE         add a route of an API Gateway HTTP API (payload format 2.0), in
                           the same form or $default
  --alb PATTERN            add a rule of an Application Load Balancer: /clients/*
  NAME=ROUTE               select the handler that a route calls, in a program with several:
                           --rest 'orders=GET /orders/{{id}}'
  --stage NAME             set the stage, instead of Prod for a REST API and $default for an
                           HTTP API
  --stage-variable NAME=VALUE
                           set a stage variable
  --binary-media-type TYPE encode bodies of this type in base64 for the REST API: image/png,
                           image/*, */*
  --alb-multi-value-headers
                           enable multi-value headers of the load balancer's target group

Compare with the original function, run by AWS's Node.js runtime client{PARITY}:
  {program} --against FILE.EXPORT [--root FOLDER] [--fresh | --record | --recorded] [--requests]
      [--logs] [--report FILE] EVENTS ...

Measure the invocations with each event{BENCH}:
  {program} --bench N [--handler NAME] [--bench-report FILE] [--bench-save FILE]
      [--bench-baseline FILE] [--against FILE.EXPORT [--root FOLDER]] EVENTS ...
  {program} --bench-saved FILE [--bench-baseline FILE] [--bench-report FILE]

Exit codes:
  0    every invocation succeeded, or the server was stopped
  1    an invocation failed, its response could not be written, the port differs from its original,
       or the program could not start
  2    the command line or an event is invalid; nothing was invoked
  130  a second signal stopped the server, or a signal stopped a benchmark

Environment:
  AWS_LAMBDA_FUNCTION_TIMEOUT      the timeout of an invocation in seconds, or 0 for no limit;
                                   the default is 3
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE  the memory size in the context, in MB; the default is 128
  AWS_LAMBDA_FUNCTION_NAME         the name of the function if the path has none; the default
                                   is {program}
  AWS_LAMBDA_LOG_FORMAT            Text (the default) or JSON
  AWS_LAMBDA_LOG_LEVEL             TRACE, DEBUG, INFO (the default), WARN, ERROR or FATAL
  RUST_LOG                         if AWS_LAMBDA_LOG_LEVEL is not set: a level, or a level for
                                   each target, such as warn,my_crate=debug
  NO_COLOR                         if set, no color on a terminal
  AWS_REGION                       the region in the function's ARN; the default is the region
                                   that the client signed its request for, or us-east-1
  NODEBACK_LISTEN                  the same as `--listen`
  NODEBACK_ALLOW_HOST              the same as `--allow-host`, with commas between several names
  NODEBACK_NEVER_CALLED            `null`: a callback that is never called succeeds with null,
                                   as in Node
  NODEBACK_FAIL_BEFORE_DEADLINE    how many milliseconds before the deadline an invocation
                                   without a response fails
"
    )
}
