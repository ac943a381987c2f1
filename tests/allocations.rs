//! Tests how often a completion allocates memory.

#![allow(clippy::unwrap_used, reason = "tests")]

use futures::FutureExt;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: Every method passes its arguments to `System`, which implements the contract of
// `GlobalAlloc`. Counting in a `Cell` without a destructor does not allocate.
#[allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: The caller guarantees that `layout` has a non-zero size, as `System` requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: The caller guarantees that `alloc` above returned `memory` for this `layout`, so
        // it came from `System`.
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

#[test]
fn a_completion_allocates_once() {
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
fn a_literal_call_does_not_allocate() {
    let (callback, completion) = nodeback::callback();
    let called = allocations_of(|| callback(None, Some(1)));
    assert_eq!(called, 0);
    assert_eq!(completion.wait().unwrap(), Some(1));
}
