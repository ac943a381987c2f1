//! The one-shot cell under [`Callback`](crate::Callback) and [`Completion`](crate::Completion):
//! many signallers, one winner, one waiter. Nobody in here ever waits for another thread.
//!
//! Into `first` goes a place: the winner's before it stores its value, or the close's. Who finds one
//! is refused. The owner of the only signaller wins without: only a close competes. Losing that
//! signaller is a signal, too. `state` counts the signallers by [`ONE`], beside four flags (each
//! is added when it is not set, which is one instruction where setting a bit is a loop):
//!
//! | flag      | set by                  | from then on                                           |
//! | --------- | ----------------------- | ------------------------------------------------------ |
//! | `WAITING` | waiter; unset to swap   | there is a waker, for the winner that sets `FULL` next |
//! | `FULL`    | winner, once            | there is a value, for the waiter unless it has closed  |
//! | `CLOSED`  | waiter, once            | the winner drops its value, and the waiter its waker   |
//! | `GONE`    | waiter, at its end      | the last signaller frees it all; without, the waiter   |
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
const GONE: usize = 8;
const ONE: usize = 16;

pub(crate) struct Shared<T, A> {
    state: AtomicUsize,
    pub(crate) first: First,
    taken: AtomicBool,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
    pub(crate) attached: A,
}

/// SAFETY: there has to be a value, for nobody else to take. It may be looked at meanwhile.
unsafe fn take<V>(cell: &UnsafeCell<MaybeUninit<V>>) -> V {
    // SAFETY: as above.
    cell.with(|cell| unsafe { (*cell).assume_init_read() })
}

/// A signaller that is counted, or the waiter until `GONE`.
pub(crate) struct Handle<T, A>(NonNull<Shared<T, A>>);

// SAFETY: values move between threads, one at a time; only what is attached is shared.
unsafe impl<T: Send, A: Send + Sync> Send for Handle<T, A> {}
// SAFETY: the same.
unsafe impl<T: Send, A: Send + Sync> Sync for Handle<T, A> {}

impl<T, A> Deref for Handle<T, A> {
    type Target = Shared<T, A>;
    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the last one frees it, at its end.
        unsafe { self.0.as_ref() }
    }
}

impl<T, A> Handle<T, A> {
    /// SAFETY: for the winner, once. With the `last` signaller, that is given up if `true`.
    #[inline(always)]
    unsafe fn win(&self, value: T, last: bool) -> bool {
        // SAFETY: nobody else's until `FULL`.
        self.value.with_mut(|cell| unsafe { (*cell).write(value) });
        // ORDERING: releases all to the waiter.
        if last && (self.state.compare_exchange(ONE, FULL, Release, Relaxed)).is_ok() {
            return true;
        }
        let before = self.state.fetch_add(FULL, AcqRel); // ORDERING: the value for the waker.
        if before & CLOSED != 0 {
            // SAFETY: written above, and not the waiter's.
            drop(unsafe { take(&self.value) });
        } else if before & WAITING != 0 {
            // SAFETY: the waiter wrote it, and leaves it.
            unsafe { take(&self.waker) }.wake();
        }
        false
    }
}

/// The memory of a slot.
pub(crate) type Memory<T, A> = Box<MaybeUninit<Shared<T, A>>>;

/// SAFETY: for the last handle, at its end.
unsafe fn free<T, A>(Handle(slot): &Handle<T, A>) -> Memory<T, A> {
    // SAFETY: leaked by `slot`, and nobody else's any more.
    unsafe {
        slot.drop_in_place();
        Box::from_raw(slot.as_ptr().cast())
    }
}

/// Makes a slot with its first signaller and its waiter. `attached` is what all ends share.
pub(crate) fn slot<T, A: Attached<T>>(memory: Memory<T, A>, attached: A) -> Ends<T, A> {
    let shared = Shared {
        state: AtomicUsize::new(ONE),
        first: First::default(),
        taken: AtomicBool::new(false),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
        value: UnsafeCell::new(MaybeUninit::uninit()),
        attached,
    };
    let slot = NonNull::from(Box::leak(Box::write(memory, shared)));
    (Signaller(Handle(slot), Origin::First), Waiter(Handle(slot)))
}

pub(crate) type Ends<T, A> = (Signaller<T, A>, Waiter<T, A>);

/// A handle that can signal. Dropping the last one without a signal is one.
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
    #[inline(never)]
    pub(crate) fn signal(&self, value: T, place: Place) -> Result<(), (T, Place)> {
        if let Err(first) = self.0.first.claim(place) {
            return Err((value, first));
        }
        // SAFETY: it has won.
        unsafe { self.0.win(value, false) };
        Ok(())
    }

    /// The same, and drops the handle, or gives it back, too.
    #[inline(always)]
    pub(crate) fn settle(self, value: T, place: Place) -> Result<(), (T, Place, Self)> {
        // ORDERING: acquires what the signallers did that were.
        if self.0.state.load(Acquire) & !WAITING != ONE || self.0.first.get().is_some() {
            let signalled = self.signal(value, place);
            return signalled.map_err(|(value, first)| (value, first, self));
        }
        // SAFETY: the only signaller.
        if unsafe { self.0.win(value, true) } {
            let _ = ManuallyDrop::new(self); // Given up.
        }
        Ok(())
    }
}

impl<T, A: Attached<T>> Drop for Signaller<T, A> {
    fn drop(&mut self) {
        let over = |state| state & !WAITING != ONE || self.0.first.get().is_some();
        let others = |state| over(state).then(|| state - ONE);
        // ORDERING: releases the slot to who frees it; acquires it from all, to free it.
        match self.0.state.fetch_update(AcqRel, Acquire, others) {
            // SAFETY: no other signaller, no waiter.
            Ok(before) if before < 2 * ONE && before & GONE != 0 => drop(unsafe { free(&self.0) }),
            Ok(_) => {}
            Err(_) => {
                let lost = self.0.attached.lost(self.1);
                let _ = Signaller(Handle(self.0.0), self.1).settle(lost, Place::Lost);
            }
        }
    }
}

/// The end that waits. Dropping it closes the slot.
pub(crate) struct Waiter<T, A: Attached<T>>(pub(crate) Handle<T, A>);

impl<T, A: Attached<T>> Waiter<T, A> {
    /// Takes the value, or has the task woken when there is one. Once taken: pending for ever.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.state.load(Acquire); // ORDERING: acquires the value.
        if state & (FULL | CLOSED) == 0 {
            // SAFETY: written by this waiter; who takes it meanwhile leaves what is compared.
            let same = |old: *const MaybeUninit<Waker>| unsafe {
                (*old).assume_init_ref().will_wake(cx.waker())
            };
            if state & WAITING != 0 && self.0.waker.with(same) {
                return Poll::Pending;
            }
            let new = cx.waker().clone(); // May run anything, or panic: nothing is half done.
            if state & WAITING != 0 {
                state = self.0.state.fetch_sub(WAITING, Acquire); // ORDERING: as of the load.
                if state & FULL == 0 {
                    // SAFETY: written by this waiter; no winner took it.
                    drop(unsafe { take(&self.0.waker) });
                }
            }
            if state & FULL == 0 {
                // SAFETY: without `WAITING`, nobody looks there.
                self.0.waker.with_mut(|cell| unsafe { (*cell).write(new) });
                state = self.0.state.fetch_add(WAITING, AcqRel); // ORDERING: the waker for the value.
                if state & FULL != 0 {
                    // SAFETY: written above; the winner came before.
                    drop(unsafe { take(&self.0.waker) });
                }
            }
        }
        if state & (FULL | CLOSED) != FULL || self.is_taken() {
            return Poll::Pending;
        }
        self.0.taken.store(true, Relaxed); // ORDERING: the waiter's own.
        // SAFETY: the winner wrote it, and this is the one time.
        Poll::Ready(unsafe { take(&self.0.value) })
    }

    /// Waits no more: a later signal is refused. Gives a value that is there and was not taken.
    pub(crate) fn close(&mut self) -> Option<T> {
        // ORDERING: the waiter's own.
        if self.is_taken() || self.0.state.load(Relaxed) & CLOSED != 0 {
            return None;
        }
        let _ = self.0.first.claim(Place::Closed);
        let before = self.0.state.fetch_add(CLOSED, AcqRel); // ORDERING: acquires the value.
        if before & FULL != 0 {
            // SAFETY: the winner wrote it, and it was not taken.
            return Some(unsafe { take(&self.0.value) });
        } else if before & WAITING != 0 {
            // SAFETY: written by this waiter, and left to it.
            drop(unsafe { take(&self.0.waker) });
        }
        None
    }

    /// Closes it, unless a signal was first: that is waited for, if it is still being stored.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let first = self.0.first.claim(Place::Closed).err();
        if !self.is_taken() && first.is_some_and(|first| first != Place::Closed) {
            return self.poll(cx).map(Some);
        }
        Poll::Ready(self.close())
    }

    /// Whether the value has been taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.taken.load(Relaxed) // ORDERING: the waiter's own.
    }

    /// Ends the waiting. Gives the memory, unless signallers are left that keep it.
    pub(crate) fn recycle(self) -> Option<Memory<T, A>> {
        ManuallyDrop::new(self).end()
    }

    #[inline]
    fn end(&mut self) -> Option<Memory<T, A>> {
        self.close();
        let state = &self.0.state;
        // ORDERING: acquires what signallers did; releases what the waiter did.
        let last = state.load(Acquire) < ONE || state.fetch_add(GONE, AcqRel) < ONE;
        // SAFETY: no signaller, and no more of the waiter.
        last.then(|| unsafe { free(&self.0) })
    }
}

impl<T, A: Attached<T>> Drop for Waiter<T, A> {
    fn drop(&mut self) {
        drop(self.end());
    }
}
