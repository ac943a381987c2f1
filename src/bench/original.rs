//! The original on Node, with the same events.

use super::{
    Invoker,
    figures::Invocations,
    measure::{Until, WARM_UP},
    times::Recorder,
};
use crate::{error::Result, parity::TimedOriginal};
use bytes::Bytes;
use std::{path::Path, time::Duration};

/// The measurement of an event ends after this time.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct OriginalOnNode(TimedOriginal);

impl OriginalOnNode {
    pub(super) async fn new(original: &str, root: Option<&Path>) -> Result<Self> {
        TimedOriginal::new(original, root).await.map(OriginalOnNode)
    }

    /// Times each invocation, from the event to the response, including the HTTP requests between
    /// this process and the Node process. Invocations that are not timed precede them, so that V8
    /// compiles the hot functions. Fails if the original does not start, or if the first invocation
    /// has no outcome before its deadline.
    pub(super) async fn measure<'a>(
        &mut self,
        invoker: &Invoker,
        event: &Bytes,
        invocations: usize,
        until: impl Fn(Duration) -> Until<'a>,
        mut done: impl FnMut(usize),
    ) -> Result<Invocations> {
        let end = until(LIMIT / 10);
        for number in 0..(invocations / 10).clamp(1, WARM_UP) {
            let (outcome, _) = self.0.invoke(event, invoker.context.clone()).await?;
            if number == 0 && outcome.is_none() {
                return Err(TimedOriginal::no_outcome());
            }
            if end.is_over() {
                break;
            }
        }
        let (mut timed, mut recorder) = (Invocations::default(), Recorder::new());
        let end = until(LIMIT);
        for count in 1..=invocations {
            if end.is_over() {
                break;
            }
            let (outcome, time) = self.0.invoke(event, invoker.context.clone()).await?;
            recorder.record(time);
            match outcome {
                Some(Ok(())) => {}
                Some(Err(error)) => timed.fail(|| error),
                None => timed.fail(|| TimedOriginal::no_outcome().message().to_owned()),
            }
            done(count);
        }
        timed.times = recorder.times();
        Ok(timed)
    }
}
