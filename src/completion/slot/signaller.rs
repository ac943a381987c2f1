//! The ends of a slot that signal.

use super::super::call_site::{CallSite, Origin};
use super::{Attached, FULL, Handle, MOVED, ONE, PAIR, WAITING, put};
use std::mem::ManuallyDrop;
use std::process;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A handle that can signal, and which one it is. Dropping the last one without a signal is a signal,
/// too: the value of [`Attached::never_called`].
pub(crate) struct Signaller<T, A: Attached<T>>(pub(crate) Handle<T, A>, pub(crate) Origin);

impl<T, A: Attached<T>> Signaller<T, A> {
    /// Another signaller of the same slot.
    pub(crate) fn clone_as(&self, origin: Origin) -> Self {
        // ORDERING: Relaxed, since a new handle is made from one that keeps the slot alive. Whatever
        // passes it to another thread orders its creation before its use.
        if self.0.state.fetch_add(ONE, Relaxed) > usize::MAX / 2 {
            // The count is about to overflow, which would free a slot in use.
            process::abort();
        }
        Signaller(Handle(self.0.0), origin)
    }

    /// Signals. If another signal was first, or the waiter has closed the slot, gives the value back
    /// with the call site of the first signal.
    #[inline]
    pub(crate) fn signal(&self, value: T, call_site: CallSite) -> Result<(), (T, CallSite)> {
        match self.claim(call_site) {
            Ok(claim) => claim.fill(value).map_err(|value| (value, CallSite::Closed)),
            Err(first) => Err((value, first)),
        }
    }

    /// Makes this the first signal, whose value has to follow. Otherwise returns the call site of the first signal.
    #[inline]
    pub(crate) fn claim(&self, call_site: CallSite) -> Result<Claim<'_, T, A>, CallSite> {
        self.0.first.claim(call_site)?;
        Ok(Claim(&self.0))
    }

    /// Drops a handle where nobody may have signalled: as the last one it signals that.
    #[cold]
    fn drop_unsignalled(&mut self) {
        let others = |state| (!self.is_last_at(state)).then(|| state - ONE);
        // ORDERING: Release orders all uses of this handle before the last handle frees the slot.
        // Acquire, of success as of failure, makes the claims and uses of all dropped handles visible
        // to `is_last_at` and to `free`.
        match self.0.state.fetch_update(AcqRel, Acquire, others) {
            // SAFETY: below `PAIR` there was one handle, which is this one, and it is counted no more.
            // The value was taken: the waiter is gone, and took it or closed the slot, after which it
            // is the winner's. The waker was taken by the winner, or by the waiter as it closed.
            Ok(before) if before < PAIR => unsafe { self.0.free() },
            Ok(_) => {}
            Err(_) => {
                // The last one, without any signal. `settle` takes over the count of this handle.
                let never_called = self.0.attached.never_called(self.1);
                let _ = Signaller(Handle(self.0.0), self.1).settle(never_called);
            }
        }
    }

    fn is_last_at(&self, state: usize) -> bool {
        state & !(WAITING | MOVED) == PAIR && self.0.first.get().is_none()
    }

    /// Signals, and drops the handle, if it is the last one and can win. Otherwise gives the handle
    /// back with the value.
    #[inline(always)]
    pub(crate) fn settle(self, value: T) -> Result<(), (Self, T)> {
        let state = &self.0.state;
        // ORDERING: Acquire pairs with the Release of each dropped signaller's decrement, so that a
        // `first` that one of them claimed is visible to `is_last_at`.
        let before = state.load(Acquire);
        if !self.is_last_at(before) {
            return Err((self, value));
        }
        // SAFETY: no other signaller exists, none can be made without this one, and none has claimed
        // `first`, so nobody else wrote the cell or will. The waiter may claim `first` and set `CLOSED`
        // from here on, which `fill` finds; it reads the cell only if `FULL` came before that.
        unsafe { put(&self.0.value, value) };
        if before & MOVED == 0 {
            let waker = (before & WAITING != 0).then(|| {
                // SAFETY: the pointer is valid, since it comes from a reference. `WAITING` without `MOVED` says that the
                // waiter wrote this cell, visible by the Acquire above. It writes the cell once, so nobody writes it now.
                self.0.first_waker.with(|cell| unsafe { cell.read() })
            });
            // ORDERING: Release publishes the value to the waiter's Acquire of `FULL`, and orders all uses of this
            // handle before the waiter frees the slot. Failure needs no ordering, since `fill` below synchronizes.
            let end = state.compare_exchange(before, FULL + ONE, Release, Relaxed);
            if end.is_ok() {
                // The count no longer has this handle.
                let _ = ManuallyDrop::new(self);
                if let Some(waker) = waker {
                    // SAFETY: the cell was initialized, as said above. The waiter gives up a waker only by setting
                    // `MOVED` or `CLOSED`, which stay, and neither was set up to the exchange. That has removed
                    // `WAITING`, so that nobody takes the waker any more, and this copy is its only owner.
                    unsafe { waker.assume_init() }.wake();
                }
                return Ok(());
            }
        }
        // SAFETY: this is the winner, as argued above; the value is written; and this is the only
        // call, since the exchange that stands for it has failed or was not tried.
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
        // ORDERING: Acquire, here as below, makes the uses of all dropped handles visible to `free`. Release orders all
        // uses of this handle before the last handle frees the slot.
        if state.load(Acquire) < PAIR || state.fetch_sub(ONE, AcqRel) < PAIR {
            // SAFETY: below `PAIR` there was one handle, which is this one, and it is not used any more. The value was
            // taken: the waiter is gone, and took it or closed the slot, after which it is the winner's. The waker was
            // taken by the winner, or by the waiter as it closed.
            unsafe { self.0.free() };
        }
    }
}

/// The right to store the value, of the signaller that claimed `first`.
pub(crate) struct Claim<'a, T, A>(&'a Handle<T, A>);

impl<T, A> Claim<'_, T, A> {
    /// Stores and announces the value. If the waiter has closed the slot, gives it back.
    #[inline]
    pub(crate) fn fill(self, value: T) -> Result<(), T> {
        // SAFETY: `first` is claimed once, and a claim is used up here, so no other claim writes the cell. A `settle`
        // on another thread writes it only where it finds no other handle than its own, and the claim borrows one. A
        // `settle` of the very handle that was claimed through has failed before, and took its value back, because it
        // had seen `CLOSED`; the waiter claims `first` before it sets that, so there is no claim then. The waiter reads
        // the cell only after the `fill` below.
        unsafe { put(&self.0.value, value) };
        // SAFETY: the holder of the claim is the winner, the value was written in the line before, and the claim is
        // used up.
        unsafe { self.0.fill() }
    }
}
