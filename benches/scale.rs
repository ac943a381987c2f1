//! Many callbacks outstanding at once, signalled in random order from two threads: time and memory
//! of each.
//!
//! `cargo bench --bench scale`

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

/// Bytes that are allocated.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the system's.
#[allow(unsafe_code, reason = "an allocator is")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller says.
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

/// Makes so many, each polled once, with the callbacks in random order.
fn outstanding(count: usize) -> Outstanding {
    let (mut callbacks, mut completions): (Vec<_>, Vec<_>) =
        (0..count).map(|_| nodeback::callback()).unzip();
    let mut cx = Context::from_waker(noop_waker_ref());
    for completion in &mut completions {
        assert!(Pin::new(completion).poll(&mut cx).is_pending());
    }
    // xorshift, and Fisher and Yates.
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

/// Signals all, and takes what was signalled.
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
