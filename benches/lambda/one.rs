//! One invocation at a time, on each of the Runtime APIs.

use super::{
    api::Kind,
    candidates::{self, Candidate},
    order::event,
    process::{Process, Sample},
};

const SIZES: [(&str, usize, u32); 2] = [("100 B", 100, 600), ("100 kB", 100_000, 60)];

pub(crate) fn bench(rounds: usize) {
    let candidates = candidates::present();
    let mut goals = Vec::new();
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
                // Until what is compiled on the way is.
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
            println!("\n{size} on {}\n", kind.name());
            table(&candidates, &samples);
            goals.extend(compared(kind, size, &candidates, &samples));
        }
        println!();
        for (candidate, process) in candidates.iter().zip(&processes) {
            let (name, memory) = (candidate.name, process.memory());
            let made = process.api.connections();
            let made = made.map_or(String::new(), |made| {
                format!(", {made} connections for {invocations} invocations")
            });
            println!("{name}: peak memory {memory:.1} MB{made}");
        }
    }
    println!("\n| goal | at most | now | |\n| --- | --- | --- | --- |");
    for line in goals {
        println!("{line}");
    }
}

/// Forwards and backwards, so that none comes always after the same one.
pub(crate) fn in_turn(candidates: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..candidates).map(move |at| {
        if round % 2 == 0 {
            at
        } else {
            candidates - 1 - at
        }
    })
}

pub(crate) fn median(all: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios within a round: two runs are 30 % apart, two neighbors less.
fn ratio(ours: &[Sample], theirs: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    median(
        ours.iter()
            .zip(theirs)
            .map(|(ours, theirs)| of(ours) / of(theirs)),
    )
}

fn table(candidates: &[Candidate], samples: &[Vec<Sample>]) {
    println!(
        "| | wall, µs | of lambda_runtime | processor, µs | of lambda_runtime | page faults |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (candidate, ours) in candidates.iter().zip(samples) {
        let base = position(candidates, candidate.of).and_then(|at| samples.get(at));
        let base = base.unwrap_or(ours);
        println!(
            "| {} | {:.0} | {:.2} | {:.0} | {:.2} | {:.1} |",
            candidate.name,
            median(ours.iter().map(|sample| sample.wall)),
            ratio(ours, base, |sample| sample.wall),
            median(ours.iter().map(|sample| sample.cpu)),
            ratio(ours, base, |sample| sample.cpu),
            median(ours.iter().map(|sample| sample.faults)),
        );
    }
}

fn position(candidates: &[Candidate], name: &str) -> Option<usize> {
    candidates.iter().position(|one| one.name == name)
}

/// The goals, as rows of a table.
fn compared(
    kind: Kind,
    size: &str,
    candidates: &[Candidate],
    samples: &[Vec<Sample>],
) -> Vec<String> {
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
    let mut rows = Vec::new();
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
        rows.push(format!(
            "| {size} on {}, {what}: {ours}, of {theirs} | {most} | {now:.2} | {reached} |",
            kind.name()
        ));
    }
    rows
}
