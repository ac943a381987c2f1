//! Measures an invocation in process, from the bytes of the event to the bytes of the response. The
//! baseline only parses the event and serializes it again.
//!
//! Run it with `cargo bench --bench invoke`.

#[path = "support/order.rs"]
mod order;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodeback::{Bytes, Callback, Context, Error, Runtime, Value};
use order::Order;
use std::hint::black_box;
use tokio::runtime;

fn by_hand_value(event: &Bytes) -> Result<Bytes, serde_json::Error> {
    let event: Value = serde_json::from_slice(event)?;
    Ok(serde_json::to_vec(&black_box(event))?.into())
}

fn by_hand_typed(event: &Bytes) -> Result<Bytes, serde_json::Error> {
    let event: Order = serde_json::from_slice(event)?;
    Ok(serde_json::to_vec(&black_box(event))?.into())
}

fn invoke(criterion: &mut Criterion) {
    let tokio = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let shapes = [
        (
            "callback",
            Runtime::new(|event: Value, _: Context, callback: Callback| callback.succeed(event)),
        ),
        (
            "callback, literal call",
            Runtime::new(|event: Value, _: Context, callback: Callback| {
                callback(None, Some(event))
            }),
        ),
        (
            "callback, from a task",
            Runtime::new(|event: Value, context: Context, callback: Callback| {
                context.spawn(async move { callback.succeed(event) });
            }),
        ),
        (
            "async with callback",
            Runtime::new(async |event: Value, _: Context, callback: Callback| {
                callback.succeed(event);
            }),
        ),
        (
            "async",
            Runtime::new(async |event: Value, _: Context| Ok::<_, Error>(event)),
        ),
        (
            "context.succeed",
            Runtime::new(|event: Value, context: Context| context.succeed(event)),
        ),
        (
            "blocking",
            Runtime::new(|event: Value, _: Context| Ok::<_, Error>(event)),
        ),
        (
            "callback, typed",
            Runtime::new(|event: Order, _: Context, callback: Callback<Order>| {
                callback.succeed(event);
            }),
        ),
        (
            "callback, raw",
            Runtime::new(|event: Bytes, _: Context, callback: Callback<Bytes>| {
                callback.succeed(event);
            }),
        ),
    ];
    for size in [100, 10_000, 100_000] {
        let mut group = criterion.benchmark_group("invoke");
        let event = Bytes::from(order::event(size));
        group.throughput(Throughput::Bytes(event.len() as u64));
        group.bench_function(BenchmarkId::new("by hand", size), |b| {
            b.iter(|| by_hand_value(black_box(&event)));
        });
        group.bench_function(BenchmarkId::new("by hand, typed", size), |b| {
            b.iter(|| by_hand_typed(black_box(&event)));
        });
        let context = Context::default();
        for (name, function) in &shapes {
            group.bench_function(BenchmarkId::new(*name, size), |b| {
                b.to_async(&tokio)
                    .iter(|| function.invoke_raw(event.clone(), context.clone()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, invoke);
criterion_main!(benches);
