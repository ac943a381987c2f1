//! When a wrapper is told that its callback was never called.
//!
//! JavaScript gives no such notice: what an inner handler throws passes the wrapper's function by, and
//! only the thrown error counts. Here a callback is dropped as its inner handler returns, which is before
//! the caller has seen what it returned. So the notice comes after the code that dropped the callback
//! has returned to the event loop, and what that code threw or signalled comes first.

use crate::guard::{Panic, guarded};
use std::cell::Cell;

type Notice = Box<dyn FnOnce()>;

thread_local! {
    /// The notices that wait for the code running on this thread to return to its event loop.
    static WAITING: Cell<Option<Vec<Notice>>> = const { Cell::new(None) };
    static GIVING: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a handler, and then gives the notices that it has caused.
pub(crate) fn before_notices<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    let (result, mut notices) = collecting(f);
    while !notices.is_empty() {
        // What a notice drops may cause further ones.
        let (_, caused) = collecting(|| notices.into_iter().for_each(give_now));
        notices = caused;
    }
    result
}

fn collecting<T>(f: impl FnOnce() -> T) -> (Result<T, Panic>, Vec<Notice>) {
    // While a thread ends, notices are given at once.
    let swap = |notices| {
        WAITING
            .try_with(|waiting| waiting.replace(notices))
            .ok()
            .flatten()
    };
    let outer = swap(Some(Vec::new()));
    let result = guarded(f);
    (result, swap(outer).unwrap_or_default())
}

/// Gives a notice: later if a handler's code is running here, or at once.
pub(crate) fn give(notice: impl FnOnce() + 'static) {
    let mut notice: Option<Notice> = Some(Box::new(notice));
    // While a thread ends, nothing runs on it that would return.
    let _ = WAITING.try_with(|waiting| {
        let mut notices = waiting.take();
        if let Some(notices) = &mut notices {
            notices.extend(notice.take());
        }
        waiting.set(notices);
    });
    notice.into_iter().for_each(give_now);
}

fn give_now(notice: Notice) {
    let outer = GIVING.try_with(|giving| giving.replace(true));
    // A panic in a drop during a panic would abort the process.
    let _ = guarded(notice);
    if let Ok(outer) = outer {
        let _ = GIVING.try_with(|giving| giving.set(outer));
    }
}

/// Whether this thread is giving a notice: what a wrapper then passes on is not a signal of the
/// handler's.
pub(crate) fn is_being_given() -> bool {
    GIVING.try_with(Cell::get).unwrap_or(false)
}
