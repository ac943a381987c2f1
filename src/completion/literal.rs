//! The literal call, `callback(error, result)`: what a [`Callback`](crate::Callback) dereferences to.

use super::{call_site::CallSite, target::Target};
use crate::error::Error;
use std::{cell::Cell, panic::Location};

/// The type of a literal call.
pub(super) type Literal<R> = dyn Fn(Option<Error>, Option<R>) + Send + Sync;

thread_local! {
    /// The latest dereferences on this thread that no call has followed yet, the last one first.
    /// A literal call dereferences, evaluates its arguments (which may hold further calls), then
    /// calls; and an `Fn` cannot ask for its caller.
    static DEREFS: Cell<[Dereference; 4]> = const { Cell::new([None; 4]) };
}

/// The completion, and the call site.
type Dereference = Option<(*const (), &'static Location<'static>)>;

/// Records where a callback of the completion `key` is dereferenced, which is where it is called.
pub(super) fn record_dereference(key: *const (), at: &'static Location<'static>) {
    let mut derefs = DEREFS.get();
    derefs.rotate_right(1);
    derefs[0] = Some((key, at));
    DEREFS.set(derefs);
}

/// Where the callback that is now called was dereferenced.
fn called(key: *const ()) -> Option<&'static Location<'static>> {
    let mut derefs = DEREFS.get();
    let mut latest = derefs.iter_mut();
    let (_, location) = latest.find_map(|deref| deref.take_if(|(of, _)| *of == key))?;
    DEREFS.set(derefs);
    Some(location)
}

/// A literal call of `target`, which was dereferenced first at `here`.
pub(super) fn boxed<R: Send + 'static>(
    target: Target<R>,
    here: &'static Location<'static>,
) -> Box<Literal<R>> {
    Box::new(move |error, result| {
        let location = called(target.key()).unwrap_or(here);
        let call_site = CallSite::Call { location };
        target.signal(target.outcome(error, result), call_site);
    })
}
