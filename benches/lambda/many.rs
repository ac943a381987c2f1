//! Measures many concurrent invocations, and many consecutive ones.

use super::{
    api::Kind,
    candidates::ourselves,
    median::{median, ratio},
    one::in_turn,
    order::event,
    process::Process,
    table::Table,
};
use std::time::Duration;

const OURS: (&str, &str) = ("nodeback", "value@several");
const THEIRS: (&str, &str) = ("lambda_runtime, `run_concurrent`", "concurrent@several");

/// The figures of a round: invocations per second, two percentiles in milliseconds, and processor
/// time in microseconds.
#[derive(Clone, Copy)]
struct Round {
    throughput: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

pub(crate) fn bench(rounds: usize) -> Vec<Table> {
    let mut tables = Vec::new();
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
            let title = format!("{in_flight} in flight, {size}");
            let columns = ["invocations/s", "p50, ms", "p99, ms", "processor, µs"];
            let mut table = Table::new(title, &columns).plotted(0);
            for ((name, _), rounds) in [OURS, THEIRS].iter().zip(&measured) {
                table.row(*name, cells(|of| median(rounds.iter().map(of))));
            }
            let [ours, theirs] = &measured;
            table.row("ratio", cells(|of| ratio(ours, theirs, of)));
            tables.push(table);
        }
    }
    tables
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

fn cells(median: impl Fn(fn(&Round) -> f64) -> f64) -> [String; 4] {
    let measures: [fn(&Round) -> f64; 4] = [
        |round| round.throughput,
        |round| round.p50,
        |round| round.p99,
        |round| round.cpu,
    ];
    measures.map(|measure| format!("{:.2}", median(measure)))
}

/// Measures whether the 100,000th invocation of a process takes as long as the 1,000th, and how its
/// memory grows.
pub(crate) fn drift() -> Table {
    let event = event(100);
    let mut process = Process::start(Kind::Stub, ourselves("value@one"));
    let columns = [
        "wall, µs",
        "processor, µs",
        "page faults",
        "peak memory, MB",
    ];
    let mut table = Table::new("one process", &columns);
    let mut done = 0;
    for until in [1_000, 10_000, 50_000, 100_000] {
        let last = 1_000;
        if until - last > done {
            process.invoke(&event, until - last - done);
        }
        let (sample, _) = process.invoke(&event, last);
        done = until;
        table.row(
            format!("the last thousand of {until}"),
            [
                format!("{:.1}", sample.wall),
                format!("{:.1}", sample.cpu),
                format!("{:.2}", sample.faults),
                format!("{:.2}", process.memory()),
            ],
        );
    }
    table
}
