//! The literal call, `callback(error, result)`: what a [`Callback`](crate::Callback) dereferences
//! to.
//!
//! `Deref` has to return a reference to something that can be called, and on stable Rust only
//! functions and closures can be called. A closure that captures one variable by value consists of
//! that variable and nothing else. So a reference to the content of a callback, a [`Callable`], is
//! viewed as a reference to a closure that captured it, and no closure has to be created and
//! stored.
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
///
/// The target comes first, so that every move of the handle copies it in the same pieces: a
/// processor stalls if a single load covers what was just stored in two parts.
#[repr(C)]
pub(super) struct Callable<R: Send + 'static> {
    pub(super) target: Target<R>,
    /// Where the handle was last dereferenced. This is the call site of a call whose dereference is
    /// not in the record of its thread, such as a second call through the same reference. Null
    /// until the first dereference.
    dereferenced: AtomicPtr<Location<'static>>,
}

thread_local! {
    /// A literal call dereferences its handle, evaluates its arguments (which may contain further
    /// calls), and then calls an `Fn`, which cannot find out its caller. So the dereference records
    /// its location here, and the call takes it.
    static RECORD: Record = const {
        Record {
            latest: Cell::new(None),
            earlier: Cell::new([None; 3]),
        }
    };
}

/// The dereferences on a thread that no call has followed yet. Usually there is only the latest
/// one.
struct Record {
    latest: Cell<Option<Dereference>>,
    /// The ones before it, the latest first.
    earlier: Cell<[Option<Dereference>; 3]>,
}

#[derive(Clone, Copy)]
struct Dereference {
    /// The address of the handle, which cannot move while it is borrowed.
    handle: *const (),
    at: &'static Location<'static>,
}

impl Record {
    #[inline]
    fn push(&self, dereference: Dereference) {
        if let Some(before) = self.latest.replace(Some(dereference)) {
            self.push_earlier(before);
        }
    }

    #[cold]
    fn push_earlier(&self, dereference: Dereference) {
        let [first, second, _] = self.earlier.get();
        self.earlier.set([Some(dereference), first, second]);
    }

    /// Removes the latest dereference of a handle, and returns its location.
    #[inline]
    fn pop(&self, handle: *const ()) -> Option<&'static Location<'static>> {
        match self.latest.get() {
            Some(latest) if latest.handle == handle => {
                self.latest.set(None);
                Some(latest.at)
            }
            _ => self.pop_earlier(handle),
        }
    }

    #[cold]
    fn pop_earlier(&self, handle: *const ()) -> Option<&'static Location<'static>> {
        let mut earlier = self.earlier.get();
        let mut entries = earlier.iter_mut();
        let found = entries.find_map(|entry| entry.take_if(|found| found.handle == handle))?;
        self.earlier.set(earlier);
        Some(found.at)
    }
}

/// Creates the closure that a callable is viewed as. This function is never called: it only
/// provides the type of that closure.
fn closure<R: Send + 'static>(
    callable: Callable<R>,
) -> impl Fn(Option<Error>, Option<R>) + Send + Sync + 'static {
    // A method call on the whole variable, with `move`, captures the whole variable by value, and
    // not parts of it.
    move |error, result| callable.call(error, result)
}

/// Views a reference to a callable as a reference to a closure that captured it.
///
/// # Safety
///
/// `F` must be the type of a closure that captures one variable, a `Callable<R>`, as a whole and by
/// value.
unsafe fn view<R, F>(_: fn(Callable<R>) -> F, captured: &Callable<R>) -> &Literal<R>
where
    R: Send + 'static,
    F: Fn(Option<Error>, Option<R>) + Send + Sync + 'static,
{
    const {
        assert!(size_of::<F>() == size_of::<Callable<R>>());
        assert!(align_of::<F>() == align_of::<Callable<R>>());
    }
    // SAFETY: the caller guarantees that an `F` stores a `Callable<R>`. It is no larger than that,
    // as asserted, so the callable starts where the `F` does and fills it: a valid callable is a
    // valid `F`. The alignment is the same, as asserted. The result borrows what `captured`
    // borrows, for as long, and gives shared access only, so that nothing is moved or dropped
    // through it.
    unsafe { &*ptr::from_ref(captured).cast::<F>() }
}

impl<R: Send + 'static> Callable<R> {
    pub(super) fn new(target: Target<R>) -> Self {
        Callable {
            target,
            dereferenced: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Returns the callable as a function, and records `at` as the location of the call that
    /// follows.
    #[inline]
    pub(super) fn dereference(&self, at: &'static Location<'static>) -> &Literal<R> {
        // ORDERING: Relaxed, since the location is immutable data of the program. If several
        // threads dereference one handle, the location of any of them may be kept.
        self.dereferenced
            .store(ptr::from_ref(at).cast_mut(), Relaxed);
        let handle = self.key();
        RECORD.with(|record| record.push(Dereference { handle, at }));
        // SAFETY: `closure` returns a closure that captures only its parameter, as a whole and by
        // value. The comment in `closure` says why.
        unsafe { view(closure, self) }
    }

    fn key(&self) -> *const () {
        ptr::from_ref(self).cast()
    }

    #[inline]
    fn call(&self, error: Option<Error>, result: Option<R>) {
        self.target.call(error, result, self.call_site());
    }

    /// Returns the call site of the call that is being made.
    #[inline]
    fn call_site(&self) -> CallSite {
        if let Some(location) = RECORD.with(|record| record.pop(self.key())) {
            return CallSite::Call { location };
        }
        // ORDERING: Relaxed, since the location is immutable data of the program, and no other data
        // depends on it.
        let latest = self.dereferenced.load(Relaxed);
        // SAFETY: the pointer is null, or comes from a reference that `dereference` was given,
        // which is valid forever.
        match unsafe { latest.as_ref() } {
            Some(location) => CallSite::Call { location },
            // This cannot happen: the closure is only reached through `dereference`, which stores a
            // location.
            None => CallSite::Closed,
        }
    }
}
