//! Whole processes on one Runtime API: nodeback, bare lambda_runtime, and AWS's Node and Python
//! runtime clients, each of which echoes its events. Time of an invocation, time from start to
//! the first poll, peak memory.
//!
//! `cargo bench --bench lambda`; `NODEBACK_FULL=1` runs more rounds. The clients are those that
//! `tests/live/node.sh native` and `tests/live/python.sh` install; without them they are left out.

#[path = "support/order.rs"]
mod order;
#[path = "support/stub.rs"]
mod stub;

use lambda_runtime::{LambdaEvent, service_fn};
use nodeback::{Bytes, Callback, Context, Value};
use order::{Order, event};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use stub::Stub;

/// Which function this binary is, if it is one.
const FUNCTION: &str = "NODEBACK_BENCH_FUNCTION";

fn main() {
    match env::var(FUNCTION) {
        Ok(name) => function(&name),
        // `cargo test` runs benchmarks too, without this.
        Err(_) if env::args().any(|arg| arg == "--bench") => bench(),
        Err(_) => {}
    }
}

#[tokio::main]
async fn function(name: &str) {
    let value = |event: Value, _: Context, callback: Callback| callback(None, Some(event));
    let typed = |event: Order, _: Context, callback: Callback<Order>| callback(None, Some(event));
    let raw = |event: Bytes, _: Context, callback: Callback<Bytes>| callback(None, Some(event));
    let bare =
        service_fn(async |event: LambdaEvent<Value>| Ok::<_, lambda_runtime::Error>(event.payload));
    match name {
        "value" => nodeback::run(value).await.expect("a Runtime API"),
        "typed" => nodeback::run(typed).await.expect("a Runtime API"),
        "raw" => nodeback::run(raw).await.expect("a Runtime API"),
        "bare" => lambda_runtime::run(bare).await.expect("a Runtime API"),
        name => panic!("no function {name}"),
    }
}

struct Candidate {
    name: &'static str,
    command: fn() -> Command,
}

/// The first one is measured against the others.
const CANDIDATES: [Candidate; 6] = [
    Candidate {
        name: "nodeback, `Value`",
        command: || ourselves("value"),
    },
    Candidate {
        name: "nodeback, typed",
        command: || ourselves("typed"),
    },
    Candidate {
        name: "nodeback, `Bytes`",
        command: || ourselves("raw"),
    },
    Candidate {
        name: BARE,
        command: || ourselves("bare"),
    },
    Candidate {
        name: NODE,
        command: node,
    },
    Candidate {
        name: PYTHON,
        command: python,
    },
];

const RAW: &str = "nodeback, `Bytes`";
const BARE: &str = "lambda_runtime 1.5";
const NODE: &str = "Node client";
const PYTHON: &str = "Python client";

fn ourselves(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command.env(FUNCTION, name);
    command
}

fn live(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/live")
        .join(path)
}

fn node() -> Command {
    let mut command = Command::new("node");
    command
        .arg(live(
            "native-node/node_modules/aws-lambda-ric/bin/index.mjs",
        ))
        .arg("echo.handler");
    command
}

fn python() -> Command {
    let mut command = Command::new(live("python/bin/python"));
    command.args(["-m", "awslambdaric", "echo.handler"]);
    command
}

/// Why a peer cannot run here, if so.
fn missing(name: &str) -> Option<&'static str> {
    let runs = |command: &mut Command| {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match name {
        NODE if !live("native-node/complete").exists() => Some("run tests/live/node.sh native"),
        NODE if !runs(Command::new("node").arg("--version")) => Some("there is no node"),
        PYTHON
            if !runs(
                Command::new(live("python/bin/python")).args(["-c", "import awslambdaric"]),
            ) =>
        {
            Some("run tests/live/python.sh")
        }
        _ => None,
    }
}

/// A function's process, with a Runtime API of its own.
struct Process {
    child: Child,
    stub: Stub,
    /// From its start to its first poll.
    start: Duration,
}

impl Process {
    fn start(candidate: &Candidate) -> Self {
        let stub = Stub::start();
        let mut command = (candidate.command)();
        command
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("AWS_LAMBDA_RUNTIME_API", stub.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "echo")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("_HANDLER", "echo.handler")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let begin = Instant::now();
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", candidate.name));
        let polled = stub.polled();
        Process {
            child,
            stub,
            start: polled.duration_since(begin),
        }
    }

    /// Microseconds of each of so many invocations, one after the other.
    fn invoke(&self, event: &[u8], times: u32) -> f64 {
        let whole = self.stub.invoke(event, times);
        whole.as_secs_f64() * 1e6 / f64::from(times)
    }

    /// The most that was resident so far, in MB, where the system tells.
    fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak.map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is measured of each candidate.
const MEASURES: [&str; 5] = [
    "100 B, µs",
    "100 kB, µs",
    "start, ms",
    "peak after 100 B, MB",
    "peak after 100 kB, MB",
];
const SMALL: usize = 0;
const LARGE: usize = 1;
const START: usize = 2;
const MEMORY: usize = 3;
const MEMORY_LARGE: usize = 4;

/// One of each candidate, in each round.
type Rounds = Vec<[Vec<f64>; MEASURES.len()]>;

fn bench() {
    let full = env::var("NODEBACK_FULL").is_ok_and(|full| full == "1");
    let rounds = if full { 60 } else { 15 };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let echo = "exports.handler = (event, context, callback) => callback(null, event);\n";
    fs::write(folder.join("echo.js"), echo).expect("written");
    let echo = "def handler(event, context):\n    return event\n";
    fs::write(folder.join("echo.py"), echo).expect("written");

    let mut candidates = Vec::new();
    for candidate in &CANDIDATES {
        match missing(candidate.name) {
            None => candidates.push(candidate),
            Some(why) => println!("left out: {}: {why}", candidate.name),
        }
    }
    let measured = measure(&candidates, rounds);
    table(&candidates, &measured);
    goals(&candidates, &measured);
}

fn measure(candidates: &[&Candidate], rounds: usize) -> Rounds {
    let (small, large) = (event(100), event(100_000));
    let (few, many) = (50, 300);
    let processes: Vec<_> = candidates.iter().map(|each| Process::start(each)).collect();
    for process in &processes {
        // Until what is compiled on the way is.
        process.invoke(&small, 3 * many);
    }
    let mut measured: Rounds = candidates.iter().map(|_| Default::default()).collect();
    // Small ones of all before large ones of any, since the peak of memory only grows.
    for (size, memory, event, times) in [
        (SMALL, MEMORY, &small, many),
        (LARGE, MEMORY_LARGE, &large, few),
    ] {
        for round in 0..rounds {
            for at in in_turn(candidates.len(), round) {
                let taken = processes[at].invoke(event, times);
                measured[at][size].push(taken);
                measured[at][memory].push(processes[at].memory());
            }
        }
    }
    for (candidate, process) in candidates.iter().zip(&processes) {
        let (made, name) = (process.stub.connections(), candidate.name);
        let invocations = 3 * many as usize + rounds * (few + many) as usize;
        println!("connections: {name}: {made} for {invocations} invocations");
    }
    for round in 0..rounds {
        for at in in_turn(candidates.len(), round) {
            let start = Process::start(candidates[at]).start;
            measured[at][START].push(start.as_secs_f64() * 1e3);
        }
    }
    measured
}

/// Forwards and backwards, so that none comes always after the same one.
fn in_turn(candidates: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..candidates).map(move |at| {
        if round % 2 == 0 {
            at
        } else {
            candidates - 1 - at
        }
    })
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios within a round: two runs are 30 % apart, two neighbours less.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
}

fn table(candidates: &[&Candidate], measured: &Rounds) {
    println!(
        "\n| median, and nodeback's share of it | {} |",
        MEASURES.join(" | ")
    );
    println!("| --- {}|", "| --- ".repeat(MEASURES.len()));
    for (candidate, theirs) in candidates.iter().zip(measured) {
        print!("| {} ", candidate.name);
        for (ours, theirs) in measured[0].iter().zip(theirs) {
            let share = ratio(ours, theirs);
            let digits = if share < 0.1 { 3 } else { 2 };
            print!("| {:.1} ({share:.digits$}) ", median(theirs.clone()));
        }
        println!("|");
    }
}

fn goals(candidates: &[&Candidate], measured: &Rounds) {
    let of = |name: &str| {
        let at = candidates.iter().position(|each| each.name == name)?;
        measured.get(at)
    };
    println!("\n| goal | at most | now | |\n| --- | --- | --- | --- |");
    let goal = |text: &str, measure: usize, ours: &str, theirs: &str, most: f64| {
        let (Some(ours), Some(theirs)) = (of(ours), of(theirs)) else {
            println!("| {text} | {most} | left out | |");
            return;
        };
        let now = ratio(&ours[measure], &theirs[measure]);
        let reached = if now <= most {
            "reached"
        } else {
            "not reached"
        };
        println!("| {text} | {most} | {now:.3} | {reached} |");
    };
    let ours = CANDIDATES[0].name;
    goal("100 B, of lambda_runtime", SMALL, ours, BARE, 0.95);
    goal("100 kB, of lambda_runtime", LARGE, ours, BARE, 0.85);
    goal("100 B, of the Node client", SMALL, ours, NODE, 0.40);
    goal("start, of the Node client", START, ours, NODE, 0.025);
    goal("memory, of the Node client", MEMORY, ours, NODE, 0.10);
    goal("100 kB raw, of `Value`", LARGE, RAW, ours, 0.05);
    println!(
        "\nThe last one is a goal of the work in process, which is `cargo bench --bench invoke`;"
    );
    println!("here both have two round trips and two copies through the kernel in them.");
}
