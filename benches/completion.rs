//! Measures a completion: creating the pair, signaling, awaiting and dropping it. The peers are the
//! one-shot channels of other crates, and a cell as a user would write it without a crate.
//!
//! Run it with `cargo bench --bench completion`.

mod scenarios;

use criterion::{Criterion, criterion_group, criterion_main};
use scenarios::{
    SCENARIOS,
    peers::{AsyncOneshot, ByHand, Futures, LiteSync, LiteralCall, Nodeback, Oneshot, Peer, Tokio},
    signalled_from_a_spawned_task, signalled_from_a_thread,
};
use std::time::Instant;

fn completion(criterion: &mut Criterion) {
    for chunk in SCENARIOS.chunk_by(|(a, ..), (b, ..)| a == b) {
        let mut group = criterion.benchmark_group(chunk[0].0);
        for (_, peer, scenario) in chunk {
            group.bench_function(*peer, |b| b.iter(scenario));
        }
        group.finish();
    }
}

fn from_a_spawned_task<P: Peer>(criterion: &mut Criterion, peer: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("signalled from a spawned task");
    group.bench_function(peer, |b| {
        b.iter_custom(|times| {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..times {
                    signalled_from_a_spawned_task::<P>().await;
                }
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn from_a_thread<P: Peer>(criterion: &mut Criterion, peer: &str) {
    let mut group = criterion.benchmark_group("signalled from a thread");
    group.bench_function(peer, |b| b.iter(signalled_from_a_thread::<P>));
    group.finish();
}

fn elsewhere(criterion: &mut Criterion) {
    from_a_spawned_task::<Nodeback>(criterion, "nodeback");
    from_a_spawned_task::<LiteralCall>(criterion, "nodeback, literal call");
    from_a_spawned_task::<Tokio>(criterion, "tokio oneshot");
    from_a_spawned_task::<Futures>(criterion, "futures oneshot");
    from_a_spawned_task::<Oneshot>(criterion, "oneshot crate");
    from_a_spawned_task::<AsyncOneshot>(criterion, "async-oneshot");
    from_a_spawned_task::<LiteSync>(criterion, "lite-sync");
    from_a_spawned_task::<ByHand>(criterion, "by hand");
    from_a_thread::<Nodeback>(criterion, "nodeback");
    from_a_thread::<Tokio>(criterion, "tokio oneshot");
    from_a_thread::<Futures>(criterion, "futures oneshot");
    from_a_thread::<Oneshot>(criterion, "oneshot crate");
    from_a_thread::<AsyncOneshot>(criterion, "async-oneshot");
    from_a_thread::<LiteSync>(criterion, "lite-sync");
    from_a_thread::<ByHand>(criterion, "by hand");
}

criterion_group!(benches, completion, elsewhere);
criterion_main!(benches);
