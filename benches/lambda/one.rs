//! Measures one invocation at a time, on each of the Runtime APIs.

use super::{
    api::Kind,
    candidates::{self, Candidate},
    median::{median, ratio},
    order::event,
    process::{Process, Sample},
    table::Table,
};

const SIZES: [(&str, usize, u32); 2] = [("100 B", 100, 600), ("100 kB", 100_000, 60)];

pub(crate) fn bench(rounds: usize) -> Vec<Table> {
    let candidates = candidates::present();
    let mut tables = Vec::new();
    let mut goals = Table::new("goal", &["at most", "now", ""]);
    let mut memory = Table::new("process", &["peak memory, MB", "connections"]);
    for kind in Kind::ALL {
        if kind == Kind::Emulator && !candidates::has_emulator() {
            continue;
        }
        let mut processes: Vec<_> = candidates
            .iter()
            .map(|candidate| Process::start(kind, candidate.command()))
            .collect();
        let mut invocations = 0;
        for (size, bytes, times) in SIZES {
            let event = event(bytes);
            for process in &mut processes {
                // Warms the process up, so that just-in-time compilers have compiled the code.
                process.invoke(&event, times);
            }
            let mut samples = vec![Vec::new(); candidates.len()];
            for round in 0..rounds {
                for at in in_turn(candidates.len(), round) {
                    if let (Some(process), Some(samples)) =
                        (processes.get_mut(at), samples.get_mut(at))
                    {
                        samples.push(process.invoke(&event, times).0);
                    }
                }
            }
            invocations += times as usize * (rounds + 1);
            tables.push(table(kind, size, &candidates, &samples));
            compare(kind, size, &candidates, &samples, &mut goals);
        }
        for (candidate, process) in candidates.iter().zip(&processes) {
            let made = process.api.connections();
            memory.row(
                format!("{} on {}", candidate.name, kind.name()),
                [
                    format!("{:.1}", process.memory()),
                    made.map_or(String::new(), |made| format!("{made} for {invocations}")),
                ],
            );
        }
    }
    tables.extend([memory, goals]);
    tables
}

/// Returns the order of a round: alternately forwards and backwards, so that no candidate always
/// follows the same one.
pub(crate) fn in_turn(candidates: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..candidates).map(move |at| {
        if round % 2 == 0 {
            at
        } else {
            candidates - 1 - at
        }
    })
}

fn table(kind: Kind, size: &str, candidates: &[Candidate], samples: &[Vec<Sample>]) -> Table {
    let columns = [
        "wall, µs",
        "of lambda_runtime",
        "processor, µs",
        "of lambda_runtime's",
        "page faults",
    ];
    let mut table = Table::new(format!("{size} on {}", kind.name()), &columns).plotted(2);
    for (candidate, ours) in candidates.iter().zip(samples) {
        let base = position(candidates, candidate.of).and_then(|at| samples.get(at));
        let base = base.unwrap_or(ours);
        table.row(
            candidate.name,
            [
                format!("{:.0}", median(ours.iter().map(|sample| sample.wall))),
                format!("{:.2}", ratio(ours, base, |sample| sample.wall)),
                format!("{:.0}", median(ours.iter().map(|sample| sample.cpu))),
                format!("{:.2}", ratio(ours, base, |sample| sample.cpu)),
                format!("{:.1}", median(ours.iter().map(|sample| sample.faults))),
            ],
        );
    }
    table
}

fn position(candidates: &[Candidate], name: &str) -> Option<usize> {
    candidates.iter().position(|one| one.name == name)
}

/// Adds a row for each goal, with the current ratio and whether the goal is reached.
fn compare(
    kind: Kind,
    size: &str,
    candidates: &[Candidate],
    samples: &[Vec<Sample>],
    table: &mut Table,
) {
    let small = size == "100 B";
    let wall: fn(&Sample) -> f64 = |sample| sample.wall;
    let cpu: fn(&Sample) -> f64 = |sample| sample.cpu;
    let (one, several, bytes) = (candidates::ONE, candidates::SEVERAL, candidates::BYTES);
    let (bare_one, bare_several) = (candidates::BARE_ONE, candidates::BARE_SEVERAL);
    let goals = [
        ("processor", one, bare_one, cpu, 0.85, 0.90),
        ("processor", several, bare_several, cpu, 0.60, 0.80),
        ("wall", one, candidates::RAW, wall, 1.10, f64::NAN),
        ("processor", one, candidates::RAW, cpu, 1.25, f64::NAN),
        ("wall", one, candidates::NODE, wall, 0.3, f64::NAN),
        ("processor", bytes, one, cpu, f64::NAN, 0.05),
    ];
    let of = |name| samples.get(position(candidates, name)?);
    for (what, ours, theirs, measure, at_100_b, at_100_kb) in goals {
        let most = if small { at_100_b } else { at_100_kb };
        let (Some(us), Some(them), false) = (of(ours), of(theirs), most.is_nan()) else {
            continue;
        };
        let now = ratio(us, them, measure);
        let reached = if now <= most {
            "reached"
        } else {
            "not reached"
        };
        table.row(
            format!("{size} on {}, {what}: {ours}, of {theirs}", kind.name()),
            [most.to_string(), format!("{now:.2}"), reached.to_owned()],
        );
    }
}
