//! What a completion costs: make the pair, signal, await, drop; beside the one-shot channels that
//! could be used instead, and the cell that people write by hand.
//!
//! `cargo bench --bench completion`

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use futures::{FutureExt, task::noop_waker_ref};
use nodeback::{Error, Value, json};
use std::{
    hint::black_box,
    pin::pin,
    sync::{Arc, Mutex},
    task::Context,
    thread,
};

type Payload = Result<Value, Error>;

fn payload() -> Payload {
    Ok(json!(42))
}

/// `Arc<Mutex<Option>>` and a `Notify`, as it is written by hand.
#[derive(Default)]
struct ByHand {
    value: Mutex<Option<Payload>>,
    notify: tokio::sync::Notify,
}

impl ByHand {
    fn signal(&self, value: Payload) {
        if let Ok(mut slot) = self.value.lock() {
            slot.get_or_insert(value);
        }
        self.notify.notify_one();
    }

    async fn wait(&self) -> Option<Payload> {
        self.notify.notified().await;
        self.value.lock().ok()?.take()
    }
}

fn signalled_before_the_await(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.bench_function("nodeback", |b| {
        b.iter(|| {
            let (callback, completion) = nodeback::callback();
            callback.settle(black_box(payload()));
            black_box(completion.now_or_never())
        });
    });
    group.bench_function("nodeback, literal call", |b| {
        b.iter(|| {
            let (callback, completion) = nodeback::callback();
            callback(None, Some(black_box(json!(42))));
            black_box(completion.now_or_never())
        });
    });
    group.bench_function("tokio oneshot", |b| {
        b.iter(|| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let _ = sender.send(black_box(payload()));
            black_box(receiver.now_or_never())
        });
    });
    group.bench_function("futures oneshot", |b| {
        b.iter(|| {
            let (sender, receiver) = futures::channel::oneshot::channel();
            let _ = sender.send(black_box(payload()));
            black_box(receiver.now_or_never())
        });
    });
    group.bench_function("oneshot crate", |b| {
        b.iter(|| {
            let (sender, receiver) = oneshot::async_channel();
            let _ = sender.send(black_box(payload()));
            black_box(receiver.now_or_never())
        });
    });
    group.bench_function("by hand", |b| {
        b.iter(|| {
            let cell = Arc::new(ByHand::default());
            let signaller = Arc::clone(&cell);
            signaller.signal(black_box(payload()));
            black_box(cell.wait().now_or_never())
        });
    });
}

/// Polls once, signals, and polls again.
macro_rules! after_the_first_poll {
    ($group:expr, $name:literal, $pair:expr, $signal:expr) => {
        $group.bench_function($name, |b| {
            b.iter(|| {
                let (signaller, waiter) = $pair;
                let mut waiter = pin!(waiter);
                let mut cx = Context::from_waker(noop_waker_ref());
                black_box(waiter.as_mut().poll(&mut cx).is_pending());
                $signal(signaller);
                black_box(waiter.as_mut().poll(&mut cx).is_ready())
            });
        });
    };
}

fn signalled_after_the_first_poll(group: &mut BenchmarkGroup<'_, WallTime>) {
    after_the_first_poll!(
        group,
        "nodeback",
        nodeback::callback(),
        |callback: nodeback::Callback| {
            callback.settle(payload());
        }
    );
    after_the_first_poll!(
        group,
        "tokio oneshot",
        tokio::sync::oneshot::channel(),
        |sender: tokio::sync::oneshot::Sender<_>| {
            let _ = sender.send(payload());
        }
    );
    after_the_first_poll!(
        group,
        "futures oneshot",
        futures::channel::oneshot::channel(),
        |sender: futures::channel::oneshot::Sender<_>| {
            let _ = sender.send(payload());
        }
    );
    after_the_first_poll!(
        group,
        "oneshot crate",
        oneshot::async_channel(),
        |sender: oneshot::Sender<_>| {
            let _ = sender.send(payload());
        }
    );
}

fn signalled_from_a_thread(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.bench_function("nodeback", |b| {
        b.iter(|| {
            let (callback, completion) = nodeback::callback();
            let thread = thread::spawn(move || callback.settle(payload()));
            black_box(completion.wait().is_ok());
            thread.join()
        });
    });
    group.bench_function("tokio oneshot", |b| {
        b.iter(|| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let thread = thread::spawn(move || sender.send(payload()).is_ok());
            black_box(receiver.blocking_recv().is_ok());
            thread.join()
        });
    });
}

fn with_clones(group: &mut BenchmarkGroup<'_, WallTime>) {
    for clones in [1, 2, 8] {
        group.bench_function(format!("nodeback, {clones}"), |b| {
            b.iter(|| {
                let (callback, completion) = nodeback::callback();
                let clones: [_; 8] =
                    std::array::from_fn(|n| (n < clones).then(|| callback.clone()));
                callback.settle(black_box(payload()));
                drop(clones);
                black_box(completion.now_or_never())
            });
        });
    }
}

fn lost(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.bench_function("nodeback", |b| {
        b.iter(|| {
            let (callback, completion) = nodeback::callback::<Value>();
            drop(callback);
            black_box(completion.now_or_never())
        });
    });
}

fn refused(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.bench_function("nodeback, try_settle", |b| {
        b.iter(|| {
            let (callback, completion) = nodeback::callback();
            callback(None, Some(json!(1)));
            let _ = black_box(callback.try_settle(payload()));
            black_box(completion.now_or_never())
        });
    });
}

fn completion(criterion: &mut Criterion) {
    type Bench = fn(&mut BenchmarkGroup<'_, WallTime>);
    let groups: [(&str, Bench); 6] = [
        ("signalled before the await", signalled_before_the_await),
        (
            "signalled after the first poll",
            signalled_after_the_first_poll,
        ),
        ("signalled from a thread", signalled_from_a_thread),
        ("clones", with_clones),
        ("lost", lost),
        ("refused", refused),
    ];
    for (name, bench) in groups {
        let mut group = criterion.benchmark_group(name);
        bench(&mut group);
        group.finish();
    }
}

criterion_group!(benches, completion);
criterion_main!(benches);
