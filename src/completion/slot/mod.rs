//! The one-shot cell behind [`Callback`](crate::Callback) and [`Completion`](crate::Completion):
//! many signallers, one winner, one waiter. No operation ever waits for another thread.
//!
//! Two words decide everything. `first` records the call site of the signal that won, or that the
//! waiter closed the slot; it is set once, and a signaller that finds it set has lost. `state`
//! counts the handles in steps of [`ONE`], and holds four flags. A flag is set only while it is
//! clear (`WAITING` may be cleared and set again while there is no value), so `fetch_add` can set
//! it. On x86 that is one instruction, where a `fetch_or` whose result is used is a loop.
//!
//! # The states
//!
//! The "winner" is the signaller that set `first`, or that signals as the last one. The "waker
//! cell" is `first_waker`, or `later_waker` if `MOVED` is set, so that `first_waker` is written
//! only once.
//!
//! | flags | value cell | waker cell |
//! | --- | --- | --- |
//! | none | uninitialized; the winner writes it | uninitialized; the waiter writes it |
//! | `WAITING` | as above | initialized; belongs to the end that changes `WAITING` or `FULL` next |
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
//! If the slot has a waker, `settle` reads it before the one change that announces the value and
//! gives up the handle, since it must not touch the slot afterwards. It owns what it has read only
//! if the change succeeds.
//!
//! A method of the last handle signals with one atomic change. A literal call needs three, because
//! it keeps its handle, which other threads may use meanwhile: it claims `first`, announces the
//! value, and gives up the handle when that is dropped. Fewer are not possible unless threads wait
//! for each other.
//!
//! `tests/loom/models.rs` checks these files: every interleaving of one signaller and the waiter,
//! and the interleavings of two and three signallers up to the numbers of preemptions that it
//! states.
#![allow(unsafe_code, reason = "the cell of one signal")]

mod signaller;
mod waiter;

pub(crate) use signaller::Signaller;
pub(crate) use waiter::Waiter;

use super::call_site::Origin;
use super::sync::{AtomicUsize, First, UnsafeCell};
use std::{
    mem::MaybeUninit, ops::Deref, ptr::NonNull, sync::atomic::Ordering::AcqRel, task::Waker,
};

/// The waiter has registered a waker.
const WAITING: usize = 1;
/// The value is there.
const FULL: usize = 2;
/// The waiter has stopped waiting.
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
    /// Returns the waker cell that `WAITING` refers to in this state.
    fn waker(&self, state: usize) -> &UnsafeCell<MaybeUninit<Waker>> {
        if state & MOVED == 0 {
            &self.first_waker
        } else {
            &self.later_waker
        }
    }
}

/// What all ends of a slot share in addition to its value.
pub(crate) trait Attached<T> {
    /// Returns the value to signal when the last signaller, whose origin this is, is dropped
    /// without a signal.
    fn never_called(&self, origin: Origin) -> T;
}

/// Initializes a cell.
///
/// # Safety
///
/// The cell must be uninitialized, and no other thread may access it until a flag of `state` hands
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
/// The cell must be initialized, its initialization must happen before this call, and no other
/// thread may move the value out or write to the cell.
unsafe fn take<V>(cell: &UnsafeCell<MaybeUninit<V>>) -> V {
    // SAFETY: the pointer is valid, since it comes from a reference. The caller guarantees an
    // initialized value that no other thread moves out, so this copy is its only owner.
    cell.with(|cell| unsafe { (*cell).assume_init_read() })
}

/// A counted reference to a slot. It accounts for one step of [`ONE`] in `state`.
pub(crate) struct Handle<T, A>(NonNull<Shared<T, A>>);

// SAFETY: a handle gives access to `state` and `first`, which are atomics, to `attached`, which is
// `Send + Sync`, and to three cells. Their contents, a `T` and `Waker`s, are `Send`, and move
// between threads without being shared: the table of states gives each of them one owner at any
// time. The one exception is the comparison in `Waiter::unregister`, and `Waker` is `Sync`.
// Whichever thread drops the last handle drops `attached`, which needs `A: Send`.
unsafe impl<T: Send, A: Send + Sync> Send for Handle<T, A> {}
// SAFETY: a shared `&Handle` gives no access that a handle on another thread does not give. Safe
// code reaches the cells only through a `Signaller`, whose writes need `first` or the last handle
// and so have one winner, and through the one `Waiter`, by `&mut`. `attached` is `Sync`.
unsafe impl<T: Send, A: Send + Sync> Sync for Handle<T, A> {}

impl<T, A> Deref for Handle<T, A> {
    type Target = Shared<T, A>;
    #[inline]
    fn deref(&self) -> &Shared<T, A> {
        // SAFETY: `slot` leaked the memory, and `free` is called only for the last handle, which is
        // not used after that. This handle is counted, so the slot is alive and shared as
        // `&Shared`.
        unsafe { self.0.as_ref() }
    }
}

impl<T, A> Handle<T, A> {
    /// Announces the value. Returns the value if the waiter has closed the slot.
    ///
    /// # Safety
    ///
    /// The caller must be the winner, must have written the value, and must call this only once.
    #[inline]
    unsafe fn fill(&self) -> Result<(), T> {
        // ORDERING: Release publishes the value to the waiter's Acquire of `FULL` (`poll`,
        // `try_take`, `close`). Acquire pairs with the waiter's Release of `WAITING` in `poll`, so
        // that the waker it wrote before is visible here.
        let before = self.state.fetch_add(FULL, AcqRel);
        if before & CLOSED != 0 {
            // SAFETY: the caller wrote the value on this thread. The waiter did not find `FULL`
            // when it set `CLOSED`, and never looks again, so this is the only access.
            return Err(unsafe { take(&self.value) });
        }
        if before & WAITING != 0 {
            // SAFETY: `WAITING` means that the waiter wrote a waker, which the Acquire above makes
            // visible. The waiter takes that waker only if it clears `WAITING`, or sets `CLOSED`,
            // while `FULL` is not set. That has not happened, and cannot happen now that `FULL` is
            // set.
            unsafe { take(self.waker(before)) }.wake();
        }
        Ok(())
    }

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// This must be the last handle, all uses of other handles must happen before this call, and no
    /// handle may be used after it. All three cells must be uninitialized.
    unsafe fn free(&self) {
        // SAFETY: `slot` made the pointer with `Box::leak`, and the caller guarantees that no other
        // access is left. The cells are `MaybeUninit`, so nothing in them is dropped.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Creates a slot with its first signaller and its waiter, which share `attached`.
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
    (signaller, Waiter::new(Handle(shared)))
}
