//! What a callback of an invocation signals.

use crate::{
    completion::Tracker,
    error::Error,
    panic::Loss,
    place::{Attached, Origin, Place},
    slot::{Memory, Signaller, Waiter},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tracing::Span;

/// What was not accepted, and where the first signal came from.
pub(super) type Refusal<R> = (Result<Option<R>, Error>, Place);

/// The one signal of an invocation.
pub(crate) struct Signal {
    pub(crate) outcome: Result<Option<Bytes>, Error>,
    /// Whether a success waits for the invocation's tasks.
    pub(crate) waits: bool,
}

/// The memory of the slot of an invocation before, unless handles of it are left that keep it.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Option<Memory<Signal, Invoked>>>>);

impl Spare {
    pub(crate) fn take(&self) -> Memory<Signal, Invoked> {
        self.0.lock().take().unwrap_or_else(Box::new_uninit)
    }

    pub(crate) fn put(&self, ended: Waiter<Signal, Invoked>) {
        // What was attached is dropped here, not under the lock.
        if let Some(memory) = ended.recycle() {
            self.0.lock().get_or_insert(memory);
        }
    }
}

/// What all the handles of one invocation share beside its slot.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) tracker: Tracker,
    /// Node's `callbackWaitsForEmptyEventLoop`.
    pub(crate) waits: AtomicBool,
    /// Of the invocation, for what is logged from any thread.
    span: Span,
    /// The callback that was dropped last.
    dropped: Mutex<Option<(Origin, Loss)>>,
}

impl Invoked {
    pub(crate) fn new(span: Span) -> Self {
        Invoked {
            tracker: Tracker::default(),
            waits: AtomicBool::new(true),
            span,
            dropped: Mutex::new(None),
        }
    }
}

impl Attached<Signal> for Invoked {
    fn lost(&self, origin: Origin) -> Signal {
        // A context goes with its handler: what was lost is the callback before it.
        let before = (origin == Origin::CONTEXT).then(|| self.dropped.lock().take());
        let (origin, loss) = before.flatten().unwrap_or_else(|| (origin, Loss::here()));
        // Only the runtime knows what a lost callback means to it, and so whether it waits.
        Signal {
            outcome: Err(Error::not_called(origin, &loss)),
            waits: true,
        }
    }
}

/// Signals an invocation, whose results are JSON already.
pub(crate) struct Wire {
    pub(crate) signaller: Signaller<Signal, Invoked>,
    /// A signal through it never waits for the invocation's tasks, as of Node's `context.done`.
    pub(crate) at_once: bool,
}

impl Wire {
    pub(crate) fn new(signaller: Signaller<Signal, Invoked>) -> Self {
        let mut wire = Wire {
            signaller,
            at_once: false,
        };
        wire.signaller.1 = Origin::CONTEXT;
        wire
    }

    /// Another one, for the same invocation.
    pub(crate) fn clone_as(&self, origin: Origin, at_once: bool) -> Self {
        Wire {
            signaller: self.signaller.clone_as(origin),
            at_once,
        }
    }

    pub(super) fn signal(
        &self,
        outcome: Result<Option<Bytes>, Error>,
        place: Place,
    ) -> Result<(), Refusal<Bytes>> {
        let invoked = &self.signaller.0.attached;
        let waits = !self.at_once && invoked.waits.load(Ordering::Acquire);
        self.signaller
            .signal(Signal { outcome, waits }, place)
            .map_err(|(signal, first)| (signal.outcome, first))
    }

    pub(super) fn refuse(&self, first: Place, again: Place, caller_is_told: bool) {
        let invoked = &self.signaller.0.attached;
        let refuse = || invoked.tracker.refuse(first, again, caller_is_told);
        invoked.span.in_scope(refuse);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let slot = &self.signaller.0;
        if slot.first.get().is_none() && self.signaller.1 != Origin::CONTEXT {
            *slot.attached.dropped.lock() = Some((self.signaller.1, Loss::here()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::{Callback, Context, Value, invoke::Function, json};
    use bytes::Bytes;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[tokio::test]
    async fn invocations_leave_their_memory_to_the_next_unless_a_clone_keeps_it() {
        let kept = Arc::new(Mutex::new(vec![]));
        let keeps = Arc::clone(&kept);
        let handler = move |event: Value, _: Context, callback: Callback| {
            for late in &*keeps.lock() {
                let late: &Callback = late;
                late(None, Some(json!("late")));
            }
            if event == "keep" {
                keeps.lock().push(callback.clone());
            }
            callback(None, Some(event));
        };
        let function = Function::new(handler);
        for event in ["drop", "keep", "drop", "drop", "keep", "drop"] {
            let sent = Bytes::from(json!(event).to_string());
            let mut invocation = function.start(Ok(sent.clone()), Context::builder());
            assert!(invocation.spare.0.lock().is_none());
            assert_eq!(invocation.answer().await.unwrap(), sent);
            let (_, refused) = invocation.finish().await;
            assert_eq!(refused, 0);
            assert_eq!(invocation.spare.0.lock().is_some(), event == "drop");
        }
    }
}
