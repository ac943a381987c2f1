//! Compares `--bench` with criterion: the mean time of an invocation, as both measure it.
//!
//! `cargo bench -p nodeback-benches --features bench --bench own`

#[path = "support/order.rs"]
mod order;

use criterion::Criterion;
use nodeback::{
    Callback, Context, Error, Handler, Value,
    bench::{Bench, Invoker, events},
};
use order::Order;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// The rounds are many and short, since other processes on the machine disturb some of them.
const ROUNDS: usize = 51;

/// Returns the mean that criterion measured last, in nanoseconds.
fn mean_of_criterion(id: &str) -> f64 {
    let file = Path::new(FOLDER).join(id).join("new/estimates.json");
    let text = fs::read_to_string(file).expect("criterion's estimates");
    let estimates: Value = serde_json::from_str(&text).expect("JSON");
    estimates["mean"]["point_estimate"]
        .as_f64()
        .expect("a mean")
}

/// Measures a handler in rounds, by `Bench` and by criterion in each. Prints the median of the
/// ratios, and the ratio of the fastest rounds of both, which other processes on the machine
/// disturbed the least.
fn compare<M>(tokio: &Runtime, name: &str, size: usize, handler: impl Handler<M> + Copy) {
    let file = PathBuf::from(FOLDER).join(format!("order-{size}.json"));
    fs::write(&file, order::event(size)).expect("a file");
    let (_, event) = &events(&file).expect("events")[0];
    let (invoker, id) = (Invoker::new(handler), format!("{name} {size}"));
    let mut criterion = Criterion::default()
        .output_directory(Path::new(FOLDER))
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(20))
        .measurement_time(Duration::from_millis(100));
    let mut round = || {
        let report = Bench::new(&file).invocations(if size > 1000 { 1_000 } else { 100_000 });
        let report = tokio.block_on(report.run(handler)).expect("events");
        let ours = report.events()[0].mean().as_nanos() as f64;
        criterion.bench_function(&id, |bencher| {
            bencher.to_async(tokio).iter(|| invoker.invoke(event));
        });
        (ours, mean_of_criterion(&id))
    };
    let rounds = [(); ROUNDS].map(|()| round());
    let mut ratios = rounds.map(|(ours, theirs)| ours / theirs);
    ratios.sort_by(f64::total_cmp);
    let fastest = |side: fn(&(f64, f64)) -> f64| rounds.iter().map(side).fold(f64::MAX, f64::min);
    let (ours, theirs) = (fastest(|round| round.0), fastest(|round| round.1));
    println!(
        "{id} B: --bench / criterion: {:.3} in the median of {ROUNDS} rounds ({:.3} to {:.3}), {:.3} in the fastest \
         ({ours:.0} / {theirs:.0} ns)\n",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
        ours / theirs
    );
}

fn main() {
    let tokio = Builder::new_current_thread().enable_all().build();
    let tokio = tokio.expect("a runtime");
    for size in [100, 10_000] {
        let callback = |event: Value, _: Context, callback: Callback| callback.succeed(event);
        compare(&tokio, "callback", size, callback);
        let typed = |event: Order, _: Context, callback: Callback<Order>| callback.succeed(event);
        compare(&tokio, "typed", size, typed);
        let task = |event: Value, context: Context, callback: Callback| {
            context.spawn(async move { callback.succeed(event) });
        };
        compare(&tokio, "task", size, task);
        compare(&tokio, "async", size, async |event: Value| {
            Ok::<_, Error>(event)
        });
    }
}
