//! Measures the start of a process by phases, and its memory afterwards.

use super::{
    api::Kind,
    candidates::{self, Candidate},
    median::{median, ratio},
    one::in_turn,
    process::Process,
    table::Table,
};
use std::{path::Path, process::Command};

/// The programs that `benches/size.sh` builds as users would build them, without the code of the
/// other candidates.
const PROGRAMS: [(&str, &str); 3] = [
    ("`hello` on nodeback", "hello"),
    ("`hello` on lambda_runtime with its log", "logged"),
    ("`hello` on lambda_runtime, bare", "bare"),
];

type Start = Box<dyn Fn() -> Command>;

pub(crate) fn bench(rounds: usize) -> Table {
    let mut starts: Vec<(&str, Start)> = Vec::new();
    for (name, file) in PROGRAMS {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/size/{file}-release"));
        if path.exists() {
            starts.push((name, Box::new(move || Command::new(&path))));
        } else {
            println!("left out: {name}: run benches/size.sh");
        }
    }
    // The typed candidate expects an order, which has no `name`.
    let greets = |candidate: &Candidate| candidate.name != candidates::TYPED;
    for candidate in candidates::present().into_iter().filter(greets) {
        starts.push((candidate.name, Box::new(move || candidate.command())));
    }
    // `hello` responds with the name and the request id, so the response is at least as long as the event.
    let small = format!(r#"{{"name":"{}"}}"#, "A".repeat(88)).into_bytes();
    let mut measured = vec![(Vec::new(), Vec::new(), Vec::new()); starts.len()];
    for round in 0..rounds {
        for at in in_turn(starts.len(), round) {
            let (Some((_, command)), Some(measured)) = (starts.get(at), measured.get_mut(at))
            else {
                continue;
            };
            let mut process = Process::start(Kind::Stub, command());
            measured.0.push(process.start.as_secs_f64() * 1e3);
            measured.1.push(process.invoke(&small, 1).0.wall / 1e3);
            process.invoke(&small, 300);
            measured.2.push(process.memory());
        }
    }
    let mut table = Table::new(
        "start",
        &[
            "to the first poll, ms",
            "of nodeback's",
            "first invocation, ms",
            "peak after 300 of 100 B, MB",
            "of nodeback's peak",
        ],
    )
    .plotted(0);
    let first = measured.first().cloned().unwrap_or_default();
    for ((name, _), (start, invocation, memory)) in starts.iter().zip(&measured) {
        table.row(
            *name,
            [
                format!("{:.2}", median(start.iter().copied())),
                format!("{:.2}", ratio(start, &first.0, |time| *time)),
                format!("{:.2}", median(invocation.iter().copied())),
                format!("{:.2}", median(memory.iter().copied())),
                format!("{:.2}", ratio(memory, &first.2, |peak| *peak)),
            ],
        );
    }
    table
}
