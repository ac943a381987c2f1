//! Polls an event loop that no driver polls, from a tokio task of its own: the tasks that an
//! invocation leaves running, and those of a context that no driver has started. Their order and
//! the request id in their log lines stay the same.

use super::{event_loop::Turn, queue::Left, state::Invocation};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::runtime::Handle;

impl Invocation {
    /// Hands the loop over to a tokio task, which polls it until it is empty. Without a runtime,
    /// its tasks are dropped.
    pub(super) fn poll_rest(self: &Arc<Self>) {
        match self.runtime() {
            Some(runtime) => self.spawn_rest(&runtime),
            None => drop(Rest::of(self)),
        }
    }

    /// Spawns a tokio task that polls the loop until it is empty.
    pub(super) fn spawn_rest(self: &Arc<Self>, runtime: &Handle) {
        self.claimed(self.queue.lock(), false);
        runtime.spawn(Rest::of(self));
    }
}

/// Polls the loop of an invocation until it is empty.
struct Rest {
    invocation: Arc<Invocation>,
    ended: bool,
}

impl Rest {
    fn of(invocation: &Arc<Invocation>) -> Self {
        Rest {
            invocation: Arc::clone(invocation),
            ended: false,
        }
    }
}

impl Future for Rest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let turned: Turn<Infallible> = self.invocation.turn(cx, || None);
        match turned {
            Turn::Idle { .. } => {
                self.ended = self.invocation.stop_polling_if_empty() == Left::Nothing;
            }
            // Failures are logged where they happen, since the outcome is claimed. After a turn
            // that yielded, the waker has been called.
            Turn::Yielded | Turn::Failed(_) => {}
            Turn::Found(never) => match never {},
        }
        if self.ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// How often the remaining tasks are dropped, since destructors may spawn further tasks.
const STOPS: usize = 8;

impl Drop for Rest {
    /// Drops the remaining tasks. There are some if the runtime was shut down.
    fn drop(&mut self) {
        for _ in 0..STOPS {
            self.ended = self.ended || self.invocation.stop_polling_if_empty() == Left::Nothing;
            if self.ended {
                return;
            }
            self.invocation.stop_all();
        }
        self.invocation.stop_polling_if_empty();
    }
}
