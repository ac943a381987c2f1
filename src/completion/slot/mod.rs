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
//! `tests/loom/models.rs` checks these files: every interleaving of a signaller and the waiter, and those of two
//! and three signallers with a number of preemptions that it states.
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
    (signaller, Waiter::new(Handle(shared)))
}
