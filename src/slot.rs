//! The one-shot cell under [`Callback`](crate::Callback) and [`Completion`](crate::Completion):
//! many signallers, one winner, one waiter.
//!
//! | state    | meaning                                   | may become              |
//! | -------- | ----------------------------------------- | ----------------------- |
//! | `Empty`  | nothing signalled; who waits, if so, and  | `Full`, `Closed`        |
//! |          | which callback was dropped last           |                         |
//! | `Full`   | signalled, not yet taken by the waiter    | `Taken`, `Closed`       |
//! | `Taken`  | signalled and taken                       | (final)                 |
//! | `Closed` | the waiter is gone                        | (final)                 |
//!
//! Losing the last signaller of an `Empty` slot is a signal too: the value is then
//! [`Payload::lost`].

use crate::place::{Origin, Place};
use parking_lot::Mutex;
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// What a slot carries.
pub(crate) trait Payload {
    /// What is noted of the drop of a signaller, which may turn out to be the loss.
    type Dropped;

    fn dropped(origin: Origin) -> Self::Dropped;

    /// The value that stands for "the last signaller is gone".
    fn lost(last: Self::Dropped) -> Self;
}

struct Shared<T: Payload, A> {
    state: Mutex<State<T>>,
    signallers: AtomicUsize,
    attached: A,
}

enum State<T: Payload> {
    Empty {
        waiting: Option<Waker>,
        dropped: Option<T::Dropped>,
    },
    Full(T, Place),
    Taken(Place),
    Closed(Place),
}

impl<T: Payload> State<T> {
    /// Where it was signalled, or closed, if it was.
    fn first(&self) -> Option<Place> {
        match self {
            State::Empty { .. } => None,
            State::Full(_, first) | State::Taken(first) | State::Closed(first) => Some(*first),
        }
    }
}

/// Makes a slot with its first signaller and its waiter. `attached` is what all ends share.
pub(crate) fn slot<T: Payload, A>(attached: A) -> (Signaller<T, A>, Waiter<T, A>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::Empty {
            waiting: None,
            dropped: None,
        }),
        signallers: AtomicUsize::new(1),
        attached,
    });
    let signaller = Signaller {
        shared: Arc::clone(&shared),
        origin: Origin::First,
    };
    (signaller, Waiter { shared })
}

/// A handle that can signal. Dropping the last one without a signal is one.
pub(crate) struct Signaller<T: Payload, A> {
    shared: Arc<Shared<T, A>>,
    origin: Origin,
}

impl<T: Payload, A> Signaller<T, A> {
    /// Another signaller of the same slot.
    pub(crate) fn clone_as(&self, origin: Origin) -> Self {
        self.shared.signallers.fetch_add(1, Ordering::Relaxed);
        Signaller {
            shared: Arc::clone(&self.shared),
            origin,
        }
    }

    /// Signals. If another was first, gives the value back and says where that was.
    pub(crate) fn signal(&self, value: T, place: Place) -> Result<(), (T, Place)> {
        let mut state = self.shared.state.lock();
        match &mut *state {
            State::Empty { waiting, .. } => {
                let waiting = waiting.take();
                *state = State::Full(value, place);
                drop(state);
                if let Some(waker) = waiting {
                    waker.wake();
                }
                Ok(())
            }
            State::Full(_, first) | State::Taken(first) | State::Closed(first) => {
                Err((value, *first))
            }
        }
    }

    /// Where it was signalled, if it was.
    pub(crate) fn signalled(&self) -> Option<Place> {
        self.shared.state.lock().first()
    }

    pub(crate) fn attached(&self) -> &A {
        &self.shared.attached
    }

    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// What tells this slot from another, while it lives.
    pub(crate) fn key(&self) -> *const () {
        Arc::as_ptr(&self.shared).cast()
    }
}

impl<T: Payload, A> Drop for Signaller<T, A> {
    fn drop(&mut self) {
        let lost = match &mut *self.shared.state.lock() {
            State::Empty { dropped, .. } => {
                // Under the lock, so that the last one finds what the others noted.
                let last = self.shared.signallers.fetch_sub(1, Ordering::Relaxed) == 1;
                // A context goes with its handler: what was lost is the callback before it.
                if !matches!(self.origin, Origin::Context) || (last && dropped.is_none()) {
                    *dropped = Some(T::dropped(self.origin));
                }
                dropped.take_if(|_| last)
            }
            // Nothing can be lost any more.
            _ => return,
        };
        if let Some(lost) = lost {
            // No other signaller is left, so only the waiter's end can have come between.
            let _ = self.signal(T::lost(lost), Place::Lost);
        }
    }
}

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T: Payload, A> {
    shared: Arc<Shared<T, A>>,
}

impl<T: Payload, A> Waiter<T, A> {
    /// Takes the value, or has the task woken when there is one. Once taken: pending for ever.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.shared.state.lock();
        match &mut *state {
            State::Empty { waiting, .. } => {
                match waiting {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waiting = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            State::Full(_, place) => {
                let place = *place;
                match mem::replace(&mut *state, State::Taken(place)) {
                    State::Full(value, _) => Poll::Ready(value),
                    _ => Poll::Pending,
                }
            }
            State::Taken(_) | State::Closed(_) => Poll::Pending,
        }
    }

    /// Waits no more: a later signal is refused. Gives a value that is there and was not taken.
    pub(crate) fn close(&self) -> Option<T> {
        let mut state = self.shared.state.lock();
        let place = state.first().unwrap_or(Place::Closed);
        let old = mem::replace(&mut *state, State::Closed(place));
        // A waker's drop may run any code: not under the lock.
        drop(state);
        match old {
            State::Full(value, _) => Some(value),
            _ => None,
        }
    }

    /// Whether the value has been taken.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(&*self.shared.state.lock(), State::Taken(_))
    }

    pub(crate) fn attached(&self) -> &A {
        &self.shared.attached
    }
}

impl<T: Payload, A> Drop for Waiter<T, A> {
    fn drop(&mut self) {
        drop(self.close());
    }
}
