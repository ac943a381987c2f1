//! The original function in a Node process.

use super::{
    client::NodeClient,
    excerpt::beginning,
    group::Group,
    log,
    outcome::{Seen, SentOutcome, without_trace},
    package::Original,
    printed::{self, End, Lines},
    runtime_api::{Event, Posted, RuntimeApi},
    stream::{StreamEnd, Streamed},
};
use crate::{
    clock,
    error::{Error, Result},
};
use bytes::Bytes;
use std::{
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{process::Command, sync::mpsc};

/// The time that the process has to load the function, as on Lambda.
const START: Duration = Duration::from_secs(10);

/// The end of a process that did not poll again, as a report shows it.
pub(super) const HANGS: &str = "was killed, since it did not poll for the next event";

/// The time that a process has to poll again, or to end, after it has posted.
const NEXT: Duration = Duration::from_secs(2);

/// The maximum number of characters shown of the error of an original that does not start.
const REASON: usize = 4096;

/// The parameters of an invocation.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) arn: String,
    pub(super) timeout: Duration,
}

/// The settings of the function, for the environment of the process.
#[derive(Clone, Debug)]
pub(super) struct Environment(pub(super) Vec<(&'static str, String)>);

/// A Node process that runs the original, one event at a time.
#[derive(Debug)]
pub(super) struct OriginalProcess {
    api: RuntimeApi,
    process: Group,
    /// The lines that it prints for each event, if `logs` was set.
    lines: Option<mpsc::UnboundedReceiver<Lines>>,
}

impl OriginalProcess {
    /// Starts the process, and waits until it polls for its first event. If `logs` is set, the
    /// lines of each invocation are kept.
    pub(super) async fn start(
        client: &NodeClient,
        original: &Original,
        environment: &Environment,
        logs: bool,
    ) -> Result<Self> {
        let mark = logs.then(|| format!("nodeback {}", uuid::Uuid::new_v4()));
        let failed = |message: String| Error::ours("Runtime.OriginalDidNotStart", message);
        let mut api = RuntimeApi::start()
            .await
            .map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new("node");
        command
            .arg(&client.runner)
            .arg(&client.entry)
            .arg(&original.root)
            .arg(&original.handler)
            .args(&mark)
            .current_dir(&original.root)
            .envs(environment.0.iter().map(|(name, value)| (name, value)))
            .env("_HANDLER", &original.handler)
            .env("LAMBDA_TASK_ROOT", &original.root)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process =
            Group::spawn(&mut command).map_err(|error| failed(format!("node: {error}")))?;
        let end = End::default();
        let mut lines = match (process.leader.stdout.take(), mark) {
            (Some(stdout), Some(mark)) => {
                Some(printed::read_between(stdout, &end, mark, log::is_compared))
            }
            (Some(stdout), None) => {
                printed::read(stdout, &end);
                None
            }
            (None, _) => None,
        };
        if let Some(stderr) = process.leader.stderr.take() {
            printed::read(stderr, &end);
        }
        let started = tokio::select! {
            polled = api.polled_or_posted() => polled.map_err(|posted| match posted {
                Posted::Error(body) => beginning(&String::from_utf8_lossy(&body), REASON),
                Posted::Response { .. } | Posted::Stream(_) => "it responded before its first event".into(),
            }),
            ended = process.wait() => Err(ended.map_or_else(|error| error.to_string(), |status| status.to_string())),
            () = tokio::time::sleep(START) => Err(format!("it did not load within {} s", START.as_secs())),
        };
        if let Err(why) = started {
            return Err(failed(format!(
                "{} in the folder {}: {why}\n{}",
                original.handler,
                original.root.display(),
                end.text()
            )));
        }
        // What the function printed while it was loaded belongs to no invocation.
        next(&mut lines).await;
        Ok(OriginalProcess {
            api,
            process,
            lines,
        })
    }

    /// Sends an event, and waits for its outcome. If the process has ended by then, or was killed
    /// because it did not respond in time, it cannot take another event.
    pub(super) async fn invoke(&mut self, event: Bytes, invocation: &Invocation) -> Seen {
        let deadline = clock::since_1970(clock::now()) + invocation.timeout;
        let begin = Instant::now();
        let polls = self.api.polls();
        self.api.send(Event {
            request_id: invocation.request_id.clone(),
            body: event,
            headers: vec![
                (
                    "lambda-runtime-aws-request-id",
                    invocation.request_id.clone(),
                ),
                (
                    "lambda-runtime-deadline-ms",
                    deadline.as_millis().to_string(),
                ),
                (
                    "lambda-runtime-invoked-function-arn",
                    invocation.arn.clone(),
                ),
            ],
        });
        let posted = tokio::select! {
            biased;
            posted = self.api.posted() => posted,
            () = ended(&mut self.process) => self.api.posted_at_exit().await,
            () = tokio::time::sleep(invocation.timeout) => self.api.take_stream(false),
        };
        let duration = begin.elapsed();
        let wait = match &posted {
            // The handler may go on after the end of its stream, as on Lambda.
            Some(Posted::Stream(Streamed {
                end: StreamEnd::Ended | StreamEnd::Error(_),
                ..
            })) => NEXT.max(invocation.timeout.saturating_sub(duration)),
            Some(Posted::Response { .. } | Posted::Error(_)) => NEXT,
            Some(Posted::Stream(_)) | None => Duration::ZERO,
        };
        let ended = self.polls_again(polls + 1, wait).await;
        let (outcome, pending) = match posted {
            Some(Posted::Error(body)) => (SentOutcome::Error(without_trace(&body)), vec![]),
            Some(Posted::Response { body, pending }) => (SentOutcome::Response(body), pending),
            Some(Posted::Stream(stream)) => (SentOutcome::Stream(stream), vec![]),
            None => (SentOutcome::Nothing, vec![]),
        };
        let is_error = match &outcome {
            SentOutcome::Error(_) => true,
            SentOutcome::Stream(stream) => matches!(stream.end, StreamEnd::Error(_)),
            SentOutcome::Response(_) | SentOutcome::Nothing => false,
        };
        let lines = next(&mut self.lines).await;
        let log = lines.map(|lines| log::of_original(&lines.lines, lines.more, is_error));
        Seen {
            outcome,
            deferred: !pending.is_empty(),
            pending,
            ended,
            duration,
            unknown: vec![],
            log,
        }
    }

    /// Waits until the process has polled `polls` times, and kills it if that takes longer than
    /// `wait`. Returns how the process ended, if it did.
    async fn polls_again(&mut self, polls: usize, wait: Duration) -> Option<String> {
        let exited = tokio::select! {
            biased;
            () = self.api.polled(polls) => None,
            status = self.process.wait() => Some(status),
            () = tokio::time::sleep(wait) => {
                // A process that hangs cannot take another event.
                self.process.kill().await;
                return Some(HANGS.into());
            }
        };
        let code = exited?.ok().and_then(|status| status.code());
        Some(code.map_or("was killed".into(), |code| format!("exited with {code}")))
    }
}

async fn ended(process: &mut Group) {
    // The next wait returns the same result.
    let _ = process.wait().await;
}

/// Returns the lines up to the next mark, which the process prints before it polls, or up to its
/// end.
async fn next(lines: &mut Option<mpsc::UnboundedReceiver<Lines>>) -> Option<Lines> {
    // A child of the process may keep the stream open after the process has ended.
    let next = tokio::time::timeout(NEXT, lines.as_mut()?.recv()).await;
    Some(next.ok().flatten().unwrap_or_default())
}
