//! Invocations from the command line.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    function_name::FunctionName,
    output::{write, write_response},
    source::Source,
    timeline::{TimelineForm, Timelines},
};
use crate::{
    error::{Error, Result},
    invocation::{Functions, Sink, timeline::Recorder},
    log,
    stream::StreamReader,
};
use bytes::Bytes;
use std::{env, future::Future, io, process, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tracing::Span;

/// The options of the command line for its invocations.
pub(super) struct OnceOptions {
    pub(super) sources: Vec<Source>,
    /// The name of the exported handler.
    pub(super) handler: Option<String>,
    pub(super) timeline: Option<TimelineForm>,
}

/// Runs one invocation for each event, one after the other, and returns the exit code.
pub(super) async fn once(
    functions: &Functions,
    settings: &LocalSettings,
    program: &str,
    options: OnceOptions,
) -> Result<i32> {
    let OnceOptions {
        sources,
        handler,
        timeline,
    } = options;
    // Without `--handler`, the environment selects the handler, as on Lambda.
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
    // Reads all events first, so that a mistake in any of them is reported before the first
    // invocation.
    let Some(events) = read(program, &sources) else {
        return Ok(2);
    };
    let timelines = match timeline.map(Timelines::new).transpose() {
        Ok(timelines) => timelines.map(Arc::new),
        Err(mistake) => {
            write(
                &mut io::stderr(),
                format!("{program}: {mistake}\n").as_bytes(),
            );
            return Ok(2);
        }
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
        let context = match timelines {
            Some(_) => context.record_timeline(),
            None => context,
        };
        let recorder = context.recorder().cloned();
        let shown = timelines.clone().zip(recorder);
        let print = Print {
            started: Instant::now(),
            request_id: request_id.into(),
            memory: configuration.memory().into(),
            left: count - n - 1,
            shown: shown.clone(),
        };
        let driven = function.drive(Ok(event), context, print).await;
        show(shown.as_ref());
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

/// Reads the events. Prints a line for each invalid one, and then returns `None`.
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

/// How long the watchdog waits for the end of a stream to be printed if the handler blocks its
/// thread.
const UNSENT: Duration = Duration::from_secs(1);

/// Prints the outcome. An error is printed as JSON, so it is not logged in addition.
#[derive(Clone)]
struct Print {
    started: Instant,
    request_id: Arc<str>,
    memory: Arc<str>,
    /// The number of events that follow this one.
    left: usize,
    /// The timeline, if `--timeline` is given.
    shown: Option<Shown>,
}

type Shown = (Arc<Timelines>, Arc<Recorder>);

fn show(shown: Option<&Shown>) {
    let Some((timelines, recorder)) = shown else {
        return;
    };
    if let Err(mistake) = timelines.show(recorder) {
        tracing::error!("the timeline cannot be written: {mistake}");
    }
}

impl Sink for Print {
    /// Whether the invocation succeeded.
    type Sent = bool;
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, _: &Span) -> bool {
        self.print(&outcome)
    }

    /// Prints the chunks as they arrive, with nothing between them.
    async fn stream(self, stream: StreamReader, _: Span) -> bool {
        let mut is_written = true;
        let ended = loop {
            match stream.chunk().await {
                Some(Ok(chunk)) => is_written = is_written && write_response(&chunk),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        self.report(ended.as_ref().err());
        is_written && ended.is_ok()
    }

    async fn send_for_blocked(self, error: Error) {
        self.print(&Err(error));
        self.exit();
    }

    async fn ended_for_blocked(self, error: Error, closed: impl Future<Output = ()> + Send) {
        if timeout(UNSENT, closed).await.is_err() {
            self.report(Some(&error));
        }
        self.exit();
    }
}

impl Print {
    /// Exits the process, since the handler blocks its thread.
    fn exit(&self) {
        if self.left > 0 {
            let left = self.left;
            tracing::error!("the handler blocks its thread: {left} more events were not invoked");
        }
        show(self.shown.as_ref());
        process::exit(1);
    }

    /// Prints the outcome, and returns whether it is a response that was written.
    fn print(&self, outcome: &Result<Bytes>) -> bool {
        self.report(outcome.as_ref().err());
        match outcome {
            Ok(body) => write_response(&[body, b"\n".as_slice()].concat()),
            Err(_) => false,
        }
    }

    fn report(&self, error: Option<&Error>) {
        let report = log::platform::Report {
            request_id: &self.request_id,
            took: self.started.elapsed(),
            memory: &self.memory,
            used: log::platform::peak_memory(),
            error,
        };
        // The report comes first, so that an error is the last line on stderr.
        report.write_alone();
        if let Some(error) = error {
            let error = log::shown_json(error.to_json());
            write(&mut io::stderr(), format!("{error}\n").as_bytes());
        }
    }
}
