//! One invocation from the command line.

use super::{
    command::Source,
    configuration::{FunctionConfiguration, LocalSettings},
    event::check,
    function_name::FunctionName,
    output::write,
};
use crate::{
    error::{Error, Result},
    invocation::{Functions, Sink},
};
use bytes::Bytes;
use std::{
    env,
    io::{self, Read},
    process,
};
use tracing::Span;

/// Runs one invocation, and returns the exit code.
pub(super) async fn once(
    functions: &Functions,
    settings: &LocalSettings,
    program: &str,
    source: Source,
    handler: Option<String>,
) -> Result<i32> {
    // As on Lambda, where nothing is said here.
    let handler = handler
        .or_else(|| env::var("_HANDLER").ok())
        .or_else(|| env::var("AWS_LAMBDA_FUNCTION_NAME").ok());
    let function = match functions.named(handler.as_deref().unwrap_or_default()) {
        Ok(function) => function,
        Err(mistake) => {
            let line = format!("{program}: `--handler NAME`: {mistake}\n");
            write(&mut io::stderr(), line.as_bytes());
            return Ok(2);
        }
    };
    let event = match read(&source)
        .map_err(|error| error.to_string())
        .and_then(checked)
    {
        Ok(event) => event,
        Err(mistake) => {
            write(
                &mut io::stderr(),
                format!("{program}: {source}: {mistake}\n").as_bytes(),
            );
            return Ok(2);
        }
    };
    let name = handler.as_deref().unwrap_or(program);
    let configuration = FunctionConfiguration::read(settings)?;
    let function_name = FunctionName::of(name).placed_in(configuration.region(None));
    let context = configuration.context(&function_name).1;
    let driven = function.drive(Ok(event), context, Print).await;
    Ok(driven.sent.unwrap_or(1))
}

/// Prints the outcome, and makes an exit code of it. A failure stands on its own, and so is not logged
/// too.
#[derive(Clone, Copy)]
struct Print;

impl Sink for Print {
    type Sent = i32;
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, _: &Span) -> i32 {
        print(&outcome)
    }

    async fn send_for_blocked(self, error: Error) {
        process::exit(print(&Err(error)));
    }
}

fn print(outcome: &Result<Bytes>) -> i32 {
    match outcome {
        Ok(body) => {
            write(&mut io::stdout(), &[body, b"\n".as_slice()].concat());
            0
        }
        Err(error) => {
            write(
                &mut io::stderr(),
                format!("{}\n", error.to_json()).as_bytes(),
            );
            1
        }
    }
}

fn read(source: &Source) -> io::Result<Vec<u8>> {
    match source {
        Source::File(path) => std::fs::read(path),
        Source::Stdin => {
            let mut event = Vec::new();
            io::stdin().lock().read_to_end(&mut event)?;
            Ok(event)
        }
    }
}

/// The event, if it is JSON.
fn checked(event: Vec<u8>) -> Result<Bytes, String> {
    check(&event).map_err(|error| format!("expected the event as JSON: {error}"))?;
    Ok(event.into())
}
