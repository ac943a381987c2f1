//! The record of one invocation.

use super::{client::Client, sent::Sent};
use crate::{
    clock,
    error::Error,
    invocation::{
        ContextBuilder,
        timeline::{Recorder, Timeline},
    },
    log,
    text::excerpt,
};
use bytes::Bytes;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How many bytes of the end of a log are kept.
pub(in crate::local) const LOG: usize = 32 * 1024;

/// How many bytes of the start of a streamed response are kept.
pub(in crate::local) const STREAM: usize = 64 * 1024;

/// The size of a record without the parts that are counted separately.
const RECORD: usize = 2 * 1024;

/// How many characters of an error the list shows.
const EXCERPT: usize = 200;

/// One invocation.
pub(in crate::local) struct Record {
    pub(in crate::local) n: u64,
    /// The number of changes of the history at the last change of this record.
    pub(super) changed: u64,
    pub(in crate::local) client: Client,
    pub(in crate::local) at: SystemTime,
    pub(in crate::local) context: ContextBuilder,
    /// The size of the context's members that a client may set.
    members: usize,
    pub(in crate::local) event: Bytes,
    pub(in crate::local) outcome: Option<Outcome>,
    /// The head of the HTTP response, once the server has begun to send it. A retry has none, and an
    /// invocation from the page has the one that `Invoke` would send.
    pub(in crate::local) sent: Option<Sent>,
    log: Log,
    progress: Progress,
}

pub(in crate::local) struct Outcome {
    pub(in crate::local) result: Result<Body, Failure>,
    pub(in crate::local) took: Duration,
    /// The peak memory of the process until then, in MB.
    pub(in crate::local) memory_used: Option<u64>,
}

/// A response, or the start of one that was streamed.
pub(in crate::local) struct Body {
    pub(in crate::local) kept: Bytes,
    /// The size of the whole response.
    pub(in crate::local) size: usize,
}

pub(in crate::local) struct Failure {
    /// The JSON that a client receives.
    pub(in crate::local) json: String,
    state: State,
    excerpt: String,
}

enum Log {
    Written(log::Tail),
    Kept(Vec<u8>),
}

enum Progress {
    NotStarted,
    Recorded(Arc<Recorder>),
    Over(Box<Timeline>),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::local) enum State {
    Running,
    Succeeded,
    Failed,
    TimedOut,
}

/// A line of the list of invocations.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::local) struct Summary {
    pub(super) n: u64,
    request_id: String,
    client: Client,
    function: String,
    /// In milliseconds since 1970.
    at: u64,
    state: State,
    /// Whether the environment would poll for the next event.
    over: bool,
    duration_ms: Option<f64>,
    error: Option<String>,
}

impl Record {
    pub(super) fn new(n: u64, client: Client, context: ContextBuilder, event: Bytes) -> Self {
        let members = context.members();
        let log = log::Tail::with_limit(&members.aws_request_id, LOG);
        let identity = members.identity.as_ref();
        let texts = [
            members.tenant_id.as_ref(),
            members.xray_trace_id.as_ref(),
            identity.map(|identity| &identity.cognito_identity_id),
            identity.map(|identity| &identity.cognito_identity_pool_id),
        ];
        let texts = texts.into_iter().flatten().map(String::len);
        let client_context = members.client_context.as_ref();
        // A parsed value takes more memory than its text.
        let client_context = client_context.map_or(0, |value| 4 * value.to_string().len());
        Record {
            n,
            client,
            changed: 0,
            at: clock::now(),
            members: texts.sum::<usize>() + client_context,
            context,
            event,
            outcome: None,
            sent: None,
            log: Log::Written(log),
            progress: Progress::NotStarted,
        }
    }

    pub(super) fn records(&mut self, recorder: Arc<Recorder>) {
        self.progress = Progress::Recorded(recorder);
    }

    pub(super) fn ended(
        &mut self,
        outcome: Result<Body, &Error>,
        took: Duration,
        memory_used: Option<u64>,
    ) {
        let result = outcome.map_err(Failure::of);
        self.outcome = Some(Outcome {
            result,
            took,
            memory_used,
        });
    }

    pub(super) fn sent(&mut self, sent: Sent) {
        self.sent = Some(sent);
    }

    pub(super) fn over(&mut self, timeline: Timeline) {
        self.log = Log::Kept(self.log());
        self.progress = Progress::Over(Box::new(timeline));
    }

    /// Returns the number of bytes that the record takes, at most.
    pub(super) fn bytes(&self) -> usize {
        let outcome = self.outcome.as_ref().map(|outcome| &outcome.result);
        let outcome = outcome.map_or(0, |result| match result {
            Ok(body) => body.kept.len(),
            Err(failure) => failure.json.len(),
        });
        let log = match &self.log {
            Log::Written(_) => 0,
            Log::Kept(log) => log.len(),
        };
        let timeline = match &self.progress {
            Progress::Over(timeline) => most_bytes(timeline),
            _ => 0,
        };
        let sent = self.sent.as_ref().map_or(0, Sent::bytes);
        RECORD + self.members + self.event.len() + outcome + sent + log + timeline
    }

    pub(in crate::local) fn state(&self) -> State {
        match &self.outcome {
            None => State::Running,
            Some(Outcome { result: Ok(_), .. }) => State::Succeeded,
            Some(Outcome {
                result: Err(failure),
                ..
            }) => failure.state,
        }
    }

    pub(in crate::local) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over(_))
    }

    /// Returns the end of the log.
    pub(in crate::local) fn log(&self) -> Vec<u8> {
        match &self.log {
            Log::Written(tail) => tail.text(),
            Log::Kept(log) => log.clone(),
        }
    }

    pub(in crate::local) fn timeline(&self) -> Option<Timeline> {
        match &self.progress {
            Progress::NotStarted => None,
            Progress::Recorded(recorder) => Some(recorder.timeline()),
            Progress::Over(timeline) => Some((**timeline).clone()),
        }
    }

    pub(in crate::local) fn summary(&self) -> Summary {
        let members = self.context.members();
        let failure = match &self.outcome {
            Some(Outcome {
                result: Err(failure),
                ..
            }) => Some(failure.excerpt.clone()),
            _ => None,
        };
        let outcome = self.outcome.as_ref();
        Summary {
            n: self.n,
            request_id: members.aws_request_id.clone(),
            client: self.client,
            function: members.function_name.clone(),
            at: self.at_millis(),
            state: self.state(),
            over: self.is_over(),
            duration_ms: outcome.map(|outcome| millis(outcome.took)),
            error: failure,
        }
    }

    /// Returns when the invocation started, in milliseconds since 1970.
    fn at_millis(&self) -> u64 {
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(at.unwrap_or_default().as_millis()).unwrap_or_default()
    }
}

/// Returns the number of bytes that a timeline takes, at most. Each of its texts is bounded.
fn most_bytes(timeline: &Timeline) -> usize {
    const ENTRY: usize = 1_300;
    const TASK: usize = 2_500;
    timeline.entries.len() * ENTRY + timeline.tasks.len() * TASK
}

/// Returns milliseconds with up to three decimals.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

impl Body {
    pub(in crate::local) fn whole(response: &[u8]) -> Self {
        Body {
            size: response.len(),
            // The handler's own buffer may be a part of a much larger one, or run code of its owner when it is dropped.
            kept: Bytes::copy_from_slice(response),
        }
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        let text = format!("{}: {}", error.error_type(), error.message());
        Failure {
            json: error.to_json(),
            state: match error.error_type() {
                "Sandbox.Timedout" => State::TimedOut,
                _ => State::Failed,
            },
            excerpt: excerpt(&text, EXCERPT),
        }
    }
}

/// Keeps the start of a response while it is streamed.
#[derive(Default)]
pub(in crate::local) struct Streamed {
    kept: Vec<u8>,
    size: usize,
}

impl Streamed {
    pub(in crate::local) fn add(&mut self, chunk: &[u8]) {
        let room = STREAM.saturating_sub(self.kept.len()).min(chunk.len());
        self.kept
            .extend_from_slice(chunk.get(..room).unwrap_or_default());
        self.size += chunk.len();
    }

    pub(in crate::local) fn body(self) -> Body {
        Body {
            kept: self.kept.into(),
            size: self.size,
        }
    }
}
