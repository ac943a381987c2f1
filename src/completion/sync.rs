//! What `slot.rs` is built from; `tests/loom.rs` gives it loom's instead.

use super::place::Place;
use once_cell::race::OnceRef;
use std::panic::Location;

pub(crate) use std::sync::atomic::AtomicUsize;

/// The place that was swapped in first.
#[derive(Debug, Default)]
pub(crate) struct First(OnceRef<'static, Location<'static>>);

impl First {
    #[inline]
    pub(crate) fn claim(&self, place: Place) -> Result<(), Place> {
        // Once there, it stays.
        match self.0.set(place.location()) {
            Ok(()) => Ok(()),
            Err(()) => Err(self.get().unwrap_or(place)),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<Place> {
        self.0.get().map(Place::of)
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
