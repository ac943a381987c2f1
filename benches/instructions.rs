//! Counts the instructions of a completion and of an invocation. Unlike time, this figure does not
//! depend on the load of the machine.
//!
//! `cargo bench -p nodeback-benches --no-default-features --bench instructions` runs this binary
//! under callgrind and compares the counts with `benches/instructions.txt`. It fails if nodeback
//! takes 3 % more overall or 15 % more in one scenario. `-- --update` updates that table. The
//! features and the folder of a build affect what the compiler inlines: this changes a single
//! scenario of any peer by up to 10 %, and the average of all scenarios by less. Needs valgrind.

#[allow(dead_code, reason = "no scenario uses a typed event")]
#[path = "support/order.rs"]
mod order;
mod scenarios;

use futures::FutureExt;
use nodeback::{Bytes, Callback, Context, Runtime, Value};
use scenarios::{SCENARIOS, Scenario};
use std::{env, fmt::Write as _, fs, hint::black_box, process::Command, sync::LazyLock};
use tokio::runtime;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// The scenarios of one invocation in process, with an event of 100 bytes.
const INVOCATIONS: &[Scenario] = &[
    (INVOCATION, "by hand", by_hand),
    (INVOCATION, "nodeback, callback", || invoke(&CALLBACK)),
    (INVOCATION, "nodeback, callback from a task", || {
        invoke(&TASK)
    }),
];

const INVOCATION: &str = "invocation of 100 bytes";

static EVENT: LazyLock<Bytes> = LazyLock::new(|| order::event(100).into());
static TOKIO: LazyLock<runtime::Runtime> = LazyLock::new(|| {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
});
static CONTEXT: LazyLock<Context> = LazyLock::new(Context::default);
static CALLBACK: LazyLock<Runtime> = LazyLock::new(|| {
    Runtime::new(|event: Value, _: Context, callback: Callback| callback.succeed(event))
});
static TASK: LazyLock<Runtime> = LazyLock::new(|| {
    Runtime::new(|event: Value, context: Context, callback: Callback| {
        context.spawn(async move { callback.succeed(event) });
    })
});

fn by_hand() {
    let event: Value = serde_json::from_slice(&EVENT).expect("JSON");
    black_box(serde_json::to_vec(&black_box(event)).expect("JSON"));
}

fn invoke(function: &Runtime) {
    // No scenario waits for anything, so the runtime itself need not run.
    let _entered = TOKIO.enter();
    let invoked = function.invoke_raw(EVENT.clone(), CONTEXT.clone());
    let _ = black_box(invoked.now_or_never().expect("an outcome"));
}

fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    SCENARIOS.iter().chain(INVOCATIONS)
}

/// Returns the number of instructions of a process that runs a scenario `times` times.
fn count(scenario: usize, times: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().expect("the path of this binary"))
        // Backtraces are optional, so their cost is not included.
        .env("RUST_BACKTRACE", "0")
        .env("NODEBACK_SCENARIO", format!("{scenario} {times}"))
        .output()
        .expect("valgrind");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.unwrap_or_else(|| panic!("callgrind printed: {text}"));
    collected.trim().parse().expect("a count")
}

fn main() {
    if let Ok(which) = env::var("NODEBACK_SCENARIO") {
        let (scenario, times) = which.split_once(' ').expect("a scenario and a count");
        let scenario = scenario.parse().expect("its number");
        let (_, _, run) = scenarios().nth(scenario).expect("a scenario");
        for _ in 0..times.parse::<usize>().expect("a number") {
            run();
        }
        return;
    }
    // The difference between two counts leaves out the start of the process.
    let (few, many) = (100, 1100);
    let (mut table, mut ratios) = (String::new(), vec![]);
    let known = fs::read_to_string(TABLE).unwrap_or_default();
    for (n, (what, peer, _)) in scenarios().enumerate() {
        let now = (count(n, many) - count(n, few)) / (many - few) as u64;
        let name = format!("{what}, {peer}");
        let before = known.lines().find_map(|line| {
            let (of, count) = line.rsplit_once(' ')?;
            (of.trim_end() == name).then(|| count.parse::<u64>().ok())?
        });
        let _ = writeln!(table, "{name:<56} {now:>5}");
        let ratio = before.map(|before| now as f64 / before as f64);
        println!("{name:<56} {now:>5}, was {before:?}");
        if peer.starts_with("nodeback") {
            ratios.extend(ratio);
        }
    }
    let logs: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    let mean = (logs / ratios.len().max(1) as f64).exp();
    let most = ratios.iter().copied().fold(0.0, f64::max);
    println!("nodeback: {mean:.3} of the table on average, {most:.3} at most");
    if env::args().any(|arg| arg == "--update") {
        fs::write(TABLE, table).expect("the table can be written");
    } else if mean > 1.03 || most > 1.15 {
        panic!("nodeback takes more instructions than {TABLE} allows");
    }
}
