//! What answers for a handler that blocks its thread, and so cannot be timed out from within.

use super::invocation::{GAP, timed_out};
use crate::{context::ContextBuilder, error::Error};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{task::AbortHandle, time};

/// Watches one invocation until it has its answer. Made before the handler is entered.
pub(crate) struct Watch {
    answered: Arc<AtomicBool>,
    task: Option<AbortHandle>,
}

impl Watch {
    /// Runs `blocked` with the timeout, elsewhere, if the invocation has no answer shortly after
    /// its deadline: by then it would have ended itself if its thread could.
    pub(crate) fn start<F>(
        context: &ContextBuilder,
        blocked: impl FnOnce(Error) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let answered = Arc::new(AtomicBool::new(false));
        let Some(allowed) = context.allowed() else {
            return Watch {
                answered,
                task: None,
            };
        };
        let (claim, context) = (Arc::clone(&answered), context.clone());
        let task = tokio::spawn(async move {
            time::sleep(allowed.saturating_add(GAP)).await;
            if claim.swap(true, Ordering::AcqRel) {
                return;
            }
            let error = timed_out(context.request_id(), allowed);
            context.span().in_scope(|| {
                tracing::warn!("cut off at the deadline: the handler, which blocks its thread");
                error.log();
            });
            blocked(error).await;
        });
        Watch {
            answered,
            task: Some(task.abort_handle()),
        }
    }

    /// The invocation has its answer. Whether that counts: not if it came too late.
    pub(crate) fn answered(&self) -> bool {
        let first = !self.answered.swap(true, Ordering::AcqRel);
        // What it runs once it has begun is not to be stopped.
        if let (true, Some(task)) = (first, &self.task) {
            task.abort();
        }
        first
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.answered();
    }
}
