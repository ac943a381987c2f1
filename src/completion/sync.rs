//! The primitives that `slot/` is built from. `tests/loom/models.rs` replaces them with loom's.

use super::call_site::CallSite;
use once_cell::race::OnceRef;
use std::panic::Location;

pub(crate) use std::sync::atomic::AtomicUsize;

/// The call site that was stored first.
#[derive(Debug, Default)]
pub(crate) struct First(OnceRef<'static, Location<'static>>);

impl First {
    #[inline]
    pub(crate) fn claim(&self, call_site: CallSite) -> Result<(), CallSite> {
        // A call site that is set stays, so `get` returns the one that was first.
        match self.0.set(call_site.location()) {
            Ok(()) => Ok(()),
            Err(()) => Err(self.get().unwrap_or(call_site)),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<CallSite> {
        self.0.get().map(CallSite::of)
    }
}

#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    #[inline]
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
