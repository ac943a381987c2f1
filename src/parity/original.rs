//! The original function in a process of Node.

use super::{
    client::NodeClient,
    group::Group,
    outcome::{Answer, Seen, without_trace},
    package::Original,
    runtime_api::{Event, Posted, RuntimeApi},
};
use crate::{
    clock,
    error::{Error, Result},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
};

/// The time that the process has to load the function, as on Lambda.
const START: Duration = Duration::from_secs(10);

/// The time in which a process that has posted has to poll again, or to end.
const NEXT: Duration = Duration::from_secs(2);

/// How many bytes of the process's output are kept: the last ones.
const LOG: usize = 16 * 1024;

/// What both sides are told of an invocation.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) arn: String,
    pub(super) timeout: Duration,
}

/// The settings of the function, for the environment of the process.
#[derive(Clone, Debug)]
pub(super) struct Environment(pub(super) Vec<(&'static str, String)>);

/// A process that runs the original, and serves one event after the other.
#[derive(Debug)]
pub(super) struct OriginalProcess {
    api: RuntimeApi,
    process: Group,
    log: Arc<Mutex<VecDeque<u8>>>,
}

impl OriginalProcess {
    /// Starts the process, and waits until it polls for its first event.
    pub(super) async fn start(
        client: &NodeClient,
        original: &Original,
        environment: &Environment,
    ) -> Result<Self> {
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
        let log = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stdout) = process.leader.stdout.take() {
            tokio::spawn(keep_the_end(stdout, Arc::clone(&log)));
        }
        if let Some(stderr) = process.leader.stderr.take() {
            tokio::spawn(keep_the_end(stderr, Arc::clone(&log)));
        }
        let started = tokio::select! {
            polled = api.polled_or_posted() => polled.map_err(|posted| {
                String::from_utf8_lossy(&posted.body).into_owned()
            }),
            ended = process.wait() => Err(ended.map_or_else(|error| error.to_string(), |status| status.to_string())),
            () = tokio::time::sleep(START) => Err(format!("it did not load within {} s", START.as_secs())),
        };
        let process = OriginalProcess { api, process, log };
        match started {
            Ok(()) => Ok(process),
            Err(why) => Err(failed(format!(
                "{}: {why}\n{}",
                original.handler,
                process.log()
            ))),
        }
    }

    /// What the process printed last.
    pub(super) fn log(&self) -> String {
        let log: Vec<u8> = self.log.lock().iter().copied().collect();
        String::from_utf8_lossy(&log).trim().to_owned()
    }

    /// Sends an event, and waits for what is seen of its invocation. Where the process has ended since, or did not answer in
    /// time, it cannot take another event.
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
            () = ended(&mut self.process) => self.api.try_posted(),
            () = tokio::time::sleep(invocation.timeout) => None,
        };
        let duration = begin.elapsed();
        let ended = self.polls_again(polls + 1, posted.is_some()).await;
        let (answer, pending) = match posted {
            Some(Posted {
                is_error: true,
                body,
                ..
            }) => (Answer::Error(without_trace(&body)), vec![]),
            Some(Posted { pending, body, .. }) => (Answer::Response(body), pending),
            None => (Answer::Nothing, vec![]),
        };
        Seen {
            answer,
            deferred: !pending.is_empty(),
            pending,
            ended,
            duration,
            unknown: vec![],
        }
    }

    /// Waits until the process has polled so many times. Returns how it ended, if it did instead.
    async fn polls_again(&mut self, polls: usize, has_posted: bool) -> Option<String> {
        let wait = if has_posted { NEXT } else { Duration::ZERO };
        let exited = tokio::select! {
            biased;
            () = self.api.polled(polls) => None,
            status = self.process.wait() => Some(status),
            () = tokio::time::sleep(wait) => {
                // It hangs: nothing else can be done with it.
                self.process.kill().await;
                return Some("was killed, since it did not poll for the next event".into());
            }
        };
        let code = exited?.ok().and_then(|status| status.code());
        Some(code.map_or("was killed".into(), |code| format!("exited with {code}")))
    }
}

async fn ended(process: &mut Group) {
    // What went wrong is seen by the next wait.
    let _ = process.wait().await;
}

/// Reads what a process prints, so that it never waits for a reader, and keeps the end of it.
async fn keep_the_end(mut stream: impl AsyncRead + Unpin, log: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        let mut log = log.lock();
        log.extend(buffer.iter().take(read));
        let excess = log.len().saturating_sub(LOG);
        log.drain(..excess);
    }
}
