//! What answers one event after the other.

use super::{
    event::{Event, Posting},
    poll::Poll,
    timer::Timer,
};
use crate::{
    Result,
    context::ContextBuilder,
    error::Error,
    invoke::{Answering, Function, Invocation, Watch},
    panic::Panic,
};
use bytes::Bytes;
use futures::FutureExt;
use lambda_runtime_api_client::PooledClient;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::sync::mpsc;
use tracing::Instrument;

/// One of those that the environment may have in flight at a time; a clone is another.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) function: Function,
    pub(super) client: Arc<PooledClient>,
    /// Whether others use that too.
    pub(super) shares: bool,
    pub(super) poll: Arc<Poll>,
    /// How long posting takes.
    pub(super) timer: Arc<Timer>,
    /// What the context of each invocation has.
    pub(super) context: ContextBuilder,
    /// Who is told why the process has to exit.
    pub(super) exit: mpsc::UnboundedSender<Error>,
}

/// Whether the worker goes on.
enum Ended {
    Answered,
    /// Another one has answered instead, and goes on in its place.
    Replaced,
}

impl Worker {
    pub(super) fn spawn(self) {
        tokio::spawn(async move {
            loop {
                // What panics here is no handler's and no layer's: nobody knows what it left.
                let answered = AssertUnwindSafe(self.answer_one()).catch_unwind().await;
                match answered.unwrap_or_else(|panic| Err(Error::panic(Panic::of(panic)))) {
                    Ok(Ended::Answered) => {}
                    Ok(Ended::Replaced) => return,
                    Err(error) => {
                        // Another one may have said so before.
                        let _ = self.exit.send(error);
                        return;
                    }
                }
            }
        });
    }

    async fn answer_one(&self) -> Result<Ended> {
        let Event {
            posting,
            context,
            body,
            odd,
        } = self.poll.next(&self.client, &self.context).await?;
        if self.shares {
            // Lets the connection's task go first: behind a handler that blocks it would hang too,
            // and another worker with it.
            tokio::task::yield_now().await;
        }
        let watch = Watch::start(&context, {
            let (mut worker, posting) = (self.clone(), posting.clone());
            |error: Error| async move {
                // What drives the old one's connection may be stuck behind the handler.
                let endpoint = worker.client.base.clone();
                worker.client = Arc::new(super::client(endpoint, 1));
                error.log();
                match posting
                    .post(&worker.client, &worker.timer, Err(error))
                    .await
                {
                    Ok(()) => worker.spawn(),
                    Err(error) => drop(worker.exit.send(error)),
                }
            }
        });
        let watch = Arc::new(watch);
        let work = {
            let (worker, watch) = (self.clone(), Arc::clone(&watch));
            let (posting, context) = (posting.clone(), context.clone());
            async move |body, answering: Answering| {
                let mut invocation = worker.function.start(body, context);
                for odd in odd {
                    invocation.span().in_scope(|| tracing::warn!("{odd}"));
                }
                let answer = invocation.answer().await;
                if !watch.answered() {
                    return Ok(Ended::Replaced);
                }
                answering.begin();
                worker.post(invocation, answer, &posting).await
            }
        };
        match self.function.around(body, &context, work).await {
            Ok(ended) => ended,
            Err(_) if !watch.answered() => Ok(Ended::Replaced),
            Err(error) => {
                let span = context.span();
                span.in_scope(|| error.log());
                let posted = posting
                    .post(&self.client, &self.timer, Err(error))
                    .instrument(span)
                    .await;
                posted.map(|()| Ended::Answered)
            }
        }
    }

    async fn post(
        &self,
        mut invocation: Invocation,
        answer: Result<Bytes>,
        posting: &Posting,
    ) -> Result<Ended> {
        if let Err(error) = &answer {
            invocation.log_failure(error);
        }
        let posted = posting
            .post(&self.client, &self.timer, answer)
            .instrument(invocation.span().clone())
            .await;
        // The next event is asked for when this is over.
        invocation.finish().await;
        posted.map(|()| Ended::Answered)
    }
}
