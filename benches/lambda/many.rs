//! Many invocations in flight, and many one after the other.

use super::{
    api::Kind,
    candidates::ourselves,
    one::{in_turn, median},
    order::event,
    process::Process,
};
use std::time::Duration;

const OURS: (&str, &str) = ("nodeback", "value@several");
const THEIRS: (&str, &str) = ("lambda_runtime, `run_concurrent`", "concurrent@several");

/// What a round says: invocations in a second, two percentiles in milliseconds, microseconds of processor time.
#[derive(Clone, Copy)]
struct Round {
    throughput: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

pub(crate) fn bench(rounds: usize) {
    for in_flight in [16, 64] {
        for (size, bytes, times) in [("100 B", 100, 6400), ("100 kB", 100_000, 640)] {
            let event = event(bytes);
            let mut processes = [OURS, THEIRS].map(|(_, function)| {
                let mut command = ourselves(function);
                command.env("AWS_LAMBDA_MAX_CONCURRENCY", in_flight.to_string());
                let mut process = Process::start(Kind::Blocking, command);
                process.invoke(&event, times / 4);
                process
            });
            let mut measured = [Vec::new(), Vec::new()];
            for round in 0..rounds {
                for at in in_turn(processes.len(), round) {
                    if let (Some(process), Some(measured)) =
                        (processes.get_mut(at), measured.get_mut(at))
                    {
                        measured.push(run(process, &event, times));
                    }
                }
            }
            println!("\n{in_flight} in flight, {size}\n");
            println!(
                "| | invocations/s | p50, ms | p99, ms | processor, µs |\n| --- | --- | --- | --- | --- |"
            );
            for ((name, _), rounds) in [OURS, THEIRS].iter().zip(&measured) {
                row(name, |of| median(rounds.iter().map(of)));
            }
            let [ours, theirs] = &measured;
            row("nodeback, of theirs", |of| {
                median(ours.iter().zip(theirs).map(|(a, b)| of(a) / of(b)))
            });
        }
    }
}

fn run(process: &mut Process, event: &[u8], times: u32) -> Round {
    let (sample, mut ran) = process.invoke(event, times);
    ran.latencies.sort();
    let percentile = |percent: usize| {
        let at = ran.latencies.len() * percent / 100;
        let latency = ran.latencies.get(at).copied();
        latency.unwrap_or(Duration::ZERO).as_secs_f64() * 1e3
    };
    Round {
        throughput: 1e6 / sample.wall,
        p50: percentile(50),
        p99: percentile(99),
        cpu: sample.cpu,
    }
}

fn row(name: &str, median: impl Fn(fn(&Round) -> f64) -> f64) {
    println!(
        "| {name} | {:.2} | {:.2} | {:.2} | {:.2} |",
        median(|round| round.throughput),
        median(|round| round.p50),
        median(|round| round.p99),
        median(|round| round.cpu),
    );
}

/// Whether the 100,000th invocation of a process takes what the 1,000th took, and how much memory it has by then.
pub(crate) fn drift() {
    let event = event(100);
    let mut process = Process::start(Kind::Stub, ourselves("value@one"));
    println!(
        "\n| of one process | wall, µs | processor, µs | page faults | peak memory, MB |\n| --- | --- | --- | --- | --- |"
    );
    let mut done = 0;
    for until in [1_000, 10_000, 50_000, 100_000] {
        let last = 1_000;
        if until - last > done {
            process.invoke(&event, until - last - done);
        }
        let (sample, _) = process.invoke(&event, last);
        done = until;
        println!(
            "| the last thousand of {until} | {:.1} | {:.1} | {:.2} | {:.2} |",
            sample.wall,
            sample.cpu,
            sample.faults,
            process.memory()
        );
    }
}
