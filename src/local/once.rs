//! Invocations from the command line.

use super::{
    configuration::{FunctionConfiguration, LocalSettings},
    function_name::FunctionName,
    output::write,
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

/// What is to be invoked.
pub(super) struct Asked {
    pub(super) sources: Vec<Source>,
    /// Which of the exported handlers is meant.
    pub(super) handler: Option<String>,
    pub(super) timeline: Option<TimelineForm>,
}

/// Runs one invocation for each event, one after the other, and returns the exit code.
pub(super) async fn once(
    functions: &Functions,
    settings: &LocalSettings,
    program: &str,
    asked: Asked,
) -> Result<i32> {
    let Asked {
        sources,
        handler,
        timeline,
    } = asked;
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

/// How long the end of a stream may stay unsent where its handler blocks a thread.
const UNSENT: Duration = Duration::from_secs(1);

/// Prints the outcome, and makes an exit code of it. A failure stands on its own, and so is not logged
/// too.
#[derive(Clone)]
struct Print {
    started: Instant,
    request_id: Arc<str>,
    memory: Arc<str>,
    /// Events that come after this one.
    left: usize,
    /// Shows its timeline, if that was asked for.
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
        self.print(&outcome);
        outcome.is_ok()
    }

    /// Prints the chunks as they come, and nothing between them.
    async fn stream(self, stream: StreamReader, _: Span) -> bool {
        let ended = loop {
            match stream.chunk().await {
                Some(Ok(chunk)) => write(&mut io::stdout(), &chunk),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        self.report(ended.as_ref().err());
        ended.is_ok()
    }

    async fn send_for_blocked(self, error: Error) {
        self.print(&Err(error));
        self.give_up();
    }

    async fn ended_for_blocked(self, error: Error, closed: impl Future<Output = ()> + Send) {
        if timeout(UNSENT, closed).await.is_err() {
            self.report(Some(&error));
        }
        self.give_up();
    }
}

impl Print {
    /// Ends the process, whose handler blocks its thread.
    fn give_up(&self) {
        if self.left > 0 {
            let left = self.left;
            tracing::error!("the handler blocks its thread: {left} more events were not invoked");
        }
        show(self.shown.as_ref());
        process::exit(1);
    }

    fn print(&self, outcome: &Result<Bytes>) {
        self.report(outcome.as_ref().err());
        if let Ok(body) = outcome {
            write(&mut io::stdout(), &[body, b"\n".as_slice()].concat());
        }
    }

    fn report(&self, error: Option<&Error>) {
        let report = log::platform::Report {
            request_id: &self.request_id,
            took: self.started.elapsed(),
            memory: &self.memory,
            error,
        };
        // Before the outcome, so that a failure is the end of what is on stderr.
        report.write_alone();
        if let Some(error) = error {
            let error = log::shown_json(error.to_json());
            write(&mut io::stderr(), format!("{error}\n").as_bytes());
        }
    }
}
