//! Notifies a wrapper that its callback was never called.
//!
//! JavaScript has no such notification: an error that an inner handler throws bypasses the
//! wrapper's function, and only that error counts. Here a callback is dropped when its inner
//! handler returns, before the caller has seen what the handler returned. So the notice is
//! delivered only after the code that dropped the callback has returned to the event loop. Whatever
//! that code threw or signalled comes first.

use crate::guard::{Panic, guarded};
use std::cell::Cell;

type Notice = Box<dyn FnOnce()>;

thread_local! {
    /// The notices that wait until the code that is running on this thread has returned to its
    /// event loop.
    static WAITING: Cell<Option<Vec<Notice>>> = const { Cell::new(None) };
    static GIVING: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a handler, and then delivers the notices that it caused.
pub(crate) fn before_notices<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    let (result, mut notices) = collecting(f);
    while !notices.is_empty() {
        // A notice may drop further callbacks, and so cause further notices.
        let (_, caused) = collecting(|| notices.into_iter().for_each(give_now));
        notices = caused;
    }
    result
}

fn collecting<T>(f: impl FnOnce() -> T) -> (Result<T, Panic>, Vec<Notice>) {
    // While a thread ends, this variable is gone, and notices are delivered at once.
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

/// Delivers a notice: after the handler code that is running on this thread has returned, or at
/// once if there is none.
pub(crate) fn give(notice: impl FnOnce() + 'static) {
    let mut notice: Option<Notice> = Some(Box::new(notice));
    // While a thread ends, no handler code is running on it.
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
    // This may run in a destructor during unwinding, where an escaping panic would abort the
    // process.
    let _ = guarded(notice);
    if let Ok(outer) = outer {
        let _ = GIVING.try_with(|giving| giving.set(outer));
    }
}

/// Returns whether this thread is delivering a notice. What a wrapper then passes on is not a
/// signal of the handler.
pub(crate) fn is_being_given() -> bool {
    GIVING.try_with(Cell::get).unwrap_or(false)
}
