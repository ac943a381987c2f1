//! Catching a panic where a handler's code is entered, and knowing that one will be caught.

use std::{
    any::Any,
    cell::Cell,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

thread_local! {
    static CATCHER: Cell<usize> = const { Cell::new(NOBODY) };
}

/// A catcher whose panics nobody is told of.
pub(crate) const NOBODY: usize = 0;

/// A panic that was caught, by its message.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String);

/// Runs `f`; a panic becomes an error. `catcher` says who will report that.
///
/// Unwind safety: what a panic may leave half done belongs to the handler, and is its own
/// invocation's; what outlives that (the handler's state) is shared through types that have to
/// say themselves what a panic means for them (a poisoned mutex, an atomic).
pub(crate) fn caught<T>(catcher: usize, f: impl FnOnce() -> T) -> Result<T, Panic> {
    let outer = CATCHER.replace(catcher);
    // Drops during the unwinding see who is going to report it.
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHER.set(outer);
    result.map_err(|payload| Panic(message(payload.as_ref()).into()))
}

/// Runs a future; a panic in it becomes an error. `catcher` says who will report that.
pub(crate) async fn caught_future<F: Future>(
    catcher: usize,
    future: F,
) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| match caught(catcher, || future.as_mut().poll(cx)) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Who will report the panic that this thread is unwinding from.
pub(crate) fn reporter() -> usize {
    if std::thread::panicking() {
        CATCHER.get()
    } else {
        NOBODY
    }
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
