//! How often a completion allocates, and that memory used again is nobody else's.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, unreachable_pub, reason = "the crate uses the rest")]
#[path = "../src/place.rs"]
mod place;
#[allow(dead_code, reason = "the crate uses the rest")]
#[path = "../src/slot.rs"]
mod slot;
#[allow(dead_code, reason = "the crate uses the rest")]
#[path = "../src/sync.rs"]
mod sync;

use futures::{FutureExt, task::noop_waker_ref};
use place::{Attached, Origin, Place};
use slot::{Waiter, slot};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    task::{Context, Poll},
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's.
#[allow(unsafe_code, reason = "an allocator is")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of<T>(f: impl FnOnce() -> T) -> usize {
    let before = ALLOCATIONS.get();
    let result = f();
    let after = ALLOCATIONS.get();
    drop(result);
    after - before
}

struct Nothing;

impl Attached<u32> for Nothing {
    fn lost(&self, _: Origin) -> u32 {
        0
    }
}

fn now(waiter: &mut Waiter<u32, Nothing>) -> Option<u32> {
    match waiter.poll(&mut Context::from_waker(noop_waker_ref())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn completion_allocates_once() {
    let settled = allocations_of(|| {
        let (callback, completion) = nodeback::callback();
        let clone = callback.clone();
        callback.succeed(1);
        drop(clone);
        completion.now_or_never().unwrap().unwrap()
    });
    assert_eq!(settled, 1);
}

#[test]
fn slot_in_memory_used_again_allocates_nothing() {
    let mut memory = Some(Box::new_uninit());
    for n in 0..1000 {
        let allocated = allocations_of(|| {
            let (signaller, mut waiter) = slot(memory.take().unwrap(), Nothing);
            let clone = signaller.clone_as(Origin::FIRST);
            assert_eq!(now(&mut waiter), None);
            clone.signal(n, Place::Returned).unwrap();
            drop((signaller, clone));
            assert_eq!(now(&mut waiter), Some(n));
            memory = waiter.recycle();
        });
        assert_eq!(allocated, 0);
    }
}

#[test]
fn clones_that_are_kept_never_signal_a_later_slot() {
    let mut kept = vec![];
    let mut memory = None;
    for n in 0..100 {
        let (signaller, mut waiter) = slot(memory.take().unwrap_or_else(Box::new_uninit), Nothing);
        for late in &kept {
            let late: &slot::Signaller<u32, Nothing> = late;
            let (_, first) = late.signal(1000, Place::Lost).unwrap_err();
            assert_eq!(first, Place::Returned);
        }
        assert_eq!(now(&mut waiter), None);
        // Every other one is kept, beyond the end of its slot.
        let clone = signaller.clone_as(Origin::FIRST);
        kept.extend((n % 2 == 0).then_some(signaller));
        clone.signal(n, Place::Returned).unwrap();
        drop(clone);
        assert_eq!(now(&mut waiter), Some(n));
        memory = waiter.recycle();
        assert_eq!(memory.is_some(), n % 2 == 1);
    }
}
