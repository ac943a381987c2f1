//! What of an invocation runs on after its response, and the tasks of a context that belongs to no
//! invocation: the loop goes on in a tokio task of its own, with its order and its request id.

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
    /// Has the loop polled on by a tokio task, as long as it is not empty.
    pub(super) fn go_on(self: &Arc<Self>) {
        match self.runtime() {
            Some(runtime) => self.go_on_alone(&runtime),
            None => drop(Rest::of(self)),
        }
    }

    /// Polls the loop from a tokio task until it is empty.
    pub(super) fn go_on_alone(self: &Arc<Self>, runtime: &Handle) {
        self.answered(false);
        runtime.spawn(Rest::of(self));
    }
}

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
            // A failure after the response is logged where it happens.
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

/// How often what is left is stopped, as destructors may spawn further tasks.
const STOPS: usize = 8;

impl Drop for Rest {
    /// The runtime was shut down, unless all has ended.
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
