//! The waiting end of a slot.

use super::super::call_site::CallSite;
use super::{Attached, CLOSED, FULL, Handle, MOVED, ONE, PAIR, WAITING, put, take};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::{Context, Poll, Waker};

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T, A: Attached<T>> {
    pub(crate) slot: Handle<T, A>,
    /// Whether the value was taken, or the slot closed.
    done: bool,
}

impl<T, A: Attached<T>> Waiter<T, A> {
    pub(super) fn new(slot: Handle<T, A>) -> Self {
        Waiter { slot, done: false }
    }

    /// Takes the value, or has the task woken when there is one. Pending forever after the value
    /// was taken or the slot closed.
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let shared = &*self.slot;
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        let before = shared.state.load(Acquire);
        if self.done || before & FULL == 0 && self.register(before, cx).is_pending() {
            return Poll::Pending;
        }
        self.done = true;
        // SAFETY: `FULL` was seen with Acquire, here or in `register`, so the value is written and
        // visible. This waiter was not done, so it has not set `CLOSED`, and the value is its own.
        // `done` makes this the only time that it is taken.
        Poll::Ready(unsafe { take(&self.slot.value) })
    }

    /// Registers the task to be woken when there is a value. Ready if there is one already.
    #[inline(never)]
    fn register(&self, before: usize, cx: &Context<'_>) -> Poll<()> {
        let shared = &*self.slot;
        let mut before = before;
        if before & WAITING != 0 {
            before = match self.unregister(before, cx) {
                Some(before) => before,
                None => return Poll::Pending,
            };
            if before & FULL != 0 {
                return Poll::Ready(());
            }
        }
        let waker = cx.waker().clone();
        // SAFETY: the cell is uninitialized: it was never written, or its waker was taken when it
        // was given up. No winner accesses it while `WAITING` is not set.
        unsafe { put(shared.waker(before), waker) };
        // ORDERING: Release publishes the waker to the winner's Acquire in `settle` or `fill`.
        // Acquire pairs with the winner's Release of `FULL`.
        if shared.state.fetch_add(WAITING, AcqRel) & FULL == 0 {
            return Poll::Pending;
        }
        // SAFETY: the waker was written above. The winner set `FULL` before this waiter set
        // `WAITING`, so the winner takes no waker.
        drop(unsafe { take(shared.waker(before)) });
        Poll::Ready(())
    }

    /// Gives up the registered waker, unless it wakes the same task. Returns the state after that.
    #[cold]
    fn unregister(&self, before: usize, cx: &Context<'_>) -> Option<usize> {
        let shared = &*self.slot;
        // SAFETY: the pointer is valid, since it comes from a reference. `WAITING` means that this
        // waiter wrote a waker there, and only this waiter writes the cell. A winner may take the
        // waker at the same time, and even wake and drop it. Taking it only reads the cell, so its
        // two pointers stay there, and `will_wake` compares nothing else.
        let is_same = |cell: *const MaybeUninit<Waker>| unsafe {
            (*cell).assume_init_ref().will_wake(cx.waker())
        };
        if shared.waker(before).with(is_same) {
            return None;
        }
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        // Release is not needed, since the waker is taken by this waiter itself.
        let found = if before & MOVED == 0 {
            shared.state.fetch_add(MOVED - WAITING, Acquire)
        } else {
            shared.state.fetch_sub(WAITING, Acquire)
        };
        if found & FULL == 0 {
            // SAFETY: `WAITING` means that this waiter wrote a waker. `FULL` was not set, so no
            // winner took the waker, and none will, since `WAITING` is removed.
            drop(unsafe { take(shared.waker(before)) });
        }
        Some(found & FULL | MOVED)
    }

    /// Takes the value if there is one, without registering a task.
    #[inline]
    pub(crate) fn try_take(&mut self) -> Option<T> {
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        if self.done || self.slot.state.load(Acquire) & FULL == 0 {
            return None;
        }
        self.done = true;
        // SAFETY: `FULL` was seen with Acquire, so the value is written and visible. This waiter
        // was not done, so it has not set `CLOSED`, and the value is its own. `done` makes this the
        // only time that it is taken.
        Some(unsafe { take(&self.slot.value) })
    }

    /// Closes the slot, so that later signals are rejected. Returns a value that was announced and
    /// not taken.
    pub(crate) fn close(&mut self) -> Option<T> {
        if self.done {
            return None;
        }
        self.done = true;
        let _ = self.slot.first.claim(CallSite::Closed);
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        // Release orders what this waiter did with the waker cell before the handle that frees the
        // slot.
        let before = self.slot.state.fetch_add(CLOSED, AcqRel);
        if before & (FULL | WAITING) == WAITING {
            // SAFETY: `WAITING` means that this waiter wrote a waker. A winner that announces its
            // value after this finds `CLOSED` and takes no waker. A `settle` that has already read
            // the cell discards its copy, since its exchange fails.
            drop(unsafe { take(self.slot.waker(before)) });
        }
        // SAFETY: `FULL` was set before `CLOSED`, so the value is written, the Acquire makes it
        // visible, and it belongs to the waiter. It was not taken, since `done` was false.
        (before & FULL != 0).then(|| unsafe { take(&self.slot.value) })
    }

    /// Closes the slot, unless a signal came first. In that case, waits for its value, which may
    /// still be on its way.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.slot.first.claim(CallSite::Closed) {
            Err(first) if first != CallSite::Closed && !self.done => self.poll(cx).map(Some),
            _ => Poll::Ready(self.close()),
        }
    }

    /// Returns whether the value was taken, or the slot closed.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

impl<T, A: Attached<T>> Drop for Waiter<T, A> {
    #[inline]
    fn drop(&mut self) {
        // The value is dropped last, since its destructor may panic.
        let _value = self.close();
        let others = |state| (state >= PAIR).then(|| state - ONE);
        // ORDERING: Release orders all uses of this handle before the last handle frees the slot.
        // Acquire makes the uses of all dropped handles visible to `free`.
        if self
            .slot
            .state
            .fetch_update(AcqRel, Acquire, others)
            .is_err()
        {
            // SAFETY: below `PAIR`, this is the only handle, and it is not used again. The Acquire
            // above orders all uses of the other handles before this. The value was taken, by
            // `close` or before, or its winner took it back. The waker was taken by the winner, or
            // when the slot was closed.
            unsafe { self.slot.free() };
        }
    }
}
