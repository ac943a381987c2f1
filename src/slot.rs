//! The one-shot cell under [`Callback`](crate::Callback) and [`Completion`](crate::Completion):
//! many signallers, one winner, one waiter. Nobody in here ever waits for another thread.
//!
//! Into `first` goes a place: the winner's before it stores its value, or the close's. Who finds one
//! is refused. The only signaller that is left wins without; losing it is a signal, too. `state`
//! counts the handles by [`ONE`], of which the last frees the slot, beside three flags (each is added
//! when it is not set, which is one instruction where setting a bit is a loop):
//!
//! | flag      | set by                  | from then on                                           |
//! | --------- | ----------------------- | ------------------------------------------------------ |
//! | `WAITING` | waiter; unset to swap   | there is a waker, for the winner that sets `FULL` next |
//! | `FULL`    | winner, once            | there is a value, for the waiter unless it has closed  |
//! | `CLOSED`  | waiter, once            | the winner drops its value, and the waiter its waker   |
#![allow(unsafe_code, reason = "the one place for it")]

use crate::place::{Attached, Origin, Place};
use crate::sync::{AtomicBool, AtomicUsize, First, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};
use std::{ops::Deref, process, ptr::NonNull};

const WAITING: usize = 1;
const FULL: usize = 2;
const CLOSED: usize = 4;
const ONE: usize = 8;
/// One signaller and the waiter.
const PAIR: usize = 2 * ONE;

pub(crate) struct Shared<T, A> {
    state: AtomicUsize,
    pub(crate) first: First,
    done: AtomicBool,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
    pub(crate) attached: A,
}

/// SAFETY: nobody else may look there.
unsafe fn put<V>(cell: &UnsafeCell<MaybeUninit<V>>, value: V) {
    // SAFETY: as above.
    cell.with_mut(|cell| unsafe { (*cell).write(value) });
}

/// SAFETY: there has to be a value, for nobody else to take. It may be looked at meanwhile.
unsafe fn take<V>(cell: &UnsafeCell<MaybeUninit<V>>) -> V {
    // SAFETY: as above.
    cell.with(|cell| unsafe { (*cell).assume_init_read() })
}

/// The memory of a slot.
pub(crate) type Memory<T, A> = Box<MaybeUninit<Shared<T, A>>>;

/// One that is counted.
pub(crate) struct Handle<T, A>(NonNull<Shared<T, A>>);

// SAFETY: values move between threads, one at a time; only what is attached is shared.
unsafe impl<T: Send, A: Send + Sync> Send for Handle<T, A> {}
// SAFETY: the same.
unsafe impl<T: Send, A: Send + Sync> Sync for Handle<T, A> {}

impl<T, A> Deref for Handle<T, A> {
    type Target = Shared<T, A>;
    #[inline]
    fn deref(&self) -> &Shared<T, A> {
        // SAFETY: the last one frees it, at its end.
        unsafe { self.0.as_ref() }
    }
}

impl<T, A> Handle<T, A> {
    /// SAFETY: for the winner, once, whose value is there.
    unsafe fn fill(&self) {
        let before = self.state.fetch_add(FULL, AcqRel); // ORDERING: the value for the waker.
        if before & CLOSED != 0 {
            // SAFETY: put there above, and not the waiter's.
            drop(unsafe { take(&self.value) });
        } else if before & WAITING != 0 {
            // SAFETY: the waiter put it there, and leaves it.
            unsafe { take(&self.waker) }.wake();
        }
    }

    /// SAFETY: for the last one, which is counted no more.
    unsafe fn free(&self) -> Memory<T, A> {
        // SAFETY: leaked by `slot`, and nobody else's.
        unsafe {
            self.0.drop_in_place();
            Box::from_raw(self.0.as_ptr().cast())
        }
    }
}

pub(crate) type Ends<T, A> = (Signaller<T, A>, Waiter<T, A>);

/// Makes a slot with its first signaller and its waiter. `attached` is what all ends share.
pub(crate) fn slot<T, A: Attached<T>>(memory: Memory<T, A>, attached: A) -> Ends<T, A> {
    let shared = Shared {
        state: AtomicUsize::new(PAIR),
        first: First::default(),
        done: AtomicBool::new(false),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
        value: UnsafeCell::new(MaybeUninit::uninit()),
        attached,
    };
    let shared = NonNull::from(Box::leak(Box::write(memory, shared)));
    let (slot, waits) = (Handle(shared), Handle(shared));
    (Signaller(slot, Origin::FIRST), Waiter(waits))
}

/// A handle that can signal, and which one. Dropping the last one without a signal is one.
pub(crate) struct Signaller<T, A: Attached<T>>(pub(crate) Handle<T, A>, pub(crate) Origin);

impl<T, A: Attached<T>> Signaller<T, A> {
    /// Another signaller of the same slot.
    pub(crate) fn clone_as(&self, origin: Origin) -> Self {
        // ORDERING: this one keeps the slot alive.
        if self.0.state.fetch_add(ONE, Relaxed) > usize::MAX / 2 {
            process::abort();
        }
        Signaller(Handle(self.0.0), origin)
    }

    /// Signals. If another was first, gives the value back and says where that was.
    #[inline]
    pub(crate) fn signal(&self, value: T, place: Place) -> Result<(), (T, Place)> {
        if let Err(first) = self.0.first.claim(place) {
            return Err((value, first));
        }
        // SAFETY: it has won.
        unsafe { put(&self.0.value, value) };
        // SAFETY: put there above.
        unsafe { self.0.fill() };
        Ok(())
    }

    /// Whether it is the only one that is left, and can win.
    #[inline]
    pub(crate) fn is_last(&self) -> bool {
        self.is_last_at(self.0.state.load(Acquire)) // ORDERING: after the signallers that were.
    }

    fn is_last_at(&self, state: usize) -> bool {
        state & !WAITING == PAIR && self.0.first.get().is_none()
    }

    /// Signals and ends the last one. Any other is given back with the value.
    #[inline(always)]
    pub(crate) fn settle(self, value: T) -> Result<(), (Self, T)> {
        let state = &self.0.state;
        let before = state.load(Acquire); // ORDERING: after the signallers that were.
        if !self.is_last_at(before) {
            return Err((self, value));
        }
        // SAFETY: it wins, and so once.
        unsafe { put(&self.0.value, value) };
        // ORDERING: releases all to the waiter.
        let end = || state.compare_exchange(PAIR, FULL + ONE, Release, Relaxed);
        if before == PAIR && end().is_ok() {
            let _ = ManuallyDrop::new(self);
        } else {
            // SAFETY: put there above.
            unsafe { self.0.fill() };
        }
        Ok(())
    }
}

impl<T, A: Attached<T>> Drop for Signaller<T, A> {
    fn drop(&mut self) {
        let others = |state| (!self.is_last_at(state)).then(|| state - ONE);
        // ORDERING: releases the slot to who frees it; acquires it from all, to free it.
        match self.0.state.fetch_update(AcqRel, Acquire, others) {
            // SAFETY: the last one.
            Ok(before) if before < PAIR => drop(unsafe { self.0.free() }),
            Ok(_) => {}
            Err(_) => {
                let lost = self.0.attached.lost(self.1);
                let _ = Signaller(Handle(self.0.0), self.1).settle(lost);
            }
        }
    }
}

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T, A: Attached<T>>(pub(crate) Handle<T, A>);

impl<T, A: Attached<T>> Waiter<T, A> {
    /// Takes the value, or has the task woken when there is one. Once done: pending for ever.
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Shared { state, waker, .. } = &*self.0;
        let mut before = state.load(Acquire); // ORDERING: acquires the value.
        if self.is_done() {
            return Poll::Pending;
        } else if before & FULL == 0 {
            let mut old = None;
            if before & WAITING != 0 {
                before = state.fetch_sub(WAITING, Acquire); // ORDERING: as of the load.
                // SAFETY: put by this waiter; no winner took it.
                old = (before & FULL == 0).then(|| unsafe { take(waker) });
            }
            if before & FULL == 0 {
                let same = old.filter(|old| old.will_wake(cx.waker()));
                let new = same.unwrap_or_else(|| cx.waker().clone());
                // SAFETY: without `WAITING`, nobody looks there.
                unsafe { put(waker, new) };
                // ORDERING: releases the waker; acquires the value.
                if state.fetch_add(WAITING, AcqRel) & FULL == 0 {
                    return Poll::Pending;
                }
                // SAFETY: put there above; the winner came before.
                drop(unsafe { take(waker) });
            }
        }
        self.0.done.store(true, Relaxed); // ORDERING: the waiter's own.
        // SAFETY: the winner put it there, and this is the one time.
        Poll::Ready(unsafe { take(&self.0.value) })
    }

    /// Waits no more: a later signal is refused. Gives a value that is there and was not taken.
    pub(crate) fn close(&mut self) -> Option<T> {
        if self.is_done() {
            return None;
        }
        self.0.done.store(true, Relaxed); // ORDERING: the waiter's own.
        let _ = self.0.first.claim(Place::Closed);
        let before = self.0.state.fetch_add(CLOSED, AcqRel); // ORDERING: acquires the value.
        if before & (FULL | WAITING) == WAITING {
            // SAFETY: written by this waiter, and left to it.
            drop(unsafe { take(&self.0.waker) });
        }
        // SAFETY: the winner wrote it, and it was not taken.
        (before & FULL != 0).then(|| unsafe { take(&self.0.value) })
    }

    /// Closes it, unless a signal was first: that is waited for, if it is still being stored.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.0.first.claim(Place::Closed) {
            Err(first) if first != Place::Closed && !self.is_done() => self.poll(cx).map(Some),
            _ => Poll::Ready(self.close()),
        }
    }

    /// Whether it has taken the value, or closed the slot.
    pub(crate) fn is_done(&self) -> bool {
        self.0.done.load(Relaxed) // ORDERING: the waiter's own.
    }

    /// Ends the waiting. Gives the memory, unless signallers are left that keep it.
    #[inline]
    pub(crate) fn recycle(self) -> Option<Memory<T, A>> {
        let mut waiter = ManuallyDrop::new(self);
        waiter.close();
        let others = |state| (state >= PAIR).then(|| state - ONE);
        // ORDERING: releases the slot to who frees it; acquires it from all, to free it.
        let last = waiter
            .0
            .state
            .fetch_update(AcqRel, Acquire, others)
            .is_err();
        // SAFETY: the last one.
        last.then(|| unsafe { waiter.0.free() })
    }
}

impl<T, A: Attached<T>> Drop for Waiter<T, A> {
    #[inline]
    fn drop(&mut self) {
        drop(Waiter(Handle(self.0.0)).recycle());
    }
}
