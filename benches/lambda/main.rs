//! Measures whole processes that echo their events: nodeback, lambda_runtime, a loop over a raw
//! socket, and AWS's runtime clients for Node and Python. It measures wall time, processor time,
//! page faults, the time to the first poll and the peak memory, with one and with many invocations
//! in flight.
//!
//! Run it with `cargo bench --bench lambda`. `-- PART ..` selects parts from `one`, `start`, `many`
//! and `drift`, and `NODEBACK_FULL=1` runs more rounds. `tests/live/node.sh native`,
//! `tests/live/node.sh current`, `tests/live/python.sh` and `benches/size.sh` install or build the
//! other candidates. The benchmark prints which of them are missing.

mod api;
mod blocking;
mod candidates;
mod emulator;
#[path = "../support/flavor.rs"]
mod flavor;
#[path = "../support/http.rs"]
mod http;
mod many;
#[path = "../support/median.rs"]
mod median;
mod one;
#[path = "../support/order.rs"]
mod order;
mod process;
mod start;
mod stub;
#[path = "../support/table.rs"]
mod table;

use std::env;

fn main() {
    match env::var(candidates::FUNCTION) {
        Ok(name) => candidates::function(&name),
        // `cargo test` also runs this binary, without `--bench`.
        Err(_) if env::args().any(|arg| arg == "--bench") => bench(),
        Err(_) => {}
    }
}

fn bench() {
    let full = env::var("NODEBACK_FULL").is_ok_and(|full| full == "1");
    let parts: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|one| one == part);
    candidates::write_echoes();
    if wanted("one") {
        table::publish("lambda-one", &one::bench(if full { 40 } else { 10 }));
    }
    if wanted("start") {
        table::publish("lambda-start", &[start::bench(if full { 60 } else { 15 })]);
    }
    if wanted("many") {
        table::publish("lambda-many", &many::bench(if full { 20 } else { 5 }));
    }
    if wanted("drift") {
        table::publish("lambda-drift", &[many::drift()]);
    }
}
