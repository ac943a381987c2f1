//! What it costs to run a handler for an event: bytes in, bytes out, beside the same work by hand.
//!
//! `cargo bench --bench invoke`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodeback::{Bytes, Callback, Context, Error, Runtime, Value, json};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use tokio::runtime;

/// An order with so many items that its JSON has about this size.
fn event(size: usize) -> Bytes {
    let item = json!({ "sku": "tea-0042", "count": 3, "price": 4.25, "note": "a gift, żółć" });
    let room = size.saturating_sub(40) / item.to_string().len();
    let items: Vec<_> = (0..room).map(|_| item.clone()).collect();
    json!({ "id": "order-7", "paid": true, "items": items })
        .to_string()
        .into()
}

#[derive(Deserialize, Serialize)]
struct Order {
    id: String,
    paid: bool,
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
struct Item {
    sku: String,
    count: u32,
    price: f64,
    note: String,
}

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
        let event = event(size);
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
