//! The end of a slot that waits.

use super::super::call_site::CallSite;
use super::{Attached, CLOSED, FULL, Handle, MOVED, ONE, PAIR, WAITING, put, take};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::task::{Context, Poll, Waker};

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T, A: Attached<T>> {
    pub(crate) slot: Handle<T, A>,
    /// Whether it has taken the value, or closed the slot.
    done: bool,
}

impl<T, A: Attached<T>> Waiter<T, A> {
    pub(super) fn new(slot: Handle<T, A>) -> Self {
        Waiter { slot, done: false }
    }

    /// Takes the value, or has the task woken when there is one. Once done, it is pending for ever.
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let shared = &*self.slot;
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        let before = shared.state.load(Acquire);
        if self.done || before & FULL == 0 && self.register(before, cx).is_pending() {
            return Poll::Pending;
        }
        self.done = true;
        // SAFETY: `FULL` was seen with Acquire, so the value is written and visible. `CLOSED` is not
        // set, so it is the waiter's, and `done` makes this the only time.
        Poll::Ready(unsafe { take(&self.slot.value) })
    }

    /// Has the task woken when there is a value. Ready if there is one already.
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
        // SAFETY: the cell is uninitialized: never written, or taken when the waker was given up. Without `WAITING` no
        // winner looks at it.
        unsafe { put(shared.waker(before), waker) };
        // ORDERING: Release publishes the waker to the winner's Acquire in `settle` or `fill`. Acquire pairs with the
        // winner's Release of `FULL`.
        if shared.state.fetch_add(WAITING, AcqRel) & FULL == 0 {
            return Poll::Pending;
        }
        // SAFETY: written above. The winner set `FULL` before it could see `WAITING`, so it takes no waker.
        drop(unsafe { take(shared.waker(before)) });
        Poll::Ready(())
    }

    /// Gives up the registered waker, unless it wakes the same task. Returns the state after that.
    #[cold]
    fn unregister(&self, before: usize, cx: &Context<'_>) -> Option<usize> {
        let shared = &*self.slot;
        // SAFETY: the pointer is valid, since it comes from a reference. `WAITING` says that this waiter wrote a waker
        // there, and only this waiter writes the cell. A winner may take it, and even use it up, at the same time: that
        // reads the cell and leaves its two pointers there, which are all that `will_wake` compares.
        let is_same = |cell: *const MaybeUninit<Waker>| unsafe {
            (*cell).assume_init_ref().will_wake(cx.waker())
        };
        if shared.waker(before).with(is_same) {
            return None;
        }
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible. Nothing is published: the
        // waker is this waiter's own.
        let found = if before & MOVED == 0 {
            shared.state.fetch_add(MOVED - WAITING, Acquire)
        } else {
            shared.state.fetch_sub(WAITING, Acquire)
        };
        if found & FULL == 0 {
            // SAFETY: `WAITING` says that this waiter wrote a waker. As `FULL` was not set, no winner took it, and none
            // will, since `WAITING` is removed.
            drop(unsafe { take(shared.waker(before)) });
        }
        Some(found & FULL | MOVED)
    }

    /// Takes the value if there is one, without having anyone woken.
    #[inline]
    pub(crate) fn try_take(&mut self) -> Option<T> {
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible.
        if self.done || self.slot.state.load(Acquire) & FULL == 0 {
            return None;
        }
        self.done = true;
        // SAFETY: `FULL` was seen with Acquire, so the value is written and visible. `CLOSED` is not
        // set, so it is the waiter's, and `done` makes this the only time.
        Some(unsafe { take(&self.slot.value) })
    }

    /// Waits no more: a later signal is rejected. Gives a value that is there and was not taken.
    pub(crate) fn close(&mut self) -> Option<T> {
        if self.done {
            return None;
        }
        self.done = true;
        let _ = self.slot.first.claim(CallSite::Closed);
        // ORDERING: Acquire pairs with the winner's Release of `FULL`: the value is visible. Release
        // orders what this waiter did with the waker cell before the handle that frees the slot.
        let before = self.slot.state.fetch_add(CLOSED, AcqRel);
        if before & (FULL | WAITING) == WAITING {
            // SAFETY: `WAITING` says that this waiter wrote a waker. A winner that comes now finds
            // `CLOSED` and does not look at it.
            drop(unsafe { take(self.slot.waker(before)) });
        }
        // SAFETY: `FULL` came before `CLOSED`, so the value is written, visible by the Acquire, and
        // the waiter's; it was not taken, since `done` was false.
        (before & FULL != 0).then(|| unsafe { take(&self.slot.value) })
    }

    /// Closes the slot, unless a signal was first: that is waited for, if it is still being stored.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.slot.first.claim(CallSite::Closed) {
            Err(first) if first != CallSite::Closed && !self.done => self.poll(cx).map(Some),
            _ => Poll::Ready(self.close()),
        }
    }

    /// Whether it has taken the value, or closed the slot.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

impl<T, A: Attached<T>> Drop for Waiter<T, A> {
    #[inline]
    fn drop(&mut self) {
        // Dropped last: its destructor may panic.
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
            // SAFETY: below `PAIR` this is the only handle, which is not used any more. The value was
            // taken, now or before, or its winner took it back. The waker was taken by the winner, or
            // as the slot was closed.
            unsafe { self.slot.free() };
        }
    }
}
