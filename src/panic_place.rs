//! Where a panic happened. `catch_unwind` returns only the payload of a panic; only the panic hook
//! receives its location.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    panic::{self, PanicHookInfo},
    sync::Once,
    thread,
};

/// Where a panic happened, with a backtrace if `RUST_BACKTRACE=1` is set.
#[derive(Debug)]
pub(crate) struct PanicPlace {
    /// `file:line:column`.
    location: String,
    backtrace: Backtrace,
}

thread_local! {
    /// The place of the panic that is unwinding this thread, or of the last one that did.
    static LAST: Cell<Option<Box<PanicPlace>>> = const { Cell::new(None) };
}

/// Installs a panic hook that records the place of each panic and then runs the previous hook. If
/// the program replaces the hook later, its traces merely lack these places.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    // A panicking thread cannot change the hook. The next invocation installs it.
    if INSTALLED.is_completed() || thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            record(info);
            before(info);
        }));
    });
}

fn record(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|location| {
        Box::new(PanicPlace {
            location: location.to_string(),
            backtrace: Backtrace::capture(),
        })
    });
    // While a thread ends, the destructor of another thread-local variable may panic after this one
    // is gone.
    let _ = LAST.try_with(|last| last.set(place));
}

/// Forgets the place of an earlier panic that other code has caught. Otherwise a `resume_unwind`,
/// which runs no hook, would seem to have panicked there.
pub(crate) fn forget_earlier() {
    // During unwinding, a destructor may call this. The place is then that of the current panic.
    if !thread::panicking() {
        take();
    }
}

/// Takes the place of the panic that was just caught on this thread.
pub(crate) fn take() -> Option<Box<PanicPlace>> {
    LAST.try_with(Cell::take).ok().flatten()
}

impl PanicPlace {
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// Returns the backtrace as text, if one was captured.
    pub(crate) fn backtrace(&self) -> Option<String> {
        let captured = self.backtrace.status() == BacktraceStatus::Captured;
        captured.then(|| self.backtrace.to_string())
    }
}
