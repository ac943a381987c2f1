//! Measures streams of whole processes to a Runtime API: nodeback, lambda_runtime alone, and AWS's
//! Node runtime client. Measures the time to the first byte, and that of 1 MB and 100 MB in chunks
//! of 16 KiB. nodeback and Node have a high-water mark of 64 KiB. nodeback is also measured with
//! one of 1 MiB.
//!
//! `cargo bench --bench streaming`; `NODEBACK_FULL=1` runs more rounds. The Node client is what
//! `tests/live/node.sh native` installs. Without it, Node is left out. Each round has one
//! measurement of each candidate, so that other load on the machine affects all of them. Only the
//! ratios are meaningful.

use lambda_runtime::{LambdaEvent, StreamResponse, service_fn};
use nodeback::{Bytes, ResponseStream, streamify_response};
use parking_lot::Mutex;
use serde::Deserialize;
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Names the function that this process runs, if it is not the benchmark itself.
const FUNCTION: &str = "NODEBACK_BENCH_FUNCTION";

const CHUNK: usize = 16 * 1024;
const MB: usize = 1024 * 1024;

fn main() {
    match env::var(FUNCTION) {
        Ok(name) => function(&name),
        // `cargo test` also runs benchmarks, without this argument.
        Err(_) if env::args().any(|arg| arg == "--bench") => bench(),
        Err(_) => {}
    }
}

#[derive(Deserialize)]
struct Size {
    chunks: usize,
}

/// Runs a function. All of them write the same bytes, which are created once.
#[tokio::main]
async fn function(name: &str) {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    match name {
        "nodeback" | "nodeback_large" => {
            let mark = if name == "nodeback" { 64 * 1024 } else { MB };
            let handler = move |event: Size, stream: ResponseStream| {
                let chunk = chunk.clone();
                async move {
                    for _ in 0..event.chunks {
                        stream.write(chunk.clone()).await?;
                    }
                    stream.end().await
                }
            };
            let handler = streamify_response(handler).high_water_mark(mark);
            nodeback::run(handler).await.expect("a Runtime API");
        }
        "channel" => {
            let handler = service_fn(move |event: LambdaEvent<Size>| {
                let chunk = chunk.clone();
                async move {
                    let (mut sender, body) = lambda_runtime::streaming::channel();
                    tokio::spawn(async move {
                        for _ in 0..event.payload.chunks {
                            if sender.send_data(chunk.clone()).await.is_err() {
                                return;
                            }
                        }
                    });
                    Ok::<_, lambda_runtime::Error>(StreamResponse::from(body))
                }
            });
            lambda_runtime::run(handler).await.expect("a Runtime API");
        }
        name => panic!("no function {name}"),
    }
}

const NODE: &str = r"
const chunk = Buffer.alloc(16384, 'x');
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    for (let n = 0; n < event.chunks; n++) {
        if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
});
";

#[derive(Clone, Copy)]
struct Candidate {
    name: &'static str,
    command: fn() -> Command,
}

/// The others are compared with the first one.
const CANDIDATES: [Candidate; 4] = [
    Candidate {
        name: "nodeback",
        command: || ourselves("nodeback"),
    },
    Candidate {
        name: "nodeback, mark 1 MB",
        command: || ourselves("nodeback_large"),
    },
    Candidate {
        name: "lambda_runtime 1.5",
        command: || ourselves("channel"),
    },
    Candidate {
        name: "Node client",
        command: node,
    },
];

fn ourselves(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command.env(FUNCTION, name);
    command
}

const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/live/native-node/node_modules/aws-lambda-ric/bin/index.mjs"
);

fn node() -> Command {
    let mut command = Command::new("node");
    command.args([CLIENT, "streams.handler"]);
    command
}

/// The time of one stream: until its first byte, and in total.
struct Took {
    first: Duration,
    whole: Duration,
}

/// A function's process, with a Runtime API that reads and counts.
struct Process {
    child: Child,
    events: Sender<usize>,
    took: Receiver<Took>,
}

impl Process {
    fn start(candidate: Candidate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (events, to_hand_out) = mpsc::channel();
        let (taken, took) = mpsc::channel();
        let api = Arc::new(Api {
            events: Mutex::new(to_hand_out),
            begin: Mutex::new(Instant::now()),
            took: Mutex::new(taken),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let api = Arc::clone(&api);
                thread::spawn(move || api.serve(stream));
            }
        });
        Process {
            child: spawn(candidate, address),
            events,
            took,
        }
    }

    fn stream(&self, chunks: usize) -> Took {
        self.events.send(chunks).expect("the API runs");
        let took = self.took.recv_timeout(Duration::from_secs(60));
        took.expect("a stream within 60 s")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(candidate: Candidate, address: SocketAddr) -> Child {
    (candidate.command)()
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "streams")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/streams")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("_HANDLER", "streams.handler")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", candidate.name))
}

/// The state that the connections of a function share. A function has one event at a time.
struct Api {
    events: Mutex<Receiver<usize>>,
    begin: Mutex<Instant>,
    took: Mutex<Sender<Took>>,
}

impl Api {
    /// Serves a connection until its other end closes it.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let _ = stream.set_nodelay(true);
        let mut stream = BufReader::with_capacity(256 * 1024, stream);
        loop {
            let head = head(&mut stream)?;
            if head.starts_with("GET") {
                let chunks = self.events.lock().recv().ok()?;
                *self.begin.lock() = Instant::now();
                stream.get_mut().write_all(&event(chunks)).ok()?;
            } else {
                let first = body(&mut stream)?;
                let begin = *self.begin.lock();
                let took = Took {
                    first: first.duration_since(begin),
                    whole: begin.elapsed(),
                };
                let reply = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
                stream.get_mut().write_all(reply).ok()?;
                self.took.lock().send(took).ok()?;
            }
        }
    }
}

fn event(chunks: usize) -> Vec<u8> {
    let body = format!(r#"{{"chunks":{chunks}}}"#);
    format!(
        "HTTP/1.1 200 OK\r\n\
         Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:streams\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    Some(head)
}

/// Reads a chunked body to its end. Returns the time at which its first byte arrived.
fn body(stream: &mut BufReader<TcpStream>) -> Option<Instant> {
    let (mut first, mut line) = (None, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        first.get_or_insert_with(Instant::now);
        if length == 0 {
            break;
        }
        let mut left = length + 2;
        while left > 0 {
            let read = stream.fill_buf().ok()?.len().min(left);
            if read == 0 {
                return None;
            }
            stream.consume(read);
            left -= read;
        }
    }
    // The trailers, up to an empty line.
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    }
    first
}

/// The measurements: a name, the number of chunks, the number of streams in a round, and which of
/// the times.
type Measure = (&'static str, usize, usize, fn(&Took) -> Duration);

const MEASURES: [Measure; 3] = [
    ("first byte, µs", 1, 100, |took| took.first),
    ("1 MB, µs", MB / CHUNK, 20, |took| took.whole),
    ("100 MB, µs", 100 * MB / CHUNK, 1, |took| took.whole),
];

fn bench() {
    let full = env::var("NODEBACK_FULL").is_ok_and(|full| full == "1");
    let rounds = if full { 40 } else { 10 };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("streams.js"), NODE).expect("written");
    let has_node = Path::new(CLIENT).exists();
    let candidates = CANDIDATES.into_iter().filter(|candidate| {
        let runs = has_node || candidate.name != "Node client";
        if !runs {
            println!("without the Node client: run tests/live/node.sh native");
        }
        runs
    });
    let candidates: Vec<_> = candidates.collect();
    let processes: Vec<_> = candidates.iter().copied().map(Process::start).collect();
    for process in &processes {
        for (_, chunks, times, _) in MEASURES {
            for _ in 0..times {
                process.stream(chunks);
            }
        }
    }
    for (name, chunks, times, time) in MEASURES {
        let mut figures = vec![Vec::new(); candidates.len()];
        for _ in 0..rounds {
            for (process, figures) in processes.iter().zip(&mut figures) {
                let whole: Duration = (0..times).map(|_| time(&process.stream(chunks))).sum();
                figures.push(whole.as_secs_f64() * 1e6 / times as f64);
            }
        }
        println!("{name}");
        let ratios = |other: &[f64]| {
            let mut ratios: Vec<_> = figures[0].iter().zip(other).map(|(a, b)| a / b).collect();
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        for (candidate, figures) in candidates.iter().zip(&figures) {
            let mut sorted = figures.clone();
            sorted.sort_by(f64::total_cmp);
            let (median, ratio) = (sorted[sorted.len() / 2], ratios(figures));
            println!(
                "  {:<20} {median:>10.0}   nodeback's of it: {ratio:.2}",
                candidate.name
            );
        }
    }
}
