//! What answers one event after the other.

use super::{answer, event::Event, poll::Poll};
use crate::{
    Result,
    context::ContextBuilder,
    error::Error,
    invoke::{Function, Watch},
};
use lambda_runtime_api_client::PooledClient;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Instrument;

/// One of those that the environment may have in flight at a time; a clone is another.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) function: Function,
    pub(super) client: Arc<PooledClient>,
    pub(super) poll: Arc<Poll>,
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
                match self.answer_one().await {
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
            request_id,
            invocation_id,
            context,
            body,
            odd,
        } = self.poll.next(&self.client, &self.context).await?;
        // Lets the connection's task go first: behind a handler that blocks it would hang too.
        tokio::task::yield_now().await;
        let mut watch = Watch::start(&context, {
            let (worker, id, invocation_id) =
                (self.clone(), request_id.clone(), invocation_id.clone());
            |error: Error| async move {
                error.log();
                let posted = answer::post(&worker.client, &id, invocation_id.as_ref(), Err(error));
                match posted.await {
                    Ok(()) => worker.spawn(),
                    Err(error) => drop(worker.exit.send(error)),
                }
            }
        });
        let mut invocation = self.function.start(body, context);
        for odd in odd {
            invocation.span().in_scope(|| tracing::warn!("{odd}"));
        }
        let answer = invocation.answer().await;
        if !watch.answered() {
            return Ok(Ended::Replaced);
        }
        if let Err(error) = &answer {
            invocation.log_failure(error);
        }
        let posted = answer::post(&self.client, &request_id, invocation_id.as_ref(), answer)
            .instrument(invocation.span().clone())
            .await;
        // The next event is asked for when this is over.
        invocation.finish().await;
        posted.map(|()| Ended::Answered)
    }
}
