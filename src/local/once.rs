//! Invocations from the command line.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    function_name::FunctionName,
    output::write,
    source::Source,
};
use crate::{
    error::{Error, Result},
    invocation::{Functions, Sink},
    log,
};
use bytes::Bytes;
use std::{env, io, process, sync::Arc};
use tokio::time::Instant;
use tracing::Span;

/// Runs one invocation for each event, one after the other, and returns the exit code.
pub(super) async fn once(
    functions: &Functions,
    settings: &LocalSettings,
    program: &str,
    sources: Vec<Source>,
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
    // All of them are read before the first is used: a mistake in the last one comes before any work.
    let Some(events) = read(program, &sources) else {
        return Ok(2);
    };
    let name = handler.as_deref().unwrap_or(program);
    let configuration = FunctionConfiguration::read(settings)?;
    let function_name = FunctionName::of(name).placed_in(configuration.region(None));
    let count = events.len();
    let mut failed = Vec::new();
    for (n, (source, event)) in sources.iter().zip(events).enumerate() {
        let (request_id, context) = configuration.context(&function_name);
        if count > 1 {
            let span = context.span();
            span.in_scope(|| tracing::info!("event {} of {count}: {source}", n + 1));
        }
        let print = Print {
            started: Instant::now(),
            request_id: request_id.into(),
            memory: configuration.memory().into(),
            left: count - n - 1,
        };
        let driven = function.drive(Ok(event), context, print).await;
        if driven.sent != Some(true) {
            failed.push(source.to_string());
        }
    }
    if count > 1 && !failed.is_empty() {
        let (failures, failed) = (failed.len(), failed.join(", "));
        tracing::error!("of {count} invocations, {failures} failed: {failed}");
    }
    Ok(i32::from(!failed.is_empty()))
}

/// Reads the events, and says of each that cannot be used why.
fn read(program: &str, sources: &[Source]) -> Option<Vec<Bytes>> {
    let mut events = Vec::new();
    for source in sources {
        match source.read() {
            Ok(event) => events.push(event),
            Err(mistake) => {
                let line = format!("{program}: {source}: {mistake}\n");
                write(&mut io::stderr(), line.as_bytes());
            }
        }
    }
    (events.len() == sources.len()).then_some(events)
}

/// Prints the outcome, and makes an exit code of it. A failure stands on its own, and so is not logged
/// too.
#[derive(Clone)]
struct Print {
    started: Instant,
    request_id: Arc<str>,
    memory: Arc<str>,
    /// Events that come after this one.
    left: usize,
}

impl Sink for Print {
    /// Whether the invocation succeeded.
    type Sent = bool;
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, _: &Span) -> bool {
        self.print(&outcome);
        outcome.is_ok()
    }

    async fn send_for_blocked(self, error: Error) {
        self.print(&Err(error));
        if self.left > 0 {
            let left = self.left;
            tracing::error!("the handler blocks its thread: {left} more events were not invoked");
        }
        process::exit(1);
    }
}

impl Print {
    fn print(&self, outcome: &Result<Bytes>) {
        let report = log::platform::Report {
            request_id: &self.request_id,
            took: self.started.elapsed(),
            memory: &self.memory,
            error: outcome.as_ref().err(),
        };
        // Before the outcome, so that a failure is the end of what is on stderr.
        report.write_alone();
        match outcome {
            Ok(body) => write(&mut io::stdout(), &[body, b"\n".as_slice()].concat()),
            Err(error) => {
                let error = log::shown_json(error.to_json());
                write(&mut io::stderr(), format!("{error}\n").as_bytes());
            }
        }
    }
}
