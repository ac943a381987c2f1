//! The signalling ends of a slot.

use super::super::call_site::{CallSite, Origin};
use super::{Attached, FULL, Handle, MOVED, ONE, PAIR, WAITING, put};
use std::mem::ManuallyDrop;
use std::process;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A handle that can signal, and its origin. Dropping the last one without a signal is a signal,
/// too, of the value of [`Attached::never_called`].
pub(crate) struct Signaller<T, A: Attached<T>>(pub(crate) Handle<T, A>, pub(crate) Origin);

impl<T, A: Attached<T>> Signaller<T, A> {
    /// Returns another signaller of the same slot.
    pub(crate) fn clone_as(&self, origin: Origin) -> Self {
        // ORDERING: Relaxed, since a new handle is made from one that keeps the slot alive.
        // Whatever passes it to another thread orders its creation before its use.
        if self.0.state.fetch_add(ONE, Relaxed) > usize::MAX / 2 {
            // Handles that are forgotten instead of dropped could make the count overflow, which
            // would free a slot in use. `Arc` aborts in this case, too.
            process::abort();
        }
        Signaller(Handle(self.0.0), origin)
    }

    /// Signals. If another signal came first, or the waiter has closed the slot, returns the value
    /// and the call site of the first signal.
    #[inline]
    pub(crate) fn signal(&self, value: T, call_site: CallSite) -> Result<(), (T, CallSite)> {
        match self.claim(call_site) {
            Ok(claim) => claim.fill(value).map_err(|value| (value, CallSite::Closed)),
            Err(first) => Err((value, first)),
        }
    }

    /// Makes this the first signal, whose value must follow through [`Claim::fill`]. If another
    /// signal came first, returns its call site.
    #[inline]
    pub(crate) fn claim(&self, call_site: CallSite) -> Result<Claim<'_, T, A>, CallSite> {
        self.0.first.claim(call_site)?;
        Ok(Claim(&self.0))
    }

    /// Drops a handle of a slot that may not have been signalled. The last handle signals that.
    #[cold]
    fn drop_unsignalled(&mut self) {
        let others = |state| (!self.is_last_at(state)).then(|| state - ONE);
        // ORDERING: Release orders all uses of this handle before the last handle frees the slot.
        // Acquire, of success as of failure, makes the claims and uses of all dropped handles
        // visible to `is_last_at` and to `free`.
        match self.0.state.fetch_update(AcqRel, Acquire, others) {
            // SAFETY: a state below `PAIR` counted one handle, which was this one and is not used
            // again. The Acquire above orders all uses of the other handles before this. The value
            // was taken: the waiter is gone, and either took it or closed the slot, after which the
            // winner took it back. The waker was taken by the winner, or by the waiter when it
            // closed the slot.
            Ok(before) if before < PAIR => unsafe { self.0.free() },
            Ok(_) => {}
            Err(_) => {
                // This is the last handle, and there was no signal. `settle` takes over its count.
                let never_called = self.0.attached.never_called(self.1);
                let _ = Signaller(Handle(self.0.0), self.1).settle(never_called);
            }
        }
    }

    fn is_last_at(&self, state: usize) -> bool {
        state & !(WAITING | MOVED) == PAIR && self.0.first.get().is_none()
    }

    /// Signals and drops the handle, if it is the last one and wins. Otherwise returns the handle
    /// and the value.
    #[inline(always)]
    pub(crate) fn settle(self, value: T) -> Result<(), (Self, T)> {
        let state = &self.0.state;
        // ORDERING: Acquire pairs with the Release of each dropped signaller's decrement, so that a
        // `first` that one of them claimed is visible to `is_last_at`.
        let before = state.load(Acquire);
        if !self.is_last_at(before) {
            return Err((self, value));
        }
        // SAFETY: no other signaller exists, none can be made without this one, and none has
        // claimed `first`, so no other code has written the cell or will write it. The waiter may
        // claim `first` and set `CLOSED` from here on, which `fill` detects; the waiter reads the
        // cell only if `FULL` was set before that.
        unsafe { put(&self.0.value, value) };
        if before & MOVED == 0 {
            let waker = (before & WAITING != 0).then(|| {
                // SAFETY: the pointer is valid, since it comes from a reference. `WAITING` without
                // `MOVED` means that the waiter wrote this cell, which the Acquire above makes
                // visible. The waiter writes this cell only once, so nothing writes it at the same
                // time.
                self.0.first_waker.with(|cell| unsafe { cell.read() })
            });
            // ORDERING: Release publishes the value to the waiter's Acquire of `FULL`, and orders
            // all uses of this handle before the waiter frees the slot. Failure needs no ordering,
            // since `fill` below synchronizes.
            let end = state.compare_exchange(before, FULL + ONE, Release, Relaxed);
            if end.is_ok() {
                // The exchange has removed this handle from the count.
                let _ = ManuallyDrop::new(self);
                if let Some(waker) = waker {
                    // SAFETY: `WAITING` was set without `MOVED`, so the cell was initialized when
                    // it was read. The waiter takes the waker back only with a change that sets
                    // `MOVED` or `CLOSED`, which are never cleared, and neither was set until the
                    // exchange. The exchange removed `WAITING`, so no other code takes the waker
                    // now, and this copy is its only owner.
                    unsafe { waker.assume_init() }.wake();
                }
                return Ok(());
            }
        }
        // SAFETY: this is the winner, since no other signaller exists and none has claimed `first`.
        // The value was written above. The exchange, which would have announced it, has failed or
        // was not tried, so this is the only announcement.
        match unsafe { self.0.fill() } {
            Ok(()) => Ok(()),
            Err(value) => Err((self, value)),
        }
    }
}

impl<T, A: Attached<T>> Drop for Signaller<T, A> {
    #[inline]
    fn drop(&mut self) {
        let state = &self.0.state;
        if self.0.first.get().is_none() {
            return self.drop_unsignalled();
        }
        // ORDERING: Acquire, of either operation, makes the uses of all dropped handles visible to
        // `free`. Release orders all uses of this handle before the last handle frees the slot.
        if state.load(Acquire) < PAIR || state.fetch_sub(ONE, AcqRel) < PAIR {
            // SAFETY: a state below `PAIR` counts one handle, which is this one and is not used
            // again. The Acquire above orders all uses of the other handles before this. The value
            // was taken: the waiter is gone, and either took it or closed the slot, after which the
            // winner took it back. The waker was taken by the winner, or by the waiter when it
            // closed the slot.
            unsafe { self.0.free() };
        }
    }
}

/// The right to store the value, which belongs to the signaller that claimed `first`.
pub(crate) struct Claim<'a, T, A>(&'a Handle<T, A>);

impl<T, A> Claim<'_, T, A> {
    /// Stores and announces the value. Returns the value if the waiter has closed the slot.
    #[inline]
    pub(crate) fn fill(self, value: T) -> Result<(), T> {
        // SAFETY: `first` is claimed once, and this call consumes the claim, so no other claim
        // writes the cell. A `settle` on another thread writes it only if its handle is the only
        // one, and the claim borrows another one. An earlier `settle` of the same handle failed
        // without writing the cell, or took its value back because it found `CLOSED`; the waiter
        // claims `first` before it sets `CLOSED`, so this claim could not exist then. The waiter
        // reads the cell only after the `fill` below.
        unsafe { put(&self.0.value, value) };
        // SAFETY: the holder of the claim is the winner, the value was written just before, and the
        // claim is consumed, so this is the only call.
        unsafe { self.0.fill() }
    }
}
