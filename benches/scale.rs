//! Measures the time and the memory of many outstanding callbacks, which two threads signal in
//! random order.
//!
//! Run it with `cargo bench --bench scale`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::{FutureExt, task::noop_waker_ref};
use nodeback::{Callback, Completion, Value, json};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::Future,
    hint::black_box,
    mem,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Context,
    thread,
};

/// The number of bytes that are currently allocated.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: Every method passes its arguments to `System`, which implements the contract of
// `GlobalAlloc`. Counting the bytes neither allocates nor touches the memory.
#[allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        // SAFETY: The caller guarantees that `layout` has a non-zero size, as `System` requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: The caller guarantees that `alloc` above returned `memory` for this `layout`, so
        // it came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

struct Outstanding {
    callbacks: Vec<Callback>,
    completions: Vec<Completion<Value>>,
}

/// Creates `count` pairs, polls each completion once, and shuffles the callbacks.
fn outstanding(count: usize) -> Outstanding {
    let (mut callbacks, mut completions): (Vec<_>, Vec<_>) =
        (0..count).map(|_| nodeback::callback()).unzip();
    let mut cx = Context::from_waker(noop_waker_ref());
    for completion in &mut completions {
        assert!(Pin::new(completion).poll(&mut cx).is_pending());
    }
    // A Fisher-Yates shuffle with the random numbers of xorshift.
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    for n in (1..count).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        callbacks.swap(n, (random % (n as u64 + 1)) as usize);
    }
    Outstanding {
        callbacks,
        completions,
    }
}

/// Signals all callbacks, and returns the number of results that their completions received.
fn signal_all(outstanding: Outstanding) -> usize {
    let mut first = outstanding.callbacks;
    let second = first.split_off(first.len() / 2);
    let signal = |callbacks: Vec<Callback>| {
        for callback in callbacks {
            callback.succeed(json!(42));
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| signal(first));
        signal(second);
    });
    let outcomes = outstanding.completions.into_iter();
    outcomes
        .filter_map(|completion| completion.now_or_never()?.ok()?)
        .count()
}

fn scale(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("callbacks outstanding");
    group.sample_size(10);
    for count in COUNTS {
        let before = ALLOCATED.load(Relaxed);
        let outstanding_now = outstanding(count);
        let each = (ALLOCATED.load(Relaxed) - before) / count;
        let ends = mem::size_of::<(Callback, Completion<Value>)>();
        let payload = mem::size_of::<Result<Option<Value>, nodeback::Error>>();
        println!("{count}: {each} bytes each, of which {ends} are the two ends, {payload} payload");
        assert_eq!(signal_all(outstanding_now), count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("signal {count}"), |b| {
            b.iter_batched(
                || outstanding(count),
                |outstanding| black_box(signal_all(outstanding)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, scale);
criterion_main!(benches);
