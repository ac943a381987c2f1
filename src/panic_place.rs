//! The place of a panic. `catch_unwind` returns only the payload of a panic; the panic hook is the one that learns where
//! it happened.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    panic::{self, PanicHookInfo},
    sync::Once,
    thread,
};

/// Where a panic happened, and with `RUST_BACKTRACE=1` the way there.
#[derive(Debug)]
pub(crate) struct PanicPlace {
    /// `file:line:column`.
    location: String,
    backtrace: Backtrace,
}

thread_local! {
    /// The place of the panic that unwinds on this thread, or of the last one that did.
    static LAST: Cell<Option<PanicPlace>> = const { Cell::new(None) };
}

/// Installs a panic hook that notes the place of each panic and then runs the hook that was there before. A program that
/// sets a hook of its own later only loses the places in its traces.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    // The hook cannot be changed from a thread that panics. The next invocation installs it.
    if INSTALLED.is_completed() || thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            before(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|location| PanicPlace {
        location: location.to_string(),
        backtrace: Backtrace::capture(),
    });
    // The destructor of another thread-local variable may panic, when this one is gone.
    let _ = LAST.try_with(|last| last.set(place));
}

/// Forgets the place of a panic that somebody else has caught: `resume_unwind` runs no hook, and would seem to panic there.
pub(crate) fn forget_earlier() {
    // A destructor that runs while a panic unwinds may get here. The place is of that panic.
    if !thread::panicking() {
        take();
    }
}

/// Takes the place of the panic that was caught on this thread just now.
pub(crate) fn take() -> Option<PanicPlace> {
    LAST.try_with(Cell::take).ok().flatten()
}

impl PanicPlace {
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// The backtrace as text, if one was captured.
    pub(crate) fn backtrace(&self) -> Option<String> {
        let captured = self.backtrace.status() == BacktraceStatus::Captured;
        captured.then(|| self.backtrace.to_string())
    }
}
