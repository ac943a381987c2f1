//! The one-shot cell under [`Callback`](crate::Callback) and [`Completion`](crate::Completion):
//! many signallers, one winner, one waiter. No operation ever waits for another thread.
//!
//! Two words decide everything. `first` records the call site of the signal that won, or that the
//! waiter closed the slot; it is set once, and whoever finds it set has lost. `state` counts the
//! handles in steps of [`ONE`], and holds four flags. Each flag is set once (`WAITING` may be
//! cleared and set again while there is no value), so it can be added instead of or-ed, which is one
//! instruction where setting a bit and reading the rest is a loop.
//!
//! # The states
//!
//! "Winner" is the signaller that set `first`, or that found itself the last one. "The waker cell" is
//! the first of two, or the second one if `MOVED` is set, so that the first is written only once.
//!
//! | flags | value cell | waker cell |
//! | --- | --- | --- |
//! | none | uninitialized; the winner writes it | uninitialized; the waiter writes it |
//! | `WAITING` | as above | initialized; belongs to whoever changes `WAITING` or `FULL` next |
//! | `FULL` | initialized; the waiter takes it, once | uninitialized, and no longer used |
//! | `WAITING`, `FULL` | as above | the winner takes it, once, right after it set `FULL` |
//! | `CLOSED` | uninitialized; the winner may write it, and takes it back | uninitialized |
//! | `WAITING`, `CLOSED` | as above | the waiter takes it, once, right after it set `CLOSED` |
//! | `FULL`, then `CLOSED` | the waiter takes it, once, if it has not before | as before `CLOSED` |
//! | `CLOSED`, then `FULL` | the winner takes it back, once, right after it set `FULL` | as before `FULL` |
//! | any with `MOVED` | as without `MOVED` | the second cell, as without `MOVED`; the first is uninitialized |
//!
//! # The transitions
//!
//! | by | operation | from | to | then |
//! | --- | --- | --- | --- | --- |
//! | winner | `fill` | no flag, `WAITING` | adds `FULL` | wakes, if it was `WAITING` |
//! | winner | `fill` | `CLOSED` | adds `FULL` | takes the value back: the signal is rejected |
//! | last signaller | `settle` | no flag, and no other signaller | `FULL`, one handle less | nothing |
//! | last signaller | `settle` | `WAITING` without `MOVED`, and no other signaller | `FULL`, one handle less | wakes |
//! | waiter | `poll` | no flag | adds `WAITING`, after writing a waker | takes the value if `FULL` came in between |
//! | waiter | `poll` | `WAITING`, for the same task | no change | nothing |
//! | waiter | `poll` | `WAITING`, for another task | `MOVED` without `WAITING` | drops the waker, then as for no flag |
//! | waiter | `poll`, `try_take` | `FULL` | no change | takes the value |
//! | waiter | `close` | any without `CLOSED` | adds `CLOSED` | takes value or waker, as the states say |
//! | signaller | clone, drop | any | one handle more, one less | the last handle of all frees the slot |
//!
//! `settle` of a waiting slot reads the waker before the one change that announces the value and gives up the handle,
//! since it may not touch the slot after that. What it has read is its own only if the change succeeds.
//!
//! A method signals the last handle with one atomic change. A literal call has three, and no fewer are possible
//! without waiting: it keeps its handle, which other threads may use meanwhile. It claims `first`, announces the value,
//! and gives up the handle when that is dropped.
//!
//! `tests/loom/models.rs` checks this file: every interleaving of a signaller and the waiter, and those of two
//! and three signallers with a number of preemptions that it states.
#![allow(unsafe_code, reason = "the cell of one signal")]

use super::call_site::{CallSite, Origin};
use super::sync::{AtomicUsize, First, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};
use std::{ops::Deref, process, ptr::NonNull};

/// The waiter has registered a waker.
const WAITING: usize = 1;
/// The value is there.
const FULL: usize = 2;
/// The waiter waits no more.
const CLOSED: usize = 4;
/// The waiter has given up the waker of its first registration for another one.
const MOVED: usize = 8;
/// One handle.
const ONE: usize = 16;
/// One signaller and the waiter.
const PAIR: usize = 2 * ONE;

pub(crate) struct Shared<T, A> {
    state: AtomicUsize,
    pub(crate) first: First,
    /// The waker of the first registration, which is written once.
    first_waker: UnsafeCell<MaybeUninit<Waker>>,
    /// The waker of a registration that replaced another one.
    later_waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
    pub(crate) attached: A,
}

impl<T, A> Shared<T, A> {
    /// The waker cell that `WAITING` is about in that state.
    fn waker(&self, state: usize) -> &UnsafeCell<MaybeUninit<Waker>> {
        if state & MOVED == 0 {
            &self.first_waker
        } else {
            &self.later_waker
        }
    }
}

/// What all ends of a slot share beside its value.
pub(crate) trait Attached<T> {
    /// The value to signal when the last signaller, which is this one, is dropped without a signal.
    fn never_called(&self, origin: Origin) -> T;
}

/// Initializes a cell.
///
/// # Safety
///
/// The cell has to be uninitialized, and no other thread may access it until a flag of `state` hands
/// it over.
unsafe fn put<V>(cell: &UnsafeCell<MaybeUninit<V>>, value: V) {
    // SAFETY: the pointer is valid, since it comes from a reference. The caller guarantees that no
    // other access happens at the same time, so the write is not a data race.
    cell.with_mut(|cell| unsafe { (*cell).write(value) });
}

/// Moves the value out of a cell, which is uninitialized from then on.
///
/// # Safety
///
/// The cell has to be initialized, its initialization has to happen before this call, and no other
/// thread may move the value out or write to the cell.
unsafe fn take<V>(cell: &UnsafeCell<MaybeUninit<V>>) -> V {
    // SAFETY: the pointer is valid, since it comes from a reference. The caller guarantees an
    // initialized value that is moved out by nobody else, so this copy is its only owner.
    cell.with(|cell| unsafe { (*cell).assume_init_read() })
}

/// A counted reference to a slot: one of `state`'s steps of [`ONE`] stands for it.
pub(crate) struct Handle<T, A>(NonNull<Shared<T, A>>);

// SAFETY: a handle gives access to `state` and `first`, which are atomics, to `attached`, which is
// `Send + Sync`, and to the two cells, whose contents (`T` and a `Waker`, both `Send`) move between
// threads but are never shared: the table of states gives each of them one owner at any time.
// Whichever thread drops the last handle drops `attached`, which needs `A: Send`.
unsafe impl<T: Send, A: Send + Sync> Send for Handle<T, A> {}
// SAFETY: a shared `&Handle` gives no access that a handle on another thread does not give: the
// operations on the cells take the handle by value or are `unsafe`, and `attached` is `Sync`.
unsafe impl<T: Send, A: Send + Sync> Sync for Handle<T, A> {}

impl<T, A> Deref for Handle<T, A> {
    type Target = Shared<T, A>;
    #[inline]
    fn deref(&self) -> &Shared<T, A> {
        // SAFETY: `slot` leaked the memory, and `free` is called only for the last handle, which is
        // not used after that. This handle is counted, so the slot is alive and shared as `&Shared`.
        unsafe { self.0.as_ref() }
    }
}

impl<T, A> Handle<T, A> {
    /// Announces the value. If the waiter has closed the slot, gives the value back.
    ///
    /// # Safety
    ///
    /// The caller has to be the winner, has to have written the value, and calls this once.
    #[inline]
    unsafe fn fill(&self) -> Result<(), T> {
        // ORDERING: Release publishes the value to the waiter's Acquire of `FULL` (`poll`,
        // `try_take`, `close`). Acquire pairs with the waiter's Release of `WAITING` in `poll`, so
        // that the waker it wrote before is visible here.
        let before = self.state.fetch_add(FULL, AcqRel);
        if before & CLOSED != 0 {
            // SAFETY: the caller wrote the value on this thread. The waiter did not find `FULL` when
            // it set `CLOSED`, and never looks again, so this is the only access.
            return Err(unsafe { take(&self.value) });
        }
        if before & WAITING != 0 {
            // SAFETY: `WAITING` says that the waiter wrote a waker, visible by the Acquire above. It
            // touches that cell again only after it cleared `WAITING` while `FULL` was not set, which
            // has not happened and cannot happen any more.
            unsafe { take(self.waker(before)) }.wake();
        }
        Ok(())
    }

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// This has to be the last handle, everything that others did with theirs has to happen before
    /// this call, and no handle may be used after it. Both cells have to be uninitialized.
    unsafe fn free(&self) {
        // SAFETY: `slot` made the pointer with `Box::leak`, and the caller guarantees that nobody
        // else has access any more. The cells are `MaybeUninit`, so nothing in them is dropped.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Makes a slot with its first signaller and its waiter. `attached` is what all ends share.
pub(crate) fn slot<T, A: Attached<T>>(attached: A) -> (Signaller<T, A>, Waiter<T, A>) {
    let shared = NonNull::from(Box::leak(Box::new(Shared {
        state: AtomicUsize::new(PAIR),
        first: First::default(),
        first_waker: UnsafeCell::new(MaybeUninit::uninit()),
        later_waker: UnsafeCell::new(MaybeUninit::uninit()),
        value: UnsafeCell::new(MaybeUninit::uninit()),
        attached,
    })));
    let signaller = Signaller(Handle(shared), Origin::first());
    let waiter = Waiter {
        slot: Handle(shared),
        done: false,
    };
    (signaller, waiter)
}

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

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T, A: Attached<T>> {
    pub(crate) slot: Handle<T, A>,
    /// Whether it has taken the value, or closed the slot.
    done: bool,
}

impl<T, A: Attached<T>> Waiter<T, A> {
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
