//! Notes when an invocation reaches each of its phases, for a benchmark. Those of another invocation
//! within it are not noted. Without the feature `bench`, nothing is noted.

#[cfg(not(feature = "bench"))]
use std::future::Future;

/// A point that an invocation reaches. Only the first time counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// The event is about to be parsed.
    Reading,
    /// The event is parsed, and the handler is about to be entered.
    Read,
    /// The handler has signalled, or has returned its result.
    Signalled,
    /// The result is JSON.
    Encoded,
    /// The outcome is decided, and is about to be sent.
    Outcome,
}

/// Notes that the current invocation has reached a point.
#[inline]
pub(crate) fn mark(phase: Phase) {
    #[cfg(feature = "bench")]
    marks::mark(phase);
    #[cfg(not(feature = "bench"))]
    let _ = phase;
}

/// Awaits an invocation in the same process, which may be within another: a handler may call
/// [`invoke`](crate::invoke()).
#[cfg(not(feature = "bench"))]
pub(crate) fn awaited<F: Future>(invocation: F) -> F {
    invocation
}

#[cfg(feature = "bench")]
pub(crate) use marks::{Marks, awaited, marked};

#[cfg(feature = "bench")]
mod marks {
    use super::Phase;
    use std::{
        cell::Cell,
        future::{Future, poll_fn},
        pin::pin,
        time::Instant,
    };

    /// When each point was reached, in the order of [`Phase`]. `None` if it was not reached on a
    /// thread that polled the invocation.
    pub(crate) type Marks = [Option<Instant>; 5];

    /// What this thread polls.
    #[derive(Clone, Copy, PartialEq)]
    enum Polled {
        /// Nothing whose points are noted.
        Other,
        /// A future that awaits the invocation whose points are noted.
        Measured,
        /// That invocation.
        Invocation,
    }

    thread_local! {
        static POLLED: Cell<Polled> = const { Cell::new(Polled::Other) };
        static MARKS: Cell<Marks> = const { Cell::new([None; 5]) };
    }

    /// Restores what was polled before, also after a panic.
    struct Restore(Polled);

    impl Drop for Restore {
        fn drop(&mut self) {
            POLLED.set(self.0);
        }
    }

    fn enter(polled: Polled) -> Restore {
        Restore(POLLED.replace(polled))
    }

    /// Awaits an invocation. Its points are noted if it is measured, but not if it is within another
    /// invocation.
    pub(crate) async fn awaited<F: Future>(invocation: F) -> F::Output {
        let mut invocation = pin!(invocation);
        poll_fn(|cx| {
            let _restore = enter(match POLLED.get() {
                Polled::Measured => Polled::Invocation,
                Polled::Invocation | Polled::Other => Polled::Other,
            });
            invocation.as_mut().poll(cx)
        })
        .await
    }

    #[inline]
    pub(super) fn mark(phase: Phase) {
        if POLLED.get() == Polled::Invocation {
            note(phase);
        }
    }

    #[cold]
    fn note(phase: Phase) {
        let mut marks = MARKS.get();
        if let Some(mark @ None) = marks.get_mut(phase as usize) {
            *mark = Some(Instant::now());
            MARKS.set(marks);
        }
    }

    /// Awaits an invocation, and returns when it reached each point on the threads that polled it.
    pub(crate) async fn marked<F: Future>(invocation: F) -> (F::Output, Marks) {
        let mut invocation = pin!(invocation);
        let mut marks = [None; 5];
        let output = poll_fn(|cx| {
            let _restore = enter(Polled::Measured);
            MARKS.set(marks);
            let polled = invocation.as_mut().poll(cx);
            marks = MARKS.get();
            polled
        })
        .await;
        (output, marks)
    }
}
