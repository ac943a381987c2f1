//! Notes when an invocation reaches each of its phases, for a benchmark. Without the feature
//! `bench`, nothing is noted.

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

#[cfg(feature = "bench")]
pub(crate) use marks::{Marks, marked};

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

    thread_local! {
        /// Whether this thread polls an invocation whose points are noted.
        static IS_ON: Cell<bool> = const { Cell::new(false) };
        static MARKS: Cell<Marks> = const { Cell::new([None; 5]) };
    }

    #[inline]
    pub(super) fn mark(phase: Phase) {
        if IS_ON.get() {
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
            IS_ON.set(true);
            MARKS.set(marks);
            let polled = invocation.as_mut().poll(cx);
            IS_ON.set(false);
            marks = MARKS.get();
            polled
        })
        .await;
        (output, marks)
    }
}
