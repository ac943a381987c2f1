//! The literal call, `callback(error, result)`: what a [`Callback`](crate::Callback) dereferences to.
//!
//! `Deref` has to return a reference to something that can be called, and on stable Rust only functions and closures
//! can. A closure that captures one variable by value consists of that variable and of nothing else. So a reference to
//! what a callback consists of, [`Callable`], is viewed as a reference to a closure that captured it, and no closure has
//! to be made and stored.
#![allow(unsafe_code, reason = "the view of a handle as a closure")]

use super::{call_site::CallSite, target::Target};
use crate::error::Error;
use std::{
    cell::Cell,
    panic::Location,
    ptr,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

/// The type of a literal call.
pub(super) type Literal<R> = dyn Fn(Option<Error>, Option<R>) + Send + Sync;

/// A target that can be called literally.
pub(super) struct Callable<R: Send + 'static> {
    pub(super) target: Target<R>,
    /// Where it was dereferenced last: the call site of a call that the record of its thread has no dereference of,
    /// such as the second one through the same reference. Null before the first time.
    dereferenced: AtomicPtr<Location<'static>>,
}

thread_local! {
    /// The latest dereferences on this thread that no call has followed yet, the last one first.
    /// A literal call dereferences, evaluates its arguments (which may hold further calls), then
    /// calls; and an `Fn` cannot ask for its caller.
    static DEREFERENCES: Cell<[Option<Dereference>; 4]> = const { Cell::new([None; 4]) };
}

#[derive(Clone, Copy)]
struct Dereference {
    /// The address of the handle, which stays where it is while it is borrowed.
    handle: *const (),
    at: &'static Location<'static>,
}

/// Makes the closure that a callable is viewed as. It is never called: it gives that closure its type.
fn closure<R: Send + 'static>(
    callable: Callable<R>,
) -> impl Fn(Option<Error>, Option<R>) + Send + Sync + 'static {
    // A method call on the whole variable, with `move`, captures the whole variable by value, and not parts of it.
    move |error, result| callable.call(error, result)
}

/// Views a reference to a callable as a reference to a closure that captured it.
///
/// # Safety
///
/// `F` has to be the type of a closure that captures one variable, a `Callable<R>`, whole and by value.
unsafe fn view<R, F>(_: fn(Callable<R>) -> F, captured: &Callable<R>) -> &Literal<R>
where
    R: Send + 'static,
    F: Fn(Option<Error>, Option<R>) + Send + Sync + 'static,
{
    const {
        assert!(size_of::<F>() == size_of::<Callable<R>>());
        assert!(align_of::<F>() == align_of::<Callable<R>>());
    }
    // SAFETY: the caller guarantees that an `F` stores a `Callable<R>`. It is no larger than that, as asserted, so the
    // callable starts where the `F` does and fills it: a valid callable is a valid `F`. The alignment is the same, as
    // asserted. The result borrows what `captured` borrows, for as long, and gives shared access only, so that nothing
    // is moved or dropped through it.
    unsafe { &*ptr::from_ref(captured).cast::<F>() }
}

impl<R: Send + 'static> Callable<R> {
    pub(super) fn new(target: Target<R>) -> Self {
        Callable {
            target,
            dereferenced: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The callable as a function that is called at `at`, as far as is known.
    #[inline]
    pub(super) fn dereference(&self, at: &'static Location<'static>) -> &Literal<R> {
        // ORDERING: Relaxed, since the location is immutable data of the program. Of several threads that dereference
        // one handle, any one may be recorded.
        self.dereferenced
            .store(ptr::from_ref(at).cast_mut(), Relaxed);
        let handle = self.key();
        let [first, second, third, _] = DEREFERENCES.get();
        DEREFERENCES.set([Some(Dereference { handle, at }), first, second, third]);
        // SAFETY: `closure` returns a closure whose one captured variable is its parameter, by value and whole, as the
        // comment in there says.
        unsafe { view(closure, self) }
    }

    fn key(&self) -> *const () {
        ptr::from_ref(self).cast()
    }

    fn call(&self, error: Option<Error>, result: Option<R>) {
        let call_site = self.call_site();
        let outcome = self.target.outcome(error, result);
        self.target.signal(outcome, call_site);
    }

    /// Where the call that is now made was written.
    fn call_site(&self) -> CallSite {
        let key = self.key();
        let mut dereferences = DEREFERENCES.get();
        let found = dereferences
            .iter_mut()
            .find_map(|latest| latest.take_if(|latest| latest.handle == key));
        if let Some(Dereference { at: location, .. }) = found {
            DEREFERENCES.set(dereferences);
            return CallSite::Call { location };
        }
        // ORDERING: as in `dereference`.
        let latest = self.dereferenced.load(Relaxed);
        // SAFETY: the pointer is null, or comes from a reference that `dereference` was given, which is valid for ever.
        match unsafe { latest.as_ref() } {
            Some(location) => CallSite::Call { location },
            // A closure of this type is only ever reached through `dereference`.
            None => CallSite::Closed,
        }
    }
}
