//! The port, in this process.

use super::{
    log,
    outcome::{Seen, SentOutcome, without_trace},
    stream::{LIMIT, StreamEnd, Streamed},
};
use crate::{
    error::{Error, Result},
    invocation::{ContextBuilder, Function, Sink, timeline::Timeline},
    log::lines,
    stream::StreamReader,
};
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::Span;

/// Runs one invocation, and returns its outcome and its timeline. `name` is that of the event. If
/// `logs` is set, its log lines are kept.
pub(super) async fn invoke(
    function: &Function,
    name: &str,
    event: Bytes,
    context: ContextBuilder,
    timeout: Duration,
    logs: bool,
) -> (Seen, Timeline) {
    let begin = Instant::now();
    let request_id = context.members().aws_request_id.clone();
    let keep = Keep {
        begin,
        name: name.into(),
    };
    let driven = async {
        // The recorder is created inside `lines::kept`, so that it finds the subscriber that
        // receives the lines.
        let context = context.record_timeline();
        let recorder = context.recorder().cloned();
        let driven = function.drive(Ok(event), context, keep).await;
        let timeline = recorder.map(|recorder| recorder.timeline());
        (driven, timeline.unwrap_or_default())
    };
    let ((driven, timeline), log) = if logs {
        let (driven, kept) = lines::kept(&request_id, Box::pin(driven)).await;
        (driven, Some(log::of_port(&kept)))
    } else {
        (driven.await, None)
    };
    let (outcome, duration) = match driven.sent {
        Some(sent) => sent,
        None => (SentOutcome::Nothing, begin.elapsed()),
    };
    // A handler that blocks its thread cannot be stopped at the deadline, and may respond after it.
    let outcome = match outcome {
        SentOutcome::Stream(stream) if duration > timeout => SentOutcome::Stream(Streamed {
            end: StreamEnd::NotEnded,
            ..stream
        }),
        _ if duration > timeout => SentOutcome::Nothing,
        outcome => outcome,
    };
    let seen = Seen {
        deferred: driven.deferred && matches!(outcome, SentOutcome::Response(_)),
        outcome,
        pending: vec![],
        ended: None,
        duration,
        unknown: vec![],
        log,
    };
    (seen, timeline)
}

/// Keeps the outcome, and the time that it took.
#[derive(Clone)]
struct Keep {
    begin: Instant,
    /// The name of the event.
    name: Arc<str>,
}

impl Sink for Keep {
    type Sent = (SentOutcome, Duration);
    /// No outcome after the deadline counts, but the comparison seems to hang until the handler
    /// returns.
    const WATCHED: bool = true;

    async fn send(self, outcome: Result<Bytes>, span: &Span) -> Self::Sent {
        let outcome = match outcome {
            Ok(body) => SentOutcome::Response(body),
            Err(error) => match failure(&error, span) {
                Some(error) => SentOutcome::Error(error),
                None => SentOutcome::Nothing,
            },
        };
        (outcome, self.begin.elapsed())
    }

    async fn stream(self, stream: StreamReader, span: Span) -> Self::Sent {
        let streamed = read(&stream, &span, LIMIT).await;
        (SentOutcome::Stream(streamed), self.begin.elapsed())
    }

    async fn send_for_blocked(self, _: Error) {
        self.blocks();
    }

    async fn ended_for_blocked(self, _: Error, _: impl Future<Output = ()> + Send) {
        self.blocks();
    }
}

impl Keep {
    /// Reports that the comparison waits for a handler that nothing can stop.
    fn blocks(&self) {
        let _ = writeln!(
            io::stderr(),
            "{}: the port blocks its thread beyond the deadline, and cannot be stopped. The comparison \
             continues when the handler returns.",
            self.name
        );
    }
}

/// Logs an error, and returns its JSON. Returns `None` for a timeout, since the original's process
/// is killed then and posts nothing.
fn failure(error: &Error, span: &Span) -> Option<Value> {
    span.in_scope(|| error.log());
    let is_timeout = error.error_type() == "Sandbox.Timedout";
    (!is_timeout).then(|| without_trace(error.to_json().as_bytes()))
}

/// Reads a stream to its end, or up to `limit` bytes.
async fn read(stream: &StreamReader, span: &Span, limit: usize) -> Streamed {
    let head = stream.head().await;
    // As on Lambda, the metadata is sent with the first byte or with the end, and not before an
    // error.
    let mut prelude = head.prelude();
    let mut sent = BytesMut::new();
    let end = loop {
        match stream.chunk().await {
            Some(Ok(chunk)) => {
                sent.extend(prelude.take().into_iter().flatten());
                sent.extend_from_slice(&chunk);
            }
            Some(Err(error)) => match failure(&error, span) {
                Some(error) => break StreamEnd::Error(error),
                None => break StreamEnd::NotEnded,
            },
            None => {
                sent.extend(prelude.take().into_iter().flatten());
                break StreamEnd::Ended;
            }
        }
        if sent.len() > limit {
            sent.truncate(limit);
            if let Some(error) = stream.close("the stream has more than 200 MB") {
                failure(&error, span);
            }
            break StreamEnd::TooLarge;
        }
    };
    Streamed::new(head.content_type, sent.freeze(), end, false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::stream::Pipe;

    /// A stream that is too large is no longer read, so that its handler does not wait for a
    /// reader.
    #[tokio::test]
    async fn a_stream_is_read_up_to_the_limit() {
        for (limit, expected, end) in [
            (5, "12345", StreamEnd::Ended),
            (4, "1234", StreamEnd::TooLarge),
            (1, "1", StreamEnd::TooLarge),
        ] {
            let pipe = Pipe::new(1024, None);
            let reader = pipe.reader();
            pipe.push("12".into(), 2).unwrap();
            pipe.push("345".into(), 3).unwrap();
            let ended = async {
                // A reader that stops at the limit does not need an end.
                if end == StreamEnd::Ended {
                    pipe.finish(Ok(()), None);
                }
            };
            let span = Span::none();
            let (streamed, ()) = tokio::join!(read(&reader, &span, limit), ended);
            assert_eq!(
                (&streamed.body[..], &streamed.end),
                (expected.as_bytes(), &end)
            );
            assert!(pipe.push("6".into(), 1).is_err());
        }
    }
}
