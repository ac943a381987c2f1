//! The functions that are measured. The functions in Rust are this binary, started with the
//! variable [`FUNCTION`].

use super::{emulator, flavor, http, order::Order, process::live};
use lambda_runtime::{LambdaEvent, service_fn};
use nodeback::{Bytes, Callback, Context, Value};
use std::{
    env, fs,
    io::Write,
    net::TcpStream,
    path::Path,
    process::{self, Command, Stdio},
};

/// The environment variable with the name of the function that this binary runs, if it is to run
/// one.
pub(crate) const FUNCTION: &str = "NODEBACK_BENCH_FUNCTION";

#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    /// The name of the candidate that it is compared with.
    pub(crate) of: &'static str,
    command: fn() -> Command,
}

pub(crate) const ONE: &str = "nodeback, one thread";
pub(crate) const SEVERAL: &str = "nodeback, several threads";
pub(crate) const TYPED: &str = "nodeback, typed, one thread";
pub(crate) const BYTES: &str = "nodeback, `Bytes`, one thread";
pub(crate) const BARE_ONE: &str = "lambda_runtime, one thread";
pub(crate) const BARE_SEVERAL: &str = "lambda_runtime, several threads";
pub(crate) const RAW: &str = "raw socket loop";
pub(crate) const NODE: &str = "Node client 3.3.0";
pub(crate) const NODE_4: &str = "Node client 4.0.2, async handler";
pub(crate) const PYTHON: &str = "Python client";

/// All candidates.
pub(crate) const CANDIDATES: [Candidate; 10] = [
    candidate(ONE, BARE_ONE, || ourselves("value@one")),
    candidate(SEVERAL, BARE_SEVERAL, || ourselves("value@several")),
    candidate(TYPED, BARE_ONE, || ourselves("typed@one")),
    candidate(BYTES, BARE_ONE, || ourselves("bytes@one")),
    candidate(BARE_ONE, BARE_ONE, || ourselves("bare@one")),
    candidate(BARE_SEVERAL, BARE_SEVERAL, || ourselves("bare@several")),
    candidate(RAW, BARE_ONE, || ourselves("raw@one")),
    candidate(NODE, BARE_ONE, node),
    candidate(NODE_4, BARE_ONE, || {
        let mut command = Command::new(live("current-node/node"));
        command
            .arg(live("current-node/node_modules/aws-lambda-ric/index.mjs"))
            .env("_HANDLER", "echo.promise");
        command
    }),
    candidate(PYTHON, BARE_ONE, python),
];

const fn candidate(name: &'static str, of: &'static str, command: fn() -> Command) -> Candidate {
    Candidate { name, of, command }
}

impl Candidate {
    pub(crate) fn command(&self) -> Command {
        (self.command)()
    }
}

/// Returns the candidates that can run here, and prints why the others cannot.
pub(crate) fn present() -> Vec<Candidate> {
    let mut present = Vec::new();
    for candidate in CANDIDATES {
        match missing(candidate.name) {
            None => present.push(candidate),
            Some(why) => println!("left out: {}: {why}", candidate.name),
        }
    }
    present
}

/// Returns why a candidate cannot run here, or `None` if it can.
fn missing(name: &str) -> Option<&'static str> {
    let runs = |command: &mut Command| {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match name {
        NODE if !live("native-node/complete").exists() => Some("run tests/live/node.sh native"),
        NODE if !runs(Command::new("node").arg("--version")) => Some("Node.js is not installed"),
        NODE_4 if !live("current-node/complete").exists() => Some("run tests/live/node.sh current"),
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

pub(crate) fn has_emulator() -> bool {
    let there = emulator::binary().exists();
    if !there {
        println!("left out: AWS's emulator: run tests/live/python.sh");
    }
    there
}

/// Returns a command that runs this binary as the named function.
pub(crate) fn ourselves(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command.env(FUNCTION, name);
    command
}

fn node() -> Command {
    let mut command = Command::new("node");
    let client = "native-node/node_modules/aws-lambda-ric/bin/index.mjs";
    command.arg(live(client)).arg("echo.handler");
    command
}

fn python() -> Command {
    let mut command = Command::new(live("python/bin/python"));
    command.args(["-m", "awslambdaric", "echo.handler"]);
    command
}

/// Writes the source files of the functions for AWS's clients.
pub(crate) fn write_echoes() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let node = "exports.handler = (event, context, callback) => callback(null, event);\n\
                exports.promise = async (event) => event;\n";
    fs::write(folder.join("echo.js"), node).expect("written");
    let python = "def handler(event, context):\n    return event\n";
    fs::write(folder.join("echo.py"), python).expect("written");
}

/// Runs a function until the process is killed.
pub(crate) fn function(name: &str) {
    let (name, flavor) = flavor::split(name);
    if name == "raw" {
        return raw();
    }
    flavor::runtime(flavor).block_on(async {
        let value = |event: Value, _: Context, callback: Callback| callback(None, Some(event));
        let typed =
            |event: Order, _: Context, callback: Callback<Order>| callback(None, Some(event));
        let bytes =
            |event: Bytes, _: Context, callback: Callback<Bytes>| callback(None, Some(event));
        let bare = service_fn(async |event: LambdaEvent<Value>| {
            Ok::<_, lambda_runtime::Error>(event.payload)
        });
        match name {
            "value" => nodeback::run(value).await.expect("a Runtime API"),
            "typed" => nodeback::run(typed).await.expect("a Runtime API"),
            "bytes" => nodeback::run(bytes).await.expect("a Runtime API"),
            "bare" => lambda_runtime::run(bare).await.expect("a Runtime API"),
            "concurrent" => {
                let handler = service_fn(|event: LambdaEvent<Value>| async {
                    Ok::<_, lambda_runtime::Error>(event.payload)
                });
                let ran = lambda_runtime::run_concurrent(handler).await;
                ran.expect("a Runtime API");
            }
            name => panic!("no function {name}"),
        }
    });
}

/// The lower bound: a blocking socket without an HTTP library. It parses and serializes the event
/// as a `Value`.
fn raw() {
    let address = env::var("AWS_LAMBDA_RUNTIME_API").expect("an address");
    let stream = TcpStream::connect(&address).expect("a Runtime API");
    let (mut reader, mut writer) = http::connection(stream).expect("a socket");
    const API: &str = "/2018-06-01/runtime/invocation";
    let poll = format!("GET {API}/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    loop {
        writer.write_all(poll.as_bytes()).expect("written");
        let Ok(Some(event)) = http::read(&mut reader) else {
            process::exit(0);
        };
        let value: serde_json::Value = serde_json::from_slice(&event.body).expect("JSON");
        let body = serde_json::to_vec(&value).expect("JSON");
        let mut post = format!(
            "POST {API}/{}/response HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            event.request_id,
            body.len()
        )
        .into_bytes();
        post.extend_from_slice(&body);
        writer.write_all(&post).expect("written");
        http::read(&mut reader).expect("a reply");
    }
}
