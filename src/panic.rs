//! Catching a panic where a handler's code is entered, and knowing that one will be caught.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, Thread},
};

thread_local! {
    static CATCHER: Cell<Catcher> = const { Cell::new(NOBODY) };
    /// Whether a handle was dropped under it, unsignalled.
    static LOST: Cell<bool> = const { Cell::new(false) };
}

/// Who reports a panic, or an error that a run of a handler's code ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Catcher {
    /// What tells the tasks of one invocation from another's.
    pub(crate) owner: usize,
    /// Which run of one of its tasks.
    pub(crate) run: u64,
}

/// A catcher that is told nothing.
pub(crate) const NOBODY: Catcher = Catcher { owner: 0, run: 0 };

/// A panic that was caught, by its message.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String);

impl Panic {
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Self {
        Panic(message(payload.as_ref()).into())
    }
}

/// Runs `f`; a panic becomes an error.
///
/// Unwind safety: what a panic may leave half done belongs to the handler, and is its own
/// invocation's; what outlives that (the handler's state) is shared through types that have to
/// say themselves what a panic means for them (a poisoned mutex, an atomic).
pub(crate) fn caught<T>(catcher: Catcher, f: impl FnOnce() -> T) -> Result<T, Panic> {
    let outer = CATCHER.replace(catcher);
    // Drops during the unwinding see who is going to report it.
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHER.set(outer);
    result.map_err(Panic::of)
}

/// How a handle of a callback was dropped, which may be what loses the callback.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) catcher: Catcher,
    pub(crate) by_panic: bool,
    pub(crate) thread: Thread,
}

impl Loss {
    /// A handle is being dropped.
    pub(crate) fn here() -> Self {
        let catcher = CATCHER.get();
        // Not unset by another loss under it, which a wrapper's function may cause.
        if catcher != NOBODY {
            LOST.set(true);
        }
        Loss {
            catcher,
            by_panic: thread::panicking(),
            thread: thread::current(),
        }
    }
}

/// Whether that has happened on this thread since it was last asked.
pub(crate) fn take_lost() -> bool {
    LOST.take()
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a panic whose payload is no string",
    }
}
