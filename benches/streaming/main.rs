//! Measures streams of whole processes to a Runtime API: nodeback, lambda_runtime alone, AWS's Node
//! runtime client, and a loop over a raw socket. Measures the time to the first byte, and that of 1
//! MB and 100 MB in chunks of 16 KiB. nodeback and lambda_runtime are measured on one thread and on
//! several, and nodeback also with Node's high-water mark, 64 KiB.
//!
//! `cargo bench --bench streaming`; `NODEBACK_FULL=1` runs more rounds. The Node client is what
//! `tests/live/node.sh native` installs. Without it, Node is left out. Each round has one
//! measurement of each candidate, so that other load on the machine affects all of them. Only the
//! ratios are meaningful.

mod api;
mod candidates;
#[path = "../support/flavor.rs"]
mod flavor;
#[allow(dead_code, reason = "the loop ignores what the head of an event says")]
#[path = "../support/http.rs"]
mod http;
#[path = "../support/median.rs"]
mod median;
#[path = "../support/table.rs"]
mod table;

use api::{Process, Took};
use candidates::{CANDIDATES, CHUNK, Candidate, FUNCTION, NODE_CLIENT};
use median::{median, ratio};
use std::{env, time::Duration};
use table::Table;

const MB: usize = 1024 * 1024;

fn main() {
    match env::var(FUNCTION) {
        Ok(name) => candidates::function(&name),
        // `cargo test` also runs benchmarks, without this argument.
        Err(_) if env::args().any(|arg| arg == "--bench") => bench(),
        Err(_) => {}
    }
}

/// The measurements: a name, the number of chunks, the number of streams in a round, and which of
/// the times.
type Measure = (&'static str, usize, usize, fn(&Took) -> Duration);

const MEASURES: [Measure; 3] = [
    ("a stream: first byte", 1, 100, |took| took.first),
    ("a stream of 1 MB", MB / CHUNK, 20, |took| took.whole),
    ("a stream of 100 MB", 100 * MB / CHUNK, 1, |took| took.whole),
];

fn bench() {
    let full = env::var("NODEBACK_FULL").is_ok_and(|full| full == "1");
    let rounds = if full { 40 } else { 15 };
    candidates::write_original();
    let candidates: Vec<_> = CANDIDATES
        .into_iter()
        .filter(Candidate::is_present)
        .collect();
    let processes: Vec<_> = candidates.iter().copied().map(Process::start).collect();
    for process in &processes {
        for (_, chunks, times, _) in MEASURES {
            for _ in 0..times {
                process.stream(chunks);
            }
        }
    }
    let tables = MEASURES.map(|measure| {
        let mut figures = vec![Vec::new(); candidates.len()];
        for _ in 0..rounds {
            for (process, figures) in processes.iter().zip(&mut figures) {
                figures.push(micros(process, measure));
            }
        }
        table(measure.0, &candidates, &figures)
    });
    table::publish("streaming", &tables);
}

/// Returns the mean time of the streams of a round in microseconds.
fn micros(process: &Process, (_, chunks, times, time): Measure) -> f64 {
    let whole: Duration = (0..times).map(|_| time(&process.stream(chunks))).sum();
    whole.as_secs_f64() * 1e6 / times as f64
}

fn table(title: &str, candidates: &[Candidate], figures: &[Vec<f64>]) -> Table {
    let mut table =
        Table::new(title, &["µs", "of lambda_runtime", "of the Node client"]).plotted(0);
    for (candidate, its) in candidates.iter().zip(figures) {
        let ratio_to = |peer: &str| {
            let at = candidates.iter().position(|other| other.name == peer)?;
            Some(ratio(its, figures.get(at)?, |figure| *figure))
        };
        let cell = |peer| ratio_to(peer).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let cells = [
            format!("{:.0}", median(its.iter().copied())),
            cell(candidate.baseline),
            cell(NODE_CLIENT),
        ];
        table.row(candidate.name, cells);
    }
    table
}
