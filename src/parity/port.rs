//! The port, in this process.

use super::{
    log,
    outcome::{Answer, Seen, without_trace},
};
use crate::{
    error::{Error, Result},
    invocation::{ContextBuilder, Function, Sink},
    log::lines,
    stream::{StreamReader, StreamedResponse},
};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tracing::Span;

/// Runs one invocation, and returns what is seen of it. `logs` asks for its lines.
pub(super) async fn invoke(
    function: &Function,
    event: Bytes,
    context: ContextBuilder,
    timeout: Duration,
    logs: bool,
) -> Seen {
    let begin = Instant::now();
    let request_id = context.members().aws_request_id.clone();
    let driven = function.drive(Ok(event), context, Keep { begin });
    let (driven, log) = if logs {
        let (driven, kept) = lines::kept(&request_id, Box::pin(driven)).await;
        (driven, Some(log::of_port(&kept)))
    } else {
        (driven.await, None)
    };
    let (answer, duration) = match driven.sent {
        Some((Ok(body), duration)) => (Answer::Response(body), duration),
        // The original's process ends, or is killed, without a response.
        Some((Err(error), duration)) if error.error_type() == "Sandbox.Timedout" => {
            (Answer::Nothing, duration)
        }
        Some((Err(error), duration)) => (
            Answer::Error(without_trace(error.to_json().as_bytes())),
            duration,
        ),
        None => (Answer::Nothing, begin.elapsed()),
    };
    // A handler that blocks its thread is not stopped at the deadline.
    let answer = if duration > timeout {
        Answer::Nothing
    } else {
        answer
    };
    Seen {
        deferred: driven.deferred && matches!(answer, Answer::Response(_)),
        answer,
        pending: vec![],
        ended: None,
        duration,
        unknown: vec![],
        log,
    }
}

/// Keeps the outcome, and the time that it took.
#[derive(Clone, Copy)]
struct Keep {
    begin: Instant,
}

impl Sink for Keep {
    type Sent = (Result<Bytes>, Duration);
    const WATCHED: bool = false;

    async fn send(self, outcome: Result<Bytes>, span: &Span) -> Self::Sent {
        if let Err(error) = &outcome {
            span.in_scope(|| error.log());
        }
        (outcome, self.begin.elapsed())
    }

    /// All of a stream is one response.
    async fn stream(self, stream: StreamReader, span: Span) -> Self::Sent {
        let (streamed, ended) = StreamedResponse::read(&stream).await;
        let outcome = ended.map(|()| streamed.raw());
        self.send(outcome, &span).await
    }

    async fn send_for_blocked(self, _: Error) {}

    async fn ended_for_blocked(self, _: Error, _: impl Future<Output = ()> + Send) {}
}
